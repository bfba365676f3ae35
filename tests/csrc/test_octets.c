/* Octets are told, and copied, as one after the other would be, and nothing behind a
 * text is touched that isn't in its page.
 *
 * Each text ends where a page begins that nobody may read, and begins where one ends
 * that nobody may read; so does the room for its copy.
 */
#include "octets.h"

#include "support.h"
#include "sys.h"

#include <stdbool.h>
#include <sys/mman.h>

enum { SIZE_MAX_TRIED = 70 };

static char *pages;
static size_t page;

static void
map_pages(void)
{
    page = sys_posix.page_size();
    pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    CHECK_EQUAL(mprotect(pages + page, page, PROT_READ | PROT_WRITE), 0);
}

/* A text of letters whose last octet is the page's last, or whose first is its first.
 */
static char *
text_at_edge(size_t size, bool is_at_end)
{
    size_t taken = size == 0 ? 1 : size; /* an empty one has an octet that ends it */
    char *text = is_at_end ? pages + 2 * page - taken : pages + page;

    memset(pages + page, 'a', page);
    return text;
}

static bool
is_one_of(unsigned char octet, const char *those)
{
    return octet != 0 && strchr(those, octet) != NULL;
}

static bool
is_beyond_ascii(unsigned char octet)
{
    return octet >= 0x80;
}

static bool
is_outside_query(unsigned char octet)
{
    return octet < 0x21 || octet >= 0x7F;
}

static bool
is_outside_path(unsigned char octet)
{
    bool is_alnum = (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') ||
                    (octet >= 'a' && octet <= 'z');

    return !is_alnum && !is_one_of(octet, "-._~!$&'()*+,;=:@[]/");
}

static bool
is_outside_string(unsigned char octet)
{
    return octet < 0x20 || octet >= 0x80 || is_one_of(octet, "<>&\"\\");
}

static bool
is_outside_json(unsigned char octet)
{
    return octet < 0x20 || is_one_of(octet, "\"\\");
}

static const struct {
    block_kind kind;
    bool (*is_of_kind)(unsigned char octet);
} kinds[] = {
    {beyond_ascii, is_beyond_ascii}, {outside_query, is_outside_query},
    {outside_path, is_outside_path}, {outside_string, is_outside_string},
    {outside_json, is_outside_json},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void
an_octet_of_a_kind_is_found_at_every_place(void)
{
    map_pages();
    for (size_t size = 1; size <= SIZE_MAX_TRIED; size++) {
        for (size_t at = 0; at < size; at++) {
            char *text = text_at_edge(size, (size + at) % 2 == 0);
            for (int octet = 0; octet < 256; octet++) {
                text[at] = (char)octet;
                for (int i = 0; i < KINDS; i++) {
                    bool found = !octets_none_is(kinds[i].kind, text, size);
                    CHECK_EQUAL(found, kinds[i].is_of_kind((unsigned char)octet));
                }
            }
        }
    }
}

static void
what_is_copied_is_the_text_and_what_is_in_it_is_told(void)
{
    char copy[SIZE_MAX_TRIED + BLOCK_SIZE];

    map_pages();
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
        for (size_t at = 0; at < (size == 0 ? 1 : size); at++) {
            char *text = text_at_edge(size, true);
            for (int octet = 0; octet < 256; octet++) {
                if (size > 0) {
                    text[at] = (char)octet;
                }
                for (int i = 0; i < KINDS; i++) {
                    bool has_any =
                        size > 0 && kinds[i].is_of_kind((unsigned char)octet);
                    bool is_copied =
                        octets_copy_unless(kinds[i].kind, copy, text, size) != 0;
                    CHECK_EQUAL(is_copied, !has_any);
                    CHECK_EQUAL(memcmp(copy, text, size), 0);
                }
            }
        }
    }
}

/* A short text in the middle of a page: what lies behind it is loaded with it. */
static void
what_lies_behind_a_text_is_not_of_it(void)
{
    char copy[2 * BLOCK_SIZE];

    map_pages();
    for (size_t size = 0; size < BLOCK_SIZE; size++) {
        char *text = pages + page + 100;
        memset(pages + page, '<', page);
        memset(text, 'a', size);
        CHECK(octets_copy_unless(outside_string, copy, text, size));
    }
}

static void
no_more_than_a_block_is_written_behind_a_copy(void)
{
    char text[SIZE_MAX_TRIED];

    map_pages();
    memset(text, 'a', sizeof(text));
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
        char *to = pages + 2 * page - size - BLOCK_SIZE;
        CHECK(octets_copy_unless(outside_string, to, text, size));
    }
}

static void
a_word_is_told_whatever_octet_is_in_it(void)
{
    for (int at = 0; at < 8; at++) {
        for (int octet = 0; octet < 256; octet++) {
            uint64_t word;
            char text[8];
            memset(text, 'a', sizeof(text));
            text[at] = (char)octet;
            memcpy(&word, text, sizeof(word));
            CHECK_EQUAL(word_is_outside_string(word) != 0,
                        is_outside_string((unsigned char)octet));
        }
    }
}

RUN(TEST(an_octet_of_a_kind_is_found_at_every_place),
    TEST(what_is_copied_is_the_text_and_what_is_in_it_is_told),
    TEST(what_lies_behind_a_text_is_not_of_it),
    TEST(no_more_than_a_block_is_written_behind_a_copy),
    TEST(a_word_is_told_whatever_octet_is_in_it))

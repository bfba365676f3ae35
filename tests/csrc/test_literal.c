/* The search for null, wherever it stands in a line of whatever length. */
#include "literal.h"
#include "support.h"

#include <string.h>

static void
a_null_is_found_wherever_it_stands(void)
{
    for (size_t size = 4; size < 200; size++) {
        char *text = test_memory(size);
        for (size_t at = 0; at + 4 <= size; at++) {
            memset(text, 'n', size);
            memcpy(text + at, "null", 4);
            CHECK(literal_has_null(text, size));
        }
    }
}

static void
what_is_like_it_is_not_taken_for_it(void)
{
    static const char *const texts[] = {"", "n", "nul", "nnul", "ulln", "Null", "nulL"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        CHECK(!literal_has_null(texts[i], strlen(texts[i])));
    }
}

static void
nothing_behind_the_text_is_read(void)
{
    char *text = test_memory(3);

    memcpy(text, "nul", 3);
    CHECK(!literal_has_null(text, 3));
}

RUN(TEST(a_null_is_found_wherever_it_stands), TEST(what_is_like_it_is_not_taken_for_it),
    TEST(nothing_behind_the_text_is_read))

/* octets.h - texts looked at, and copied, sixteen octets at once.
 *
 * The vector extensions of GCC and Clang do the same on every processor. Compiled into
 * the modules that put lines together; knows nothing of Python.
 *
 * A kind marks the octets of a block that are of it: all bits of such an octet are set,
 * and none of any other.
 *
 * Reads:  a text shorter than a block is loaded together with what lies behind it, if
 *         that is in the same page; nothing of it has an influence on what is returned.
 *         An empty one has to have an octet that may be read, as a text's NUL.
 * Writes: octets_copy_unless writes whole blocks: up to BLOCK_SIZE octets behind the
 *         copy are anything afterwards, and have to belong to the caller.
 * Errors: none.
 */
#ifndef AUDITRING_OCTETS_H
#define AUDITRING_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 16
#define PAGE_MIN_BYTES 4096
#define EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))
#define EACH_LANE(byte) ((block){EACH_BYTE(byte), EACH_BYTE(byte)})

typedef uint64_t block __attribute__((vector_size(BLOCK_SIZE)));
typedef uint64_t block_anywhere
    __attribute__((vector_size(BLOCK_SIZE), aligned(1), may_alias));
typedef unsigned char block_lanes __attribute__((vector_size(BLOCK_SIZE)));
typedef signed char signed_lanes __attribute__((vector_size(BLOCK_SIZE)));

typedef block (*block_kind)(block octets);

static inline block
block_at(const char *text)
{
    block found;

    memcpy(&found, text, BLOCK_SIZE);
    return found;
}

static inline block
lanes_equal(block octets, block wanted)
{
    return (block)((block_lanes)octets == (block_lanes)wanted);
}

/* Signed: an octet that isn't ASCII is less than any other. */
static inline block
lanes_less(block octets, block limit)
{
    return (block)((signed_lanes)octets < (signed_lanes)limit);
}

static inline int
block_is_empty(block found)
{
    return (found[0] | found[1]) == 0;
}

static inline block
beyond_ascii(block octets)
{
    return lanes_less(octets, EACH_LANE(0));
}

/* Those that a query has only escaped: what isn't printable. */
static inline block
outside_query(block octets)
{
    return lanes_less(octets, EACH_LANE(0x21)) | lanes_equal(octets, EACH_LANE(0x7F));
}

/* Those that a path has only escaped, and what ends it: all but letters, digits and
 * -._~!$&'()*+,;=:@[]/
 */
static inline block
outside_path(block octets)
{
    block braces = lanes_less(EACH_LANE(0x7A), octets); /* { | } ~ and 0x7F */
    block pairs = /* " and #, < and >, \ and ^ */
        lanes_equal(octets | EACH_LANE(0x01), EACH_LANE(0x23)) |
        lanes_equal(octets | EACH_LANE(0x02), EACH_LANE(0x3E)) |
        lanes_equal(octets | EACH_LANE(0x02), EACH_LANE(0x5E));

    return lanes_less(octets, EACH_LANE(0x21)) | pairs |
           (braces & ~lanes_equal(octets, EACH_LANE('~'))) |
           lanes_equal(octets, EACH_LANE('%')) | lanes_equal(octets, EACH_LANE('?')) |
           lanes_equal(octets, EACH_LANE('`'));
}

/* Those that Kubernetes has escaped in a string of JSON, and what isn't ASCII. */
static inline block
outside_string(block octets)
{
    return lanes_less(octets, EACH_LANE(0x20)) |
           lanes_equal(octets | EACH_LANE(0x02), EACH_LANE('>')) | /* and < */
           lanes_equal(octets | EACH_LANE(0x04), EACH_LANE('&')) | /* and " */
           lanes_equal(octets, EACH_LANE(0x5C));
}

/* Those that JSON itself has escaped. */
static inline block
outside_json(block octets)
{
    return (block)((block_lanes)octets < (block_lanes)EACH_LANE(0x20)) |
           lanes_equal(octets, EACH_LANE('"')) | lanes_equal(octets, EACH_LANE(0x5C));
}

/* Whether any octet of the word may be outside_string.
 *
 * An octet of x is zero where the word holds < or >, one of y for " and &, of z for a
 * backslash; subtracting carries into the top bit of zero octets, and of those of the
 * word that are below 0x20. Octets behind such a one may be taken for one, too.
 */
static inline int
word_is_outside_string(uint64_t word)
{
    uint64_t x = (word | EACH_BYTE(0x02)) ^ EACH_BYTE(0x3E);
    uint64_t y = (word | EACH_BYTE(0x04)) ^ EACH_BYTE(0x26);
    uint64_t z = word ^ EACH_BYTE(0x5C);
    uint64_t found = ((x - EACH_BYTE(1)) & ~x) | ((y - EACH_BYTE(1)) & ~y) |
                     ((z - EACH_BYTE(1)) & ~z) | ((word - EACH_BYTE(0x20)) & ~word);

    return ((found | word) & EACH_BYTE(0x80)) != 0;
}

/* The last block may overlap the one before; that of a short text is filled up with a
 * letter.
 */
__attribute__((always_inline)) static inline int
octets_none_is(block_kind kind, const char *text, size_t size)
{
    block found = {0, 0};
    char padded[BLOCK_SIZE];
    size_t at;

    if (size < BLOCK_SIZE) {
        memset(padded, 'a', BLOCK_SIZE);
        memcpy(padded, text, size);
        return block_is_empty(kind(block_at(padded)));
    }
    for (at = 0; at + BLOCK_SIZE < size; at += BLOCK_SIZE) {
        found |= kind(block_at(text + at));
    }
    found |= kind(block_at(text + size - BLOCK_SIZE));
    return block_is_empty(found);
}

static inline int
octets_are_ascii(const char *text, size_t size)
{
    return octets_none_is(beyond_ascii, text, size);
}

/* Whether a path needs no decoding. */
static inline int
octets_are_plain_path(const char *text, size_t size)
{
    return octets_none_is(outside_path, text, size);
}

/* Whether a query needs none. */
static inline int
octets_are_plain_query(const char *text, size_t size)
{
    return octets_none_is(outside_query, text, size);
}

__attribute__((always_inline)) static inline int
copy_blocks_unless(block_kind kind, char *to, const char *from, size_t size)
{
    block octets;
    block found = {0, 0};
    size_t at;

    for (at = 0; at + BLOCK_SIZE < size; at += BLOCK_SIZE) {
        octets = block_at(from + at);
        memcpy(to + at, &octets, BLOCK_SIZE);
        found |= kind(octets);
    }
    /* The last ones; some of them may be there by now. */
    octets = block_at(from + size - BLOCK_SIZE);
    memcpy(to + size - BLOCK_SIZE, &octets, BLOCK_SIZE);
    found |= kind(octets);
    return block_is_empty(found);
}

__attribute__((cold, noinline, unused)) static block
padded_at(const char *text, size_t size)
{
    char padded[BLOCK_SIZE] = {0};

    memcpy(padded, text, size);
    return block_at(padded);
}

/* What lies behind a text in its page is read, and means nothing: the sanitizer, which
 * watches objects, would object to what the processor takes. */
__attribute__((no_sanitize("address"))) static inline block
block_in_page(const char *text)
{
    return (block) * (const block_anywhere *)text;
}

/* The block that begins with a text of less than one. */
static inline block
short_at(const char *text, size_t size)
{
    if (((uintptr_t)text & (PAGE_MIN_BYTES - 1)) <= PAGE_MIN_BYTES - BLOCK_SIZE) {
        return block_in_page(text);
    }
    return padded_at(text, size);
}

/* All bits of the first octets. */
static inline block
first_lanes(size_t count)
{
    static const unsigned char window[2 * BLOCK_SIZE] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };

    return block_at((const char *)window + BLOCK_SIZE - count);
}

/* Copies a text; 0 if an octet of the kind is in it. */
__attribute__((always_inline)) static inline int
octets_copy_unless(block_kind kind, char *to, const char *from, size_t size)
{
    block octets;

    if (size >= BLOCK_SIZE) {
        return copy_blocks_unless(kind, to, from, size);
    }
    octets = short_at(from, size);
    memcpy(to, &octets, BLOCK_SIZE);
    return block_is_empty(kind(octets) & first_lanes(size));
}

#endif

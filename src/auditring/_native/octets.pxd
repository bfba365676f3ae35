"""Tell of octets whether all of them are of a kind, many at once."""

from .block cimport block

cdef extern from *:
    """
    static inline block
    beyond_ascii(block octets)
    {
        return lanes_less(octets, EACH_LANE(0));
    }

    /* Those that a query has only escaped: what isn't printable. */
    static inline block
    outside_query(block octets)
    {
        return lanes_less(octets, EACH_LANE(0x21)) |
               lanes_equal(octets, EACH_LANE(0x7F));
    }

    /* Those that a path has only escaped, and what ends it: all but letters, digits and
     * -._~!$&'()*+,;=:@[]/
     */
    static inline block
    outside_path(block octets)
    {
        block braces = lanes_less(EACH_LANE(0x7A), octets); /* { | } ~ and 0x7F */
        block pairs = /* " and #, < and >, \\ and ^ */
            lanes_equal(octets | EACH_LANE(0x01), EACH_LANE(0x23)) |
            lanes_equal(octets | EACH_LANE(0x02), EACH_LANE(0x3E)) |
            lanes_equal(octets | EACH_LANE(0x02), EACH_LANE(0x5E));

        return lanes_less(octets, EACH_LANE(0x21)) | pairs |
               (braces & ~lanes_equal(octets, EACH_LANE('~'))) |
               lanes_equal(octets, EACH_LANE('%')) |
               lanes_equal(octets, EACH_LANE('?')) |
               lanes_equal(octets, EACH_LANE('`'));
    }

    /* The last block may overlap the one before; that of a short text is filled up with
     * a letter.
     */
    __attribute__((always_inline)) static inline int
    none_is(block_kind kind, const char *text, size_t size)
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
    is_ascii(const char *text, size_t size)
    {
        return none_is(beyond_ascii, text, size);
    }

    /* Whether a path needs no decoding. */
    static inline int
    is_plain_path(const char *text, size_t size)
    {
        return none_is(outside_path, text, size);
    }

    /* Whether a query needs none. */
    static inline int
    is_plain_query(const char *text, size_t size)
    {
        return none_is(outside_query, text, size);
    }
    """
    bint is_ascii(const char *text, size_t size) noexcept
    bint is_plain_path(const char *text, size_t size) noexcept
    bint is_plain_query(const char *text, size_t size) noexcept

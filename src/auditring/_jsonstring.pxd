"""Write a string as JSON, with the escapes that Kubernetes writes, and no others.

Most strings need none: they are looked at while they are copied, many bytes at once.
"""

from cpython.unicode cimport PyUnicode_Check

from ._block cimport block
from ._line cimport PyUnicode_GET_LENGTH, ascii_of, line, line_reserve

cdef extern from *:
    """
    /* Tells whether any of the word's bytes may need an escape, or isn't ASCII.
     *
     * A byte of x is zero where the word holds < or >, one of y for " and &, of z for a
     * backslash; subtracting carries into the top bit of zero bytes, and of those of
     * the word that are below 0x20. Bytes behind such a one may be taken for one, too.
     */
    static inline int
    word_has_special(uint64_t word)
    {
        uint64_t x = (word | EACH_BYTE(0x02)) ^ EACH_BYTE(0x3E);
        uint64_t y = (word | EACH_BYTE(0x04)) ^ EACH_BYTE(0x26);
        uint64_t z = word ^ EACH_BYTE(0x5C);
        uint64_t found = ((x - EACH_BYTE(1)) & ~x) | ((y - EACH_BYTE(1)) & ~y) |
                         ((z - EACH_BYTE(1)) & ~z) | ((word - EACH_BYTE(0x20)) & ~word);
        return ((found | word) & EACH_BYTE(0x80)) != 0;
    }

    static inline block
    specials_of(block bytes)
    {
        return lanes_less(bytes, EACH_LANE(0x20)) |
               lanes_equal(bytes | EACH_LANE(0x02), EACH_LANE('>')) | /* and < */
               lanes_equal(bytes | EACH_LANE(0x04), EACH_LANE('&')) | /* and " */
               lanes_equal(bytes, EACH_LANE(0x5C));
    }

    static inline int
    copy_plain_blocks(char *to, const char *from, size_t size)
    {
        block bytes;
        block found = {0, 0};
        size_t at;

        for (at = 0; at + BLOCK_SIZE < size; at += BLOCK_SIZE) {
            bytes = block_at(from + at);
            memcpy(to + at, &bytes, BLOCK_SIZE);
            found |= specials_of(bytes);
        }
        /* The last ones; some of them may be there by now. */
        bytes = block_at(from + size - BLOCK_SIZE);
        memcpy(to + size - BLOCK_SIZE, &bytes, BLOCK_SIZE);
        found |= specials_of(bytes);
        return block_is_empty(found);
    }

    /* Copies a text that needs no escape; 0 if it may need one, or isn't ASCII. */
    static inline int
    copy_plain(char *to, const char *from, size_t size)
    {
        uint64_t first = 0, last = 0;
        uint32_t half, other;
        block bytes;

        if (size >= BLOCK_SIZE) {
            return copy_plain_blocks(to, from, size);
        }
        if (size >= 8) {
            memcpy(&first, from, 8);
            memcpy(&last, from + size - 8, 8);
            memcpy(to, &first, 8);
            memcpy(to + size - 8, &last, 8);
        } else if (size >= 4) {
            memcpy(&half, from, 4);
            memcpy(&other, from + size - 4, 4);
            memcpy(to, &half, 4);
            memcpy(to + size - 4, &other, 4);
            first = last = (uint64_t)half << 32 | other;
        } else if (size > 0) {
            /* Of one to three bytes these are all; the others are the letter a. */
            to[size / 2] = from[size / 2];
            to[size - 1] = from[size - 1];
            to[0] = from[0];
            first = EACH_BYTE('a') << 24 | (uint64_t)(unsigned char)from[0] << 16 |
                    (uint64_t)(unsigned char)from[size / 2] << 8 |
                    (unsigned char)from[size - 1];
            last = first;
        } else {
            return 1;
        }
        bytes = (block){first, last};
        return block_is_empty(specials_of(bytes));
    }
    """
    bint word_has_special(unsigned long long word) noexcept
    bint copy_plain(char *to, const char *text, size_t size) noexcept


cdef inline int put_string(line *text, string) except -1:
    """Put a string, quotes and all."""
    cdef const char *data = ascii_of(string) if PyUnicode_Check(string) else NULL
    cdef Py_ssize_t size
    cdef char *out
    if data != NULL:
        size = PyUnicode_GET_LENGTH(string)
        line_reserve(text, size + 2)
        out = text.data + text.size
        if copy_plain(out + 1, data, <size_t> size):
            out[0] = b'"'
            out[size + 1] = b'"'
            text.size += size + 2
            return 0
    return put_any_string(text, string)


cdef int put_any_string(line *text, string) except -1

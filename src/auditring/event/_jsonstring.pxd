"""Write a string as JSON, with the escapes that Kubernetes writes, and no others.

Most strings need none: they are looked at while they are copied, many bytes at once.
"""

from cpython.unicode cimport PyUnicode_Check

from .._native.block cimport BLOCK_SIZE, block
from .._native.copying cimport copy_unless
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of, line, line_reserve

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
    """
    bint word_has_special(unsigned long long word) noexcept
    block specials_of(block octets) noexcept


cdef inline int put_string(line *text, string) except -1:
    """Put a string, quotes and all."""
    cdef const char *data = ascii_of(string) if PyUnicode_Check(string) else NULL
    cdef Py_ssize_t size
    cdef char *out
    if data != NULL:
        size = PyUnicode_GET_LENGTH(string)
        line_reserve(text, size + 2 + BLOCK_SIZE)
        out = text.data + text.size
        if copy_unless(specials_of, out + 1, data, <size_t> size):
            out[0] = b'"'
            out[size + 1] = b'"'
            text.size += size + 2
            return 0
    return put_any_string(text, string)


cdef int put_any_string(line *text, string) except -1

"""The strings that need escapes, or aren't ASCII."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of, line, line_reserve
from .._native.octets cimport word_is_outside_string

cdef enum:
    ESCAPED_MAX_BYTES = 6  # of one byte: \u003c

# What a byte becomes in a string: PLAIN stays, else see _write_special.
cdef enum Kind:
    PLAIN
    SHORT    # a backslash and SHORT_ESCAPES[byte]
    NUMBER   # \u00xx
    LEAD_E2  # may begin U+2028 or U+2029
    LEAD_ED  # may begin a surrogate

cdef unsigned char KIND[256]
cdef unsigned char SHORT_ESCAPES[256]
cdef const char *HEX_DIGITS = b"0123456789abcdef"


cdef int _fill_tables() except -1:
    cdef int byte
    for byte in range(256):
        KIND[byte] = NUMBER if byte < 0x20 else PLAIN
    for byte in b"<>&":
        KIND[byte] = NUMBER
    for byte, letter in zip(b'"\\\b\f\n\r\t', b'"\\bfnrt'):
        KIND[byte] = SHORT
        SHORT_ESCAPES[byte] = letter
    KIND[0xE2] = LEAD_E2
    KIND[0xED] = LEAD_ED
    return 0

_fill_tables()


cdef Py_ssize_t _write_special(
    char **out, const unsigned char *text, Py_ssize_t at, Py_ssize_t size
) noexcept:
    """Write the escape for what begins at *at*; return where it ends."""
    cdef unsigned char byte = text[at]
    cdef char *to = out[0]
    if KIND[byte] == SHORT:
        to[0] = b"\\"
        to[1] = SHORT_ESCAPES[byte]
        out[0] = to + 2
        return at + 1
    if KIND[byte] == NUMBER:
        memcpy(to, b"\\u00", 4)
        to[4] = HEX_DIGITS[byte >> 4]
        to[5] = HEX_DIGITS[byte & 15]
        out[0] = to + 6
        return at + 1
    if size - at >= 3 and KIND[byte] == LEAD_E2:
        if text[at + 1] == 0x80 and (text[at + 2] & 0xFE) == 0xA8:
            memcpy(to, b"\\u202", 5)
            to[5] = HEX_DIGITS[text[at + 2] & 15]
            out[0] = to + 6
            return at + 3
    elif size - at >= 3 and text[at + 1] >= 0xA0:
        memcpy(to, b"\\ufffd", 6)
        out[0] = to + 6
        return at + 3
    to[0] = byte
    out[0] = to + 1
    return at + 1


cdef int _put_utf8(line *text, const char *data, Py_ssize_t size) except -1:
    """Put a string, quotes and all."""
    cdef const unsigned char *source = <const unsigned char *> data
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t end
    cdef uint64_t word
    cdef char *out
    line_reserve(text, size * ESCAPED_MAX_BYTES + 2)
    out = text.data + text.size
    out[0] = b'"'
    out += 1
    while at < size:
        while size - at >= 8:
            memcpy(&word, source + at, 8)
            if word_is_outside_string(word):
                break
            memcpy(out, &word, 8)
            out += 8
            at += 8
        if size - at < 8 <= size:
            # The last eight bytes as a word again: the first of them are there by now.
            memcpy(&word, source + size - 8, 8)
            if not word_is_outside_string(word):
                memcpy(out - (8 - (size - at)), &word, 8)
                out += size - at
                break
        end = at + 8 if size - at > 8 else size
        while at < end and KIND[source[at]] == PLAIN:
            out[0] = source[at]
            out += 1
            at += 1
        if at < end:
            at = _write_special(&out, source, at, size)
    out[0] = b'"'
    text.size = out + 1 - text.data
    return 0


cdef int put_any_string(line *text, string) except -1:
    """Put a string, whatever is in it; TypeError if it isn't one."""
    cdef const char *data
    cdef Py_ssize_t size = 0
    cdef bytes encoded
    if not PyUnicode_Check(string):
        raise TypeError(f"expected a string, got {string!r}")
    data = ascii_of(string)
    if data != NULL:
        return _put_utf8(text, data, PyUnicode_GET_LENGTH(string))
    try:
        data = PyUnicode_AsUTF8AndSize(string, &size)
    except UnicodeEncodeError:
        encoded = string.encode(errors="surrogatepass")
        return _put_utf8(text, PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))
    return _put_utf8(text, data, size)

"""Percent-encoding of forms and queries, read and written at the speed of copying it.

What a client sends may be all percent signs; bytes that are no UTF-8 are surrogates.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)

cdef bytes DIGITS = b"0123456789ABCDEF"
cdef unsigned char DIGIT[256]  # the value of a hexadecimal digit, or 255
cdef unsigned char IS_PLAIN[256]


cdef void _fill_tables() noexcept:
    cdef int byte
    for byte in range(256):
        DIGIT[byte] = 255
        IS_PLAIN[byte] = 0
    for byte in range(10):
        DIGIT[48 + byte] = byte
        IS_PLAIN[48 + byte] = 1
    for byte in range(6):
        DIGIT[65 + byte] = DIGIT[97 + byte] = 10 + byte
    for byte in range(26):
        IS_PLAIN[65 + byte] = IS_PLAIN[97 + byte] = 1
    for byte in b"_.-~":
        IS_PLAIN[byte] = 1


_fill_tables()


def unquote_plus(str text not None):
    """Return what *text* of a form or query stands for; what can't be read stays."""
    if "%" not in text:
        return text.replace("+", " ")
    cdef bytes data = text.encode("utf-8", "surrogateescape")
    cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(data)
    cdef const unsigned char *end = at + PyBytes_GET_SIZE(data)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, end - at)
    cdef unsigned char *start = <unsigned char *> PyBytes_AS_STRING(result)
    cdef unsigned char *out = start
    while at < end:
        if at[0] == b"%" and end - at > 2 and (DIGIT[at[1]] | DIGIT[at[2]]) < 16:
            out[0] = DIGIT[at[1]] << 4 | DIGIT[at[2]]
            at += 3
        else:
            out[0] = b" " if at[0] == b"+" else at[0]
            at += 1
        out += 1
    return start[:out - start].decode("utf-8", "surrogateescape")


def quote(str text not None):
    """Write *text* as a part of a form or query."""
    cdef bytes data = text.encode("utf-8", "surrogateescape")
    cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(data)
    cdef const unsigned char *end = at + PyBytes_GET_SIZE(data)
    cdef const unsigned char *digits = <const unsigned char *> PyBytes_AS_STRING(DIGITS)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, 3 * (end - at))
    cdef unsigned char *start = <unsigned char *> PyBytes_AS_STRING(result)
    cdef unsigned char *out = start
    while at < end:
        if IS_PLAIN[at[0]]:
            out[0] = at[0]
            out += 1
        else:
            out[0] = b"%"
            out[1] = digits[at[0] >> 4]
            out[2] = digits[at[0] & 15]
            out += 3
        at += 1
    return start[:out - start].decode("ascii")

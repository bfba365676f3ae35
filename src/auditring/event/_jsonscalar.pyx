"""Strings and times as JSON has them, for `encode`.

Here are the strings that need escapes, or aren't ASCII; times look like
``"2026-11-22T00:41:36.000000Z"``, as `microtime` reads them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of, line, line_reserve
from .._native.octets cimport word_is_outside_string

cdef enum:
    ESCAPED_MAX_BYTES = 6  # of one byte: \u003c
    DAY_S = 86400
    SECOND_CHARS = 20  # 2026-11-22T00:41:36.
    CYCLE_DAYS = 146097  # 400 years, after which the calendar repeats itself
    CYCLE_START_DAY = 719468  # 0000-03-01, counted back from 1970-01-01
    ZERO = 0x30  # the digit

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


# Times.

# Most times are of the second of the one before. The GIL guards them.
cdef int64_t last_second = INT64_MIN
cdef char last_second_text[SECOND_CHARS]


cdef void _write_digits(char *to, uint32_t number, int count) noexcept:
    while count > 0:
        count -= 1
        to[count] = <char> (ZERO + number % 10)
        number //= 10


cdef void _write_second(char *to, int64_t seconds) noexcept:
    """Write the 20 characters of date and time, with the point after them."""
    cdef int64_t day = seconds // DAY_S
    cdef uint32_t second = <uint32_t> (seconds - day * DAY_S)
    cdef int64_t cycle, leap_days, year, month
    day += CYCLE_START_DAY
    cycle = day // CYCLE_DAYS
    day -= cycle * CYCLE_DAYS
    leap_days = day // 1460 - day // 36524 + day // (CYCLE_DAYS - 1)
    year = (day - leap_days) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # 0 is March
    day -= (153 * month + 2) // 5
    year += cycle * 400 + (month >= 10)
    month += 3 if month < 10 else -9
    memcpy(to, b"0000-00-00T00:00:00.", SECOND_CHARS)
    _write_digits(to, <uint32_t> year, 4)
    _write_digits(to + 5, <uint32_t> month, 2)
    _write_digits(to + 8, <uint32_t> (day + 1), 2)
    _write_digits(to + 11, second // 3600, 2)
    _write_digits(to + 14, second // 60 % 60, 2)
    _write_digits(to + 17, second % 60, 2)


cdef int put_microseconds(line *text, int64_t microseconds) except -1:
    """Put a time of a year of four digits."""
    global last_second
    cdef int64_t seconds = microseconds // SECOND_US
    cdef char *to
    if seconds != last_second:
        _write_second(last_second_text, seconds)
        last_second = seconds
    line_reserve(text, SECOND_CHARS + 9)
    to = text.data + text.size
    to[0] = b'"'
    memcpy(to + 1, last_second_text, SECOND_CHARS)
    to += SECOND_CHARS + 1
    _write_digits(to, <uint32_t> (microseconds - seconds * SECOND_US), 6)
    memcpy(to + 6, b'Z"', 2)
    text.size += SECOND_CHARS + 9
    return 0

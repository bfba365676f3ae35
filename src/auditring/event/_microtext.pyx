"""Write a time as JSON has it: ``"2026-11-22T00:41:36.000000Z"``."""

from libc.stdint cimport INT64_MIN, int64_t, uint32_t
from libc.string cimport memcpy

from .._native.line cimport line, line_reserve

cdef enum:
    DAY_S = 86400
    SECOND_CHARS = 20  # 2026-11-22T00:41:36.
    CYCLE_DAYS = 146097  # 400 years, after which the calendar repeats itself
    CYCLE_START_DAY = 719468  # 0000-03-01, counted back from 1970-01-01
    ZERO = 0x30  # the digit

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

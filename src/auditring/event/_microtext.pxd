from libc.stdint cimport int64_t

from .._native.line cimport line


cdef enum:
    SECOND_US = 1000000


cdef int put_microseconds(line *text, int64_t microseconds) except -1

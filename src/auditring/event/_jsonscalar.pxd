"""Write strings with the escapes that Kubernetes writes, and no others; and times.

Most strings need none: they are looked at while they are copied, many bytes at once.
"""

from cpython.unicode cimport PyUnicode_Check
from libc.stdint cimport int64_t

from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of, line, line_reserve
from .._native.octets cimport BLOCK_SIZE, octets_copy_unless, outside_string


cdef inline int put_string(line *text, string) except -1:
    """Put a string, quotes and all."""
    cdef const char *data = ascii_of(string) if PyUnicode_Check(string) else NULL
    cdef Py_ssize_t size
    cdef char *out
    if data != NULL:
        size = PyUnicode_GET_LENGTH(string)
        line_reserve(text, size + 2 + BLOCK_SIZE)
        out = text.data + text.size
        if octets_copy_unless(outside_string, out + 1, data, <size_t> size):
            out[0] = b'"'
            out[size + 1] = b'"'
            text.size += size + 2
            return 0
    return put_any_string(text, string)


cdef int put_any_string(line *text, string) except -1


cdef enum:
    SECOND_US = 1000000


cdef int put_microseconds(line *text, int64_t microseconds) except -1

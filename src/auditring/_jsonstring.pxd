from ._line cimport line


cdef int put_string(line *text, string) except -1

"""Write what most events consist of as compact JSON, and refuse all else."""

from cpython.ref cimport PyObject

from .._native.line cimport line


cdef bint put_plain(line *out, value, Py_ssize_t *nulled) except -1

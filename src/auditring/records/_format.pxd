"""What other Cython modules see of plans."""

from cpython.object cimport PyObject

from ._asctime cimport Asctime
from .._native.line cimport line
from ._logcall cimport call
from ._untouched cimport OwnAttributes


# One piece of a format, as the loops over them want it.
cdef struct step:
    int kind
    int field
    bint is_standard
    const char *literal
    Py_ssize_t size
    PyObject *key
    PyObject *piece


cdef class LinePlan:
    cdef readonly object formatter
    cdef readonly bint wants_caller
    cdef readonly bint knows_calls  # it has no field but those of struct call
    cdef unsigned int _formatter_version
    cdef unsigned int _style_version
    cdef object _style
    cdef OwnAttributes _formatter_attributes
    cdef OwnAttributes _style_attributes
    cdef tuple _pieces  # what the steps point into
    cdef step *_steps
    cdef Py_ssize_t _step_count
    cdef bint _puts_message  # once, as it is
    cdef Asctime _asctime  # None: without

    cdef int _learn_steps(self) except -1
    cdef bint _has_field(self, int first, int last)
    cdef bint is_valid(self) except -1
    cdef int put_record(self, object record, line *out, bint is_utf8) except -1
    cdef int put_call(self, call *given, line *out, bint is_utf8) except -1

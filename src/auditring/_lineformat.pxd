"""What other Cython modules see of plans."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from ._line cimport line


# A call of a logger that no LogRecord is made for. All references are borrowed.
cdef struct call:
    PyObject *name
    PyObject *msg
    PyObject *args
    PyObject *levelno
    PyObject *levelname
    double created
    int msecs
    # Only where a plan wants them:
    PyObject *pathname
    PyObject *filename
    PyObject *module
    PyObject *function
    int lineno


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
    cdef object _formatter_attributes
    cdef object _style_attributes
    cdef tuple _pieces  # what the steps point into
    cdef step *_steps
    cdef Py_ssize_t _step_count
    cdef bint _wants_time
    cdef bint _puts_message  # once, as it is
    # The time of day, of one second and in it of one millisecond, in one zone.
    cdef object _converter
    cdef str _time_format
    cdef str _before_msecs  # None: without
    cdef int64_t _second
    cdef str _second_text
    cdef int _msecs
    cdef str _text
    cdef long _zone
    cdef char *_zone_names[2]

    cdef int _learn_steps(self) except -1
    cdef bint _has_field(self, int first, int last)
    cdef bint is_valid(self) except -1
    cdef int put_record(self, object record, line *out, bint is_utf8) except -1
    cdef int put_call(self, call *given, line *out, bint is_utf8) except -1
    cdef object _time_text(self, double created, int msecs)

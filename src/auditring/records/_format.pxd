"""What other Cython modules see of plans."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from .._native.line cimport line
from ._record cimport OwnAttributes, call


cdef class Asctime:
    cdef object _converter
    cdef str _format
    cdef str _before_msecs  # None: without
    # The last text, of one second and in it of one millisecond, in one zone.
    cdef int64_t _second
    cdef str _second_text
    cdef int _msecs
    cdef str _text
    cdef long _zone
    cdef char *_zone_names[2]

    cdef object text(self, double created, int msecs)


cdef enum PieceKind:
    LITERAL, TEXT, NUMBER, SHAPED


cdef class Piece:
    cdef PieceKind kind
    cdef int field
    cdef bytes literal
    cdef str key
    cdef bint is_standard  # an attribute that every LogRecord has
    cdef str shape
    # The last text that was shaped, and what became of it: names and levels repeat.
    cdef object shaped
    cdef str shaped_text

    cdef int put_shaped(self, object value, line *out, bint is_utf8) except -1


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

"""What the fast logger sees of a handler."""

from .._native.line cimport line
from ..records._format cimport LinePlan
from ..records._record cimport call
from ..ring._writer cimport Writer


cdef class FastHandler:
    cdef Writer _writer
    cdef LinePlan _plan  # None: the formatter is asked
    cdef object _formatter
    cdef bint _has_own_formatter
    cdef list _filters
    cdef bytes _terminator
    cdef str _encoding
    cdef str _errors
    cdef bint _is_utf8
    cdef bint _takes_calls
    cdef Py_ssize_t _limit
    cdef double _due
    cdef double _since
    cdef unsigned int _version
    cdef bint _is_armed
    # The number of the last assignment to an attribute; no two handlers share one.
    cdef unsigned long changes

    cdef int _change(self) except -1
    cdef bint _is_current(self) except -1
    cdef bint _put(self, object record) except -1
    cdef bint _put_formatted(self, object record, line *out) except -1
    cdef int _encode(self, str text, line *out) except -1
    cdef bint _commit_record(self, object record, line *out) except -1
    cdef bint _commit(self, line *out) except -1
    cdef bint takes_calls(self) except -1
    cdef bint wants_caller(self) noexcept
    cdef bint put_call(self, call *given) except -1

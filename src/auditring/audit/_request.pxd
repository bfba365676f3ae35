from libc.stdint cimport int64_t

from .._native.line cimport line
from ._pipeline cimport Outlet, Way
from ..ring._writer cimport Writer


cdef dict NO_ANNOTATIONS


cdef class AuditedRequest:
    cdef readonly object attributes, decision, level, audit_id, stage
    cdef readonly dict annotations
    cdef readonly bint is_enabled, is_refused, is_over, has_started
    cdef public bint long_running

    cdef Outlet _outlet
    cdef int _rank  # of the level
    cdef object _omit_stages
    cdef int64_t _received_ns, _stage_ns
    cdef object _code  # None until an answer is known
    # Whether a line of attributes, code and annotations says all there is to say.
    cdef bint _is_plain
    # With so many annotations there was nothing to mask; -1 before it was asked.
    cdef Py_ssize_t _left_with
    cdef object _status, _user, _impersonated, _authentication, _reference
    cdef bytes _request_object, _response_object
    cdef object _error, _latencies
    cdef object _ask_user  # None once somebody knows
    cdef object _event
    cdef bytes _line

    cdef bint _emit(self, stage) except -1
    cdef bint _send(self) except -1
    cdef bint _write(self, Way way) except -1
    cdef bint _commit(self, Writer log) except -1
    cdef bytes _as_line(self)
    cdef bint _has_plain_line(self) except -1
    cdef int _put_plain_line(self, line *text) except -1
    cdef bint keeps_request_object(self) noexcept
    cdef int _set_status(self, status) except -1
    cdef int _end(self) except -1
    cdef int _add_latencies(self) except -1
    cpdef bint receive(self) except -1
    cpdef start_response(self, code)
    cpdef complete(self, unanswered=*)
    cpdef panic(self, value)
    cpdef record_response_object(self, body)

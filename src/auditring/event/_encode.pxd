from libc.stdint cimport int64_t

from .._native.line cimport line


cdef int put_stage_line(
    line *text,
    attributes,
    level,
    stage,
    int64_t received_ns,
    int64_t stage_ns,
    code,
    annotations,
) except -1

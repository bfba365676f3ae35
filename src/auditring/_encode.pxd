from libc.stdint cimport int64_t


cdef bytes write_stage(
    attributes, level, stage, int64_t received_ns, int64_t stage_ns, code, annotations
)

from libc.stdint cimport int64_t

from ..policy._decide cimport DecisionTable
from ..ring._writer cimport Writer


cdef enum:
    LEVEL_COUNT = 4


cdef class Tally:
    cdef readonly int64_t refused, annotation_conflicts
    # By level, in the order of `Level`.
    cdef int64_t _requests[LEVEL_COUNT]
    cdef int64_t _events[LEVEL_COUNT]


cdef class Way:
    cdef object process, write_line, lose
    # What write_line writes to, where it is that and nothing else; None where another
    # backend may ask for the line, which is better made only once then.
    cdef Writer log


cdef class Outlet:
    cdef public DecisionTable decisions
    cdef object __weakref__  # who goes this way still, an auditor has to know
    cdef tuple ways  # of each backend, a Way
    cdef public object redact, leaves
    cdef object clock_ns, losses
    cdef bint adds_latency
    cdef Tally tally

    cdef int64_t now_ns(self) except -1


cdef class Gate:
    cdef public Outlet outlet

"""Where the events of an auditor go, and what they and their requests come to."""

cimport cython
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from .event import Level

cdef enum:
    NS_PER_S = 1000000000


@cython.final
cdef class Tally:
    """What the requests of an auditor came to, of all threads.

    The interpreter's lock makes each addition whole.
    """

    @property
    def requests(self):
        """How many requests were decided on, by level."""
        return {level: self._requests[rank] for rank, level in enumerate(Level)}

    @property
    def events(self):
        """How many events went out, by level."""
        return {level: self._events[rank] for rank, level in enumerate(Level)}


@cython.final
cdef class Outlet:
    """Where the events of an auditor go, and how.

    Attributes:
        decisions: What decides which they are; None for none at all.
    """

    def __cinit__(
        self,
        tuple backends not None,
        Tally tally not None,
        losses,
        redact,
        clock_ns,
        bint adds_latency,
    ):
        self.ways = tuple([_way_to(backend) for backend in backends])
        self.tally = tally
        self.losses = losses
        self.redact = redact
        self.clock_ns = clock_ns
        self.adds_latency = adds_latency

    cdef int64_t now_ns(self) except -1:
        cdef timespec now
        if self.clock_ns is not None:
            return self.clock_ns()
        clock_gettime(CLOCK_REALTIME, &now)
        return <int64_t> now.tv_sec * NS_PER_S + now.tv_nsec


cdef tuple _way_to(backend):
    write_line = getattr(backend, "write_line", None)
    return (backend.process, write_line, None if write_line is None else backend.lose)

"""Where the events of an auditor go, and what they and their requests come to."""

cimport cython
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from ..ring._writer cimport Writer

from types import MethodType

from ..event.event import Level

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
        redact: Makes of an event what may be seen of it; None for all.
        leaves: Tells of a request whether that changes nothing, without an event.
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
        self.ways = tuple([_way_to(each, len(backends) == 1) for each in backends])
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


@cython.final
cdef class Gate:
    """Where requests come in, whatever changes behind it.

    Attributes:
        outlet: What a request takes that begins now.
    """

    def __cinit__(self, Outlet outlet not None):
        self.outlet = outlet


@cython.final
cdef class Way:
    """What is called of a backend for each event."""


cdef Way _way_to(backend, bint is_only):
    cdef Way way = Way.__new__(Way)
    way.process = backend.process
    way.write_line = getattr(backend, "write_line", None)
    if way.write_line is not None:
        way.lose = backend.lose
        if is_only:
            way.log = _log_behind(way.write_line)
    return way


cdef Writer _log_behind(write_line):
    """Return the log that *write_line* is the write() of; None if it is more or less.

    A class that inherits a log's has another one, and so has a double.
    """
    if type(write_line) is MethodType and write_line.__func__ is Writer.write:
        if isinstance(write_line.__self__, Writer):
            return write_line.__self__
    return None

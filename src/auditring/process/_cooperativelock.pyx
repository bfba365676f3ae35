"""A reentrant lock that threads of the system and greenlets share.

Those of gevent and eventlet are for greenlets of one thread, or wait in a hub that the
thread which gives them back doesn't wake. Python's own keep all greenlets waiting.
"""

cimport cython
from libc.stdint cimport uint64_t

import _thread

from .cooperation import wait_until


@cython.final
cdef class CooperativeLock:
    """Held by one thread or greenlet at a time, as often as it enters.

    For what may take a while: who waits looks again and again, every 10 ms at least.
    It is taken and given back between two steps of Python, and so a signal handler that
    enters finds it either held by the thread it interrupts or not held by that.

    Thread-safety: any thread, greenlet and signal handler.
    """

    cdef uint64_t _owner
    cdef unsigned int _depth

    cdef bint _take(self) except -1:
        # Looked up with each call: what replaces it tells greenlets apart.
        cdef uint64_t owner = _thread.get_ident()
        if self._depth > 0 and self._owner != owner:
            return False
        self._owner = owner
        self._depth += 1
        return True

    def take(self):
        """Enter if nobody else is inside; tell whether."""
        return self._take()

    def __enter__(self):
        if not self._take():
            wait_until(self.take)
        return self

    def __exit__(self, kind, error, traceback):
        self._depth -= 1

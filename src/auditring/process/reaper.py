"""Close what was dropped without `close`: finalizers hand it over to a thread.

The collector runs in any thread and at any moment: within an import, a fork hook, or
while its thread holds the very lock that closing needs. So a finalizer only puts things
down here. The thread begins with the first one and ends with the last; what it doesn't
come to is closed at the end of the interpreter.
"""

import contextlib
import sys
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ._nativethread import NativeLock, NativeThread

__all__ = ["Closable", "close_the_rest", "forget", "hand_over", "park", "resume"]

# How long it waits for lines of one that nobody closed.
DROP_LIMIT_S = 1.0
# How long a fork, and the end of the interpreter, wait while it closes something.
PARK_LIMIT_S = 1.0
END_LIMIT_S = 5.0
# As the kernel shows it.
THREAD_NAME = "auditring-close"


class Closable(Protocol):
    """An open log; a `LogWriter`."""

    def close(self, timeout: float = ...) -> None:
        """Flush, and end."""
        ...


_dropped: deque[Closable] = deque()
# Held by who closes things. Whoever gives it back looks once more for what was put down
# just before.
_turn = NativeLock()
_thread: NativeThread | None = None
_is_parked = False


def hand_over(
    log: Closable, is_finalizing: Callable[[], bool] = sys.is_finalizing
) -> None:
    """Have *log* closed soon; from finalizers. Takes no lock and waits for nothing."""
    if is_finalizing():
        return  # no thread runs any more; the lines are safe in the ring
    _dropped.append(log)
    _begin()


def _begin() -> None:
    """Start the thread if there is work and nobody is at it."""
    global _thread
    if not _dropped or not _turn.acquire(0):
        return
    _thread = NativeThread(_work, THREAD_NAME)
    try:
        _thread.start()
    except RuntimeError:
        _turn.release()  # the next one that is handed over tries again


def _work() -> None:
    try:
        _close_all(DROP_LIMIT_S)
    finally:
        _turn.release()
        _begin()


def _close_all(limit_s: float) -> None:
    while _dropped:
        # The lines stay for who opens the log next.
        with contextlib.suppress(OSError, IndexError):
            _dropped.popleft().close(limit_s)


def close_the_rest() -> None:
    """Close what is left, as the interpreter ends."""
    if _turn.acquire(END_LIMIT_S):
        try:
            _close_all(DROP_LIMIT_S)
        finally:
            _turn.release()


# Around a fork.


def park() -> None:
    """Let the thread come to its end, unless it takes long or is the one that forks."""
    global _is_parked
    thread = _thread
    if _is_parked or (thread is not None and thread.is_current()):
        return
    _is_parked = _turn.acquire(PARK_LIMIT_S)
    if _is_parked and thread is not None:
        thread.join(PARK_LIMIT_S)


def resume() -> None:
    """Go on, in the parent."""
    global _is_parked
    if _is_parked:
        _is_parked = False
        _turn.release()
    _begin()


def forget() -> None:
    """Drop the thread, in a child, which has none."""
    global _is_parked, _thread, _turn
    _is_parked = False
    _thread = None
    _turn = NativeLock()

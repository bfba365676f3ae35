"""The life of a process that has logs open: it forks, and it ends.

A log is flushed and closed at the end. Around a fork all threads that use writers are
ended and begun again, as a child has none of them. Writers join when they are opened.

A fork may happen anywhere: in a process without descriptors, memory or /proc, in one of
these threads, in two threads at once, while a thread calls what needs the one that
forks. So no step of a hook keeps the others from being made, nothing needs a
descriptor, and each wait has its limit: a thread that doesn't end in time goes on
during the fork.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from ..errors import ClosedError
from ..process import reaper
from ..process._nativethread import is_main_thread
from ..process.exits import Step, at_exit
from ..process.known import Known
from ..ring import _writer

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["OpenLog", "Parkable", "join", "leave", "park_at_forks"]

# How long the end of the process may take for a disk that is full or failing.
EXIT_LIMIT_S: Final = 5.0


class Parkable(Protocol):
    """A thread that is ended before a fork, and begun again behind it."""

    def park(self) -> None:
        """End it, before a fork."""
        ...

    def resume(self) -> None:
        """Go on, in the parent."""
        ...

    def forget(self) -> None:
        """Drop what is the parent's, in the child."""
        ...

    def start(self) -> None:
        """Begin, in the child."""
        ...


class OpenLog(Protocol):
    """An open log; a `LogWriter`."""

    @property
    def closed(self) -> bool:
        """Whether it is none any more."""
        ...

    @property
    def parkable(self) -> Parkable | None:
        """The thread that works on its backups."""
        ...

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until its records are in the file."""
        ...

    def close(self, timeout: float = ...) -> None:
        """Flush, and end."""
        ...

    def begin_in_child(self) -> None:
        """Forget what only the parent has."""
        ...


_open: Known[OpenLog] = Known()
_parkable: Known[Parkable] = Known()
_forking_frame: "FrameType | None" = None


def join(log: OpenLog) -> None:
    """Have *log* closed when the process ends, and carried over its forks."""
    _open.add(log)
    _tie_to_process()


def leave(log: OpenLog) -> None:
    """Take *log* out: it is closed."""
    _open.discard(log)


def park_at_forks(thread: Parkable) -> None:
    """Have a *thread* that uses writers ended before a fork, and begun again."""
    _parkable.add(thread)
    _tie_to_process()


def _tie_to_process() -> None:
    """Hook into fork and exit; again in a child, where more may be imported by now."""
    _tie_to_fork_and_exit()
    if "multiprocessing.util" in sys.modules:
        _tie_to_multiprocessing()


@functools.cache
def _tie_to_fork_and_exit() -> None:
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
    at_exit(Step.LOGS, _close_all)


@functools.cache
def _tie_to_multiprocessing() -> None:
    """Flush at the end of a child of multiprocessing, which skips atexit functions."""
    from multiprocessing import util

    def register(_: object = None) -> None:
        util.Finalize(None, _flush_all, exitpriority=0)

    register()
    util.register_after_fork(_tie_to_process, register)


def _close_all() -> None:
    # Imported by the first log with backups to work on, if there was one.
    if mills := sys.modules.get("auditring.backups.mills"):
        mills.begin_end()
    reaper.close_the_rest()
    for log in _open.all():
        try:
            log.close(EXIT_LIMIT_S)
        except OSError as error:
            print(f"auditring: {error}", file=sys.stderr)


def _flush_all() -> None:
    reaper.close_the_rest()
    for log in _open.all():
        if log.closed:
            continue
        try:
            log.flush(EXIT_LIMIT_S)
        except ClosedError:
            pass  # by another thread, just now; that flushes as well
        except OSError as error:
            print(f"auditring: {error}", file=sys.stderr)


def _threads_to_park() -> list[Parkable]:
    # Each once: writers of one log share a mill.
    mills = dict.fromkeys(log.parkable for log in _open.all())
    return [*_parkable.all(), *(thread for thread in mills if thread is not None)]


def _make_all(steps: Iterable[Callable[[], object]]) -> None:
    """Make every step of a hook, whatever becomes of the others.

    Raises:
        BaseException: What the first of those raised that did; CPython prints it.
    """
    first: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:
            first = first or error
    if first is not None:
        raise first


def _before_fork() -> None:
    global _forking_frame
    _forking_frame = sys._getframe().f_back
    _make_all(
        [
            _writer.finish_fork,  # of a fork in whose hooks this one happens
            # Before the writers that they call into.
            *(thread.park for thread in _threads_to_park()),
            reaper.park,
            _writer.before_fork,
        ]
    )


def _after_fork_in_parent() -> None:
    global _forking_frame
    frame, _forking_frame = _forking_frame, None
    is_put_off = False
    try:
        if frame is not None and _would_make_fork_warn():
            _writer.call_after_fork(_resume, frame)
            is_put_off = True
    finally:
        if not is_put_off:
            _resume()


def _would_make_fork_warn() -> bool:
    """Tell whether a thread that starts now would be held against the caller of fork.

    From 3.12 on CPython warns when the parent has other threads, and 3.13 and 3.14
    began with counting them after the hooks. Source: its issue gh-137109.
    """
    return (
        sys.version_info >= (3, 13)
        and is_main_thread()
        and len(sys._current_frames()) == 1
    )


def _resume() -> None:
    _make_all(
        [
            _writer.after_fork_in_parent,
            *(thread.resume for thread in _threads_to_park()),
            reaper.resume,
        ]
    )


def _after_fork_in_child() -> None:
    threads = _threads_to_park()
    _make_all(
        [
            _writer.after_fork_in_child,
            *(log.begin_in_child for log in _open.all()),
            reaper.forget,
            *(thread.forget for thread in threads),
            *(thread.start for thread in threads),
            _tie_to_process,
        ]
    )

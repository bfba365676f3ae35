"""Look after files in a thread: tell when one of them says something else.

A file may be written in place, replaced, or be reached through a symbolic link that is
swapped, as those of a Kubernetes ConfigMap are. What counts is its content, and that
only once it holds still: a half-written file isn't looked at.
"""

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..documents.namedfile import read_named
from ..log.lifetime import park_at_forks
from ..process._nativethread import NativeEvent, NativeLock, NativeThread
from ..process.cooperation import wait_until

__all__ = ["ConfigWatch", "FileStates"]

_logger = logging.getLogger("auditring.config")

# How long content has to hold still.
SETTLE_S = 0.1
# A file that was changed so recently may change again within the same time stamp.
RECENT_NS = 2_000_000_000
# How soon what was refused is tried again, whatever the files say: what was missing
# may be a file that nobody looks after yet.
RETRY_S = 10.0
# How long a fork, and the end of a watch, wait for the thread to end.
PARK_LIMIT_S = 1.0
END_LIMIT_S = 5.0
# As the kernel shows it.
THREAD_NAME = "auditring-conf"


_IDENTITY = ("st_dev", "st_ino", "st_mtime_ns", "st_ctime_ns", "st_size")


@dataclass(frozen=True, slots=True)
class _State:
    """What a file was when it was last read; a digest of None: it couldn't be."""

    identity: tuple[int, ...]
    is_recent: bool
    digest: bytes | None


class FileStates:
    """The contents of files, read anew only where that may be another one."""

    def __init__(
        self,
        *,
        read: Callable[[Path], bytes] = read_named,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Begin without files; *read* and *clock_ns* are for tests."""
        self._states: dict[Path, _State] = {}
        self._read = read
        self._clock_ns = clock_ns

    def look(self, files: Sequence[Path]) -> tuple[bytes | None, ...]:
        """Return a digest of each file; None for one that can't be read."""
        self._states = {file: self._state_of(file) for file in files}
        return tuple(self._states[file].digest for file in files)

    def _state_of(self, file: Path) -> _State:
        before = self._states.get(file)
        try:
            status = os.stat(file)  # of what a link leads to
            identity = tuple(getattr(status, name) for name in _IDENTITY)
            is_recent = self._clock_ns() - status.st_ctime_ns < RECENT_NS
            is_same = before is not None and before.identity == identity
            if before is not None and is_same and not before.is_recent:
                return before
            digest = hashlib.sha256(self._read(file)).digest()
        except (OSError, ValueError):  # or a name that no file can have
            return _State((), True, None)
        return _State(identity, is_recent, digest)


class _Calls:
    """What a watch's thread is told, in order.

    Thread-safety: any thread; `put` from signal handlers, too.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._told = NativeEvent()

    def put(self, call: str) -> None:
        """Tell it *call*."""
        self._waiting.append(call)
        self._told.set()

    def get(self, timeout: float | None) -> str | None:
        """Return the next call; None if there is none for *timeout* seconds."""
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while not self._waiting:
            left_s = None if deadline_s is None else deadline_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return None
            self._told.wait(left_s)
        return self._waiting.popleft()


class ConfigWatch:
    """A thread that calls when files have changed, or when it is woken.

    It is a native thread: it waits, and greenlets would wait with it. No lock is held
    between two calls, and nobody waits for it without a limit: what it calls may need
    what the one who waits holds.

    Thread-safety: any thread; `wake` from signal handlers, too.
    """

    def __init__(
        self,
        on_change: Callable[[], str],
        files: Callable[[], Sequence[Path]],
        on_look: Callable[[], object],
        on_fork: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare a thread; it isn't running yet.

        Args:
            on_change: Called in the thread; called again after a while if it doesn't
                return ``applied`` or ``unchanged``.
            files: Says which files to look after.
            on_look: Called each time that the thread looks.
            on_fork: Called in a forked child before the thread begins there.
        """
        self._on_change = on_change
        self._files = files
        self._on_look = on_look
        self._on_fork = on_fork
        self._interval_s: float | None = None
        self._is_wanted = False
        self._thread: NativeThread | None = None
        # Held by the thread that works: one that is late in ending is waited for.
        self._turn = NativeLock()
        # What belongs to the thread while it runs. What changed before it began counts
        # as changed, too.
        self._states = FileStates()
        self._seen: tuple[bytes | None, ...] | None = None
        self._retry_at_s = float("inf")
        self._calls = _Calls()

    def begin(self, interval_s: float | None) -> None:
        """Look every so many seconds from now on; None: only when woken.

        Raises:
            ValueError: It isn't more than 0.
        """
        if interval_s is not None and not interval_s > 0:
            raise ValueError(f"interval_s: expected more than 0, got {interval_s!r}")
        self._interval_s = interval_s
        self._is_wanted = True
        if self._thread is None or not self._thread.is_alive:
            self._launch()
            park_at_forks(self)
        else:
            self._calls.put("look")

    def _launch(self) -> None:
        calls = self._calls
        self._thread = NativeThread(lambda: self._take_turn(calls), THREAD_NAME)
        self._thread.start()

    def wake(self) -> None:
        """Have everything loaded again at once; also from a signal handler."""
        self._calls.put("load")

    def end(self) -> None:
        """Stop the thread and wait for it, but not for long."""
        self._is_wanted = False
        thread = self._halt()
        if thread is not None:
            wait_until(lambda: not thread.is_alive, END_LIMIT_S)
            thread.join(0)

    def _halt(self) -> NativeThread | None:
        """Let the thread come to its end; return it if it is to be waited for."""
        thread, self._thread = self._thread, None
        # What it is told from now on is for the next one.
        calls, self._calls = self._calls, _Calls()
        calls.put("end")
        if thread is None or not thread.is_alive or thread.is_current():
            return None
        return thread

    # Around a fork: see `lifetime.Parkable`.

    def park(self) -> None:
        """End the thread, unless it takes long or is the one that forks."""
        thread = self._halt()
        if thread is not None:
            thread.join(PARK_LIMIT_S)

    def resume(self) -> None:
        """Go on, if there was a thread."""
        if self._is_wanted:
            self._launch()

    def forget(self) -> None:
        """Drop what the parent's thread may have been in the middle of."""
        self._calls = _Calls()
        self._turn = NativeLock()
        self._thread = None
        self._on_fork()

    def start(self) -> None:
        """Begin in a child, if there was a thread in the parent."""
        if self._is_wanted:
            self._launch()

    # In the thread.

    def _take_turn(self, calls: _Calls) -> None:
        with self._turn:
            self._work(calls)

    def _work(self, calls: _Calls) -> None:
        while True:
            call = self._wait(calls, self._interval_s, self._retry_at_s)
            if call == "end":
                return
            now = self._states.look(self._files())
            is_due = call == "load" or time.monotonic() >= self._retry_at_s
            if now != self._seen and not is_due:
                settled = self._settle(calls, now)
                if settled is None:
                    return
                now = settled
            if now != self._seen or is_due:
                self._retry_at_s = self._change()
            self._seen = now
            self._guard(self._on_look)

    def _wait(
        self,
        calls: _Calls,
        seconds: float | None,
        retry_at_s: float = float("inf"),
    ) -> str:
        left_s = retry_at_s - time.monotonic()
        if seconds is None or left_s < seconds:
            seconds = None if left_s == float("inf") else max(left_s, 0.01)
        return calls.get(seconds) or "look"

    def _settle(
        self, calls: _Calls, now: tuple[bytes | None, ...]
    ) -> tuple[bytes | None, ...] | None:
        """Return the contents once they hold still; None: the thread is to end."""
        while True:
            if self._wait(calls, SETTLE_S) == "end":
                return None
            before, now = now, self._states.look(self._files())
            if now == before:
                return now

    def _change(self) -> float:
        """Call, and return when to do so again in any case."""
        outcome = self._guard(self._on_change)
        is_good = outcome in ("applied", "unchanged")
        return float("inf") if is_good else time.monotonic() + RETRY_S

    def _guard(self, call: Callable[[], object]) -> object:
        """Call, and tell what goes wrong: the thread goes on in any case."""
        try:
            return call()
        except Exception:
            _logger.exception("the configuration could not be followed")
            return None

"""Drive a mill in a thread that can be stopped, and parked for a fork.

When there is work, a source tells; what the work is stands in mill.py.
"""

import contextlib
import os
import time
from collections.abc import Generator
from typing import Protocol

from ..process._nativethread import NativeLock, NativeThread, sleep
from ..process.cooperation import wait_until
from .mill import Mill
from .space import SpaceWatch

__all__ = ["MillSource", "MillThread"]

# As the kernel shows it.
THREAD_NAME = "auditring-mill"

LOCK_RETRY_S = 1.0
# Without a rotation a pass still runs now and then: backups grow old, and what failed
# for want of space is tried again.
PASS_INTERVAL_S = 60.0
# How long the end of a writer, or a fork, waits for a step that takes long.
STOP_LIMIT_S = 5.0
PARK_LIMIT_S = 5.0
PARK_SLICE_S = 0.001
# How soon a thread that rests notices that it is to end.
REST_SLICE_S = 0.02


class MillSource(Protocol):
    """Where a mill's thread learns that there is work, and whether it is its own."""

    def wait_rotation(self, seen: int, timeout: float) -> int:
        """Wait, without the GIL, until the count of rotations isn't *seen*.

        Args:
            seen: What the last call returned, -1 at first.
            timeout: Seconds to wait at most; 0 doesn't wait.

        Returns:
            The count of rotations.
        """
        ...

    def wake(self) -> None:
        """Make a `wait_rotation` that runs in another thread return at once."""
        ...

    def try_mill_lock(self) -> bool:
        """Take the lock of the one mill of this log, or tell that it is held.

        Returns:
            Whether this process has it now.
        """
        ...


class MillThread:
    """Drives a mill in a thread of low priority.

    A pass is made at the start, after each rotation, and once in a while. The thread
    is a native one: its waits are in C, and greenlets would wait with it. If nobody
    stops it, it ends with the process, and what it left half-made is removed by the
    next opener.

    Nobody waits for it while it calls `on_error`, which may need what the one who waits
    holds: a handler's lock, logging's own, or that thread itself. It ends afterwards.

    Thread-safety: `start`, `stop`, `park` and `resume` may be called from any thread,
    whatever it holds, and from signal handlers. No lock is held between two calls.
    """

    def __init__(
        self, mill: Mill, source: MillSource, *, watch: SpaceWatch | None = None
    ) -> None:
        """Prepare a thread; it isn't running yet.

        Args:
            mill: What to drive.
            source: Tells of rotations and keeps the mill lock.
            watch: Looked after while the lock is held; None for none. It may be
                assigned to while the thread runs.
        """
        self._mill = mill
        self._source = source
        self.watch = watch
        # The thread that is to work; one that isn't it any more comes to its end.
        self._worker: NativeThread | None = None
        # The last one that was started, whether it is still to work or not.
        self._thread: NativeThread | None = None
        self._is_wanted = False
        self._is_parked = False
        # Held by the thread that works: one that is late in ending is waited for.
        self._turn = NativeLock()
        # The rest belongs to the thread while it works.
        self._pass: Generator[None, None, None] | None = None
        self._seen = -1
        self._is_due = True
        self._next_pass_s = 0.0
        self._next_look_s = 0.0

    def start(self) -> None:
        """Start the thread if it isn't running."""
        self._is_wanted = True
        if not self._is_parked:
            self._launch()

    def stop(self) -> None:
        """End the thread and wait for it; what is pending is left to the next opener.

        It isn't waited for while it calls `on_error`, nor for long in any case.
        """
        self.finish(0)

    def finish(self, limit_s: float) -> None:
        """Stop it, and do in this thread what it had to do, for so long at most."""
        # A pass that is half made is dropped here, or there if that takes long.
        thread = self._halt()
        if thread is not None:
            wait_until(lambda: self._has_let_go(thread), STOP_LIMIT_S)
            thread.join(0)
        self._is_wanted = False
        if not self._turn.acquire(0):
            return
        try:
            if limit_s > 0:
                self._work_until(time.monotonic() + limit_s)
        except Exception as error:
            self._mill.report(error)
        finally:
            self._drop_pass()
            self._turn.release()

    @property
    def is_at_work(self) -> bool:
        """Whether it hasn't come to its end, though it may have been stopped."""
        return self._thread is not None and self._thread.is_alive

    def _work_until(self, deadline_s: float) -> None:
        # Twice: the first pass may have begun before the last rotation.
        for _ in range(2):
            if self._pass is None:
                if not self._takes_work():
                    return
                self._pass = self._mill.run()
            for _ in self._pass:
                if time.monotonic() >= deadline_s:
                    return
            self._pass = None

    def _takes_work(self) -> bool:
        """Tell whether a pass is due and ours to make; then it is no more."""
        if not self._source.try_mill_lock():
            return False
        before, was_due = self._seen, self._is_due
        self._seen = self._source.wait_rotation(before, 0)
        self._is_due = False
        return was_due or self._seen != before

    def park(self) -> None:
        """Before a fork: end the OS thread and keep the half-made pass.

        Must be followed by `resume` in the parent and `forget` in the child. A thread
        that doesn't end soon goes on during the fork, in the parent: then it just isn't
        known to the child.
        """
        self._is_parked = True
        thread = self._halt()
        if thread is None:
            return
        deadline_s = time.monotonic() + PARK_LIMIT_S
        while not self._has_let_go(thread) and time.monotonic() < deadline_s:
            thread.join(PARK_SLICE_S)
        thread.join(0)

    def resume(self) -> None:
        """After a fork, in the parent: go on where `park` interrupted."""
        self._is_parked = False
        if self._is_wanted:
            self._launch()

    def forget(self) -> None:
        """After a fork, in the child: drop everything; the parent's files stay."""
        self._thread = self._worker = None
        self._turn = NativeLock()
        self._is_parked = self._is_wanted = False
        self._drop_pass()
        self._seen = -1
        self._is_due = True

    def _launch(self) -> None:
        if self._worker is not None and self._worker.is_alive:
            return
        thread = NativeThread(lambda: self._work(thread), THREAD_NAME)
        # It works only if no other one is put in its place meanwhile.
        self._thread = self._worker = thread
        try:
            thread.start()
        except RuntimeError as error:
            self._mill.report(error)

    def _halt(self) -> NativeThread | None:
        """Let the thread come to its end; return it if it is to be waited for."""
        thread, self._worker = self._thread, None
        if thread is None or not thread.is_alive or thread.is_current():
            return None
        return thread

    def _has_let_go(self, thread: NativeThread) -> bool:
        """Tell whether a halted thread is over, or in a call that nobody waits for."""
        # Woken until it ends: a single call may come just before the wait begins.
        self._source.wake()
        return not thread.is_alive or self._mill.is_reporting

    def _drop_pass(self) -> None:
        work, self._pass = self._pass, None
        if work is not None:
            # In a child that was forked without park() it can't be closed: the copy
            # of the thread that runs it will never reach the next step.
            with contextlib.suppress(ValueError):
                work.close()

    def _work(self, thread: NativeThread) -> None:
        with self._turn:
            if self._worker is not thread:
                return
            _lower_priority()
            while self._worker is thread:
                try:
                    self._step(thread)
                except BaseException:  # SystemExit of `on_error`, say: it ends nothing
                    self._pass = None
                    self._rest(thread)
            if not self._is_wanted:
                self._drop_pass()

    def _step(self, thread: NativeThread) -> None:
        try:
            if self._pass is not None or self._await_pass(thread):
                self._drive(thread)
        except Exception as error:
            self._pass = None
            self._mill.report(error)
            self._rest(thread)

    def _rest(self, thread: NativeThread) -> None:
        """Wait a moment after an unforeseen error, which may come again at once."""
        end_s = time.monotonic() + LOCK_RETRY_S
        while self._worker is thread and time.monotonic() < end_s:
            sleep(REST_SLICE_S)

    def _drive(self, thread: NativeThread) -> None:
        if self._pass is None:
            self._pass = self._mill.run()
        for _ in self._pass:
            if self._worker is not thread:
                return
            self._look_after_space()
        self._pass = None
        self._next_pass_s = time.monotonic() + PASS_INTERVAL_S

    def _await_pass(self, thread: NativeThread) -> bool:
        """Wait until a pass is due, for a second at most if it isn't ours to make."""
        if not self._source.try_mill_lock():
            # Whoever has it may leave work behind.
            self._is_due = True
            self._seen = self._source.wait_rotation(self._seen, LOCK_RETRY_S)
            return False
        seen = self._source.wait_rotation(self._seen, self._timeout_s())
        if self._worker is not thread:
            return False
        self._look_after_space()
        is_overdue = time.monotonic() >= self._next_pass_s
        is_due = self._is_due or is_overdue or seen != self._seen
        self._seen = seen
        self._is_due = False
        return is_due

    def _timeout_s(self) -> float:
        if self._is_due:
            return 0.0
        next_s = self._next_pass_s
        if self.watch is not None:
            next_s = min(next_s, self._next_look_s)
        return max(0.0, next_s - time.monotonic())

    def _look_after_space(self) -> None:
        if self.watch is None or time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + self.watch.interval_s
        try:
            self.watch.check()
        except Exception as error:
            self._mill.report(error)


def _lower_priority() -> None:
    # Not SCHED_IDLE: on a busy machine such a thread may get no core for a second, and
    # when it holds the GIL just then, all other threads wait with it. The priority of
    # its I/O follows this one.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 19)  # of this thread only

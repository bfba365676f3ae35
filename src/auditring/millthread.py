"""Drive a mill in a thread that can be stopped, and parked for a fork.

When there is work, a source tells; what the work is stands in mill.py.
"""

import contextlib
import os
import threading
import time
from collections.abc import Generator
from typing import Protocol

from .mill import Mill
from .space import SpaceWatch

__all__ = ["MillSource", "MillThread", "wait_until_gone"]

LOCK_RETRY_S = 1.0
# Without a rotation a pass still runs now and then: backups grow old, and what failed
# for want of space is tried again.
PASS_INTERVAL_S = 60.0


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
    is a daemon, because an interpreter that ends joins all others before it calls the
    atexit function in which the owner stops this one. If nobody stops it, it ends with
    the process, and what it left half-made is removed by the next opener.

    Thread-safety: `start`, `stop`, `park` and `resume` may be called from any thread.
    `stop` inside of `on_error`, thus in the mill's own thread, doesn't wait for itself.
    """

    def __init__(
        self, mill: Mill, source: MillSource, *, watch: SpaceWatch | None = None
    ) -> None:
        """Prepare a thread; it isn't running yet.

        Args:
            mill: What to drive.
            source: Tells of rotations and keeps the mill lock.
            watch: Looked after while the lock is held; None for none.
        """
        self._mill = mill
        self._source = source
        self._watch = watch
        # Guards _thread and the flags; held from park() to resume().
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_halted = False
        self._is_parked = False
        self._resumes = False
        # The rest belongs to the thread while it runs.
        self._pass: Generator[None, None, None] | None = None
        self._seen = -1
        self._is_due = True
        self._next_pass_s = 0.0
        self._next_look_s = 0.0

    def start(self) -> None:
        """Start the thread if it isn't running."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._launch()

    def stop(self) -> None:
        """Stop the thread and join it; what is pending is left to the next opener."""
        if threading.current_thread() is self._thread:
            self._is_halted = True
            return
        with self._lock:
            self._halt()

    def park(self) -> None:
        """Before a fork: end the OS thread and keep the half-made pass.

        Must be followed by `resume` in the parent and `forget` in the child. In the
        mill's own thread, thus from `on_error`, it does nothing.
        """
        if threading.current_thread() is self._thread:
            return
        self._lock.acquire()
        self._is_parked = True
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._resumes = not self._is_halted
            self._halt()
            wait_until_gone(thread.native_id)

    def resume(self) -> None:
        """After a fork, in the parent: go on where `park` interrupted."""
        if not self._is_parked:
            return
        self._is_parked = False
        if self._resumes:
            self._launch()
        self._resumes = False
        self._lock.release()

    def forget(self) -> None:
        """After a fork, in the child: drop everything; the parent's files stay."""
        self._lock = threading.Lock()
        self._thread = None
        self._is_parked = self._resumes = False
        self._drop_pass()
        self._seen = -1
        self._is_due = True

    def _launch(self) -> None:
        self._is_halted = False
        self._thread = threading.Thread(
            target=self._work, name="auditring-mill", daemon=True
        )
        self._thread.start()

    def _halt(self) -> None:
        self._is_halted = True
        # Woken until it ends: a single call may come just before the wait begins.
        while self._thread is not None and self._thread.is_alive():
            self._source.wake()
            self._thread.join(0.01)

    def _drop_pass(self) -> None:
        work, self._pass = self._pass, None
        if work is not None:
            # In a child that was forked without park() it can't be closed: the copy
            # of the thread that runs it will never reach the next step.
            with contextlib.suppress(ValueError):
                work.close()

    def _work(self) -> None:
        _lower_priority()
        try:
            while not self._is_halted:
                if self._pass is not None or self._await_pass():
                    self._drive()
        except Exception as error:
            self._mill.report(error)
        if not self._is_parked:
            self._drop_pass()

    def _drive(self) -> None:
        if self._pass is None:
            self._pass = self._mill.run()
        for _ in self._pass:
            if self._is_halted:
                return
            self._look_after_space()
        self._pass = None
        self._next_pass_s = time.monotonic() + PASS_INTERVAL_S

    def _await_pass(self) -> bool:
        """Wait until a pass is due, for a second at most if it isn't ours to make."""
        if not self._source.try_mill_lock():
            # Whoever has it may leave work behind.
            self._is_due = True
            self._seen = self._source.wait_rotation(self._seen, LOCK_RETRY_S)
            return False
        seen = self._source.wait_rotation(self._seen, self._timeout_s())
        if self._is_halted:
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
        if self._watch is not None:
            next_s = min(next_s, self._next_look_s)
        return max(0.0, next_s - time.monotonic())

    def _look_after_space(self) -> None:
        if self._watch is None or time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + self._watch.interval_s
        try:
            self._watch.check()
        except Exception as error:
            self._mill.report(error)


def _lower_priority() -> None:
    # Not SCHED_IDLE: on a busy machine such a thread may get no core for a second, and
    # when it holds the GIL just then, all other threads wait with it. The priority of
    # its I/O follows this one.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def wait_until_gone(native_id: int | None) -> None:
    """Wait until the kernel has forgotten a thread that Python has joined.

    The kernel takes it off the count that os.fork() looks at a moment later.
    """
    deadline_s = time.monotonic() + 1.0
    while os.path.exists(f"/proc/self/task/{native_id}"):
        if time.monotonic() > deadline_s:
            return
        time.sleep(0.0001)

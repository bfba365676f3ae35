"""The mills of this process: one a log, whoever has it open here, and how often.

The lock that keeps processes apart (leader.h) is the process's: it keeps no two writers
of one process apart. So they share a mill, found by the log's directory, as the kernel
numbers it, and its name: other spellings, symbolic links and bind mounts lead to the
same one. Where another directory has come to its path, the mill goes on there. What it
does stands in mill.py, the thread that drives it in millthread.py.

Who else may be there: other writers of the process, which come and go in any thread,
are dropped by a collector or open their log anew from `on_error`; a mill whose last
writer has left and that is still in its last step; a forked child, which has a copy of
all this and none of the threads; another process, which waits for the mill lock.
"""

import errno
import os
import time
import weakref

# Not threading's, which greenlets take the place of; these are held for a moment.
from _thread import RLock
from collections.abc import Callable, Iterator
from typing import Protocol

from ..process._nativethread import sleep
from ..ring.statedir import state_dir_of
from .mill import Mill
from .settings import MillSettings
from .space import RESERVE_BYTES, SpaceState, SpaceWatch
from .thread import MillSource, MillThread

__all__ = ["LogMill", "Member", "begin_end", "join"]

# How long the last writer's close() goes on with what is to be done with backups. What
# isn't done by then is left to the next opener.
CLOSE_WORK_S = 1.0
# The same for all logs together, when the interpreter ends.
EXIT_WORK_S = 0.5
# How long an opener puts right what a killed mill left, before it goes on.
RESOLVE_LIMIT_S = 2.0
# The longest that the thread waits through one writer.
WAIT_MAX_S = 10.0
# How often it looks whether a writer that was dropped has been closed.
LEAVING_S = 0.05

_Key = tuple[int, int, str]


class Member(MillSource, Protocol):
    """An open log writer, as its mill knows it."""

    @property
    def closed(self) -> bool:
        """Whether it is no member any more."""
        ...

    @property
    def space_watch(self) -> SpaceWatch | None:
        """What it wants to have looked after, None for nothing."""
        ...

    def mill_settings(self) -> MillSettings:
        """Return what the newest opener of the log wants done with backups."""
        ...

    @property
    def on_error(self) -> Callable[[Exception], object] | None:
        """Whom trouble is told to."""
        ...

    def _note_unread(self, count: int, size_bytes: int) -> None:
        """Hear of backups that were removed before a follower had read them."""
        ...

    def leave_mill_lock(self) -> None:
        """Leave the mill lock to another process."""
        ...


class LogMill:
    """The mill of one log, and the thread that drives it, for all writers of it here.

    The settings of the newest writer count, and its watch over free space; trouble is
    told to each. Writers are held weakly: one that is dropped is one less.

    Thread-safety: any thread.

    Attributes:
        log: The live file.
        mill: What works on the backups.
    """

    def __init__(self, log: str | os.PathLike[str], key: _Key) -> None:
        """Prepare; `join` is what makes one."""
        self.log = os.fspath(log)
        self._key = key
        self._members: tuple[weakref.ref[Member], ...] = ()
        # Guards the members; nothing that waits is done with it.
        self._lock = RLock()
        # Held while an opener does what the thread would do.
        self._begins = RLock()
        self._is_begun = False
        self._is_over = False
        self.pid = os.getpid()
        self.mill = Mill(
            log, self._settings, on_error=self._tell, on_unread=self._note_unread
        )
        self._thread = MillThread(self.mill, self)

    # Writers.

    def add(self, member: Member) -> bool:
        """Take *member* in; False when the last one has just left."""
        with self._lock:
            if self._is_over:
                return False
            self._members = (*self._members, weakref.ref(member))
        self.choose_watch()
        return True

    def begin(self) -> None:
        """Put right what a killed mill left, then work in the background, from now on.

        The first one who calls it does that; others wait for him.
        """
        with self._begins:
            if not self._is_begun:
                self.settle(RESOLVE_LIMIT_S)
                self._is_begun = True
                self._thread.start()

    def settle(self, limit_s: float | None) -> None:
        """Put right what a killed mill left, for so long at most, and no more."""
        with self._begins:
            if not self._is_begun and self.try_mill_lock():
                self.mill.resolve(limit_s)

    def leave(self, member: Member, limit_s: float | None = None) -> None:
        """Let *member* go; the last one stops the thread and leaves the mill lock.

        Args:
            member: One that `add` took in, still open.
            limit_s: How long the last one may go on with work that is due; None is
                as `close` and the end of the interpreter have it.
        """
        if not self._is_last(member):
            self.choose_watch()
            return
        try:
            self._thread.finish(_closing_limit_s() if limit_s is None else limit_s)
        finally:
            self._give_up(member)

    def _is_last(self, member: Member) -> bool:
        with self._lock:
            left = ((reference, reference()) for reference in self._members)
            kept = [each for each, who in left if who not in (None, member)]
            if kept:
                self._members = tuple(kept)
                return False
            # It stays a member until the thread has ended: that waits through it.
            was_over, self._is_over = self._is_over, True
            return not was_over

    def _give_up(self, member: Member) -> None:
        self._members = ()
        if _mills.get(self._key) is self:
            del _mills[self._key]
        if _holders.get(self._key) is self and self.is_abandoned:
            member.leave_mill_lock()
            self._leave_seat()

    def _open_members(self) -> Iterator[Member]:
        """Yield those that are open, the newest first."""
        for reference in reversed(self._members):
            member = reference()
            if member is not None and not member.closed:
                yield member

    def choose_watch(self) -> None:
        """Take the newest writer's watch over free space, of those that have one."""
        watches = (member.space_watch for member in self._open_members())
        self._thread.watch = next((each for each in watches if each is not None), None)

    def make_watch(
        self, warn_bytes: int, critical_bytes: int, *, may_remove: bool
    ) -> SpaceWatch:
        """Make a watch over the free space of the log's file system."""

        def report(before: SpaceState, now: SpaceState, free: int) -> None:
            if now != "ok":
                text = f"free space is {now}: {free} bytes left (was {before})"
                self.mill.report(OSError(errno.ENOSPC, text, self.log))

        return SpaceWatch(
            os.path.dirname(self.log),
            warn_bytes=max(warn_bytes, critical_bytes),
            critical_bytes=critical_bytes,
            full_bytes=min(critical_bytes, RESERVE_BYTES),
            reserve=os.path.join(state_dir_of(self.log), "reserve"),
            remove_oldest=self.mill.remove_oldest if may_remove else None,
            on_change=report,
        )

    @property
    def watch(self) -> SpaceWatch | None:
        """The watch over free space that counts."""
        return self._thread.watch

    # What the mill asks for and tells.

    def _settings(self) -> MillSettings:
        for member in self._open_members():
            return member.mill_settings()
        return MillSettings()

    def _tell(self, error: Exception) -> None:
        asked = {id(m.on_error): m.on_error for m in self._open_members()}
        trouble: Exception | None = None
        for on_error in asked.values():
            try:
                if on_error is not None:
                    on_error(error)
            except Exception as second:  # the others are to hear of it, too
                trouble = second
        if trouble is not None:
            raise trouble

    def _note_unread(self, count: int, size_bytes: int) -> None:
        for member in self._open_members():
            member._note_unread(count, size_bytes)
            return

    # What the thread asks.

    def wait_rotation(self, seen: int, timeout: float) -> int:
        """Wait as `MillSource` says; with no writer left there is nothing to wait for.

        A writer that is closed meanwhile makes it return.
        """
        for member in self._open_members():
            # It lives for as long: one that is dropped is to be closed soon.
            return member.wait_rotation(seen, min(timeout, WAIT_MAX_S))
        sleep(min(timeout, LEAVING_S))
        return seen

    def wake(self) -> None:
        """Make a `wait_rotation` of another thread return."""
        for member in self._open_members():
            member.wake()
            return

    def try_mill_lock(self) -> bool:
        """Tell whether this is the one mill of the log, here and everywhere."""
        if not self.follow_path():
            return False
        for member in self._open_members():
            if not self._takes_seat():
                return False
            if member.try_mill_lock():
                return True
            self._leave_seat()
            return False
        return False

    def follow_path(self) -> bool:
        """Be found by the directory that the path leads to now; False: by none."""
        try:
            key = _key_of(self.log)
        except OSError:
            return False
        if key != self._key:
            self._leave_seat()
            if _mills.get(self._key) is self:
                del _mills[self._key]
                _mills.setdefault(key, self)
            self._key = key
        return True

    def _takes_seat(self) -> bool:
        """Tell whether no other mill of this process may be at this log's backups."""
        holder = _holders.setdefault(self._key, self)
        # One whose last writer has left may still be in its last step.
        if holder is not self and holder.is_abandoned:
            _holders[self._key] = holder = self
        return holder is self

    def _leave_seat(self) -> None:
        if _holders.get(self._key) is self:
            del _holders[self._key]

    @property
    def is_abandoned(self) -> bool:
        """Whether all writers have left, and it has come to its end."""
        return self._is_over and not (self._members or self._thread.is_at_work)

    # Forks.

    def park(self) -> None:
        """Before a fork: end the OS thread."""
        self._thread.park()

    def resume(self) -> None:
        """After a fork, in the parent: go on."""
        self._thread.resume()

    def forget(self) -> None:
        """After a fork, in the child: hold nothing that the parent holds."""
        self._lock = RLock()
        self._begins = RLock()
        self.pid = os.getpid()
        _holders.pop(self._key, None)
        self._thread.forget()

    def start(self) -> None:
        """Begin, in the child."""
        self._thread.start()


# By the log. Read and changed by single calls, which no other thread comes between.
_mills: dict[_Key, LogMill] = {}
# Which mill of this process may ask for the lock of processes.
_holders: dict[_Key, LogMill] = {}
_end_by_s: float | None = None


def join(log: str | os.PathLike[str], member: Member) -> LogMill:
    """Let *member*, which has *log* open, share the log's mill; `begin` comes next.

    Raises:
        OSError: The log's directory can't be looked at.
    """
    key = _key_of(log)
    for each in list(_mills.values()):
        if each.log == os.fspath(log):
            each.follow_path()
    while True:
        made = LogMill(log, key)
        found = _mills.setdefault(key, made)
        # One that another thread of the parent was just making was never begun here.
        if found.pid == made.pid and found.add(member):
            return found
        if _mills.get(key) is found:
            del _mills[key]


def _key_of(log: str | os.PathLike[str]) -> _Key:
    directory, name = os.path.split(os.fspath(log))
    status = os.stat(directory)
    return status.st_dev, status.st_ino, name


def begin_end() -> None:
    """Say that the interpreter ends: from now on all logs share what time is left."""
    global _end_by_s
    _end_by_s = time.monotonic() + EXIT_WORK_S


def _closing_limit_s() -> float:
    if _end_by_s is None:
        return CLOSE_WORK_S
    return max(0.0, _end_by_s - time.monotonic())

"""TimedRotatingFileHandler: as the standard library's, through a ring.

When to roll over, what the backup is called and which backups go is the standard
library's own code. Here stands what lets several processes do it: the time of the next
rollover is kept in the state directory, and whoever comes late finds it moved on.
"""

import contextlib
import datetime
import errno
import fcntl
import logging
import logging.handlers
import os
import stat
import time
from collections.abc import Iterator
from typing import ClassVar, Unpack

from ..backups.dated import (
    DatedBackup,
    dated_backups,
    names_for,
    rename_to_free,
    unread_of,
)
from ..files.opened import is_free
from ..log.writer import LogWriter
from ..process._nativethread import close
from ..ring.ownership import give_to_owner, shared_mode
from .options import HandlerOptions
from .ring import RingHandler
from .rollovertrouble import DatedLogWriter, RolloverTrouble

__all__ = ["TimedRotatingFileHandler"]

# By which the mill knows backups (backups.py).
SUFFIXES_KNOWN = (
    "%Y-%m-%d_%H-%M-%S",
    "%Y-%m-%d_%H-%M",
    "%Y-%m-%d_%H",
    "%Y-%m-%d",
)
# How long a rollover waits for a disk that hangs. What isn't in the file by then comes
# into the next one.
FLUSH_LIMIT_S = 1.0
# How long it waits for another process that is rolling over, and may have been stopped.
LOCK_TRIES = 50
# How often it looks for what is too much; the rest comes with the next rollover.
REMOVAL_TRIES = 3
LOCK_PAUSE_S = 0.01


class TimedRotatingFileHandler(RingHandler, logging.handlers.TimedRotatingFileHandler):
    """A `logging.handlers.TimedRotatingFileHandler` that several processes may share.

    No backup is ever replaced. Where one of the same name is there when a rollover is
    due, this one goes on in the same file; a rollover that is asked for, or that finds
    the name taken by a compressed file, adds a number to the date.

    Thread-safety: any thread.
    """

    ring_methods: ClassVar[tuple[str, ...]] = (
        *RingHandler.ring_methods,
        "doRollover",
        "rotate",
        "rotation_filename",
        "shouldRollover",
    )
    writer_class = DatedLogWriter

    def __init__(
        self,
        filename: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        when: str = "h",
        interval: int = 1,
        backupCount: int = 0,
        encoding: str | None = None,
        delay: bool = False,
        utc: bool = False,
        atTime: datetime.time | None = None,
        errors: str | None = None,
        **options: Unpack[HandlerOptions],
    ) -> None:
        """Open the log, unless *delay*.

        Args:
            filename: The live file.
            when: Unit of *interval*: S, M, H, D, MIDNIGHT, or W0 (Monday) to W6.
            interval: Units between two rollovers.
            backupCount: Backups to keep; 0 is all.
            encoding: Of the file; None is the locale's.
            delay: Make nothing before the first record.
            utc: Reckon in UTC instead of local time.
            atTime: Time of day for MIDNIGHT and W0 to W6; None is midnight.
            errors: What to do about text that can't be encoded; None is strict.
            **options: See `HandlerOptions`.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            OSError: The file can't be opened.
        """
        self._read_options(options)
        self._trouble = RolloverTrouble()
        super().__init__(
            os.fsdecode(filename),
            when,
            interval,
            backupCount,
            encoding,
            bool(delay),
            utc,
            atTime,
            errors or self._ring_options.errors,
        )
        # The file may have been written to under a clock that was ahead.
        self._follow_clock()
        self._recover()

    def _rolls_over(self) -> bool:
        return True

    def _roll_over_if_due(self, record: logging.LogRecord) -> None:
        if self.shouldRollover(record):
            self.doRollover()

    def _is_plain(self) -> bool:
        return super()._is_plain() and not callable(self.namer or self.rotator)

    def _unknown_backups(self) -> str:
        if self.suffix in SUFFIXES_KNOWN:
            return ""
        return f"the suffix {self.suffix!r} isn't one of the standard library's"

    def _due_s(self) -> float:
        return float(max(self.rolloverAt, self._trouble.retry_at))

    def _is_due(self, record: logging.LogRecord) -> bool:
        if self._trouble.is_put_off:
            return False
        if self._is_before_arming():
            self._follow_clock()
            self._forget_way()
        return bool(self.shouldRollover(record))

    def _follow_clock(self) -> None:
        """Roll over in time again when the clock was ahead, and is no more."""
        latest = self.computeRollover(int(time.time()))
        if self.rolloverAt > latest:
            self.rolloverAt = latest

    def _roll_over(self, record: logging.LogRecord) -> None:
        writer = self._ring.writer
        try:
            self._agree(is_asked=False)
        except Exception as error:
            is_done = self.rolloverAt > time.time()
            if is_done or self._trouble.note(error, writer):
                self._report_error(record, error)
            self._forget_way()  # it ends at another time
        else:
            self._trouble.end(writer)

    def doRollover(self) -> None:
        """Make the live file a backup named for its beginning, and begin a new one.

        Done whenever it is asked for, whatever other processes did before.

        Raises:
            TimeoutError: Another process has been rolling over for too long.
            OSError: The file can't be renamed.
        """
        self._agree(is_asked=True)

    def _agree(self, *, is_asked: bool) -> None:
        """Roll over, unless it is only due and another process has done so already."""
        writer = self._ring.writer
        if writer is None:
            self._roll_over_past_ring()
            return
        now = int(time.time())
        with (
            self._locked(),
            self._ring.busy(),
            _rollover_held(self._state_dir()) as state,
        ):
            if state is None:
                self._put_off(now, is_asked=is_asked)
                return
            agreed = _read_time(state)
            # What lies further ahead than ours could was agreed on with other units.
            if not is_asked and now < agreed <= self.computeRollover(now):
                self.rolloverAt = agreed
                return
            self._rename(writer, is_asked=is_asked)
            _write_time(state, int(self.rolloverAt))
            if self.backupCount > 0:
                self._remove_too_many()
                self._check_obstacles()

    def _roll_over_past_ring(self) -> None:
        """Roll over without a ring: never a backup away, and not what others write."""
        if self._ring.refused is not None and (
            self._is_beside_others() or os.path.exists(self._backup_name())
        ):
            self._skip_rollover()
            return
        super().doRollover()

    def _skip_rollover(self) -> None:
        now = int(time.time())
        if now >= self.rolloverAt:
            self.rolloverAt = self.computeRollover(now)

    def _put_off(self, now: int, *, is_asked: bool) -> None:
        if is_asked:
            text = "another process is rolling over"
            raise TimeoutError(errno.ETIMEDOUT, text, self.baseFilename)
        self.rolloverAt = now + 1

    def _rename(self, writer: LogWriter, *, is_asked: bool) -> None:
        name = self._backup_name()
        if not is_asked and os.path.lexists(name):
            self.rolloverAt = self.computeRollover(int(time.time()))
            return
        writer.flush(FLUSH_LIMIT_S)
        with contextlib.suppress(FileNotFoundError):  # somebody has moved it
            rename_to_free(self.baseFilename, name)
        # The time of the next rollover, and what is to be deleted, are left to the
        # standard library. What it closes, and opens again, is the stream.
        shown, self._ring.stream = self._ring.stream, None
        self._ring.is_renamed = True
        try:
            super().doRollover()
        finally:
            self._ring.is_renamed = False
            self._ring.stream = shown
            writer.reopen()
            writer.wake()

    def rotation_filename(self, default_name: str) -> str:
        """Return what a backup is called that would be called so, were the name free.

        A name is free when there is neither a plain nor a compressed file of it. Where
        there is, a number follows the date.
        """
        if self._ring.is_renamed:
            return os.path.join(self._state_dir(), "renamed")  # where nothing is
        for name in names_for(default_name):
            chosen = super().rotation_filename(name)
            if is_free(chosen):
                return chosen
        raise OSError(errno.EEXIST, "no name is free for a backup", default_name)

    def rotate(self, source: str, dest: str) -> None:
        """Rename *source*, as `rotator` does it if there is one."""
        if not self._ring.is_renamed:
            super().rotate(source, dest)

    def _backup_name(self) -> str:
        """Return the name that the standard library gives to the next backup."""
        start = self.rolloverAt - self.interval
        if self.utc:
            moment = time.gmtime(start)
        else:
            moment = time.localtime(start)
            is_dst = time.localtime(time.time()).tm_isdst
            if is_dst != moment.tm_isdst:
                moment = time.localtime(start + (3600 if is_dst else -3600))
        return f"{self.baseFilename}.{time.strftime(self.suffix, moment)}"

    def getFilesToDelete(self) -> list[str]:
        """Return the backups that are too many, the oldest first.

        Both forms of one count as one. Those that a registered follower still needs
        stay, unless ``keep_for_followers=False`` was asked for.
        """
        writer = self._ring.writer
        if writer is None:
            return super().getFilesToDelete()
        if self._ring.is_renamed:
            return []  # they are removed afterwards
        found = dated_backups(self.baseFilename, self.extMatch)
        backups = [each for each in found if each.paths]
        too_many = backups[: max(0, len(backups) - self.backupCount)]
        return self._spared(writer, too_many) if too_many else []

    def _remove_too_many(self) -> None:
        """Remove them, while the mill may be compressing them under our hands.

        Raises:
            OSError: One can't be removed.
        """
        for _ in range(REMOVAL_TRIES):
            paths = self.getFilesToDelete()
            if not paths:
                return
            for path in paths:
                # Its compressed form is there by now, and found by the next look.
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)

    def _check_obstacles(self) -> None:
        """Tell of what should be removed, by its name, and isn't ours to remove.

        Raises:
            OSError: There is something.
        """
        found = dated_backups(self.baseFilename, self.extMatch)
        backups = [each for each in found if each.paths][-self.backupCount :]
        for each in found:
            if each.obstacles and backups and each.start < backups[0].start:
                raise OSError(errno.ENOTSUP, "not a backup", each.obstacles[0])

    def _spared(self, writer: LogWriter, doomed: list[DatedBackup]) -> list[str]:
        """Leave out what followers need, or tell that they lose it."""
        unread = unread_of(self.baseFilename, doomed)
        if self._ring_options.writer.get("keep_for_followers", True):
            doomed = [each for each in doomed if each.plain not in unread]
        elif unread:
            sizes = [each.size_bytes() for each in doomed if each.plain in unread]
            writer._note_unread(len(sizes), sum(sizes))
        return [path for each in doomed for path in each.paths]


@contextlib.contextmanager
def _rollover_held(state_dir: str) -> Iterator[int | None]:
    """Let one process at a time roll over; yield the file with the agreed time.

    None: Another one has been at it for too long.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(os.path.join(state_dir, "rollover"), flags, 0o600)
    try:
        _share(fd, state_dir)
        is_held = _lock(fd)
        yield fd if is_held else None
    finally:
        # A child that was forked meanwhile has a copy of the descriptor.
        fcntl.flock(fd, fcntl.LOCK_UN)
        close(fd)


def _share(fd: int, state_dir: str) -> None:
    """Give the file the rights that the others in the directory have."""
    status, mode = os.fstat(fd), shared_mode(state_dir)
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(fd, mode)
    if status.st_uid == 0:
        give_to_owner(fd, state_dir)


def _lock(fd: int) -> bool:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return True
    return False


def _read_time(fd: int) -> int:
    """Return the agreed time of the next rollover, 0 if there is none."""
    try:
        return int(os.pread(fd, 32, 0))
    except ValueError:
        return 0


def _write_time(fd: int, rollover_at: int) -> None:
    # As long as any other, so that it is replaced by one write.
    os.pwrite(fd, b"%031d\n" % rollover_at, 0)

"""TimedRotatingFileHandler: as the standard library's, through a ring.

When to roll over, what the backup is called and which backups go is the standard
library's own code. Here stands what lets several processes do it: the time of the next
rollover is kept in the state directory, and whoever comes late finds it moved on.
"""

import contextlib
import datetime
import fcntl
import logging
import logging.handlers
import os
import stat
import time
from collections.abc import Iterator
from typing import ClassVar, Unpack

from .handleroptions import HandlerOptions
from .ownership import give_to_owner, shared_mode
from .ringhandler import RingHandler
from .writer import LogWriter

__all__ = ["TimedRotatingFileHandler"]

_SUFFIXES = (".gz", ".zst", ".lz4")
# How long a rollover waits for a disk that hangs. What isn't in the file by then comes
# into the next one.
FLUSH_LIMIT_S = 1.0
# How long it waits for another process that is rolling over, and may have been stopped.
LOCK_TRIES = 50
LOCK_PAUSE_S = 0.01


class DatedLogWriter(LogWriter):
    """A log writer whose mill works on backups that carry the date of their start."""

    mill_dialect = "dated"


class TimedRotatingFileHandler(RingHandler, logging.handlers.TimedRotatingFileHandler):
    """A `logging.handlers.TimedRotatingFileHandler` that several processes may share.

    Where the standard library would replace a backup that is there already, this one
    goes on in the same file.

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
        filename: str | os.PathLike[str],
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
        super().__init__(
            filename,
            when,
            interval,
            backupCount,
            encoding,
            bool(delay),
            utc,
            atTime,
            errors or self._ring_options.errors,
        )
        self._recover()

    def _is_plain(self) -> bool:
        return super()._is_plain() and not callable(self.namer or self.rotator)

    def _due_s(self) -> float:
        return float(self.rolloverAt)

    def _is_due(self, record: logging.LogRecord) -> bool:
        return bool(self.shouldRollover(record))

    def _roll_over(self, record: logging.LogRecord) -> None:
        try:
            self.doRollover()
        except Exception as error:
            self._report_error(record, error)

    def doRollover(self) -> None:
        """Make the live file a backup named for its beginning, and begin a new one.

        Another process that shares the log may have done so already.
        """
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
                self.rolloverAt = now + 1
                return
            agreed = _read_time(state)
            # What lies further ahead than ours could was agreed on with other units.
            if now < agreed <= self.computeRollover(now):
                self.rolloverAt = agreed
                return
            self._rename(writer)
            _write_time(state, int(self.rolloverAt))

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

    def _rename(self, writer: LogWriter) -> None:
        if os.path.exists(self._backup_name()):
            self.rolloverAt = self.computeRollover(int(time.time()))
            return
        writer.flush(FLUSH_LIMIT_S)
        # What the standard library closes, and opens again, is the stream.
        shown, self._ring.stream = self._ring.stream, None
        try:
            super().doRollover()
        finally:
            self._ring.stream = shown
        writer.reopen()
        writer.wake()

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
        """Return the backups that are too many, the oldest first."""
        if not self._ring_options.writer.get("compress") or self._ring.writer is None:
            return super().getFilesToDelete()
        directory, base = os.path.split(self.baseFilename)
        forms: dict[str, list[str]] = {}
        for name in sorted(os.listdir(directory)):
            plain = _without_suffix(name)
            start = plain.removeprefix(f"{base}.")
            if start != plain and self.extMatch.fullmatch(start):
                forms.setdefault(plain, []).append(os.path.join(directory, name))
        too_many = sorted(forms)[: max(0, len(forms) - self.backupCount)]
        return [path for plain in too_many for path in forms[plain]]


def _without_suffix(name: str) -> str:
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


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
        os.close(fd)


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

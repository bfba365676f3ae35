"""Work on the backups of a log, pass by pass, until they are as the settings say.

Trouble with one file is counted and reported, its plain form stays, and the next pass
tries again. How a backup is compressed stands in compressor.py, which ones may stay in
retention.py, their names in backups.py, the thread that drives a mill in millthread.py.
"""

import errno
import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from ..errors import CursorError
from ..files.followers import unread_backups
from ..files.formats import FORMATS
from ..files.names import Backup, Dialect, Listing
from .compressor import Compressor
from .heldnames import BackupNames
from .retention import misdated, within_limits
from .settings import MillSettings

__all__ = [
    "Mill",
    "MillCounters",
    "MillSettings",
]


@dataclass(frozen=True, slots=True)
class MillCounters:
    """What a mill has done since it was made.

    Attributes:
        compressed: Backups compressed.
        removed: Files removed because of a limit.
        bytes_in: Bytes of the compressed backups before.
        bytes_out: Bytes of the compressed backups after.
        errors: Times that something failed.
        last_error: What failed last, "" if nothing ever did.
    """

    compressed: int = 0
    removed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    errors: int = 0
    last_error: str = ""


class Mill:
    """Works on the backups of one log.

    Only one mill may work on a log at a time: whoever calls `resolve`, `run` or
    `remove_oldest` holds the mill lock of the log.

    Thread-safety: one thread at a time; `run` may be driven by another thread from one
    step to the next. `counters` may be read by any thread.
    """

    def __init__(
        self,
        log: str | os.PathLike[str],
        settings: Callable[[], MillSettings],
        *,
        state_dir: str | os.PathLike[str] | None = None,
        now: Callable[[], float] = time.time,
        on_error: Callable[[Exception], object] | None = None,
        on_unread: Callable[[int, int], object] | None = None,
    ) -> None:
        """Prepare to work on the backups of *log*; nothing is touched yet.

        Args:
            log: The live file.
            settings: Asked once a pass.
            state_dir: The log's state directory, whose flock keeps a rotation from
                renaming numbered backups; used in the stdlib dialect only. None is
                ``.<name>.ring`` beside the log.
            now: The time in seconds since the epoch.
            on_error: Called with what went wrong, in the thread that works. What it
                raises is counted and goes no further.
            on_unread: Called with number and bytes on disk of the backups that were
                removed although a registered follower had not read them.
        """
        self._log = os.path.abspath(log)
        self._settings = settings
        self._names = BackupNames(self._log, state_dir)
        self._now = now
        self._on_error = on_error
        self._on_unread = on_unread
        self._compressor = Compressor(self._names)
        self._has_told_time = False
        self.counters = MillCounters()
        # Whether `on_error` is being called, which may take any time.
        self.is_reporting = False

    def resolve(self, limit_s: float | None = None) -> None:
        """Put right what a killed mill left, as every opener does.

        Args:
            limit_s: Seconds after which the rest is left; None is never.
        """
        deadline_s = math.inf if limit_s is None else time.monotonic() + limit_s
        for plain, compressed in list(self._leftovers()):
            work = self._compressor.settle(plain, compressed)
            for _ in self._guarded(plain, work):
                if time.monotonic() >= deadline_s:
                    return

    def _leftovers(self) -> Iterator[tuple[Backup, Backup]]:
        """Yield the backups of which both forms exist, and remove half-made files.

        Of all dialects: whoever opens the log may name its backups otherwise. Numbered
        ones may be renamed meanwhile; which file is which is looked at again.
        """
        try:
            for dialect in get_args(Dialect):
                listing = self._names.listing(dialect)
                yield from _pairs(self._drop_temps(listing, MillSettings()))
        except OSError as error:
            error.add_note(f"backups in {self._names.directory}")
            self.report(error)

    def run(self) -> Generator[None, None, None]:
        """Make one pass, in steps of some milliseconds each.

        Between two steps any thread may go on, or `close()` drop the rest. Nothing is
        raised: what goes wrong is counted and reported.
        """
        settings = self._settings()
        if not settings.has_work:
            return
        listing = self._take_stock(settings, self._retain)
        compressed = dict(_pairs(listing.backups))
        for backup in listing.backups:
            if not backup.suffix:
                work = self._work_on(backup, compressed.get(backup), settings)
                yield from self._guarded(backup, work)

    def remove_oldest(self) -> bool:
        """Remove the oldest backup to make room; never the newest.

        Returns:
            Whether there was one and it has gone.
        """
        removed = self.counters.removed
        self._take_stock(self._settings(), self._remove_last)
        return self.counters.removed > removed

    def report(self, error: Exception) -> None:
        """Count *error*, remember it and pass it on to `on_error`."""
        self._count_error(error)
        if self._on_error is None:
            return
        self.is_reporting = True
        try:
            self._on_error(error)
        except Exception as second:
            self._count_error(second)
        finally:
            self.is_reporting = False

    def _count_error(self, error: Exception) -> None:
        # Only its text is kept: the traceback would keep buffers alive.
        text = ": ".join([type(error).__name__, str(error)])
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        self.counters = replace(
            self.counters, errors=self.counters.errors + 1, last_error=text + notes
        )

    def _guarded(self, backup: Backup, work: Iterator[None]) -> Iterator[None]:
        # Every kind of error, because each library of compression has its own, and
        # trouble with one backup must not keep the others from being worked on.
        try:
            yield from work
        except Exception as error:
            error.add_note(f"backup {backup.path}")
            self.report(error)

    def _take_stock(
        self,
        settings: MillSettings,
        sort_out: Callable[[Listing, MillSettings], Sequence[Backup]],
    ) -> Listing:
        """Look into the directory, sort out and return what is left."""
        try:
            with self._names.held(settings.dialect):
                listing = self._names.listing(settings.dialect)
                return Listing(tuple(sort_out(listing, settings)), ())
        except OSError as error:
            error.add_note(f"backups in {self._names.directory}")
            self.report(error)
            return Listing((), ())

    def _drop_temps(self, listing: Listing, settings: MillSettings) -> Sequence[Backup]:
        for temp in listing.temps:
            self._unlink(temp)
        return listing.backups

    def _retain(self, listing: Listing, settings: MillSettings) -> Sequence[Backup]:
        backups = self._drop_temps(listing, settings)
        now_ms = int(self._now() * 1000)
        kept = within_limits(backups, settings, now_ms)
        if settings.max_age_days and not self._has_told_time:
            self._tell_time(misdated(backups, now_ms))
        doomed = [backup for backup in backups if backup.plain not in kept]
        removed = self._remove_all(doomed, backups, settings)
        return [backup for backup in backups if backup.plain not in removed]

    def _tell_time(self, wrong: Sequence[Backup]) -> None:
        """Tell, once, of backups whose names tell a time that has not come yet."""
        if not wrong:
            return
        self._has_told_time = True
        text = f"dated later than now, as are {len(wrong)} backups in all; max_age goes"
        text += " by the times of the files"
        self.report(OSError(errno.EINVAL, text, wrong[0].path))

    def _remove_last(
        self, listing: Listing, settings: MillSettings
    ) -> Sequence[Backup]:
        backups = listing.backups
        if backups and backups[-1].plain != backups[0].plain:
            doomed = [each for each in backups if each.plain == backups[-1].plain]
            self._remove_all(doomed, backups, settings)
        return ()

    def _remove_all(
        self,
        doomed: Sequence[Backup],
        backups: Sequence[Backup],
        settings: MillSettings,
    ) -> set[str]:
        """Remove *doomed* out of *backups*, but for those that followers still need.

        Returns:
            The plain names of those that were to be removed and need not stay.
        """
        unread = self._unread(backups, settings) if doomed else set()
        if settings.keep_for_followers:
            doomed = [backup for backup in doomed if backup.plain not in unread]
        lost: dict[str, int] = {}
        # The oldest first: a crash in between leaves no hole in the row.
        for backup in reversed(doomed):
            size_bytes = backup.size_bytes()
            if self._remove(backup) and backup.plain in unread:
                lost[backup.plain] = lost.get(backup.plain, 0) + size_bytes
        if lost and self._on_unread is not None:
            self._on_unread(len(lost), sum(lost.values()))
        return {backup.plain for backup in doomed}

    def _unread(self, backups: Sequence[Backup], settings: MillSettings) -> set[str]:
        """Return the plain names of *backups* that registered followers still need."""
        try:
            return unread_backups(self._log, backups)
        except FileNotFoundError:
            pass  # Just renamed by a rotation, which brings another pass.
        except (CursorError, OSError) as error:
            self.report(error)
        # Nobody knows, so either way the settings' default is taken at its word.
        if settings.keep_for_followers:
            return {backup.plain for backup in backups}
        return set()

    def _remove(self, backup: Backup) -> bool:
        is_removed = self._unlink(backup.path)
        if is_removed:
            self.counters = replace(self.counters, removed=self.counters.removed + 1)
        return is_removed

    def _unlink(self, path: str) -> bool:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.report(error)
            return False
        return True

    def _work_on(
        self, plain: Backup, compressed: Backup | None, settings: MillSettings
    ) -> Iterator[None]:
        left: Backup | None = plain
        if compressed is not None:
            left = yield from self._compressor.settle(plain, compressed)
        if left is None:
            return
        if settings.compress is not None:
            form = FORMATS[settings.compress]
            level = settings.compress_level
            level = form.default_level if level is None else level
            yield from self._compressor.compress(
                left, form, level, self._count_compressed
            )

    def _count_compressed(self, bytes_in: int, bytes_out: int) -> None:
        self.counters = replace(
            self.counters,
            compressed=self.counters.compressed + 1,
            bytes_in=self.counters.bytes_in + bytes_in,
            bytes_out=self.counters.bytes_out + bytes_out,
        )


def _pairs(backups: Sequence[Backup]) -> Iterator[tuple[Backup, Backup]]:
    """Yield the backups of which both forms exist: the plain and the compressed."""
    plain = {backup.plain: backup for backup in backups if not backup.suffix}
    for backup in backups:
        if backup.suffix and backup.plain in plain:
            yield plain[backup.plain], backup

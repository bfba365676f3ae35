"""Compress backups, and retain as many as the settings say.

A backup is compressed under a temporary name: written, read back and unpacked,
fsynced, renamed, the directory fsynced, and only then is the plain form unlinked. The
formats carry a checksum of what went in; unpacking compares it with what comes out. So
nobody ever sees a half-made file under a backup's name, and a crash leaves one of two
things, which the next pass puts right:

- a temporary file: it is removed;
- both forms of a backup: they are compared byte by byte; the plain form goes if they
  are equal, else the compressed one does.

Trouble with one file is counted and reported, its plain form stays, and the next pass
tries again. Names of backups stand in backups.py, the formats in formats.py, the
thread that drives a mill in millthread.py.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from .backupfiles import READ_FLAGS, opened, sync_directory, temporary
from .backupnames import BackupNames
from .backups import Backup, Listing, temp_name
from .errors import CursorError
from .followers import unread_backups
from .formats import FORMAT_BY_SUFFIX, FORMATS, Format
from .millsettings import MillSettings
from .packing import Pace, buffer, compare, pack, verify
from .retention import within_limits

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
        self._paces: dict[tuple[str, int], Pace] = {}
        self.counters = MillCounters()

    def resolve(self) -> None:
        """Put right what a killed mill left, as every opener does."""
        listing = self._take_stock(self._settings(), self._drop_temps)
        for plain, compressed in _pairs(listing.backups):
            for _ in self._guarded(plain, self._settle(plain, compressed)):
                pass

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
        try:
            self._on_error(error)
        except Exception as second:
            self._count_error(second)

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

    # Retain.

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
        kept = within_limits(backups, settings, int(self._now() * 1000))
        doomed = [backup for backup in backups if backup.plain not in kept]
        removed = self._remove_all(doomed, backups, settings)
        return [backup for backup in backups if backup.plain not in removed]

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

    # Compress.

    def _work_on(
        self, plain: Backup, compressed: Backup | None, settings: MillSettings
    ) -> Iterator[None]:
        if compressed is not None:
            yield from self._settle(plain, compressed)
        if settings.compress is not None:
            form = FORMATS[settings.compress]
            level = settings.compress_level
            level = form.default_level if level is None else level
            yield from self._compress(plain, form, level)

    def _compress(self, plain: Backup, form: Format, level: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(opened(plain.path, READ_FLAGS))
            except FileNotFoundError:
                return  # settled, or shifted by a rotation, which brings a pass
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                return  # somebody put something else in its place
            temp = os.path.join(plain.directory, temp_name(plain.plain + form.suffix))
            made = stack.enter_context(temporary(temp, before))
            view = stack.enter_context(buffer())
            packer = form.packer(before.st_size, level)
            pace = self._paces.setdefault((form.suffix, level), Pace())
            bytes_out = yield from pack(
                source, before.st_size, made, packer, pace, view
            )
            yield from verify(made, before.st_size, form, view)
            os.utime(made, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.fsync(made)
            self._check_unchanged(plain, source, before)
            with self._names.held(plain.dialect):
                is_done = self._put_beside(plain, before, temp, form.suffix)
        if is_done:
            self._count_compressed(before.st_size, bytes_out)
            sync_directory(self._names.directory)
            self._unlink_plain(plain, before)

    def _check_unchanged(
        self, plain: Backup, source: int, before: os.stat_result
    ) -> None:
        after = os.fstat(source)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise OSError(errno.EBUSY, "changed while it was compressed", plain.path)

    def _put_beside(
        self, plain: Backup, before: os.stat_result, temp: str, suffix: str
    ) -> bool:
        """Give the temporary file its name, beside the plain backup.

        Returns:
            False when the backup was removed in the meantime: then nothing is left.
        """
        current = self._names.find(plain, before)
        if current is None:
            os.unlink(temp)
            return False
        final = os.path.join(current.directory, current.plain + suffix)
        # Checking and renaming is enough: there is one mill, and a rotation never
        # takes a name whose compressed form exists.
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final)
        os.rename(temp, final)
        return True

    def _unlink_plain(self, plain: Backup, status: os.stat_result) -> None:
        # Held anew, because a rotation mustn't wait for the directory's fsync. It
        # shifts and removes both forms of a backup together.
        with self._names.held(plain.dialect):
            current = self._names.find(plain, status)
            if current is not None:
                os.unlink(current.path)

    def _count_compressed(self, bytes_in: int, bytes_out: int) -> None:
        self.counters = replace(
            self.counters,
            compressed=self.counters.compressed + 1,
            bytes_in=self.counters.bytes_in + bytes_in,
            bytes_out=self.counters.bytes_out + bytes_out,
        )

    # Settle both forms of one backup.

    def _settle(self, plain: Backup, compressed: Backup) -> Iterator[None]:
        form = FORMAT_BY_SUFFIX[compressed.suffix]
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(opened(plain.path, READ_FLAGS))
                made = stack.enter_context(opened(compressed.path, READ_FLAGS))
            except FileNotFoundError:
                return
            view = stack.enter_context(buffer())
            if (yield from compare(source, made, form, view)):
                # The crash may have come before either reached the disk.
                os.fsync(made)
                sync_directory(self._names.directory)
                self._unlink_one(plain, source, compressed, made)
            else:
                self._unlink_one(compressed, made, plain, source)

    def _unlink_one(
        self, backup: Backup, fd: int, other: Backup, other_fd: int
    ) -> None:
        """Unlink *backup*, but only while the *other* form of it exists."""
        with self._names.held(backup.dialect):
            current = self._names.find(backup, os.fstat(fd))
            if current is not None and self._names.find(other, os.fstat(other_fd)):
                os.unlink(current.path)


def _pairs(backups: Sequence[Backup]) -> Iterator[tuple[Backup, Backup]]:
    """Yield the backups of which both forms exist: the plain and the compressed."""
    plain = {backup.plain: backup for backup in backups if not backup.suffix}
    for backup in backups:
        if backup.suffix and backup.plain in plain:
            yield plain[backup.plain], backup

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
tries again. Names of backups stand in backups.py, free space in space.py.
"""

import contextlib
import errno
import fcntl
import gzip
import io
import mmap
import os
import stat
import struct
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal, Protocol, cast, get_args

from .backups import Backup, Dialect, Listing, scan_backups, temp_name
from .space import SpaceWatch

__all__ = [
    "Compression",
    "Mill",
    "MillCounters",
    "MillSettings",
    "MillSource",
    "MillThread",
]

Compression = Literal["gzip", "zstd", "lz4"]

# What is read, packed or unpacked in one call. Each call costs a busy Python thread two
# hand-overs of the GIL, so it is large; it is also the longest that a stop or a fork
# has to wait, so a slow level gets less (see _Pace).
CHUNK_MAX_BYTES = 8 * 1024**2
CHUNK_MIN_BYTES = 256 * 1024
CHUNK_CPU_S = 0.05
# Packed bytes that are collected before they are written, and read back at once.
WRITE_BYTES = 2 * 1024**2
# What a library copies at most, with the GIL, from its own memory into a result: some
# 0.2 ms, in which all other threads stand still.
PIECE_BYTES = 1024**2

LOCK_RETRY_S = 1.0
# Without a rotation a pass still runs now and then: backups grow old, and what failed
# for want of space is tried again.
PASS_INTERVAL_S = 60.0

_DAY_MS = 86_400_000
# Should somebody put a FIFO in a backup's place, opening it must not wait.
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TEMP_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class MillSettings:
    """What to do with backups; the defaults keep every one as it is.

    Attributes:
        compress: The format, or None for none.
        compress_level: gzip 1 to 9, zstd 1 to 22, lz4 0 to 16; None is the fastest
            that still compresses well: 1, 1 and 0.
        max_backups: How many to keep; 0 is all. Both forms of one count as one.
        max_age_days: How long to keep them, in days of 24 hours; 0 and None are for
            ever.
        max_total_bytes: What all of them together may take on disk, the live file not
            counted; 0 and None are any amount. The newest is kept in any case.
        dialect: How they are named.

    Raises:
        ValueError: A value that no setting can have; the text says which.
    """

    compress: Compression | None = None
    compress_level: int | None = None
    max_backups: int = 0
    max_age_days: float | None = None
    max_total_bytes: int | None = None
    dialect: Dialect = "lumberjack"

    def __post_init__(self) -> None:
        if self.compress is not None and self.compress not in get_args(Compression):
            raise ValueError(
                f"compress: expected None, 'gzip', 'zstd' or 'lz4', "
                f"got {self.compress!r}"
            )
        if self.dialect not in get_args(Dialect):
            raise ValueError(
                f"dialect: expected 'lumberjack' or 'stdlib', got {self.dialect!r}"
            )
        self._check_level()
        for name in ("max_backups", "max_age_days", "max_total_bytes"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {value!r}")

    def _check_level(self) -> None:
        if self.compress_level is None:
            return
        if self.compress is None:
            raise ValueError(
                f"compress_level: {self.compress_level!r} without a compression"
            )
        levels = _FORMATS[self.compress].levels
        if self.compress_level not in levels:
            raise ValueError(
                f"compress_level: expected {levels[0]} to {levels[-1]} for "
                f"{self.compress}, got {self.compress_level!r}"
            )

    @property
    def has_work(self) -> bool:
        """Tell whether anything at all is to be done with backups."""
        return bool(
            self.compress
            or self.max_backups
            or self.max_age_days
            or self.max_total_bytes
        )


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
        """
        path = Path(os.path.abspath(log))
        self._directory = os.fspath(path.parent)
        self._name = path.name
        self._settings = settings
        self._state_dir = state_dir or path.with_name(f".{path.name}.ring")
        self._now = now
        self._on_error = on_error
        self._paces: dict[tuple[str, int], _Pace] = {}
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
            with self._names_held(settings.dialect):
                listing = self._scan(settings.dialect)
                return Listing(tuple(sort_out(listing, settings)), ())
        except OSError as error:
            error.add_note(f"backups in {self._directory}")
            self.report(error)
            return Listing((), ())

    def _scan(self, dialect: Dialect) -> Listing:
        return scan_backups(self._directory, self._name, dialect)

    def _drop_temps(self, listing: Listing, settings: MillSettings) -> Sequence[Backup]:
        for temp in listing.temps:
            self._unlink(temp)
        return listing.backups

    def _retain(self, listing: Listing, settings: MillSettings) -> Sequence[Backup]:
        backups = self._drop_temps(listing, settings)
        kept = _within_limits(backups, settings, int(self._now() * 1000))
        # The oldest first: a crash in between leaves no hole in the row.
        for backup in reversed(backups):
            if backup.plain not in kept:
                self._remove(backup)
        return [backup for backup in backups if backup.plain in kept]

    def _remove_last(
        self, listing: Listing, settings: MillSettings
    ) -> Sequence[Backup]:
        backups = listing.backups
        if backups and backups[-1].plain != backups[0].plain:
            for backup in backups:
                if backup.plain == backups[-1].plain:
                    self._remove(backup)
        return ()

    def _remove(self, backup: Backup) -> None:
        if self._unlink(backup.path):
            self.counters = replace(self.counters, removed=self.counters.removed + 1)

    def _unlink(self, path: str) -> bool:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.report(error)
            return False
        return True

    @contextlib.contextmanager
    def _names_held(self, dialect: Dialect) -> Iterator[None]:
        """Keep a rotation from renaming backups meanwhile.

        In the lumberjack dialect a backup keeps its name. Never held over a yield: a
        rotation waits for it, and a fork would copy it.
        """
        if dialect != "stdlib":
            yield
            return
        with _opened(self._state_dir, _DIRECTORY_FLAGS) as state:
            fcntl.flock(state, fcntl.LOCK_EX)
            try:
                yield
            finally:
                # A child that was forked meanwhile has a copy of the descriptor, so
                # closing ours would not be enough.
                fcntl.flock(state, fcntl.LOCK_UN)

    # Compress.

    def _work_on(
        self, plain: Backup, compressed: Backup | None, settings: MillSettings
    ) -> Iterator[None]:
        if compressed is not None:
            yield from self._settle(plain, compressed)
        if settings.compress is not None:
            form = _FORMATS[settings.compress]
            level = settings.compress_level
            level = form.default_level if level is None else level
            yield from self._compress(plain, form, level)

    def _compress(self, plain: Backup, form: "_Format", level: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(_opened(plain.path, _READ_FLAGS))
            except FileNotFoundError:
                return  # settled, or shifted by a rotation, which brings a pass
            before = os.fstat(source)
            temp = os.path.join(plain.directory, temp_name(plain.plain + form.suffix))
            made = stack.enter_context(_temporary(temp, before))
            view = stack.enter_context(_buffer())
            packer = form.packer(before.st_size, level)
            pace = self._paces.setdefault((form.suffix, level), _Pace())
            bytes_out = yield from _pack(
                source, before.st_size, made, packer, pace, view
            )
            yield from _verify(made, before.st_size, form, view)
            os.utime(made, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.fsync(made)
            self._check_unchanged(plain, source, before)
            with self._names_held(plain.dialect):
                is_done = self._put_beside(plain, before, temp, form.suffix)
        if is_done:
            self._count_compressed(before.st_size, bytes_out)
            _sync_directory(self._directory)
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
        current = self._find(plain, before)
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
        with self._names_held(plain.dialect):
            current = self._find(plain, status)
            if current is not None:
                os.unlink(current.path)

    def _find(self, backup: Backup, status: os.stat_result) -> Backup | None:
        """Find the name that the file with *status* has now, None if it has gone.

        Only with the names held: a rotation of the stdlib dialect shifts them.
        """
        if _is_same_file(backup.path, status):
            return backup
        if backup.dialect == "lumberjack":
            return None
        for other in self._scan(backup.dialect).backups:
            if other.suffix == backup.suffix and _is_same_file(other.path, status):
                return other
        return None

    def _count_compressed(self, bytes_in: int, bytes_out: int) -> None:
        self.counters = replace(
            self.counters,
            compressed=self.counters.compressed + 1,
            bytes_in=self.counters.bytes_in + bytes_in,
            bytes_out=self.counters.bytes_out + bytes_out,
        )

    # Settle both forms of one backup.

    def _settle(self, plain: Backup, compressed: Backup) -> Iterator[None]:
        form = _FORMAT_BY_SUFFIX[compressed.suffix]
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(_opened(plain.path, _READ_FLAGS))
                made = stack.enter_context(_opened(compressed.path, _READ_FLAGS))
            except FileNotFoundError:
                return
            view = stack.enter_context(_buffer())
            if (yield from _compare(source, made, form, view)):
                # The crash may have come before either reached the disk.
                os.fsync(made)
                _sync_directory(self._directory)
                self._unlink_one(plain, source, compressed, made)
            else:
                self._unlink_one(compressed, made, plain, source)

    def _unlink_one(
        self, backup: Backup, fd: int, other: Backup, other_fd: int
    ) -> None:
        """Unlink *backup*, but only while the *other* form of it exists."""
        with self._names_held(backup.dialect):
            current = self._find(backup, os.fstat(fd))
            if current is not None and self._find(other, os.fstat(other_fd)):
                os.unlink(current.path)


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
            _wait_until_gone(thread.native_id)

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


# Which backups to keep.


def _within_limits(
    backups: Sequence[Backup], settings: MillSettings, now_ms: int
) -> set[str]:
    """Return the plain names of those of *backups* (newest first) that may stay."""
    names = list(dict.fromkeys(backup.plain for backup in backups))
    if settings.max_backups:
        names = names[: settings.max_backups]
    kept = set(names)
    if settings.max_age_days:
        cutoff_ms = now_ms - int(settings.max_age_days * _DAY_MS)
        kept -= {backup.plain for backup in backups if backup.written_ms() < cutoff_ms}
    if settings.max_total_bytes:
        kept = _within_total(backups, kept, settings.max_total_bytes)
    return kept


def _within_total(
    backups: Sequence[Backup], kept: set[str], total_max_bytes: int
) -> set[str]:
    """Return what of *kept* fits: the newest, and older ones up to the first excess."""
    sizes: dict[str, int] = {}
    for backup in backups:
        if backup.plain in kept:
            sizes[backup.plain] = sizes.get(backup.plain, 0) + backup.size_bytes()
    total = 0
    fitting: set[str] = set()
    for plain, size in sizes.items():
        total += size
        if total > total_max_bytes and fitting:
            break
        fitting.add(plain)
    return fitting


def _pairs(backups: Sequence[Backup]) -> Iterator[tuple[Backup, Backup]]:
    """Yield the backups of which both forms exist: the plain and the compressed."""
    plain = {backup.plain: backup for backup in backups if not backup.suffix}
    for backup in backups:
        if backup.suffix and backup.plain in plain:
            yield plain[backup.plain], backup


# Steps of compressing one file.


class _Pace:
    """How much to pack in one step, so that even a slow level ends each one soon.

    Told by the CPU time of the step before, because a thread of low priority may stand
    still for long.
    """

    def __init__(self) -> None:
        self.chunk_bytes = CHUNK_MIN_BYTES

    def note(self, packed_bytes: int, cpu_s: float) -> None:
        if packed_bytes < self.chunk_bytes:
            return  # the last of a file, too little to tell
        fitting = int(packed_bytes * CHUNK_CPU_S / max(cpu_s, 1e-6))
        self.chunk_bytes = min(max(fitting, CHUNK_MIN_BYTES), CHUNK_MAX_BYTES)


def _pack(
    source: int,
    size_bytes: int,
    target: int,
    packer: "_Packer",
    pace: _Pace,
    view: memoryview,
) -> Generator[None, None, int]:
    """Write to *target* what *source* packs to; return how many bytes that is."""
    pending: list[bytes] = []
    offset = written = 0
    # Not until the end of the file: one that grows as fast would have none.
    while offset < size_bytes:
        started_s = time.thread_time()
        wanted = min(pace.chunk_bytes, size_bytes - offset)
        count = os.preadv(source, [view[:wanted]], offset)
        if not count:
            raise OSError(errno.EIO, f"{size_bytes} bytes became {offset}")
        offset += count
        pending += packer.pack(view[:count])
        if sum(map(len, pending)) >= WRITE_BYTES:
            written += _write(target, pending, written)
            pending = []
        pace.note(count, time.thread_time() - started_s)
        yield
    written += _write(target, [*pending, *packer.finish()], written)
    yield
    return written


def _write(target: int, pieces: Sequence[bytes], offset: int) -> int:
    """Write *pieces* one behind the other at *offset*; return how many bytes."""
    left = [memoryview(piece) for piece in pieces if piece]
    at = offset
    while left:
        count = os.pwritev(target, left, at)
        at += count
        while left and count >= len(left[0]):
            count -= len(left.pop(0))
        if left:
            left[0] = left[0][count:]
    return at - offset


def _verify(
    made: int, size_bytes: int, form: "_Format", view: memoryview
) -> Iterator[None]:
    """Unpack what was made; the format's checksum and the length must fit."""
    unpacked = 0
    with io.FileIO(made, closefd=False) as file:
        for chunk in form.unpack(file, view):
            unpacked += len(chunk)
            yield
    if unpacked != size_bytes:
        raise OSError(errno.EIO, f"{size_bytes} bytes were packed, {unpacked} come out")


def _compare(
    source: int, made: int, form: "_Format", view: memoryview
) -> Generator[None, None, bool]:
    """Tell whether *made* unpacks to the very bytes of *source*.

    Raises:
        OSError: One of them can't be read, so nothing is known.
        ImportError: Neither is it without the library.
    """
    if not os.fstat(made).st_size:
        return False  # not even an empty file packs to nothing
    offset = 0
    try:
        with io.FileIO(made, closefd=False) as file:
            for chunk in form.unpack(file, view):
                if bytes(chunk) != os.pread(source, len(chunk), offset):
                    return False
                offset += len(chunk)
                yield
    except _DamagedError:
        return False
    return offset == os.fstat(source).st_size


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str], flags: int) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _temporary(path: str, like: os.stat_result) -> Iterator[int]:
    """Create *path* with owner and mode of *like*; remove it if the block fails.

    Not in a forked child: there the file belongs to the parent, which goes on with it.
    """
    fd = os.open(path, _TEMP_FLAGS, 0o600)
    pid = os.getpid()
    try:
        _copy_rights(fd, like)
        yield fd
    except BaseException:
        if os.getpid() == pid:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        raise
    finally:
        os.close(fd)


def _copy_rights(fd: int, like: os.stat_result) -> None:
    mode = stat.S_IMODE(like.st_mode)
    try:
        os.fchown(fd, like.st_uid, like.st_gid)
    except PermissionError:
        # Another group than the plain file's must not get its rights.
        mode &= ~stat.S_IRWXG
    os.fchmod(fd, mode)


@contextlib.contextmanager
def _buffer() -> Iterator[memoryview]:
    """Lend a chunk of memory that goes back to the system, not into malloc's heap."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, CHUNK_MAX_BYTES, flags=flags)
    with memoryview(memory) as view:
        yield view
    memory.close()


def _is_same_file(path: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def _sync_directory(path: str) -> None:
    with _opened(path, _DIRECTORY_FLAGS) as directory:
        os.fsync(directory)


# The thread's own business with the system.


def _lower_priority() -> None:
    # Not SCHED_IDLE: on a busy machine such a thread may get no core for a second, and
    # when it holds the GIL just then, all other threads wait with it. The priority of
    # its I/O follows this one.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _wait_until_gone(native_id: int | None) -> None:
    """Wait until the kernel has forgotten a thread that Python has joined.

    The kernel takes it off the count that os.fork() looks at a moment later.
    """
    deadline_s = time.monotonic() + 1.0
    while os.path.exists(f"/proc/self/task/{native_id}"):
        if time.monotonic() > deadline_s:
            return
        time.sleep(0.0001)


# The formats. Their libraries are imported where they are used, so that a process that
# compresses nothing doesn't load them. Of each the calls are used that do the most
# without the GIL; most of the others grow their result from a few KiB, or copy it, and
# take the GIL each time.


class _DamagedError(Exception):
    """What should be compressed data isn't, or ends too soon."""


class _Packer(Protocol):
    def pack(self, chunk: memoryview) -> Iterable[bytes]: ...

    def finish(self) -> Iterable[bytes]: ...


class _Unpacker(Protocol):
    def readinto(self, view: memoryview, /) -> int: ...


class _IsalPacker:
    """One gzip member of blocks, each packed in a single call.

    A block refers back to the last 32 KiB of the one before, as deflate always does.
    """

    HEADER = struct.pack("<BBBBLBB", 0x1F, 0x8B, 8, 0, 0, 0, 255)
    LAST_BLOCK = b"\x03\x00"
    WINDOW_BYTES = 32 * 1024

    def __init__(self, level: int) -> None:
        from isal import isal_zlib

        # Deflate stores what it can't compress, with a few bytes for each block.
        size = CHUNK_MAX_BYTES + CHUNK_MAX_BYTES // 8
        self._deflate = isal_zlib._ParallelCompress(size, level)
        self._combine = isal_zlib.crc32_combine
        self._pieces = [self.HEADER]
        self._window = b""
        self._crc = 0
        self._size = 0

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        block, crc = self._deflate.compress_and_crc(chunk, self._window)
        self._window = bytes(chunk[-self.WINDOW_BYTES :])
        self._crc = self._combine(self._crc, crc, len(chunk))
        self._size += len(chunk)
        pieces, self._pieces = [*self._pieces, block], []
        return pieces

    def finish(self) -> Iterable[bytes]:
        trailer = struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF)
        return [*self._pieces, self.LAST_BLOCK, trailer]


class _ZlibPacker:
    def __init__(self, level: int) -> None:
        gzip_window_bits = 16 + zlib.MAX_WBITS
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, gzip_window_bits)

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        return [self._deflate.compress(chunk)]

    def finish(self) -> Iterable[bytes]:
        return [self._deflate.flush()]


class _ZstdPacker:
    def __init__(self, size_bytes: int, level: int) -> None:
        import zstandard

        packer = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._chunker = packer.chunker(size=size_bytes, chunk_size=PIECE_BYTES)

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        return list(self._chunker.compress(chunk))

    def finish(self) -> Iterable[bytes]:
        # The stubs of zstandard leave this one method without types.
        return list(self._chunker.finish())  # type: ignore[no-untyped-call]


class _Lz4Packer:
    def __init__(self, size_bytes: int, level: int) -> None:
        from lz4 import frame  # type: ignore[import-untyped]  # it ships none

        self._frame = frame.LZ4FrameCompressor(
            block_size=frame.BLOCKSIZE_MAX256KB,
            compression_level=level,
            content_checksum=True,
        )
        self._header: list[bytes] = [self._frame.begin(size_bytes)]

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        pieces, self._header = [*self._header, self._frame.compress(chunk)], []
        return pieces

    def finish(self) -> Iterable[bytes]:
        return [*self._header, self._frame.flush()]


def _gzip_packer(size_bytes: int, level: int) -> _Packer:
    # isal knows no higher level than 3. Where it isn't installed, zlib does the same,
    # slower.
    if level <= 3:
        with contextlib.suppress(ImportError, AttributeError):
            return _IsalPacker(level)
    return _ZlibPacker(level)


def _unpack_gzip(file: io.FileIO, view: memoryview) -> Iterator[memoryview]:
    reader: _Unpacker
    damage: list[type[Exception]] = [EOFError, gzip.BadGzipFile, zlib.error]
    try:
        from isal import isal_zlib

        reader = isal_zlib._GzipReader(file, WRITE_BYTES)
        # Its stubs take the class for an instance of it.
        damage.append(cast(type[Exception], isal_zlib.error))
    except (ImportError, AttributeError):
        reader = gzip.GzipFile(fileobj=file, mode="rb")
    try:
        while count := reader.readinto(view):
            yield view[:count]
    except tuple(damage) as error:
        raise _DamagedError(str(error)) from error


class _ZstdSource:
    """A compressed file with an empty frame behind it.

    The reader takes the end of a file for the end of the data. With the frame, what
    was cut off is missed: the frame's first bytes can't pass for it.
    """

    EMPTY_FRAME = b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._tail = self.EMPTY_FRAME

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data:
            data, self._tail = self._tail, b""
        return data


def _unpack_zstd(file: io.FileIO, view: memoryview) -> Iterator[memoryview]:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(
        cast(IO[bytes], _ZstdSource(file)),  # it is only ever read
        read_size=WRITE_BYTES,
        read_across_frames=True,
    )
    try:
        while count := reader.readinto(view):
            yield view[:count]
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error)) from error


def _unpack_lz4(file: io.FileIO, view: memoryview) -> Iterator[bytes]:
    from lz4 import frame

    context = frame.create_decompression_context()
    data = memoryview(b"")
    is_end = False
    while not is_end:
        data = data or memoryview(file.read(WRITE_BYTES))
        if not data:
            raise _DamagedError("ends before the end mark")
        try:
            chunk, used, is_end = frame.decompress_chunk(context, data, PIECE_BYTES)
        except RuntimeError as error:
            raise _DamagedError(str(error)) from error
        data = data[used:]
        yield chunk
    if data or file.read(1):
        raise _DamagedError("goes on behind the end mark")


@dataclass(frozen=True, slots=True)
class _Format:
    """How to pack and unpack; *unpack* uses the buffer it is given, or its own."""

    suffix: str
    levels: range
    default_level: int
    packer: Callable[[int, int], _Packer]
    unpack: Callable[[io.FileIO, memoryview], Iterator[memoryview] | Iterator[bytes]]


_FORMATS: dict[Compression, _Format] = {
    "gzip": _Format(".gz", range(1, 10), 1, _gzip_packer, _unpack_gzip),
    "zstd": _Format(".zst", range(1, 23), 1, _ZstdPacker, _unpack_zstd),
    "lz4": _Format(".lz4", range(17), 0, _Lz4Packer, _unpack_lz4),
}
_FORMAT_BY_SUFFIX = {form.suffix: form for form in _FORMATS.values()}

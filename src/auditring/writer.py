"""The log writer: a log as a Python program opens, writes and closes it.

Between `write` and the file runs only C (csrc/writer.h). Here stand the options and
their checks, the counters, and what ties writers to the life of the process: fork,
exit, the mill that works on backups.
"""

import atexit
import errno
import functools
import grp
import math
import os
import stat
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, Self

from . import _writer
from ._writer import Writer
from .errors import ClosedError

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from .backups import Dialect
    from .formats import Compression
    from .mill import Mill, MillSettings
    from .millthread import MillThread
    from .space import SpaceState, SpaceWatch
    from .stats import Stats

__all__ = ["LogWriter", "Parkable", "park_at_forks"]

MEBIBYTE: Final = 1024**2
RING_BYTES_MIN: Final = 64 * 1024
RING_BYTES_MAX: Final = 1024 * MEBIBYTE

# How long close() waits for the disk before it leaves the rest to the next opener, and
# how long the end of the process may take for that.
CLOSE_LIMIT_S: Final = 10.0
EXIT_LIMIT_S: Final = 5.0

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "compress": ("gzip", "zstd", "lz4"),
    "on_full": ("block", "drop", "raise"),
    "on_timeout": ("raise", "drop"),
    "durability": ("process", "interval", "sync"),
    "dialect": ("lumberjack", "stdlib"),
}
_HEALTH: Final = ("ok", "disk-full", "disk-error")


class LogWriter(Writer):
    """A rotating log that any number of threads and processes write to.

    A record whose `write` returned survives the death of the process, exactly once.
    Processes that open the same log share it; the newest opener's settings count.

    Thread-safety: any thread. Fork-safe: a child writes through a ring of its own.
    """

    # How backups are named that somebody else than the log's own rotation makes.
    mill_dialect: "ClassVar[Dialect | None]" = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 100 * MEBIBYTE,
        max_backups: int = 0,
        max_age: float | timedelta | None = None,
        max_total_bytes: int | None = None,
        compress: "Compression | None" = None,
        compress_level: int | None = None,
        ring_bytes: int = 8 * MEBIBYTE,
        on_full: Literal["block", "drop", "raise"] = "block",
        block_timeout: float | None = None,
        on_timeout: Literal["raise", "drop"] = "raise",
        durability: Literal["process", "interval", "sync"] = "process",
        sync_interval: float = 1.0,
        state_dir: str | os.PathLike[str] | None = None,
        dialect: "Dialect" = "lumberjack",
        mode: int = 0o600,
        group: int | str | None = None,
        on_error: Callable[[Exception], object] | None = None,
        space_warn_bytes: int | None = None,
        space_critical_bytes: int | None = None,
        keep_for_followers: bool = True,
        wipe_on_drain: bool = False,
        adopt_settings: bool = False,
        allow_network_fs: bool = False,
    ) -> None:
        """Open a log; finish what killed processes left if nobody else is writing.

        Args:
            path: The live file. Missing directories are made. ``"-"`` is standard
                output: unrotated, without the promise to survive a kill, and only
                with ``durability="process"``.
            max_bytes: Size at which the live file becomes a backup; 0 is never.
            max_backups: Backups to keep; 0 is all.
            max_age: How long to keep them, in days or a timedelta; None is for ever.
            max_total_bytes: What all of them may take on disk; None is any amount.
            compress: Format for backups: None, ``"gzip"``, ``"zstd"`` or ``"lz4"``.
            compress_level: As the format counts; None is its fastest good one.
            ring_bytes: Size of the ring, 64 KiB to 1 GiB, rounded up to a power of
                two. A record may take half of it.
            on_full: What `write` does when the ring is full: ``"block"``, ``"drop"``
                (a gap event will tell) or ``"raise"``.
            block_timeout: Seconds that ``"block"`` waits; None is for ever.
            on_timeout: What it does then: ``"raise"`` or ``"drop"``.
            durability: ``"process"`` survives the death of processes, ``"interval"``
                is synced to the disk every `sync_interval`, ``"sync"`` before `write`
                returns.
            sync_interval: Seconds.
            state_dir: Directory for the rings; None is beside the log. All processes
                name the same one.
            dialect: How backups are named and when: ``"lumberjack"`` (as Kubernetes
                and Loft do) or ``"stdlib"`` (as RotatingFileHandler does).
            mode: Permissions of the live file when it is made.
            group: Name or number of a group that shares the log: its members may read
                and write all of it. None is none.
            on_error: Called with trouble in the background (compressing, retaining,
                free space), in the thread that met it.
            space_warn_bytes: Free bytes at which `on_error` hears of it; None doesn't
                watch.
            space_critical_bytes: Free bytes at which the oldest backup goes, if
                `max_backups`, `max_age` or `max_total_bytes` allows removing any.
            keep_for_followers: Keep backups that a registered follower has not read,
                whatever the limits say (auditring.followers). With False they go, and
                a gap event tells.
            wipe_on_drain: Overwrite records in the ring once they are in the file.
            adopt_settings: Leave the settings of a log that exists as they are; those
                given here are for a new one.
            allow_network_fs: Open on NFS and the like, where nothing is promised.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            OSError: The log can't be opened.
        """
        given = locals()
        options = check_options(given)
        resolved = None if _is_stream(path, durability) else _resolve(path)
        self._log_path = resolved
        self._mill_thread: MillThread | None = None
        self._watch: SpaceWatch | None = None
        self._close_lock = threading.RLock()
        self._is_ending = False
        self._on_error = on_error
        self._given = {name: given[name] for name in _OPTIONS}
        self._open(resolved, options)
        if resolved is not None:
            self._start_mill(options, space_warn_bytes, space_critical_bytes)
        _open_writers.add(self)
        _tie_to_process()

    # The mill.

    def _has_followers(self) -> bool:
        path = self._log_path
        assert path is not None
        try:
            # First, because the import takes longer than opening the log.
            os.stat(path.with_name(f".{path.name}.ring") / "followers")
            from .followers import followers_of

            return bool(followers_of(path))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # there may be some, and C takes it so, too

    def _start_mill(
        self, options: dict[str, Any], warn: int | None, critical: int | None
    ) -> None:
        settings = self._settings()
        names = ["compress", "max_age_s", "max_total_bytes"]
        if settings["dialect"] == 0 or self._has_followers():
            names.append("max_backups")  # else numbered backups are kept to it by C
        has_work = any(settings[name] for name in names)
        if not has_work and warn is None and critical is None:
            return
        # Imported late: most programs that only write need none of it.
        from .mill import Mill
        from .millthread import MillThread

        assert self._log_path is not None
        mill = Mill(
            self._log_path,
            functools.partial(_mill_settings, weakref.ref(self)),
            on_error=self._on_error,
            on_unread=functools.partial(_note_unread, weakref.ref(self)),
        )
        if self.try_mill_lock():
            mill.resolve()
        self._mill = mill
        if warn is not None or critical is not None:
            self._watch = self._make_watch(mill, options, warn or 0, critical or 0)
        self._mill_thread = MillThread(mill, self, watch=self._watch)
        self._mill_thread.start()

    def _make_watch(
        self, mill: "Mill", options: dict[str, Any], warn: int, critical: int
    ) -> "SpaceWatch":
        from .space import SpaceWatch

        assert self._log_path is not None
        may_remove = (
            options["max_backups"] or options["max_age_s"] or options["max_total_bytes"]
        )
        state_dir = self._log_path.with_name(f".{self._log_path.name}.ring")
        full = min(critical, 4 * MEBIBYTE)

        def report(before: "SpaceState", now: "SpaceState", free: int) -> None:
            if now != "ok":
                text = f"free space is {now}: {free} bytes left (was {before})"
                mill.report(OSError(errno.ENOSPC, text, str(self._log_path)))

        return SpaceWatch(
            self._log_path.parent,
            warn_bytes=max(warn, critical),
            critical_bytes=critical,
            full_bytes=full,
            reserve=state_dir / "reserve",
            remove_oldest=mill.remove_oldest if may_remove else None,
            on_change=report,
        )

    # Looking.

    def stats(self) -> "Stats":
        """Return the counters of the log and of this process.

        Raises:
            ClosedError: The writer is closed.
        """
        # Imported late: making a dataclass of fifty fields takes milliseconds.
        from .stats import Stats

        counters, rest = self._statistics()
        rest["health"] = _HEALTH[rest["health"]]
        mill = self._mill.counters if self._mill_thread is not None else None
        return Stats(
            **counters,
            **rest,
            coerced_values=self.coerced_values,
            backups_compressed=mill.compressed if mill else 0,
            backups_removed=mill.removed if mill else 0,
            mill_errors=mill.errors if mill else 0,
            mill_last_error=mill.last_error if mill else "",
            space=self._watch.state if self._watch is not None else "ok",
        )

    # Changing.

    def reconfigure(self, **options: Any) -> None:  # noqa: ANN401  # as __init__ has them
        """Change options of the open log, as if it were opened anew with them.

        What all writers of a log share changes for all of them. Nothing that is being
        written is held up or lost.

        Args:
            options: Those of the class, but for `ring_bytes`, `durability`,
                `state_dir`, `allow_network_fs`, `space_warn_bytes` and
                `space_critical_bytes`, which stay as they are while a log is open. What
                isn't named stays, too.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            ClosedError: The writer is closed.
            OSError: The log can't be opened any more.
        """
        for name, value in options.items():
            if name not in _OPTIONS:
                raise TypeError(f"{name}: no such option, got {value!r}")
            if name in LASTING and value != self._given[name]:
                raise ValueError(f"{name}: can't change, got {value!r}")
        given = {**self._given, **options}
        checked = check_options(given)
        with self._close_lock:
            if self.closed:
                raise ClosedError(f"{self.path}: reconfigure after close()")
            if self._log_path is not None:
                self._share(checked)
            self._adjust(checked)
            self._given = given
            self._on_error = given["on_error"]

    def _share(self, checked: dict[str, Any]) -> None:
        """Let the log have what all its writers share: the newest opener's counts."""
        assert self._log_path is not None
        newest = Writer()
        newest._open(self._log_path, {**checked, "adopt_settings": False})
        newest._close(0)
        # One that runs asks for the settings at each pass.
        if self._mill_thread is None:
            warn, critical = (self._given[name] for name in _SPACE)
            self._start_mill(checked, warn, critical)

    # Ending.

    def close(self, timeout: float = CLOSE_LIMIT_S) -> None:
        """Flush, and end every thread of this writer; a second call does nothing.

        Args:
            timeout: Seconds to wait for a disk that is full or failing.

        Raises:
            OSError: Records stayed in the ring. They are not lost: the next opener
                writes them. On standard output, which nobody reads any more, they are.
            BaseException: Of a signal handler, like Ctrl-C's; the same holds.
        """
        _seconds("timeout", timeout)
        _writer.finish_fork()
        with self._close_lock:
            # A signal handler may come here while the same thread is in the middle.
            if self.closed or self._is_ending:
                return
            self._is_ending = True
            try:
                self._end(timeout)
            finally:
                self._is_ending = False

    def _end(self, timeout: float) -> None:
        if self._mill_thread is not None:
            self._mill_thread.stop()
        last_error = self._statistics()[1]["last_error"]
        try:
            error = self._close(timeout)
        finally:
            _open_writers.discard(self)
        if error == errno.EBUSY:
            code = last_error or error
            text = f"{os.strerror(code)}; records stay for the next opener"
            raise OSError(code, text, str(self.path))
        if error:
            raise OSError(error, os.strerror(error), str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}>"

    # Signals and forks.

    def reopen_on(self, signal_number: int) -> None:
        """Reopen the live file whenever the process gets this signal (SIGHUP, say).

        For an external logrotate. Only in the main thread. A handler that was there
        before is called as well.
        """
        import signal

        before = signal.getsignal(signal_number)
        reference = weakref.ref(self)

        def handle(number: int, frame: "FrameType | None") -> None:
            writer = reference()
            if writer is not None and not writer.closed:
                writer._ask_reopen()
            if callable(before):
                before(number, frame)

        signal.signal(signal_number, handle)


_OPTIONS: Final = tuple(LogWriter.__init__.__kwdefaults__ or {})
_SPACE: Final = ("space_warn_bytes", "space_critical_bytes")
# What stays as it is while a log is open.
LASTING: Final = ("ring_bytes", "durability", "state_dir", "allow_network_fs", *_SPACE)

_open_writers: "weakref.WeakSet[LogWriter]" = weakref.WeakSet()


def _note_unread(
    reference: "weakref.ref[LogWriter]", count: int, size_bytes: int
) -> None:
    writer = reference()
    if writer is not None:
        writer._note_unread(count, size_bytes)


def _mill_settings(reference: "weakref.ref[LogWriter]") -> "MillSettings":
    """Return what the newest opener of the log wants done with backups."""
    from .mill import MillSettings

    writer = reference()
    if writer is None or writer.closed:
        return MillSettings()
    settings = writer._settings()
    compress = settings["compress"]
    level = settings["compress_level"]
    return MillSettings(
        compress=_CHOICES["compress"][compress - 1] if compress else None,  # type: ignore[arg-type]
        compress_level=None if level == _NO_LEVEL else level,
        max_backups=settings["max_backups"],
        max_age_days=settings["max_age_s"] / 86400 or None,
        max_total_bytes=settings["max_total_bytes"] or None,
        dialect=writer.mill_dialect or _CHOICES["dialect"][settings["dialect"]],  # type: ignore[arg-type]
        keep_for_followers=bool(settings["keep_for_followers"]),
    )


# Options.

_NO_LEVEL: Final = -(2**31)


def check_options(given: dict[str, Any]) -> dict[str, Any]:
    """Turn the arguments of `LogWriter` into what the binding takes."""
    for name in ("max_bytes", "max_backups", "ring_bytes", "mode"):
        _check_count(name, given[name])
    for name in ("max_total_bytes", "space_warn_bytes", "space_critical_bytes"):
        if given[name] is not None:
            _check_count(name, given[name])
    for name in (
        "keep_for_followers",
        "wipe_on_drain",
        "adopt_settings",
        "allow_network_fs",
    ):
        if not isinstance(given[name], bool):
            raise TypeError(f"{name}: expected True or False, got {given[name]!r}")
    if not RING_BYTES_MIN <= given["ring_bytes"] <= RING_BYTES_MAX:
        raise ValueError(
            f"ring_bytes: expected {RING_BYTES_MIN} to {RING_BYTES_MAX}, "
            f"got {given['ring_bytes']!r}"
        )
    if given["mode"] > 0o7777:
        raise ValueError(f"mode: expected at most 0o7777, got {given['mode']:#o}")
    if given["on_error"] is not None and not callable(given["on_error"]):
        raise TypeError(f"on_error: expected a callable, got {given['on_error']!r}")
    _check_level(given["compress"], given["compress_level"])
    rings = given["state_dir"]
    return {
        "max_bytes": given["max_bytes"],
        "max_backups": given["max_backups"],
        "max_age_s": _age_s(given["max_age"]),
        "max_total_bytes": given["max_total_bytes"] or 0,
        "dialect": _index("dialect", given["dialect"]),
        "compress": _index("compress", given["compress"], none=True),
        "compress_level": (
            _NO_LEVEL if given["compress_level"] is None else given["compress_level"]
        ),
        # Whoever leads writes to the live file: all of the group must be able to.
        "mode": given["mode"] | (0 if given["group"] is None else 0o660),
        "gid": _group_id(given["group"]),
        "keep_for_followers": given["keep_for_followers"],
        "wipe_on_drain": given["wipe_on_drain"],
        "sync_interval_ns": _seconds("sync_interval", given["sync_interval"]),
        "ring_bytes": given["ring_bytes"],
        "on_full": _index("on_full", given["on_full"]),
        "drops_on_timeout": _index("on_timeout", given["on_timeout"]) == 1,
        "block_ns": (
            None
            if given["block_timeout"] is None
            else _seconds("block_timeout", given["block_timeout"])
        ),
        "durability": _index("durability", given["durability"]),
        "rings_path": None if rings is None else _existing_directory(rings),
        "adopt_settings": given["adopt_settings"],
        "allow_network_fs": given["allow_network_fs"],
    }


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not 0 <= value < 2**63:
        raise ValueError(f"{name}: expected 0 or more, got {value!r}")


def _check_level(compress: "Compression | None", level: int | None) -> None:
    if level is None:
        return
    _check_count("compress_level", level)
    # Only then: checking the range takes the mill's table of formats.
    from .mill import MillSettings

    MillSettings(compress=compress, compress_level=level)


def _index(name: str, value: object, *, none: bool = False) -> int:
    """Return the place of *value* among the choices; with *none* they count from 1."""
    if none and value is None:
        return 0
    choices = _CHOICES[name]
    if value not in choices:
        wanted = ", ".join(map(repr, (None, *choices) if none else choices))
        raise ValueError(f"{name}: expected one of {wanted}, got {value!r}")
    return choices.index(str(value)) + none


def _seconds(name: str, value: object) -> int:
    """Return *value* seconds in nanoseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected seconds, got {value!r}")
    if not 0 <= value < 2**31:
        raise ValueError(f"{name}: expected seconds from 0 to 2**31, got {value!r}")
    return int(value * 1e9)


def _age_s(value: object) -> int:
    """Return `max_age`, in days or a timedelta, in seconds."""
    if value is None:
        return 0
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"max_age: expected days or a timedelta, got {value!r}")
    else:
        seconds = value * 86400
    if not 0 <= seconds < 2**40:
        raise ValueError(f"max_age: expected 0 or more days, got {value!r}")
    return math.ceil(seconds)


def _group_id(group: object) -> int:
    if group is None:
        return 2**32 - 1
    if isinstance(group, str):
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"group: no group is named {group!r}") from None
    if isinstance(group, bool) or not isinstance(group, int):
        raise TypeError(f"group: expected a name or number, got {group!r}")
    if not 0 <= group < 2**32 - 1:
        raise ValueError(f"group: expected a group number, got {group!r}")
    return group


# Paths.


def _is_stream(path: object, durability: str) -> bool:
    """Tell standard output from a file, if what is asked of it can be had."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: expected a str or PathLike, got {path!r}")
    name = os.fspath(path)
    if not name:
        raise ValueError(f"path: expected the name of a file, got {name!r}")
    if name == "-" and durability != "process":
        raise ValueError(
            f"durability: expected 'process' for standard output, got {durability!r}"
        )
    return name == "-"


def _existing_directory(path: object) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"state_dir: expected a str or PathLike, got {path!r}")
    real = os.path.realpath(path)
    os.makedirs(real, mode=0o700, exist_ok=True)
    return real


def _resolve(path: str | os.PathLike[str]) -> Path:
    """Return the one path of a log, so that all spellings of it meet.

    A symbolic link as the log itself is followed once if it is root's or ours:
    another user's may lead anywhere.
    """
    text = os.path.abspath(os.fsdecode(os.fspath(path)))
    if os.fsdecode(os.fspath(path)).endswith("/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), text)
    try:
        status = os.lstat(text)
    except FileNotFoundError:
        status = None
    if status is not None and stat.S_ISLNK(status.st_mode):
        if status.st_uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, "a symbolic link of another user", text)
        text = os.path.join(os.path.dirname(text), os.readlink(text))
    _refuse_special(text)
    directory, name = os.path.split(text)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    return Path(os.path.realpath(directory), name)


def _refuse_special(path: str) -> None:
    """Refuse what is no regular file before anything is made beside it."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if stat.S_ISLNK(kind):
        raise OSError(errno.ELOOP, "a symbolic link to a symbolic link", path)
    if not stat.S_ISREG(kind):
        raise OSError(errno.EINVAL, "not a regular file", path)


# The life of the process.


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
    atexit.register(_close_all)


@functools.cache
def _tie_to_multiprocessing() -> None:
    """Flush at the end of a child of multiprocessing, which skips atexit functions."""
    from multiprocessing import util

    def register(_: object = None) -> None:
        util.Finalize(None, _flush_all, exitpriority=0)

    register()
    util.register_after_fork(_tie_to_process, register)


def _close_all() -> None:
    for writer in list(_open_writers):
        try:
            writer.close(EXIT_LIMIT_S)
        except OSError as error:
            print(f"auditring: {error}", file=sys.stderr)


def _flush_all() -> None:
    for writer in list(_open_writers):
        if not writer.closed:
            writer.flush(EXIT_LIMIT_S)


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


_parkable: "weakref.WeakSet[Parkable]" = weakref.WeakSet()


def park_at_forks(thread: Parkable) -> None:
    """Have a *thread* that uses writers ended before a fork, and begun again."""
    _parkable.add(thread)
    _tie_to_process()


def _threads_to_park() -> list[Parkable]:
    mills = [w._mill_thread for w in _open_writers if w._mill_thread is not None]
    return [*_parkable, *mills]


_parked: list[Parkable] = []
_forking_frame: "FrameType | None" = None


def _before_fork() -> None:
    global _forking_frame
    _writer.finish_fork()  # of a fork in whose hooks this one happens
    # First of all: they call into the writers that are parked next.
    for thread in _threads_to_park():
        thread.park()
        _parked.append(thread)
    _writer.before_fork()
    _forking_frame = sys._getframe().f_back


def _after_fork_in_parent() -> None:
    global _forking_frame
    frame, _forking_frame = _forking_frame, None
    if frame is not None and _would_make_fork_warn():
        _writer.call_after_fork(_resume, frame)
    else:
        _resume()


def _would_make_fork_warn() -> bool:
    """Tell whether a thread that starts now would be held against the caller of fork.

    From 3.12 on CPython warns when the parent has other threads, and 3.13 and 3.14
    began with counting them after the hooks. Source: its issue gh-137109.
    """
    return (
        sys.version_info >= (3, 13)
        and threading.current_thread() is threading.main_thread()
        and len(os.listdir("/proc/self/task")) == 1
    )


def _resume() -> None:
    _writer.after_fork_in_parent()
    while _parked:
        _parked.pop().resume()


def _after_fork_in_child() -> None:
    _writer.after_fork_in_child()
    for writer in _open_writers:
        writer._forget_calls()
        writer._close_lock = threading.RLock()
        writer._is_ending = False
    while _parked:
        thread = _parked.pop()
        thread.forget()
        thread.start()
    _tie_to_process()

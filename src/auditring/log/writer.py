"""The log writer: a log as a Python program opens, writes and closes it.

Between `write` and the file runs only C (csrc/writer.h). The mill that works on backups
is started here.
"""

import contextlib
import errno
import os
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Unpack

from ..documents.suggestion import did_you_mean
from ..errors import ClosedError
from ..process._cooperativelock import CooperativeLock
from ..process.reaper import hand_over
from ..ring import _writer
from ..ring._writer import GONE, Writer
from ..ring.statedir import state_dir_of
from . import lifetime
from .droppedoptions import OF_BACKUPS, tell_dropped
from .droppedoptions import given as given_of
from .leftovers import may_have_leftovers
from .options import (
    CHOICES,
    DEFAULTS,
    LASTING,
    NO_LEVEL,
    OPTIONS,
    LogOptions,
    OptionsSignature,
    check_options,
    seconds_ns,
)
from .path import is_stream, resolve

if TYPE_CHECKING:
    from types import TracebackType

    from ..backups.mills import LogMill
    from ..backups.settings import MillSettings
    from ..backups.space import SpaceWatch
    from ..files.names import Dialect
    from .stats import Stats

__all__ = ["LogWriter"]

# How long close() waits for the disk before it leaves the rest to the next opener.
CLOSE_LIMIT_S: Final = 10.0
# How long an opener takes to put right what a killed mill left, before it goes on.
RESOLVE_LIMIT_S: Final = 2.0


class LogWriter(Writer):
    """A rotating log that any number of threads and processes write to.

    A record whose `write` returned survives the death of the process, exactly once.
    Processes that open the same log share it; the newest opener's settings count.

    Thread-safety: any thread. Fork-safe: a child writes through a ring of its own.
    """

    __signature__ = OptionsSignature()

    # How backups are named that somebody else than the log's own rotation makes.
    mill_dialect: "ClassVar[Dialect | None]" = None

    def __init__(
        self, path: str | os.PathLike[str], **options: Unpack[LogOptions]
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
                two. A record may take half of it. A process begins with a quarter of
                a MiB and gets the rest when it needs it.
            on_full: What `write` does when the ring is full: ``"block"``, ``"drop"``
                (a gap event will tell) or ``"raise"``.
            block_timeout: Seconds that ``"block"`` waits; None is for ever, but for
                5 seconds when nobody has the rights to write to the log.
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
            on_error: Called with trouble in the background, in a thread of its own or
                the one that met it: compressing, retaining, free space; and a full or
                failing disk, a rotation that fails, a leader that is stopped or hangs,
                within two seconds and then once a minute.
            space_warn_bytes: Free bytes at which `on_error` hears of it; None doesn't
                watch.
            space_critical_bytes: Free bytes at which the oldest backup goes, if
                `max_backups`, `max_age` or `max_total_bytes` allows removing any.
            keep_for_followers: Keep backups that a registered follower has not read,
                whatever the limits say (auditring.files.followers). With False they go,
                and a gap event tells.
            wipe_on_drain: Overwrite records in the ring once they are in the file.
            adopt_settings: Leave the settings of a log that exists as they are; those
                given here are for a new one.
            allow_network_fs: Open on NFS and the like, where nothing is promised.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            OSError: The log can't be opened.
        """
        given: dict[str, Any] = {**DEFAULTS, **options}
        if len(given) != len(DEFAULTS):
            _refuse_unknown(options)
        checked = check_options(given)
        resolved = None if is_stream(path, given["durability"]) else resolve(path)
        self._log_path = resolved
        self._mill: LogMill | None = None
        self._watch: SpaceWatch | None = None
        self._close_lock = CooperativeLock()
        self._is_ending = False
        self._on_error: Callable[[Exception], object] | None = given["on_error"]
        self._given = given
        self._open(resolved, checked)
        if resolved is None:
            names = given_of(self._given, ("max_backups", *OF_BACKUPS))
            tell_dropped("-", names, "standard output isn't rotated", self._given)
        else:
            self._start_mill(checked)
        lifetime.join(self)
        self._be_told_of(None, self._on_error)

    def _be_told_of(
        self,
        before: Callable[[Exception], object] | None,
        after: Callable[[Exception], object] | None,
    ) -> None:
        """Have `on_error` told of trouble with the file, if there is one now."""
        if (before is None) == (after is None):
            return
        # Imported late: most programs have none.
        from . import messenger

        if after is not None:
            messenger.join(self)
        else:
            messenger.leave(self)

    # The mill.

    def _has_followers(self) -> bool:
        path = self._log_path
        assert path is not None
        try:
            # First, because the import takes longer than opening the log.
            os.stat(os.path.join(state_dir_of(path), "followers"))
            from ..files.followers import followers_of

            return bool(followers_of(path))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # there may be some, and C takes it so, too

    def _start_mill(self, options: dict[str, Any]) -> None:
        assert self._log_path is not None
        warn, critical = (self._given[name] for name in _SPACE)
        if warn is None and critical is None and not self._has_mill_work():
            if may_have_leftovers(self._log_path.parent, self._log_path.name):
                self.settle_backups(RESOLVE_LIMIT_S)
            return
        # Imported late: most programs that only write need none of it.
        from ..backups import mills

        mill = mills.join(self._log_path, self)
        try:
            if warn is not None or critical is not None:
                may_remove = any(
                    options[name]
                    for name in ("max_backups", "max_age_s", "max_total_bytes")
                )
                self._watch = mill.make_watch(
                    warn or 0, critical or 0, may_remove=may_remove
                )
                mill.choose_watch()
            mill.begin()
        except BaseException:
            mill.leave(self, 0)
            raise
        self._mill = mill

    def _has_mill_work(self) -> bool:
        settings = self._settings()
        names = ["compress", "max_age_s", "max_total_bytes"]
        if settings["dialect"] == 0 or self._has_followers():
            names.append("max_backups")  # else numbered backups are kept to it by C
        return any(settings[name] for name in names)

    def settle_backups(self, limit_s: float | None) -> None:
        """Put right what a killed mill left, if no other mill is there to do it.

        Args:
            limit_s: Seconds for it; the rest is the next opener's. None is any time.
        """
        from ..backups import mills

        assert self._log_path is not None
        mill = mills.join(self._log_path, self)
        try:
            mill.settle(limit_s)
        finally:
            mill.leave(self, 0)

    # What the mill asks.

    @property
    def on_error(self) -> Callable[[Exception], object] | None:
        """Whom trouble in the background is told to."""
        return self._on_error

    @property
    def space_watch(self) -> "SpaceWatch | None":
        """What looks after free space for this writer; None: nothing does."""
        return self._watch

    def mill_settings(self) -> "MillSettings":
        """Return what the newest opener of the log wants done with backups."""
        from ..backups.settings import MillSettings

        try:
            settings = self._settings()
        except ClosedError:
            return MillSettings()
        compress = settings["compress"]
        level = settings["compress_level"]
        return MillSettings(
            compress=CHOICES["compress"][compress - 1] if compress else None,  # type: ignore[arg-type]
            compress_level=None if level == NO_LEVEL else level,
            max_backups=settings["max_backups"],
            max_age_days=settings["max_age_s"] / 86400 or None,
            max_total_bytes=settings["max_total_bytes"] or None,
            dialect=self.mill_dialect or CHOICES["dialect"][settings["dialect"]],  # type: ignore[arg-type]
            keep_for_followers=bool(settings["keep_for_followers"]),
        )

    # Looking.

    def stats(self) -> "Stats":
        """Return the counters of the log and of this process.

        Raises:
            ClosedError: The writer is closed.
        """
        # Imported late: making a dataclass of fifty fields takes milliseconds.
        from .stats import HEALTH, Stats

        counters, rest = self._statistics()
        rest["health"] = HEALTH[rest["health"]]
        mill = self._mill.mill.counters if self._mill is not None else None
        watch = self._mill.watch if self._mill is not None else None
        return Stats(
            **counters,
            **rest,
            coerced_values=self.coerced_values,
            backups_compressed=mill.compressed if mill else 0,
            backups_removed=mill.removed if mill else 0,
            mill_errors=mill.errors if mill else 0,
            mill_last_error=mill.last_error if mill else "",
            space=watch.state if watch is not None else "ok",
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
            if name not in OPTIONS:
                hint = did_you_mean(name, OPTIONS)
                raise TypeError(f"{name}: no such option, got {value!r}{hint}")
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
            before, self._on_error = self._on_error, given["on_error"]
            self._be_told_of(before, self._on_error)

    def _share(self, checked: dict[str, Any]) -> None:
        """Let the log have what all its writers share: the newest opener's counts."""
        assert self._log_path is not None
        newest = Writer()
        try:
            newest._open(self._log_path, {**checked, "adopt_settings": False})
        finally:
            newest._close(0)
        # One that runs asks for the settings at each pass.
        if self._mill is None:
            self._start_mill(checked)

    # Ending.

    def close(self, timeout: float = CLOSE_LIMIT_S) -> None:
        """Flush, and end every thread of this writer; a second call does nothing.

        Args:
            timeout: Seconds to wait for a disk that is full or failing.

        Raises:
            OSError: Records stayed in the ring. They are not lost: the next opener
                writes them. On standard output, which nobody reads any more, they are,
                and where the log's directory was removed or replaced.
            BaseException: Of a signal handler, like Ctrl-C's; the same holds.
        """
        seconds_ns("timeout", timeout)
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
        started_s = time.monotonic()
        if self._mill is not None:
            self._leave_mill(timeout)
        before = self._statistics()[1]
        is_gone = self._is_gone()
        try:
            left_s = max(0.0, timeout - (time.monotonic() - started_s))
            error = self._close(left_s)
        finally:
            lifetime.leave(self)
            self._be_told_of(self._on_error, None)
        if error == errno.EBUSY and is_gone:
            text = f"{GONE}; records that were in no file are lost"
            raise OSError(errno.ENOENT, text, str(self.path))
        if error == errno.EBUSY:
            code = before["last_error"] or error
            text = before["trouble"].partition(";")[0] or os.strerror(code)
            text += f"; records stay for the next opener: {before['ring_used']} bytes"
            raise OSError(code, text, str(self.path))
        if error:
            raise OSError(error, os.strerror(error), str(self.path))

    def _leave_mill(self, timeout: float) -> None:
        # What is still in the ring may bring another rotation, which is work, too.
        mill, is_flushed = self._mill, False
        assert mill is not None
        with contextlib.suppress(OSError):  # close() tells it
            is_flushed = self.flush(timeout)
        mill.leave(self, None if is_flushed else 0)
        self._mill = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """Have it closed by the reaper: the collector may come at any moment."""
        if not self.closed:
            hand_over(self)

    @property
    def parkable(self) -> "LogMill | None":
        """What works on backups in the background, for `lifetime`."""
        return self._mill

    def begin_in_child(self) -> None:
        """Forget, in a forked child, what only the parent has; for `lifetime`."""
        self._forget_calls()
        self._close_lock = CooperativeLock()
        self._is_ending = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}>"

    # Signals and forks.

    def reopen_on(self, signal_number: int) -> None:
        """Reopen the live file whenever the process gets this signal (SIGHUP, say).

        For an external logrotate. Only in the main thread. A handler that was there
        before is called as well.
        """
        # Imported late: most programs have no such signal.
        from ..process.signals import call_on_signal

        reference = weakref.ref(self)

        def reopen() -> None:
            writer = reference()
            if writer is not None and not writer.closed:
                writer._ask_reopen()

        call_on_signal(signal_number, reopen)


def _refuse_unknown(options: Mapping[str, object]) -> None:
    name = next(name for name in options if name not in OPTIONS)
    text = f"LogWriter() got an unexpected keyword argument {name!r}"
    raise TypeError(text + did_you_mean(name, OPTIONS))


_SPACE: Final = ("space_warn_bytes", "space_critical_bytes")

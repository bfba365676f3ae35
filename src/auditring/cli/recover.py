"""Finish what killed writers of a log left, and tell what that was.

Opening the log does the work; here is what a person wants to know besides: whether
there is anything to do it on, whether somebody is doing it already, what came of it.
"""

import fcntl
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from ..follow.follower import Follower
from ..log.writer import LogWriter
from ..process._nativethread import close
from ..ring.statedir import state_dir_of

__all__ = ["Recovery", "Rescue", "has_writers", "is_log", "recover"]

RETRY_S = 60.0

# struct flock of Linux, as F_GETLK fills it: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery brought.

    Attributes:
        lines: Lines that are in the log now and were not, or not whole, before.
        size_bytes: Their size.
        gap_events: Those of them that tell of a loss.
        salvaged: Files beside the log that hold what was saved after a reboot.
        rings: How many rings of killed writers were drained, or told as lost.
        left: Files of rings that could not be read; nobody else has the log open.
    """

    lines: int
    size_bytes: int
    gap_events: int
    salvaged: tuple[Path, ...]
    rings: int = 0
    left: tuple[Path, ...] = ()


def is_log(log: Path) -> bool:
    """Tell whether a writer ever opened *log*."""
    lock = _lock_of(log)
    return lock.exists() or any(lock.parent.glob("ring.*.*"))


def has_writers(log: Path) -> bool:
    """Tell whether a process has *log* open for writing.

    Not while this process itself has: its locks would be lost.
    """
    try:
        fd = os.open(_lock_of(log), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # All bytes: one is the leader's, and each writer holds one (leader.h).
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, question)
    finally:
        close(fd)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def recover(log: Path, *, state_dir: str | os.PathLike[str] | None = None) -> Recovery:
    """Open *log* and close it again.

    Args:
        log: The live file.
        state_dir: Where its writers have their rings; None is beside the log.

    Raises:
        OSError: It can't be opened, or not all could be written: the rest stays
            for the next opener.
    """
    salvaged = _salvaged(log)
    rings = _rings_of(log, state_dir)
    follower = Follower(log, start="end", wait=False)
    # Settings for the case that somebody founded the log and came no further.
    LogWriter(log, max_bytes=0, state_dir=state_dir, adopt_settings=True).close()
    left = _rings_of(log, state_dir)
    lines = size_bytes = gap_events = 0
    for chunk, _ in follower.chunks():
        lines += chunk.count(b"\n")
        size_bytes += len(chunk)
        gap_events += chunk.count(b'"verb":"gap"')
    return Recovery(
        lines=lines + follower.counters.oversize,
        size_bytes=size_bytes,
        gap_events=gap_events,
        salvaged=tuple(sorted(_salvaged(log) - salvaged)),
        rings=len(rings - left),
        left=tuple(sorted(left)),
    )


class Rescue:
    """Recovers a log whenever killed writers left something and none is running.

    Looking costs little, so it may be done every second.
    """

    def __init__(
        self, log: Path, *, state_dir: str | os.PathLike[str] | None = None
    ) -> None:
        """Prepare; arguments as for `recover`."""
        self._log = log
        self._state_dir = state_dir
        self._next_try_s = 0.0

    def run(self) -> Recovery | None:
        """Recover if that is needed and possible; else return None.

        After a failure it isn't tried again for a while.

        Raises:
            OSError: As `recover`.
        """
        if time.monotonic() < self._next_try_s or not self._is_needed():
            return None
        try:
            return recover(self._log, state_dir=self._state_dir)
        except OSError:
            self._next_try_s = time.monotonic() + RETRY_S
            raise

    def _is_needed(self) -> bool:
        # Whoever ends in good order removes his ring (ringfile.c: ring_name).
        has_rings = _rings_of(self._log, self._state_dir)
        return bool(has_rings) and is_log(self._log) and not has_writers(self._log)


def _salvaged(log: Path) -> frozenset[Path]:
    """Return the files that reboots left beside the log."""
    saved = {*log.parent.glob(f"{log.stem}-salvaged-*.jsonl")}
    return frozenset(saved | {*log.parent.glob(f"{log.name}.torn")})


def _rings_of(log: Path, state_dir: str | os.PathLike[str] | None) -> frozenset[Path]:
    directory = _lock_of(log).parent if state_dir is None else Path(state_dir)
    return frozenset(directory.glob("ring.*.*"))


def _lock_of(log: Path) -> Path:
    return Path(state_dir_of(log), "lock")

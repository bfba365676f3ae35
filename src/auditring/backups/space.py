"""Watch the free space of a log's file system, as auditd does.

Four states, each worse than the one before: ok; warn, of which the owner is told;
critical, in which old backups may be removed; full, in which a reserve file is given
back to the file system, so that the event which tells of the loss can still be written.
Knows nothing of how backups are removed.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..process._nativethread import close

__all__ = [
    "RESERVE_BYTES",
    "DiskUsage",
    "SpaceLimits",
    "SpaceState",
    "SpaceWatch",
    "state_of",
]

SpaceState = Literal["ok", "warn", "critical", "full"]

RESERVE_BYTES = 4 * 1024**2
# The writer puts up to this much on the file system in one call.
FULL_BYTES = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceLimits:
    """At how many free bytes, or less, each state begins.

    Raises:
        ValueError: They aren't in order, or one is negative.
    """

    warn_bytes: int
    critical_bytes: int
    full_bytes: int = FULL_BYTES

    def __post_init__(self) -> None:
        if not 0 <= self.full_bytes <= self.critical_bytes <= self.warn_bytes:
            raise ValueError(
                f"expected 0 <= full_bytes <= critical_bytes <= warn_bytes, got "
                f"{self.full_bytes}, {self.critical_bytes}, {self.warn_bytes}"
            )


def state_of(free_bytes: int, limits: SpaceLimits) -> SpaceState:
    """Tell in which state a file system with *free_bytes* is."""
    if free_bytes <= limits.full_bytes:
        return "full"
    if free_bytes <= limits.critical_bytes:
        return "critical"
    if free_bytes <= limits.warn_bytes:
        return "warn"
    return "ok"


class DiskUsage(Protocol):
    """What there is to know of a file system; `psutil.disk_usage` returns one."""

    @property
    def free(self) -> int:
        """Bytes that this process may still use."""
        ...


class SpaceWatch:
    """Looks after the free space of one file system.

    The reserve counts as used space even while it is given back. Else giving it back
    would look like an end of the trouble, and taking it again would bring it back.

    Thread-safety: `check` from one thread at a time; `state` may be read by any.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        warn_bytes: int,
        critical_bytes: int,
        full_bytes: int = FULL_BYTES,
        reserve: str | os.PathLike[str] | None = None,
        reserve_bytes: int = RESERVE_BYTES,
        interval_s: float = 5.0,
        usage: Callable[[str], DiskUsage] | None = None,
        remove_oldest: Callable[[], bool] | None = None,
        on_change: Callable[[SpaceState, SpaceState, int], object] | None = None,
    ) -> None:
        """Prepare to watch; nothing is looked at or created yet.

        Args:
            path: A file or directory on the file system.
            warn_bytes: Free bytes at which the state is "warn".
            critical_bytes: Free bytes at which it is "critical".
            full_bytes: Free bytes at which it is "full".
            reserve: The reserve file, on the same file system; None for none.
            reserve_bytes: Its size.
            interval_s: How often its owner should call `check`, in seconds.
            usage: Tells how full the file system at a path is; None is
                `psutil.disk_usage`.
            remove_oldest: Removes one backup and tells whether it did, or there was
                none to spare; None when none may be removed for want of space.
            on_change: Called with the state before, the state now and the free bytes.

        Raises:
            ValueError: The limits aren't in order, or a number is negative.
        """
        if reserve_bytes < 0:
            raise ValueError(f"reserve_bytes: expected 0 or more, got {reserve_bytes}")
        if interval_s <= 0:
            raise ValueError(f"interval_s: expected more than 0, got {interval_s}")
        self.limits = SpaceLimits(
            warn_bytes=warn_bytes, critical_bytes=critical_bytes, full_bytes=full_bytes
        )
        self.interval_s = interval_s
        self.state: SpaceState = "ok"
        self._path = os.fspath(path)
        self._reserve = None if reserve is None else os.fspath(reserve)
        self._reserve_bytes = 0 if reserve is None else reserve_bytes
        self._usage = _disk_usage if usage is None else usage
        self._remove_oldest = remove_oldest
        self._on_change = on_change

    def check(self, *, is_refused: bool = False) -> SpaceState:
        """Look at the free space and do what the state asks for.

        Args:
            is_refused: A write was refused for want of space (ENOSPC, EDQUOT), so the
                state is "full" whatever the file system says.

        Raises:
            OSError: The free space can't be told, or the reserve file can't be made or
                removed.
        """
        free_bytes, state = self._make_room(*self._look(is_refused))
        if state == "full":
            self._release_reserve()
        before, self.state = self.state, state
        if state != before and self._on_change is not None:
            self._on_change(before, state, free_bytes)
        if state == "ok":
            self._take_reserve()
        return state

    def _look(self, is_refused: bool = False) -> tuple[int, SpaceState]:
        free_bytes = self._usage(self._path).free
        if is_refused:
            return free_bytes, "full"
        missing_bytes = self._reserve_bytes - self._held_bytes()
        return free_bytes, state_of(free_bytes - missing_bytes, self.limits)

    def _make_room(self, free_bytes: int, state: SpaceState) -> tuple[int, SpaceState]:
        while state in ("critical", "full") and self._removes_one():
            before_bytes = free_bytes
            free_bytes, state = self._look()
            # Space may come free late, or go to a reader that has the file open:
            # then the next check decides, before all backups have gone for nothing.
            if free_bytes <= before_bytes:
                break
        return free_bytes, state

    def _removes_one(self) -> bool:
        return self._remove_oldest is not None and self._remove_oldest()

    def _held_bytes(self) -> int:
        if self._reserve is None:
            return 0
        try:
            return min(os.lstat(self._reserve).st_size, self._reserve_bytes)
        except FileNotFoundError:
            return 0

    def _release_reserve(self) -> None:
        if self._reserve is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._reserve)

    def _take_reserve(self) -> None:
        if self._reserve is None or self._held_bytes() >= self._reserve_bytes:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._reserve, flags, 0o600)
        try:
            os.posix_fallocate(fd, 0, self._reserve_bytes)
        except OSError:
            # Half a reserve would count as missing and be tried for again.
            self._release_reserve()
            raise
        finally:
            close(fd)


def _disk_usage(path: str) -> DiskUsage:
    # Imported here, because a process that doesn't watch needn't load it.
    import psutil

    return psutil.disk_usage(path)

"""What a drop-in handler knows of its ring, and what the ring is for."""

import os
import stat
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from .writer import LogWriter

__all__ = ["RingState", "Target", "is_own_file"]


class Target(NamedTuple):
    """Where lines go: a log, and the arguments it is opened with."""

    path: str
    options: Mapping[str, Any]

    @property
    def needs_ring(self) -> bool:
        """Whether more is asked for than the standard library's own way gives."""
        return bool(self.options.get("durability", "process") != "process")


def is_own_file(path: str) -> bool:
    """Tell whether *path* is a regular file with this one name, or nothing yet.

    Raises:
        OSError: It can't be looked at.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


class RingState:
    """What a handler knows of its ring. Not attributes of it: those disarm.

    Attributes:
        writer: None on the standard library's way, and before the first record.
        target: What `writer` was opened for.
        stream: What `handler.stream` shows.
        opened: What `_open` made last.
        checked: How often attributes had been assigned to when the way was chosen.
        refused: A target that can't have a ring.
        busy_pid: The process in which a thread is choosing the way, or rotating; it
            holds the handler's lock. Not so in a child that was forked meanwhile.
        is_continued: The file holds lines of ours, whatever `mode` is.
        is_over: The interpreter is ending.
    """

    def __init__(self) -> None:
        self.writer: LogWriter | None = None
        self.target: Target | None = None
        self.stream: Any = None
        self.opened: IO[Any] | None = None
        self.checked = -1
        self.refused: Target | None = None
        self.busy_pid = 0
        self.is_continued = False
        self.is_over = False

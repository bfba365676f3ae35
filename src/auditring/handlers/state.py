"""What a drop-in handler knows of its ring, and what the ring is for."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from ..log.writer import LogWriter

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
        refusal: Why.
        busy_pid: The process in which a thread is choosing the way, or rotating; it
            holds the handler's lock. Not so in a child that was forked meanwhile.
        is_continued: The file holds lines of ours, whatever `mode` is.
        is_over: The interpreter is ending.
        is_renamed: The live file has been renamed already, in a rollover.
    """

    def __init__(self) -> None:
        self.writer: LogWriter | None = None
        self.target: Target | None = None
        self.stream: Any = None
        self.opened: IO[Any] | None = None
        self.checked = -1
        self.refused: Target | None = None
        self.refusal: OSError | None = None
        self.busy_pid = 0
        self.is_continued = False
        self.is_over = False
        self.is_renamed = False

    @property
    def has_lost_writer(self) -> bool:
        """Whether somebody else closed the writer."""
        return self.writer is not None and self.writer.closed

    @property
    def is_busy(self) -> bool:
        """Whether a thread of this process is choosing the way, or rotating."""
        return self.busy_pid == os.getpid()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Let a signal handler that logs meanwhile write past the ring."""
        before, self.busy_pid = self.busy_pid, os.getpid()
        try:
            yield
        finally:
            self.busy_pid = before

    def file_mode(self, path: str) -> int:
        """Return the permissions of the log at *path*, which goes on from here.

        Raises:
            OSError: It can't be looked at.
        """
        self.is_continued = True
        if self.opened is not None and self.stream is self.opened:
            return stat.S_IMODE(os.fstat(self.opened.fileno()).st_mode)
        with contextlib.suppress(FileNotFoundError):
            return stat.S_IMODE(os.stat(path).st_mode)
        return 0o644

    def let_go_of_file(self) -> None:
        """Close the log, if `_open` made it."""
        if self.opened is not None and self.stream is self.opened:
            self.opened.close()
            self.opened = self.stream = None

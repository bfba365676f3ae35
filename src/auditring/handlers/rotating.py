"""RotatingFileHandler: as the standard library's, through a ring."""

import contextlib
import logging
import logging.handlers
import math
import os
import sys
from typing import Any, ClassVar, Unpack

from ..log.writer import LogWriter
from .options import HandlerOptions
from .ring import RingHandler

__all__ = ["RotatingFileHandler"]


class RotatingFileHandler(RingHandler, logging.handlers.RotatingFileHandler):
    """A `logging.handlers.RotatingFileHandler` that never waits for the disk.

    Files have the same names and the same contents, with two differences: `maxBytes`
    counts bytes where the standard library counts the characters of the last line, and
    several processes may share a log. Only `handlers` says what else is new.

    Thread-safety: any thread.
    """

    ring_methods: ClassVar[tuple[str, ...]] = (
        *RingHandler.ring_methods,
        "doRollover",
        "rotate",
        "rotation_filename",
        "shouldRollover",
    )

    def __init__(
        self,
        filename: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        mode: str = "a",
        maxBytes: int = 0,
        backupCount: int = 0,
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
        **options: Unpack[HandlerOptions],
    ) -> None:
        """Open the log, unless *delay*.

        Args:
            filename: The live file.
            mode: ``"a"`` to append; ``"w"``, only while *maxBytes* is 0, to begin anew.
                What that cuts off of a log with a ring is told in ``FILENAME.gaps``.
            maxBytes: Size in bytes that a file stays below; 0 is any size.
            backupCount: Backups to keep; with 0 the file grows whatever *maxBytes* is.
            encoding: Of the file; None is the locale's.
            delay: Make nothing before the first record.
            errors: What to do about text that can't be encoded; None is strict.
            **options: See `HandlerOptions`.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            OSError: The file can't be opened.
        """
        self._read_options(options)
        super().__init__(
            os.fsdecode(filename),
            mode,
            maxBytes,
            backupCount,
            encoding,
            bool(delay),
            errors or self._ring_options.errors,
        )
        self._recover()

    def _rolls_over(self) -> bool:
        return self.maxBytes > 0 and self.backupCount > 0

    def _roll_over_if_due(self, record: logging.LogRecord) -> None:
        stream = self._ring.opened
        if stream is not None and stream is self.stream and not stream.closed:
            # Lines go past it to the file, and from Python 3.13 on the standard library
            # asks where it stands.
            with contextlib.suppress(OSError):
                stream.seek(0, os.SEEK_END)
        if self.shouldRollover(record):
            self.doRollover()

    def _is_plain(self) -> bool:
        return super()._is_plain() and not callable(self.namer or self.rotator)

    def _log_options(self) -> dict[str, Any]:
        return {
            "max_bytes": math.ceil(max(0, self.maxBytes)),
            "max_backups": max(0, self.backupCount),
        }

    def doRollover(self) -> None:
        """Make the live file the first backup, and begin a new one."""
        writer = self._ring.writer
        if writer is None and self._is_beside_others():
            return  # theirs to do
        if writer is None:
            super().doRollover()
        elif self.backupCount > 0:
            writer.rotate()
        elif self.mode.startswith("w"):
            # The file is begun anew, as the standard library does it.
            self._leave_ring()
            self._ring.is_continued = False
            super().doRollover()

    def _short_limit(self) -> int:
        if self._rolls_empty_files():
            return math.ceil(self.maxBytes) - 1
        return super()._short_limit()

    def _rolls_empty_files(self) -> bool:
        """Tell whether a line of `maxBytes` makes a backup even of an empty file.

        Source: CPython's issue gh-116263, which is in force since 3.13.
        """
        return sys.version_info < (3, 13) and self.maxBytes > 0 and self.backupCount > 0

    def _commit_whole(self, writer: LogWriter, line: bytes) -> None:
        if self._rolls_over_first(writer, line):
            writer.rotate()
        super()._commit_whole(writer, line)

    def _rolls_over_first(self, writer: LogWriter, line: bytes) -> bool:
        """Tell whether a line begins a new file in a way that the ring doesn't know."""
        goes_past_ring = len(line) > writer.record_limit
        if not goes_past_ring and not self._rolls_empty_files():
            return False
        if self.maxBytes <= 0 or self.backupCount <= 0 or not writer.flush():
            return False
        try:
            size = os.stat(self.baseFilename).st_size
        except FileNotFoundError:
            return False
        if size == 0:
            return self._rolls_empty_files() and len(line) >= self.maxBytes
        return goes_past_ring and size + len(line) >= self.maxBytes

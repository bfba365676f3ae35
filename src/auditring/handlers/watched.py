"""WatchedFileHandler: as the standard library's, through a ring."""

import logging
import logging.handlers
import os
from typing import ClassVar, Unpack

from .options import HandlerOptions
from .ring import RingHandler

__all__ = ["WatchedFileHandler"]


class WatchedFileHandler(RingHandler, logging.handlers.WatchedFileHandler):
    """A `logging.handlers.WatchedFileHandler`, for logs that logrotate renames.

    A file that was renamed or removed is noticed when the next lines are written, or
    within half a second.

    Thread-safety: any thread.
    """

    ring_methods: ClassVar[tuple[str, ...]] = (
        *RingHandler.ring_methods,
        "_statstream",
        "reopenIfNeeded",
    )

    def __init__(
        self,
        filename: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        mode: str = "a",
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
        **options: Unpack[HandlerOptions],
    ) -> None:
        """Open the log, unless *delay*.

        Args:
            filename: The live file.
            mode: ``"a"`` to append, ``"w"`` to begin anew. What that cuts off of a log
                with a ring is told in ``FILENAME.gaps``.
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
            encoding,
            bool(delay),
            errors or self._ring_options.errors,
        )
        self._recover()

    def _roll_over_if_due(self, record: logging.LogRecord) -> None:
        self.reopenIfNeeded()

    def reopenIfNeeded(self) -> None:
        """Go on with the file that has the name now."""
        writer = self._ring.writer
        if writer is None:
            super().reopenIfNeeded()
            return
        writer.reopen()
        status = os.stat(self.baseFilename)
        self.dev, self.ino = status.st_dev, status.st_ino

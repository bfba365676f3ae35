"""Saves a cursor often enough, and not more often."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from .cursor import Cursor, CursorFile

__all__ = ["CursorKeeper"]

# Behind what is dealt with by no more than so many bytes, or seconds.
BEHIND_MAX_BYTES: Final = 1024**2
BEHIND_MAX_S: Final = 0.5
# A save waits for the disk. Where that takes long, bytes alone don't make one due until
# this many times as long has gone by, so that it takes a tenth of the time at most.
COST_FACTOR: Final = 9


class CursorKeeper:
    """Keeps the cursor of a follower in files.

    Thread-safety: one thread at a time.

    Attributes:
        cursor: The place up to which all is dealt with.
    """

    def __init__(
        self,
        files: Sequence[CursorFile],
        cursor: Cursor,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is saved yet.

        Args:
            files: Where to save, the one that counts first.
            cursor: Where the follower begins.
            clock: Seconds that only grow.
        """
        self.cursor = cursor
        self._files = files
        self._saved: Cursor | None = None
        self._unsaved_bytes = 0
        self._clock = clock
        self._saved_s = -BEHIND_MAX_S
        self._cost_s = 0.0

    def advance(self, cursor: Cursor, size_bytes: int) -> None:
        """Note that all up to *cursor*, so many bytes more, is dealt with."""
        self.cursor = cursor
        self._unsaved_bytes += size_bytes

    def save_if_due(self) -> None:
        """Save if the files are too far behind.

        Raises:
            OSError: It can't be saved.
        """
        since_s = self._clock() - self._saved_s
        is_far = self._unsaved_bytes >= BEHIND_MAX_BYTES
        if since_s >= BEHIND_MAX_S or (
            is_far and since_s >= COST_FACTOR * self._cost_s
        ):
            self.save()

    def save(self) -> None:
        """Save, unless it is saved already.

        Raises:
            OSError: It can't be saved.
        """
        if self.cursor == self._saved:
            return
        started_s = self._clock()
        for file in self._files:
            file.save(self.cursor)
        self._saved = self.cursor
        self._unsaved_bytes = 0
        self._saved_s = self._clock()
        self._cost_s = self._saved_s - started_s

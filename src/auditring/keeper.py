"""Saves a cursor often enough, and not more often."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from .cursor import Cursor, CursorFile

__all__ = ["CursorKeeper"]

# So much dealt with, or so many seconds since, make a save due. Whoever deals with less
# than a quarter of a MiB between two looks is never more than 1 MiB ahead of the files.
DUE_BYTES: Final = 768 * 1024
DUE_S: Final = 0.5
# A save waits for the disk. Where it takes that long, twice in a row, bytes alone don't
# make one due before nine times as long has gone by: a tenth of the time is enough.
SLOW_S: Final = 0.01
SLOW_FACTOR: Final = 9


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
        self._saved_s = -DUE_S
        self._costs_s = (0.0, 0.0)

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
        cost_s = min(self._costs_s)
        rest_s = SLOW_FACTOR * cost_s if cost_s > SLOW_S else 0.0
        is_far = self._unsaved_bytes >= DUE_BYTES
        if since_s >= DUE_S or (is_far and since_s >= rest_s):
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
        self._costs_s = (self._costs_s[1], self._saved_s - started_s)

"""Saves a cursor often enough, and not more often."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from ..files.cursor import Cursor, CursorFile

__all__ = ["CursorKeeper"]

# So many seconds after a save the next one is due: a loss of power takes that back.
DUE_S: Final = 0.5
# So much dealt with is noted: a kill takes that back. Whoever deals with less than half
# a MiB between two looks is never more than 1 MiB ahead of the files.
NOTE_BYTES: Final = 256 * 1024


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
            files: Where to save, the one that counts first. Only there it is noted.
            cursor: Where the follower begins.
            clock: Seconds that only grow.
        """
        self.cursor = cursor
        self._files = files
        self._saved: Cursor | None = None
        self._unnoted_bytes = 0
        self._clock = clock
        self._saved_s = -DUE_S

    def advance(self, cursor: Cursor, size_bytes: int) -> None:
        """Note that all up to *cursor*, so many bytes more, is dealt with."""
        self.cursor = cursor
        self._unnoted_bytes += size_bytes

    def save_if_due(self) -> None:
        """Save if the files are too far behind, on the disk or for a kill.

        Raises:
            OSError: It can't be saved.
        """
        if self._clock() - self._saved_s >= DUE_S:
            self.save()
        elif self._unnoted_bytes >= NOTE_BYTES:
            for file in self._files[:1]:
                file.note(self.cursor)
            self._unnoted_bytes = 0

    def save(self) -> None:
        """Save, unless it is saved already.

        Raises:
            OSError: It can't be saved.
        """
        if self.cursor == self._saved:
            return
        for file in self._files:
            file.save(self.cursor)
        self._saved = self.cursor
        self._unnoted_bytes = 0
        self._saved_s = self._clock()

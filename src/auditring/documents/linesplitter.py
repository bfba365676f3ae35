"""Splits what comes in chunks into lines, none of them longer than a limit.

A line may be anything: a log that somebody else wrote, a bomb in a small archive. What
is longer than the limit is passed over while it comes, and told with its number and its
size, so it takes no memory. Each byte is looked at once: twice the line takes twice as
long.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

__all__ = ["EVENT_MAX_BYTES", "LINE_MAX_BYTES", "LineSplitter", "too_long"]

LINE_MAX_BYTES: Final = 64 * 1024**2
"""The longest line that is read of a log, without its newline."""

EVENT_MAX_BYTES: Final = 16 * 1024**2
"""The longest line that is read as an event: as objects it takes a lot more memory."""


class LineSplitter:
    """Takes chunks and gives lines.

    Attributes:
        number: How many lines came so far, those that were too long among them.
    """

    def __init__(
        self,
        on_long: Callable[[int, int], object],
        limit_bytes: int = LINE_MAX_BYTES,
    ) -> None:
        """Begin before the first line.

        Args:
            on_long: Called with number, from 1, and size of each line passed over.
            limit_bytes: How long a line may be, without its newline.
        """
        self.number = 0
        self._on_long = on_long
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []  # of a line whose end didn't come yet
        self._size = 0  # of that line; without pieces it is too long, or empty

    def lines_of(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines of all *chunks*, an unfinished last one too."""
        for chunk in chunks:
            yield from self._split(chunk)
        if self._size:
            line = self._end()
            if line is not None:
                yield line

    def _split(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that end in *chunk*, without their newlines."""
        first, *others = chunk.split(b"\n")
        self._keep(first)
        for piece in others:
            line = self._end()
            self._keep(piece)
            if line is not None:
                yield line

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._limit_bytes:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _end(self) -> bytes | None:
        """Return the line that ends here, None if it was too long."""
        size, self._size = self._size, 0
        pieces, self._pieces = self._pieces, []
        self.number += 1
        if size > self._limit_bytes:
            self._on_long(self.number, size)
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def too_long(size: int, limit_bytes: int) -> str:
    """Say what is wrong with a line of *size* bytes."""
    return f"a line of {size} bytes is left out, as it has more than {limit_bytes}"

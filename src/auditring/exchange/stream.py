"""A request's body as a stream, what is read of which is kept."""

import io
import os
from collections.abc import Iterator
from typing import Any

from .body import Body

__all__ = ["WatchedStream"]


class WatchedStream:
    """Reads from a stream of bytes, and tells a `Body` what it read.

    It can do what PEP 3333 asks of a stream, and go back and forth if the stream can:
    Django looks for the size of a body that way. A byte is kept once, however often
    it's read; who leaves bytes out leaves a body that isn't whole.
    """

    def __init__(self, stream: Any, body: Body, length: int | None = None) -> None:  # noqa: ANN401
        """Take a stream.

        Args:
            stream: What is read from.
            body: What is told.
            length: How many bytes there are; None if nobody knows.
        """
        self._stream = stream
        self._body = body
        self._length = length
        self._place = 0
        self._bytes_kept = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to *size* bytes; all that come if it's negative or None."""
        is_all = size is None or size < 0
        return self._keep(self._stream.read(size), is_all, size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or *size* bytes of it."""
        return self._keep(self._stream.readline(size), False, None)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read lines, about *hint* bytes of them."""
        lines = [self._keep(line, False, None) for line in self._stream.readlines(hint)]
        if hint is None or hint <= 0:
            self._end()
        return lines

    def __iter__(self) -> Iterator[bytes]:
        """Read line by line."""
        for line in self._stream:
            yield self._keep(line, False, None)
        self._end()

    def seekable(self) -> bool:
        """Tell whether the stream can go back and forth."""
        seekable = getattr(self._stream, "seekable", None)
        return seekable is not None and bool(seekable())

    def tell(self) -> int:
        """Return where the next read begins.

        Raises:
            io.UnsupportedOperation: The stream can't tell.
        """
        if not self.seekable():
            raise io.UnsupportedOperation("tell")
        return int(self._stream.tell())

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to where the next read is to begin.

        Raises:
            io.UnsupportedOperation: The stream can only be read on.
        """
        if not self.seekable():
            raise io.UnsupportedOperation("seek")
        beginning = self._stream.tell() - self._place
        place = int(self._stream.seek(offset, whence))
        self._place = place - beginning
        return place

    def close(self) -> None:
        """Close the stream, if it can be closed."""
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()

    def _keep(self, data: bytes, is_all: bool, size: int | None) -> bytes:
        known = self._bytes_kept - self._place
        self._place += len(data)
        if known < 0:
            return data
        if self._place > self._bytes_kept:
            self._body.add(data[known:])
            self._bytes_kept = self._place
        # Of whom nobody knows the length, a file's read is short at its end.
        is_short = not data if size is None else len(data) < size
        if self._length is not None or is_all or is_short:
            self._end()
        return data

    def _end(self) -> None:
        """Take note of the end, unless it came too soon: then the client has left."""
        if self._place == self._bytes_kept >= (self._length or 0):
            self._body.end()

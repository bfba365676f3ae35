"""A request's body as a stream, what is read of which is kept."""

from collections.abc import Iterator
from typing import Any

from .bodies import Body

__all__ = ["WatchedStream"]


class WatchedStream:
    """Reads from a stream of bytes, and tells a `Body` what it read.

    It can do what PEP 3333 asks of a stream, and nothing that would get past it.
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
        self._bytes_left = length

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

    def close(self) -> None:
        """Close the stream, if it can be closed."""
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()

    def _keep(self, data: bytes, is_all: bool, size: int | None) -> bytes:
        self._body.add(data)
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
            self._end()
        # Of whom nobody knows the length, a file's read is short at its end.
        elif is_all or (not data if size is None else len(data) < size):
            self._end()
        return data

    def _end(self) -> None:
        """Take note of the end, unless it came too soon: then the client has left."""
        if self._bytes_left is None or self._bytes_left <= 0:
            self._body.end()

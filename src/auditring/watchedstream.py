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

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Read lines, about *hint* bytes of them."""
        return [self._keep(line, False, None) for line in self._stream.readlines(hint)]

    def __iter__(self) -> Iterator[bytes]:
        """Read line by line."""
        for line in self._stream:
            yield self._keep(line, False, None)
        self._body.end()

    def close(self) -> None:
        """Close the stream, if it can be closed."""
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()

    def _keep(self, data: bytes, is_all: bool, size: int | None) -> bytes:
        self._body.add(data)
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
            is_end = self._bytes_left <= 0
        else:
            # Of whom nobody knows the length, a file's read is short at its end.
            is_end = not data if size is None or size < 0 else len(data) < size
        if is_all or is_end:
            self._body.end()
        return data

"""A request's body as a stream, what is read of which is kept."""

from collections.abc import Iterator
from typing import Any

from .bodies import Body

__all__ = ["WatchedStream"]


class WatchedStream:
    """Reads from a stream of bytes, and tells a `Body` what it read.

    Whatever else the stream can do, this can.
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
        return self._keep(self._stream.readline(size), False, size)

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Read lines, about *hint* bytes of them."""
        return [self._keep(line, False, None) for line in self._stream.readlines(hint)]

    def __iter__(self) -> Iterator[bytes]:
        """Read line by line."""
        for line in self._stream:
            yield self._keep(line, False, None)
        self._body.end()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)

    def _keep(self, data: bytes, is_all: bool, size: int | None) -> bytes:
        self._body.add(data)
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
        if is_all or self._bytes_left == 0 or (not data and size != 0):
            self._body.end()
        return data

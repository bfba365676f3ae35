"""The lines of an audit log that lies there as a file, compressed or not."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path

from ..documents.linesplitter import LINE_MAX_BYTES, LineSplitter
from ..documents.namedfile import open_named
from ..files.unpacking import PACKED_SUFFIXES, unpack

__all__ = ["STANDARD_INPUT", "is_packed", "read_lines"]

CHUNK_BYTES = 1024**2
STANDARD_INPUT = "-"

# What a packed file begins with, by its suffix; no line of a log begins so.
_MAGIC = {
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"\x04\x22\x4d\x18": ".lz4",
    b"BZh": ".bz2",
    b"\xfd7zXZ\0": ".xz",
}
_MAGIC_BYTES = max(map(len, _MAGIC))


def read_lines(
    path: str | PathLike[str],
    *,
    on_long: Callable[[int, int], object] = lambda number, size: None,
    limit_bytes: int = LINE_MAX_BYTES,
) -> Iterator[bytes]:
    """Yield the lines of a log without their newlines, an unfinished last one too.

    What follows from the suffix, or else from how the file begins: ``.gz``, ``.zst``,
    ``.lz4``, ``.bz2`` and ``.xz`` are unpacked.

    Args:
        path: The file, or the name of a descriptor of this process; ``-`` is standard
            input.
        on_long: Called with number and size of each line that is longer than
            *limit_bytes*, which is left out.
        limit_bytes: How long a line may be.

    Raises:
        OSError: It is no regular file, or can't be read.
        DamagedError: It should be compressed and isn't, or ends too soon.
    """
    splitter = LineSplitter(on_long, limit_bytes)
    with _Sniffed(_open(fspath(path))) as file:
        suffix = Path(fspath(path)).suffix
        if suffix not in PACKED_SUFFIXES:
            suffix = file.suffix
        yield from splitter.lines_of(_chunks(file, suffix))


def is_packed(path: str | PathLike[str]) -> bool:
    """Tell whether `read_lines` unpacks the file at *path*.

    Raises:
        OSError: It is no regular file, or can't be read.
    """
    if Path(fspath(path)).suffix in PACKED_SUFFIXES:
        return True
    with _Sniffed(open_named(path)) as file:
        return bool(file.suffix)


def _open(path: str) -> int:
    if path != STANDARD_INPUT:
        return open_named(path, may_be_pipe=True)
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed", path)
    return os.dup(0)


def _chunks(file: io.FileIO, suffix: str) -> Iterator[bytes]:
    if suffix in PACKED_SUFFIXES:
        view = memoryview(bytearray(CHUNK_BYTES))
        yield from map(bytes, unpack(suffix, file, view))
    else:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


class _Sniffed(io.FileIO):
    """A file, or a pipe, whose first bytes were looked at; it is only read forward.

    Attributes:
        suffix: What files that begin so are called; empty for no packed one.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._head = b""
        while len(self._head) < _MAGIC_BYTES and (
            piece := super().read(_MAGIC_BYTES - len(self._head))
        ):
            self._head += piece
        found = [name for magic, name in _MAGIC.items() if self._head.startswith(magic)]
        self.suffix = found[0] if found else ""

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._head:
            return super().read(-1 if size is None else size) or b""
        if size is None or size < 0:
            head, self._head = self._head, b""
            return head + (super().read() or b"")
        head, self._head = self._head[:size], self._head[size:]
        return head

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # of what is read here
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

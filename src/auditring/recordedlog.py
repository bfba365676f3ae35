"""The lines of an audit log that lies there as a file, compressed or not."""

import io
from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path

from .linesplitter import LINE_MAX_BYTES, LineSplitter
from .namedfile import open_named
from .unpacking import PACKED_SUFFIXES, unpack

__all__ = ["read_lines"]

CHUNK_BYTES = 1024**2


def read_lines(
    path: str | PathLike[str],
    *,
    on_long: Callable[[int, int], object] = lambda number, size: None,
    limit_bytes: int = LINE_MAX_BYTES,
) -> Iterator[bytes]:
    """Yield the lines of a log without their newlines, an unfinished last one too.

    What follows from the suffix: ``.gz``, ``.zst``, ``.lz4``, ``.bz2`` and ``.xz`` are
    unpacked.

    Args:
        path: The file, or the name of a descriptor of this process.
        on_long: Called with number and size of each line that is longer than
            *limit_bytes*, which is left out.
        limit_bytes: How long a line may be.

    Raises:
        OSError: It is no regular file, or can't be read.
        DamagedError: It should be compressed and isn't, or ends too soon.
    """
    splitter = LineSplitter(on_long, limit_bytes)
    with io.FileIO(open_named(path, may_be_pipe=True)) as file:
        yield from splitter.lines_of(_chunks(file, Path(fspath(path)).suffix))


def _chunks(file: io.FileIO, suffix: str) -> Iterator[bytes]:
    if suffix in PACKED_SUFFIXES:
        view = memoryview(bytearray(CHUNK_BYTES))
        yield from map(bytes, unpack(suffix, file, view))
    else:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk

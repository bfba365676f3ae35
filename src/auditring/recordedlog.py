"""The lines of an audit log that lies there as a file, compressed or not."""

import io
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path

from .unpacking import PACKED_SUFFIXES, unpack

__all__ = ["read_lines"]

CHUNK_BYTES = 1024**2


def read_lines(path: str | PathLike[str]) -> Iterator[bytes]:
    """Yield the lines of a log without their newlines, an unfinished last one too.

    What follows from the suffix: ``.gz``, ``.zst``, ``.lz4``, ``.bz2`` and ``.xz`` are
    unpacked.

    Raises:
        OSError: The file can't be read.
        DamagedError: It should be compressed and isn't, or ends too soon.
    """
    path = Path(fspath(path))
    with io.FileIO(path) as file:
        rest = b""
        for chunk in _chunks(file, path.suffix):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            yield rest


def _chunks(file: io.FileIO, suffix: str) -> Iterator[bytes]:
    if suffix in PACKED_SUFFIXES:
        view = memoryview(bytearray(CHUNK_BYTES))
        yield from map(bytes, unpack(suffix, file, view))
    else:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk

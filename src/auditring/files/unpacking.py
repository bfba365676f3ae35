"""Unpacks whatever a past file of a log may be packed with, bit by bit.

Our own formats stand in formats.py; the others are logrotate's, and only read here.
"""

import importlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Final, Protocol

from .formats import FORMAT_BY_SUFFIX, PIECE_BYTES, DamagedError, TornError

__all__ = ["PACKED_SUFFIXES", "BeyondUsError", "unpack"]

# Twice what the highest level of xz asks for; a file may ask for 4 GiB.
_XZ_MEMORY_BYTES: Final = 128 * 1024**2
# What is read at once. What is left of it is copied with each stream that begins, and
# a stream may be of some bytes.
_STREAM_READ_BYTES: Final = 64 * 1024
# What the library says of a good file of which it can't, or may not, make anything.
_XZ_LIMITS: Final = ("Memory usage limit exceeded", "Unsupported integrity check")


class BeyondUsError(DamagedError):
    """What may be a good file can't be read by this Python."""


class _Stream(Protocol):
    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unpack(
    suffix: str, file: io.FileIO, view: memoryview
) -> Iterator[memoryview] | Iterator[bytes]:
    """Yield what is in *file*, in pieces; *view* may be used for them.

    Args:
        suffix: One of `PACKED_SUFFIXES`.
        file: At its beginning.
        view: A buffer.

    Raises:
        DamagedError: It isn't compressed so; `TornError`: it ends too soon, and what
            there is came before; `BeyondUsError`: Python can't read it.
        OSError: It can't be read.
    """
    form = FORMAT_BY_SUFFIX.get(suffix)
    return _STREAMS[suffix](file) if form is None else form.unpack(file, view)


def _unpack_bz2(file: io.FileIO) -> Iterator[bytes]:
    bz2 = _imported("bz2")
    # What is wrong with the data it tells by an `OSError`.
    return _unpack_streams(file, bz2.BZ2Decompressor, (OSError,))


def _unpack_xz(file: io.FileIO) -> Iterator[bytes]:
    lzma = _imported("lzma")
    begin = partial(lzma.LZMADecompressor, memlimit=_XZ_MEMORY_BYTES)
    return _unpack_streams(file, begin, (lzma.LZMAError,))


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BeyondUsError(f"this Python has no {name}") from error


def _unpack_streams(
    file: io.FileIO, begin: Callable[[], _Stream], damage: tuple[type[Exception], ...]
) -> Iterator[bytes]:
    """Unpack one stream behind the other, until the file ends."""
    stream = begin()
    data = file.read(_STREAM_READ_BYTES)
    while data or not stream.eof:
        if stream.eof:
            stream = begin()
        if stream.needs_input and not data:
            raise TornError("ends before the end of its data")
        try:
            yield stream.decompress(data, PIECE_BYTES)
        except damage as error:
            kind = BeyondUsError if str(error) in _XZ_LIMITS else DamagedError
            raise kind(str(error)) from error
        data = b""
        if stream.eof:
            # xz may pad a stream with zeros.
            data = (stream.unused_data or file.read(_STREAM_READ_BYTES)).lstrip(b"\0")
        elif stream.needs_input:
            data = file.read(_STREAM_READ_BYTES)


_STREAMS: Final[dict[str, Callable[[io.FileIO], Iterator[bytes]]]] = {
    ".bz2": _unpack_bz2,
    ".xz": _unpack_xz,
}
PACKED_SUFFIXES: Final = frozenset({*FORMAT_BY_SUFFIX, *_STREAMS})

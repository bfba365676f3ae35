"""A compressed file that ends too soon, unpacked as far as it goes.

To prove that it is the beginning of something every byte that can be had is looked at,
so these readers give out what they have before they complain. They are slow, and
seldom needed; formats.py has the fast ones.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from .formats import DamagedError, TornError
from .unpacking import unpack

__all__ = ["announced_bytes", "unpack_to_the_tear"]

# Few, because a byte may unpack to tens of thousands.
READ_BYTES = 4096


class _Decoder(Protocol):
    """Of one stream; there may be others behind it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def unpack_to_the_tear(
    file: io.FileIO, suffix: str, view: memoryview
) -> Iterator[bytes | memoryview]:
    """Yield all that *file*, compressed as *suffix* says, unpacks to.

    Raises:
        TornError: It ends too soon; all there is was yielded before.
        DamagedError: It is damaged otherwise.
        ImportError: The library isn't installed.
    """
    file.seek(0)
    if suffix == ".gz":
        gzip_window_bits = 16 + zlib.MAX_WBITS
        damage: type[Exception] = zlib.error
        return _streams(file, lambda: zlib.decompressobj(gzip_window_bits), damage)
    if suffix == ".zst":
        import zstandard

        unpacker = zstandard.ZstdDecompressor()
        return _streams(file, unpacker.decompressobj, zstandard.ZstdError)
    # These go from block to block and keep nothing back.
    return unpack(suffix, file, view)


def announced_bytes(file: io.FileIO, suffix: str) -> int | None:
    """Return how many bytes it was to unpack to, None if it doesn't say."""
    if suffix != ".zst":
        return None
    import zstandard

    file.seek(0)
    try:
        size = zstandard.frame_content_size(file.read(READ_BYTES))
    except zstandard.ZstdError:
        return None
    return size if size >= 0 else None


def _streams(
    file: io.FileIO, begin: Callable[[], _Decoder], damage: type[Exception]
) -> Iterator[bytes]:
    decoder, is_begun, data = begin(), False, b""
    while data := data or file.read(READ_BYTES):
        try:
            chunk = decoder.decompress(data)
        except damage as error:
            raise DamagedError(str(error)) from error
        yield chunk
        is_begun, data = True, b""
        if decoder.eof:
            data = decoder.unused_data
            decoder, is_begun = begin(), False
    if is_begun:
        raise TornError("ends before the end of its data")

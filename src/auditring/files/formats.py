"""The formats of compression: how each is packed and unpacked.

Their libraries are imported where they are used, so that a process that compresses
nothing doesn't load them. Of each the calls are used that do the most without the GIL;
most of the others grow their result from a few KiB, or copy it, and take the GIL each
time. A format carries a checksum of what went in, and unpacking compares it.
"""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Literal, Protocol, cast

__all__ = [
    "CHUNK_MAX_BYTES",
    "FORMATS",
    "FORMAT_BY_SUFFIX",
    "Compression",
    "DamagedError",
    "Format",
    "Packer",
    "TornError",
]

Compression = Literal["gzip", "zstd", "lz4"]

# What is packed or unpacked in one call at most. Each call costs a busy Python thread
# two hand-overs of the GIL, so it is large.
CHUNK_MAX_BYTES = 8 * 1024**2
# What is read of a compressed file in one call.
READ_BYTES = 2 * 1024**2
# What a library copies at most, with the GIL, from its own memory into a result: some
# 0.2 ms, in which all other threads stand still.
PIECE_BYTES = 1024**2


class DamagedError(Exception):
    """What should be compressed data isn't, or ends too soon."""


class TornError(DamagedError):
    """Compressed data that is good as far as it goes, but ends too soon."""


class Packer(Protocol):
    """Packs one file, chunk by chunk; what comes out is to be written in order."""

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        """Take the next at most `CHUNK_MAX_BYTES`; they aren't needed afterwards."""
        ...

    def finish(self) -> Iterable[bytes]:
        """End the file."""
        ...


class _Unpacker(Protocol):
    def readinto(self, view: memoryview, /) -> int: ...


class _IsalPacker:
    """One gzip member of blocks, each packed in a single call.

    A block refers back to the last 32 KiB of the one before, as deflate always does.
    """

    HEADER = struct.pack("<BBBBLBB", 0x1F, 0x8B, 8, 0, 0, 0, 255)
    LAST_BLOCK = b"\x03\x00"
    WINDOW_BYTES = 32 * 1024

    def __init__(self, level: int) -> None:
        from isal import isal_zlib

        # Deflate stores what it can't compress, with a few bytes for each block.
        size = CHUNK_MAX_BYTES + CHUNK_MAX_BYTES // 8
        self._deflate = isal_zlib._ParallelCompress(size, level)
        self._combine = isal_zlib.crc32_combine
        self._pieces = [self.HEADER]
        self._window = b""
        self._crc = 0
        self._size = 0

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        block, crc = self._deflate.compress_and_crc(chunk, self._window)
        self._window = bytes(chunk[-self.WINDOW_BYTES :])
        self._crc = self._combine(self._crc, crc, len(chunk))
        self._size += len(chunk)
        pieces, self._pieces = [*self._pieces, block], []
        return pieces

    def finish(self) -> Iterable[bytes]:
        trailer = struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF)
        return [*self._pieces, self.LAST_BLOCK, trailer]


class _ZlibPacker:
    def __init__(self, level: int) -> None:
        gzip_window_bits = 16 + zlib.MAX_WBITS
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, gzip_window_bits)

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        return [self._deflate.compress(chunk)]

    def finish(self) -> Iterable[bytes]:
        return [self._deflate.flush()]


class _ZstdPacker:
    def __init__(self, size_bytes: int, level: int) -> None:
        import zstandard

        packer = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._chunker = packer.chunker(size=size_bytes, chunk_size=PIECE_BYTES)

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        return list(self._chunker.compress(chunk))

    def finish(self) -> Iterable[bytes]:
        # The stubs of zstandard leave this one method without types.
        return list(self._chunker.finish())  # type: ignore[no-untyped-call]


class _Lz4Packer:
    def __init__(self, size_bytes: int, level: int) -> None:
        from lz4 import frame  # type: ignore[import-untyped]  # it ships none

        self._frame = frame.LZ4FrameCompressor(
            block_size=frame.BLOCKSIZE_MAX256KB,
            compression_level=level,
            content_checksum=True,
        )
        self._header: list[bytes] = [self._frame.begin(size_bytes)]

    def pack(self, chunk: memoryview) -> Iterable[bytes]:
        pieces, self._header = [*self._header, self._frame.compress(chunk)], []
        return pieces

    def finish(self) -> Iterable[bytes]:
        return [*self._header, self._frame.flush()]


def _gzip_packer(size_bytes: int, level: int) -> Packer:
    # isal knows no higher level than 3. Where it isn't installed, zlib does the same,
    # slower.
    if level <= 3:
        with contextlib.suppress(ImportError, AttributeError):
            return _IsalPacker(level)
    return _ZlibPacker(level)


def _unpack_gzip(file: io.FileIO, view: memoryview) -> Iterator[memoryview]:
    import gzip

    reader: _Unpacker
    damage: list[type[Exception]] = [gzip.BadGzipFile, zlib.error]
    try:
        from isal import isal_zlib

        reader = isal_zlib._GzipReader(file, READ_BYTES)
        # Its stubs take the class for an instance of it.
        damage.append(cast(type[Exception], isal_zlib.error))
    except (ImportError, AttributeError):
        reader = gzip.GzipFile(fileobj=file, mode="rb")
    try:
        while count := reader.readinto(view):
            yield view[:count]
    except EOFError as error:
        raise TornError(str(error)) from error
    except tuple(damage) as error:
        raise DamagedError(str(error)) from error


class _ZstdSource:
    """A compressed file with a frame behind it that is skipped.

    The reader takes the end of a file for the end of the data, wherever that is. With
    the frame, what was cut off is missed: its bytes would be those of a block, which
    has at most 128 KiB, and then the header of another, which can't be all ones.
    Source: RFC 8878, 3.1.1.2 and 3.1.2.
    """

    CONTENT_BYTES = 132 * 1024
    SKIPPED = struct.pack("<LL", 0x184D2A58, CONTENT_BYTES) + b"\xff" * CONTENT_BYTES

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._tail = self.SKIPPED

    @property
    def is_used_up(self) -> bool:
        """Whether all of the file was taken for good, and more was asked for."""
        return len(self._tail) < len(self.SKIPPED)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data:
            data, self._tail = self._tail[:size], self._tail[size:]
        return data


def _unpack_zstd(file: io.FileIO, view: memoryview) -> Iterator[memoryview]:
    import zstandard

    source = _ZstdSource(file)
    reader = zstandard.ZstdDecompressor().stream_reader(
        cast(IO[bytes], source),  # it is only ever read
        read_size=READ_BYTES,
        read_across_frames=True,
    )
    try:
        while count := reader.readinto(view):
            yield view[:count]
    except zstandard.ZstdError as error:
        kind = TornError if source.is_used_up else DamagedError
        raise kind(str(error)) from error


def _unpack_lz4(file: io.FileIO, view: memoryview) -> Iterator[bytes]:
    from lz4 import frame

    context = frame.create_decompression_context()
    data = memoryview(file.read(READ_BYTES))
    is_end = False
    while data or not is_end:
        if not data:
            raise TornError("ends before the end mark")
        if is_end:  # another frame follows
            context = frame.create_decompression_context()
        try:
            chunk, used, is_end = frame.decompress_chunk(context, data, PIECE_BYTES)
        except RuntimeError as error:
            raise DamagedError(str(error)) from error
        data = data[used:] or memoryview(file.read(READ_BYTES))
        yield chunk


@dataclass(frozen=True, slots=True)
class Format:
    """How to pack and unpack; *unpack* uses the buffer it is given, or its own."""

    suffix: str
    levels: range
    default_level: int
    packer: Callable[[int, int], Packer]
    unpack: Callable[[io.FileIO, memoryview], Iterator[memoryview] | Iterator[bytes]]


FORMATS: dict[Compression, Format] = {
    "gzip": Format(".gz", range(1, 10), 1, _gzip_packer, _unpack_gzip),
    "zstd": Format(".zst", range(1, 23), 1, _ZstdPacker, _unpack_zstd),
    "lz4": Format(".lz4", range(17), 0, _Lz4Packer, _unpack_lz4),
}
FORMAT_BY_SUFFIX = {form.suffix: form for form in FORMATS.values()}

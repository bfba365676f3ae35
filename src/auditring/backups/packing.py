"""Pack, verify and compare the contents of files, in steps of some milliseconds.

Works on descriptors and a borrowed buffer; knows nothing of names, locks or backups.
"""

import contextlib
import errno
import io
import mmap
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Literal

from ..files.formats import CHUNK_MAX_BYTES, DamagedError, Format, Packer, TornError
from ..files.torn import announced_bytes, unpack_to_the_tear
from ..files.unpacking import BeyondUsError, unpack

__all__ = ["Likeness", "Pace", "buffer", "compare", "pack", "verify"]

CHUNK_MIN_BYTES = 256 * 1024
# The longest that a stop or a fork has to wait for a step of a slow level.
CHUNK_CPU_S = 0.05
# What a compressed file is to a plain one: its form, the beginning of one that nobody
# finished, or anything else, which is somebody's.
Likeness = Literal["same", "torn", "other"]

# Packed bytes that are collected before they are written.
WRITE_BYTES = 2 * 1024**2


class Pace:
    """How much to pack in one step, so that even a slow level ends each one soon.

    Told by the CPU time of the step before, because a thread of low priority may stand
    still for long.
    """

    def __init__(self) -> None:
        self.chunk_bytes = CHUNK_MIN_BYTES

    def note(self, packed_bytes: int, cpu_s: float) -> None:
        """Learn from a step that packed so many bytes in so many seconds of CPU."""
        if packed_bytes < self.chunk_bytes:
            return  # the last of a file, too little to tell
        fitting = int(packed_bytes * CHUNK_CPU_S / max(cpu_s, 1e-6))
        self.chunk_bytes = min(max(fitting, CHUNK_MIN_BYTES), CHUNK_MAX_BYTES)


def pack(
    source: int,
    size_bytes: int,
    target: int,
    packer: Packer,
    pace: Pace,
    view: memoryview,
) -> Generator[None, None, int]:
    """Write to *target* what *source* packs to; return how many bytes that is."""
    pending: list[bytes] = []
    offset = written = 0
    # Not until the end of the file: one that grows as fast would have none.
    while offset < size_bytes:
        started_s = time.thread_time()
        wanted = min(pace.chunk_bytes, size_bytes - offset)
        count = os.preadv(source, [view[:wanted]], offset)
        if not count:
            raise OSError(errno.EIO, f"{size_bytes} bytes became {offset}")
        offset += count
        pending += packer.pack(view[:count])
        if sum(map(len, pending)) >= WRITE_BYTES:
            written += _write(target, pending, written)
            pending = []
        pace.note(count, time.thread_time() - started_s)
        yield
    written += _write(target, [*pending, *packer.finish()], written)
    yield
    return written


def _write(target: int, pieces: Sequence[bytes], offset: int) -> int:
    """Write *pieces* one behind the other at *offset*; return how many bytes."""
    left = [memoryview(piece) for piece in pieces if piece]
    at = offset
    while left:
        count = os.pwritev(target, left, at)
        at += count
        while left and count >= len(left[0]):
            count -= len(left.pop(0))
        if left:
            left[0] = left[0][count:]
    return at - offset


def verify(
    made: int, size_bytes: int, form: Format, view: memoryview
) -> Iterator[None]:
    """Unpack what was made; the format's checksum and the length must fit."""
    unpacked = 0
    with io.FileIO(made, closefd=False) as file:
        for chunk in form.unpack(file, view):
            unpacked += len(chunk)
            yield
    if unpacked != size_bytes:
        raise OSError(errno.EIO, f"{size_bytes} bytes were packed, {unpacked} come out")


def compare(
    source: int, made: int, suffix: str, view: memoryview
) -> Generator[None, None, Likeness]:
    """Tell what *made* is to *source*: its form, the beginning of one, or another file.

    Args:
        source: The plain file.
        made: The other one.
        suffix: What it is compressed as, whoever did it.
        view: A buffer.

    Raises:
        OSError: One of them can't be read, so nothing is known.
        ImportError: Neither is it without the library.
    """
    if not os.fstat(made).st_size:
        return "torn"  # not even an empty file packs to nothing
    with io.FileIO(made, closefd=False) as file:
        try:
            size = yield from _equal_bytes(source, unpack(suffix, file, view))
        except TornError:
            return (yield from _compare_to_the_tear(source, file, suffix, view))
        except BeyondUsError as error:
            raise OSError(errno.ENOTSUP, str(error)) from error
        except DamagedError:
            return "other"
    return "same" if size == os.fstat(source).st_size else "other"


def _compare_to_the_tear(
    source: int, file: io.FileIO, suffix: str, view: memoryview
) -> Generator[None, None, Likeness]:
    pieces = _Counted(unpack_to_the_tear(file, suffix, view))
    try:
        size = yield from _equal_bytes(source, pieces)
    except TornError:
        # What holds nothing that can be read proves nothing, unless it announces it.
        announced = announced_bytes(file, suffix)
        is_proof = pieces.size_bytes or announced == os.fstat(source).st_size
        return "torn" if is_proof else "other"
    except DamagedError:
        return "other"
    return "same" if size == os.fstat(source).st_size else "other"


class _Counted:
    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for piece in self._pieces:
            self.size_bytes += len(piece)
            yield piece


def _equal_bytes(
    source: int, pieces: Iterable[bytes | memoryview]
) -> Generator[None, None, int]:
    """Return how many bytes *source* begins with that *pieces* are; -1: others."""
    offset = 0
    for piece in pieces:
        if bytes(piece) != os.pread(source, len(piece), offset):
            return -1
        offset += len(piece)
        yield
    return offset


@contextlib.contextmanager
def buffer() -> Iterator[memoryview]:
    """Lend a chunk of memory that goes back to the system, not into malloc's heap."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, CHUNK_MAX_BYTES, flags=flags)
    with memoryview(memory) as view:
        yield view
    memory.close()

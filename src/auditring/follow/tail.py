"""Where the last lines of a log begin, over as many files as they take."""

import io
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ..files.cursor import Cursor
from ..files.formats import DamagedError
from ..files.generation import Generation
from ..files.generations import Generations
from ..files.locate import mark_of
from ..files.unpacking import unpack
from .reader import CHUNK_BYTES

__all__ = ["cursor_before"]

_BLOCK_BYTES: Final = 64 * 1024


def cursor_before(path: str | os.PathLike[str], count: int) -> Cursor:
    """Return the place before the last *count* whole lines of the log at *path*.

    Raises:
        OSError: The log can't be read.
    """
    generations = Generations(path)
    while True:
        row = generations.settle(lambda files: files)
        try:
            return _cursor_in(row, count)
        except FileNotFoundError:
            continue  # renamed or compressed meanwhile


def _cursor_in(row: list[Generation], count: int) -> Cursor:
    missing = count
    index = len(row)
    offset = 0
    while index > 0 and (missing > 0 or index == len(row)):
        index -= 1
        found, offset = _last_lines(row[index], missing)
        missing -= found
    mark = mark_of(row[index]) if row and offset else None
    previous = next(filter(None, map(mark_of, reversed(row[:index]))), None)
    return Cursor(mark, offset if mark else 0, previous)


def _last_lines(file: Generation, count: int) -> tuple[int, int]:
    """Return how many of the last *count* lines a file has, and where they begin.

    Only where lines end is kept: they may be of any size, and none is needed here.
    """
    fd = file.open()
    try:
        # The newline before the first wanted line counts, too.
        if file.suffix:
            ends = _last_ends_packed(fd, file.suffix, count + 1)
        else:
            ends = _last_ends_plain(fd, count + 1)
    finally:
        os.close(fd)
    if len(ends) <= count:
        return len(ends), 0
    return count, min(ends)


def _last_ends_plain(fd: int, count: int) -> Sequence[int]:
    """Return the offsets behind the last *count* newlines of a file, in no order.

    It looks from the end: only the last blocks of a large file are read.
    """
    ends: list[int] = []
    start = os.fstat(fd).st_size
    while start > 0 and len(ends) < count:
        size = min(_BLOCK_BYTES, start)
        start -= size
        ends += _last_ends(os.pread(fd, size, start), start, count - len(ends))
    return ends


def _last_ends_packed(fd: int, suffix: str, count: int) -> Sequence[int]:
    """As `_last_ends_plain`, from the beginning, as there is no other way."""
    ends: deque[int] = deque(maxlen=count)
    start = 0
    view = memoryview(bytearray(CHUNK_BYTES))
    with io.FileIO(fd, closefd=False) as file, suppress(DamagedError):
        for chunk in unpack(suffix, file, view):
            ends.extend(reversed(_last_ends(bytes(chunk), start, count)))
            start += len(chunk)
    return ends


def _last_ends(block: bytes, start: int, count: int) -> list[int]:
    """Return the offsets behind the last *count* newlines of a block, backwards."""
    ends: list[int] = []
    end = len(block)
    while len(ends) < count and (end := block.rfind(b"\n", 0, end)) >= 0:
        ends.append(start + end + 1)
    return ends

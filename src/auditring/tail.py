"""Where the last lines of a log begin, over as many files as they take."""

import os
from collections import deque
from typing import Final

from .cursor import Cursor
from .generation import Generation
from .generations import Generations
from .place import mark_of
from .reader import open_reader

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
    """Return how many of the last *count* lines a file has, and where they begin."""
    fd = file.open()
    if file.suffix:
        return _last_lines_packed(fd, file.suffix, count)
    try:
        return _last_lines_plain(fd, count)
    finally:
        os.close(fd)


def _last_lines_plain(fd: int, count: int) -> tuple[int, int]:
    """Look from the end: only the last blocks of a large file are read."""
    blocks: deque[bytes] = deque()
    start = os.fstat(fd).st_size
    newlines = 0
    # The newline before the first wanted line counts, too.
    while start > 0 and newlines <= count:
        size = min(_BLOCK_BYTES, start)
        start -= size
        blocks.appendleft(os.pread(fd, size, start))
        newlines += blocks[0].count(b"\n")
    return _lines_in(b"".join(blocks), start, count)


def _last_lines_packed(fd: int, suffix: str, count: int) -> tuple[int, int]:
    """Look from the beginning, as there is no other way, and keep what may be last."""
    kept: deque[tuple[bytes, int]] = deque()
    newlines = 0
    reader = open_reader(fd, suffix, 0)
    try:
        while chunk := reader.read():
            kept.append((chunk, chunk.count(b"\n")))
            newlines += kept[-1][1]
            while newlines - kept[0][1] > count:
                newlines -= kept.popleft()[1]
        data = b"".join(chunk for chunk, _ in kept)
        return _lines_in(data, reader.offset - len(data), count)
    finally:
        reader.close()


def _lines_in(data: bytes, start: int, count: int) -> tuple[int, int]:
    """Return how many of the last *count* lines *data* has, and where they begin.

    *data* is the end of a file, and holds a newline before the lines that are wanted if
    there is one; *start* is its offset.
    """
    end = data.rfind(b"\n") + 1
    found = 0
    while found < count and end > 0:
        end = data.rfind(b"\n", 0, end - 1) + 1
        found += 1
    return found, start + end

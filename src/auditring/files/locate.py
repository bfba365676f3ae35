"""Which file of a log a cursor is in: marks are compared with what files begin with."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..process._nativethread import close
from .beginning import digest, prefix_of
from .cursor import PREFIX_BYTES, Cursor, Mark
from .generation import Generation

__all__ = ["Place", "find", "mark_of", "place_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a row of generations a cursor is.

    Attributes:
        index: Of the first generation that may hold something behind it; their number,
            if there is none.
        is_inside: The cursor is in that one. Else it is before it.
        is_certain: Nothing is missing between the cursor and what is there.
    """

    index: int
    is_inside: bool
    is_certain: bool


def place_of(generations: Sequence[Generation], cursor: Cursor) -> Place:
    """Find the place of *cursor* among *generations*, the oldest first.

    Raises:
        FileNotFoundError: They aren't there any more as they were seen.
        OSError: One can't be read.
    """
    if cursor.mark is not None:
        index = find(generations, cursor.mark)
        if index is not None:
            return Place(index, is_inside=True, is_certain=True)
    if cursor.previous is not None:
        index = find(generations, cursor.previous)
        if index is not None:
            is_certain = cursor.mark is None
            return Place(index + 1, is_inside=False, is_certain=is_certain)
    if cursor.previous is None:  # There was nothing before.
        return Place(0, is_inside=False, is_certain=cursor.mark is None)
    anchor = cursor.mark or cursor.previous
    since = _first_written_since(generations, anchor.mtime_ns)
    return Place(since, is_inside=False, is_certain=False)


def find(generations: Sequence[Generation], mark: Mark) -> int | None:
    """Return the index of the one that has *mark*, None if none has.

    Raises:
        FileNotFoundError, OSError: As `place_of` does.
    """
    for index in _candidates(generations, mark):
        if _has_mark(generations[index], mark):
            return index
    return None


def _candidates(generations: Sequence[Generation], mark: Mark) -> Iterator[int]:
    """Yield the indices of *generations*, the likely ones first."""
    for index, generation in enumerate(generations):
        if generation.inode == mark.inode and _written_ns(generation) == mark.mtime_ns:
            yield index
    # Should files begin alike, it is the oldest of those that are new enough.
    since = _first_written_since(generations, mark.mtime_ns)
    yield from range(since, len(generations))
    # A clock that was put back makes a file look older than it is.
    yield from reversed(range(since))


def _first_written_since(generations: Sequence[Generation], mtime_ns: int) -> int:
    index = len(generations)
    while index > 0 and _written_ns(generations[index - 1]) >= mtime_ns:
        index -= 1
    return index


def _written_ns(generation: Generation) -> int:
    return generation.status().st_mtime_ns


def _has_mark(generation: Generation, mark: Mark) -> bool:
    fd = generation.open()
    try:
        prefix = prefix_of(fd, generation.suffix, mark.prefix_bytes)
    finally:
        close(fd)
    return len(prefix) == mark.prefix_bytes and digest(prefix) == mark.sha256


def mark_of(generation: Generation) -> Mark | None:
    """Return what a backup is known by, None if it is empty.

    Raises:
        FileNotFoundError, OSError: As `place_of` does.
    """
    fd = generation.open()
    try:
        prefix = prefix_of(fd, generation.suffix, PREFIX_BYTES)
        status = os.fstat(fd)
    finally:
        close(fd)
    if not prefix:
        return None
    return Mark(digest(prefix), len(prefix), status.st_ino, status.st_mtime_ns)

"""A follower reads a log line by line, across rotations, compression and restarts.

A line is bytes that end with a newline; what it says is no matter here. How files are
found stands in generations.py, how a cursor finds its file again in place.py, how one
file is read in reader.py. Here is what makes one row of them:

- The file that is read is left when a later one has content. A writer renames before it
  makes the next file, and finishes what a dead one left before it writes: so nothing
  comes to a file any more once there is a line in a later one.
- Then it is read once more to its end, as that line may have been seen after it.
- The cursor is in the file of the last line that was returned, so an empty file, or
  half a line, is never a place to come back to.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from ..documents.linesplitter import LINE_MAX_BYTES, too_long
from ..files.cursor import Cursor
from ..files.generation import Generation
from ..files.generations import Generations
from ..files.locate import find, mark_of, place_of
from .reader import (
    CHUNK_BYTES,
    CutError,
    PlainReader,
    Reader,
    end_of_lines,
    open_reader,
)

__all__ = ["FollowCounters", "Follower", "Start"]

# Between two looks at a file that doesn't grow; doubled from one to the next.
_PAUSE_MIN_S: Final = 0.005
_PAUSE_MAX_S: Final = 0.1
# Between two looks at the directory while there is no live file, or an empty one.
_LOOK_S: Final = 1.0

Start = Literal["beginning", "end"]


@dataclass(slots=True)
class FollowCounters:
    """What a follower met since it was made.

    Attributes:
        files: Files that lines were taken from, or that were empty.
        size_bytes: Bytes of the lines that were returned.
        cuts: Times that somebody cut the file or wrote it anew, as copytruncate does.
        gone: Times that a file was gone, and others perhaps with it.
        torn: Halves of lines at the end of a backup, which are left out.
        damaged: Compressed backups that could not be read to their end.
        oversize: Lines that are longer than may be, and were left out.
    """

    files: int = 0
    size_bytes: int = 0
    cuts: int = 0
    gone: int = 0
    torn: int = 0
    damaged: int = 0
    oversize: int = 0


class Follower:
    """Reads a log from a cursor on.

    Thread-safety: one thread at a time.

    Attributes:
        cursor: The place behind the last lines that were returned.
        counters: What was met.
        begins_mid_line: The cursor to begin with is in the middle of a line; known
            with the first lines.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        cursor: Cursor | str | None = None,
        *,
        start: Start = "beginning",
        wait: bool = True,
        pause: Callable[[float], bool] | None = None,
        on_notice: Callable[[str], object] | None = None,
        max_line_bytes: int = LINE_MAX_BYTES,
    ) -> None:
        """Prepare to follow the log at *path*; with ``start="end"`` look for its end.

        Args:
            path: The live file. It needn't exist; its directory must.
            cursor: Where to go on, as a `Cursor` or its JSON; None: at *start*.
            start: ``"beginning"`` is that of the oldest backup, ``"end"`` is behind the
                last whole line.
            wait: Wait for more lines at the end; else `chunks` ends there.
            pause: Waits for at most so many seconds and tells whether to go on; None
                sleeps and goes on.
            on_notice: Called with a line of text when lines may be missing.
            max_line_bytes: Longer lines, without their newlines, are left out, counted
                and told to *on_notice*; 1 MiB at least.

        Raises:
            ValueError: A wrong *start*, or limit.
            CursorError: Text that is no cursor.
            OSError: *path* is no regular file, or can't be read.
        """
        if start not in ("beginning", "end"):
            raise ValueError(f"start: expected 'beginning' or 'end', got {start!r}")
        if isinstance(cursor, str):
            cursor = Cursor.from_json(cursor)
        if max_line_bytes < CHUNK_BYTES:
            raise ValueError(
                f"max_line_bytes: expected at least {CHUNK_BYTES}, got {max_line_bytes}"
            )
        self.cursor = cursor or Cursor()
        self.counters = FollowCounters()
        self.begins_mid_line = False
        self._generations = Generations(path)
        self._wait = wait
        self._pause = pause or _sleep
        self._on_notice = on_notice
        self._max_line_bytes = max_line_bytes
        self._reader: Reader | None = None
        self._previous = self.cursor.previous
        # What comes after the file that is read now, once a later one has content.
        self._successors: list[Generation] = []
        # What the last look found of the cursor's place.
        self._is_inside = False
        self._is_certain = True
        self._next_look_s = 0.0
        _refuse_special(self._generations.live)
        if cursor is None and start == "end":
            self._begin_at_end()

    def chunks(self) -> Iterator[tuple[bytes, Cursor]]:
        """Yield whole lines, some 1 MiB at once, and the cursor behind them.

        Raises:
            OSError: The log can't be read.
        """
        pause_s = _PAUSE_MIN_S
        try:
            while True:
                lines = self._read()
                if lines:
                    pause_s = _PAUSE_MIN_S
                    yield lines, self.cursor
                elif self._go_on():
                    pause_s = _PAUSE_MIN_S
                elif self._wait and self._pause(pause_s):
                    pause_s = min(2 * pause_s, _PAUSE_MAX_S)
                else:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Close the file that is being read; a second call does nothing."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    # Within one file.

    def _read(self) -> bytes:
        reader = self._reader
        if reader is None:
            return b""
        try:
            lines = reader.read()
        except CutError:
            assert isinstance(reader, PlainReader)
            self._find_rest(reader)
            return self._read()
        if lines:
            self.cursor = Cursor(reader.mark(), reader.offset, self._previous)
            self.counters.size_bytes += len(lines)
        return lines

    def _find_rest(self, reader: PlainReader) -> None:
        """Go on after somebody cut the file that is being read."""
        self.counters.cuts += 1
        if not reader.is_begun_anew():
            self._notice("was cut at its end: lines may be missing")
            reader.skip_to_end()
            return
        # Whoever truncates a file usually copied it before.
        copies = self._generations.settle(self._find_copy)
        copy = self._open(copies[0], self.cursor.offset) if copies else None
        if copy is None:
            self._notice("was truncated: lines may be missing")
            reader.begin_anew()
        else:
            self._notice("was truncated: lines behind its copy may be missing")
            self._enter(copy)
            reader.close()

    def _find_copy(self, files: Sequence[Generation]) -> Sequence[Generation]:
        if self.cursor.mark is None:
            return []
        index = find(files, self.cursor.mark)
        return [] if index is None else [files[index]]

    def _is_live(self, reader: Reader) -> bool:
        try:
            return reader.is_file(os.stat(self._generations.live))
        except FileNotFoundError:
            return False

    # From file to file.

    def _go_on(self) -> bool:
        """Do what is to be done where nothing more can be read.

        Returns:
            Whether there may be something to read now.
        """
        reader = self._reader
        if reader is None:
            return self._is_look_due() and self._begin()
        if self._successors:
            self._leave(reader)
            return True
        if self._is_live(reader) or not self._is_look_due():
            return False
        self._successors = self._generations.settle(self._find_successors)
        return bool(self._successors)

    def _is_look_due(self) -> bool:
        """Keep looks at a directory in which nothing happens from costing much."""
        now_s = time.monotonic()
        if self._wait and now_s < self._next_look_s and not self._has_live_content():
            return False
        self._next_look_s = now_s + _LOOK_S
        return True

    def _has_live_content(self) -> bool:
        try:
            return os.stat(self._generations.live).st_size > 0
        except FileNotFoundError:
            return False

    def _begin(self) -> bool:
        """Enter the file that the cursor is in, or the next one."""
        files = self._generations.settle(self._find_first)
        if not files:
            return False
        reader = self._open(files[0], self.cursor.offset if self._is_inside else 0)
        if reader is None:
            return True
        self._enter(reader)
        self.begins_mid_line = reader.begins_mid_line
        if not self._is_inside:
            self._pass_by()
        self._tell_gaps()
        return True

    def _find_first(self, files: Sequence[Generation]) -> Sequence[Generation]:
        place = place_of(files, self.cursor)
        self._is_inside = place.is_inside
        self._is_certain = place.is_certain
        return files[place.index : place.index + 1]

    def _find_successors(self, files: Sequence[Generation]) -> Sequence[Generation]:
        """Find the files that come next, up to the last one that has content."""
        later = files[self._index_behind(files) :]
        while later and not _has_content(later[-1]):
            later = later[:-1]
        return later

    def _index_behind(self, files: Sequence[Generation]) -> int:
        """Return the index behind the file that is read now."""
        assert self._reader is not None
        self._is_certain = True
        for index, file in enumerate(files):
            if self._reader.inode == file.inode:
                return index + 1
        # It is compressed by now, or gone.
        place = place_of(files, self.cursor)
        self._is_certain = place.is_certain
        return place.index + place.is_inside

    def _leave(self, before: Reader) -> None:
        """Enter the next file; *before* has been read to its end."""
        reader = self._open(self._successors.pop(0), 0)
        if reader is None:
            self._successors = []  # Renamed or compressed just now: to be found anew.
            return
        self._enter(reader)
        self._pass_by()
        self._tell_end(before)
        before.close()

    def _pass_by(self) -> None:
        """Note what is before the file that is read now, unless it is gone."""
        if self._is_certain:
            self._previous = self.cursor.mark or self.cursor.previous

    def _enter(self, reader: Reader) -> None:
        self._reader = reader
        self.counters.files += 1

    def _begin_at_end(self) -> None:
        files = self._generations.settle(self._find_end)
        live = files[0].open() if files else None
        self.cursor = Cursor(previous=self._previous)
        if live is not None:
            reader = self._reader_of(files[0], live, end_of_lines(live))
            self._enter(reader)
            if reader.offset:
                self.cursor = Cursor(reader.mark(), reader.offset, self._previous)

    def _find_end(self, files: Sequence[Generation]) -> Sequence[Generation]:
        """Find the live file, and the mark of the newest backup that isn't empty."""
        backups = [file for file in files if file.backup is not None]
        marks = (mark_of(backup) for backup in reversed(backups))
        self._previous = next((mark for mark in marks if mark is not None), None)
        return files[len(backups) :]

    def _open(self, file: Generation, offset: int) -> Reader | None:
        """Begin to read *file*, or return None if it isn't there any more."""
        try:
            fd = file.open()
        except FileNotFoundError:
            return None
        return self._reader_of(file, fd, offset)

    def _reader_of(self, file: Generation, fd: int, offset: int) -> Reader:
        on_long = partial(self._tell_long, os.path.basename(file.path))
        return open_reader(fd, file.suffix, offset, on_long, self._max_line_bytes)

    # Telling.

    def _tell_long(self, name: str, offset: int, size: int) -> None:
        self.counters.oversize += 1
        told = too_long(size, self._max_line_bytes)
        self._notice(f"{told} (in {name}, at byte {offset})")

    def _tell_end(self, reader: Reader) -> None:
        if reader.damage:
            self.counters.damaged += 1
            self._notice(f"a backup is damaged ({reader.damage}): lines are missing")
        if reader.rest_bytes():
            self.counters.torn += 1
            self._notice("half a line at the end of a backup is left out")
        self._tell_gaps()

    def _tell_gaps(self) -> None:
        if not self._is_certain:
            self._is_certain = True
            self.counters.gone += 1
            self._notice("a file is gone, lines may be missing with it")

    def _notice(self, text: str) -> None:
        if self._on_notice is not None:
            self._on_notice(f"{self._generations.live}: {text}")


def _has_content(file: Generation) -> bool:
    return bool(file.suffix) or file.status().st_size > 0


def _refuse_special(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", path)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True

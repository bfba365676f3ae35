"""Reads whole lines out of one file of a log, plain or compressed, from an offset on.

A reader holds its file open, so it goes on when the file is renamed, compressed or
removed meanwhile. What stands behind the last newline is kept back: it may be the
beginning of a line. A line that is longer than a limit is left out and told: anybody
may have written it, and nobody has the memory for it.
"""

import io
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from ..documents.linesplitter import LINE_MAX_BYTES
from ..files.beginning import digest, prefix_of
from ..files.cursor import PREFIX_BYTES, Mark
from ..files.formats import DamagedError
from ..files.unpacking import unpack
from ..process._nativethread import close

__all__ = [
    "CHUNK_BYTES",
    "CutError",
    "OnLong",
    "PackedReader",
    "PlainReader",
    "Reader",
    "end_of_lines",
    "open_reader",
]

# What is read at once: large enough to make the calls cheap, small enough that a
# sidecar may save its cursor behind each.
CHUNK_BYTES: Final = 1024**2

OnLong = Callable[[int, int], object]
"""Called with offset and size, without its newline, of a line that is left out."""


class CutError(Exception):
    """A file is shorter than what was read of it, or begins with other bytes now."""


class Reader(Protocol):
    """Reads the lines of one file.

    Attributes:
        offset: Bytes of the file, uncompressed, that `read` returned or left out, or
            that it was told to pass over.
        begins_mid_line: What it was told to pass over ends in the middle of a line.
        inode: The number of the file, which nobody else has while it is open.
        damage: What is wrong with the file, "" if nothing was found to be.
    """

    offset: int
    begins_mid_line: bool
    inode: int
    damage: str

    def read(self) -> bytes:
        """Return the next whole lines, some 1 MiB of them, b"" if there are none now.

        What stands behind the offset that was before, and isn't returned, is left out.

        Raises:
            CutError: Somebody cut the file or wrote it anew.
            OSError: It can't be read.
        """
        ...

    def rest_bytes(self) -> int:
        """Return how much stands behind the last newline."""
        ...

    def mark(self) -> Mark:
        """Return what the file is known by; only with an *offset* above 0."""
        ...

    def is_file(self, status: os.stat_result) -> bool:
        """Tell whether *status* is that of the file."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_reader(
    fd: int,
    suffix: str,
    offset: int,
    on_long: OnLong = lambda offset, size: None,
    max_line_bytes: int = LINE_MAX_BYTES,
) -> Reader:
    """Begin to read a file.

    Args:
        fd: Its descriptor, which belongs to the reader from now on.
        suffix: The suffix of its name that tells of its compression, or "".
        offset: Bytes, uncompressed, to pass over.
        on_long: Told of each line that is left out.
        max_line_bytes: How long a line may be, without its newline; `CHUNK_BYTES` at
            least.

    Raises:
        OSError: It can't be read; *fd* is closed.
    """
    try:
        if suffix:
            return PackedReader(fd, suffix, offset, on_long, max_line_bytes)
        return PlainReader(fd, offset, on_long, max_line_bytes)
    except BaseException:
        close(fd)
        raise


def end_of_lines(fd: int) -> int:
    """Return where the last whole line of a plain file ends, 0 if it has none."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(end - CHUNK_BYTES, 0)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


class _Marked:
    """What both readers know of their file."""

    def __init__(
        self, fd: int, suffix: str, offset: int, on_long: OnLong, max_line_bytes: int
    ) -> None:
        self.offset = offset
        self.begins_mid_line = False
        self.damage = ""
        self.inode = os.fstat(fd).st_ino
        self._fd = fd
        self._prefix = prefix_of(fd, suffix, min(offset, PREFIX_BYTES))
        self._digest = ""
        self._on_long = on_long
        self._max_line_bytes = max_line_bytes

    def mark(self) -> Mark:
        if not self._digest:
            self._digest = digest(self._prefix)
        status = os.fstat(self._fd)
        return Mark(self._digest, len(self._prefix), status.st_ino, status.st_mtime_ns)

    def is_file(self, status: os.stat_result) -> bool:
        return os.path.samestat(os.fstat(self._fd), status)

    def close(self) -> None:
        close(self._fd)

    def _advance(self, data: bytes, size: int) -> None:
        """Note that *size* bytes were taken, which begin with *data*.

        That is all of them, or at least `PREFIX_BYTES`.
        """
        missing = PREFIX_BYTES - len(self._prefix)
        if missing:
            self._prefix += data[:missing]
            self._digest = ""
        self.offset += size

    def _leave_out(self, head: bytes, size: int) -> None:
        """Pass over a line that begins with *head*; *size* is with its newline."""
        offset = self.offset
        self._advance(head, size)
        self._on_long(offset, size - 1)


class PlainReader(_Marked):
    """Reads a file that may still grow."""

    def __init__(
        self, fd: int, offset: int, on_long: OnLong, max_line_bytes: int
    ) -> None:
        super().__init__(fd, "", offset, on_long, max_line_bytes)
        if offset:
            self.begins_mid_line = os.pread(fd, 1, offset - 1) != b"\n"
        self._size = -1  # of the file, when the last read found no newline in the rest
        # From the offset to here there was none, when it was looked at.
        self._seen = offset

    def read(self) -> bytes:
        """As `Reader.read`."""
        size = os.fstat(self._fd).st_size
        lines = b"" if size == self._size else self._read_lines()
        # Afterwards: what was read is what was meant if the file is still the same.
        self._check()
        if not lines:
            self._size = size
        self._advance(lines, len(lines))
        return lines

    def _read_lines(self) -> bytes:
        self._seen = max(self._seen, self.offset)
        while data := os.pread(self._fd, CHUNK_BYTES, self._seen):
            first = data.find(b"\n")
            if first < 0:
                self._seen += len(data)
            elif self._seen - self.offset + first > self._max_line_bytes:
                self._leave_out_line()
            elif self._seen == self.offset:
                return data[: data.rfind(b"\n") + 1]
            else:
                end = self._seen + data.rfind(b"\n") + 1
                return os.pread(self._fd, end - self.offset, self.offset)
        return b""

    def _leave_out_line(self) -> None:
        # What was seen may have been cut off, and other lines be there: look again.
        end = self._end_of_line()
        if end - 1 - self.offset > self._max_line_bytes:
            head = os.pread(self._fd, PREFIX_BYTES, self.offset)
            self._leave_out(head, end - self.offset)
        self._seen = self.offset

    def _end_of_line(self) -> int:
        """Return the offset behind the next newline, or the one here without any."""
        start = self.offset
        while data := os.pread(self._fd, CHUNK_BYTES, start):
            first = data.find(b"\n")
            if first >= 0:
                return start + first + 1
            start += len(data)
        return self.offset

    def _check(self) -> None:
        if os.fstat(self._fd).st_size < self.offset:
            raise CutError
        if self._prefix and os.pread(self._fd, len(self._prefix), 0) != self._prefix:
            raise CutError

    def rest_bytes(self) -> int:
        """As `Reader.rest_bytes`."""
        return max(os.fstat(self._fd).st_size - self.offset, 0)

    def is_begun_anew(self) -> bool:
        """After `CutError`: tell whether it holds other lines now.

        Else it only lacks its end, and `skip_to_end` goes on there.
        """
        beginning = os.pread(self._fd, len(self._prefix), 0)
        # Less than a line may be the beginning of another one.
        is_enough = b"\n" in beginning or beginning == self._prefix
        return not (is_enough and self._prefix.startswith(beginning))

    def skip_to_end(self) -> None:
        """Pass over all that is there."""
        self.offset = self._seen = os.fstat(self._fd).st_size
        self._prefix = self._prefix[: self.offset]
        self._digest = ""
        self._size = -1

    def begin_anew(self) -> None:
        """Read it from its beginning."""
        self.offset = self._seen = 0
        self._prefix = b""
        self._digest = ""
        self._size = -1


class PackedReader(_Marked):
    """Reads a compressed file, which is complete."""

    def __init__(
        self, fd: int, suffix: str, offset: int, on_long: OnLong, max_line_bytes: int
    ) -> None:
        super().__init__(fd, suffix, offset, on_long, max_line_bytes)
        file = io.FileIO(fd, closefd=False)
        file.seek(0)
        view = memoryview(bytearray(CHUNK_BYTES))
        self._chunks = self._unpack(suffix, file, view)
        # Of a line whose end didn't come yet: all, unless it is too long; its first
        # bytes; its size so far.
        self._pieces: list[bytes] = []
        self._head = b""
        self._rest_size = 0
        if offset:
            self._pass_over(offset)

    def read(self) -> bytes:
        """As `Reader.read`."""
        for data in self._chunks:
            lines = self._take(data)
            if lines:
                return lines
        return b""

    def _take(self, data: bytes) -> bytes:
        """Take what comes next of the file; return the lines that end in it."""
        first = data.find(b"\n")
        if first >= 0 and self._rest_size + first > self._max_line_bytes:
            self._keep(data[:first])
            self._leave_out(self._head, self._rest_size + 1)
            self._forget_rest()
            data = data[first + 1 :]
        end = data.rfind(b"\n") + 1
        lines = b"".join([*self._pieces, data[:end]]) if end else b""
        if end:
            self._advance(lines, len(lines))
            self._forget_rest()
        self._keep(data[end:])
        return lines

    def _keep(self, piece: bytes) -> None:
        self._rest_size += len(piece)
        if len(self._head) < PREFIX_BYTES:
            self._head += piece[: PREFIX_BYTES - len(self._head)]
        if self._rest_size <= self._max_line_bytes:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _forget_rest(self) -> None:
        self._pieces = []
        self._head = b""
        self._rest_size = 0

    def rest_bytes(self) -> int:
        """As `Reader.rest_bytes`."""
        return self._rest_size

    def _unpack(
        self, suffix: str, file: io.FileIO, view: memoryview
    ) -> Iterator[bytes]:
        try:
            for chunk in unpack(suffix, file, view):
                yield bytes(chunk)
        except DamagedError as error:
            self.damage = str(error)

    def _pass_over(self, offset: int) -> None:
        left = offset
        for data in self._chunks:
            if len(data) >= left:
                self.begins_mid_line = data[left - 1 : left] != b"\n"
                self._chunks = itertools.chain([data[left:]], self._chunks)
                return
            left -= len(data)
        self.damage = self.damage or f"ends {left} bytes before the cursor"

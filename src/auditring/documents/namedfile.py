"""Reads a file that somebody named: a configuration, a policy, a key, a cursor.

A name may be that of anything. A FIFO that nobody writes to is waited for, and that is
for ever; a device has no end, or does something when it is opened; and a file may be
larger than the memory. So only a regular file is read, up to a limit; all else is
refused before it is opened, and once more afterwards, should it be another by then.
A name of a descriptor that is open already, as a shell's ``<(...)`` has it, may be a
pipe: whoever gave it to the process writes to it, or has ended.
"""

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, cast

from ..process._nativethread import close

__all__ = [
    "NAMED_FILE_MAX_BYTES",
    "argument_chunks",
    "open_named",
    "read_argument",
    "read_named",
    "refuse_special",
]

NAMED_FILE_MAX_BYTES: Final = 16 * 1024**2
"""What is read of a file in one piece at most; larger ones are refused."""

_READ_BYTES: Final = 1024**2
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DESCRIPTOR: Final = re.compile(r"/dev/(?:stdin|fd/(\d+))|/proc/self/fd/(\d+)")
_KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_named(
    path: str | os.PathLike[str],
    *,
    limit_bytes: int = NAMED_FILE_MAX_BYTES,
    may_be_pipe: bool = False,
) -> bytes:
    """Return all that a file holds.

    Args:
        path: Its name.
        limit_bytes: How much that may be.
        may_be_pipe: Take the name of a descriptor of this process for what it is.

    Raises:
        OSError: It is no regular file, is too large, or can't be read.
    """
    fd = open_named(path, may_be_pipe=may_be_pipe)
    try:
        return _read(partial(os.read, fd), limit_bytes, os.fspath(path))
    finally:
        close(fd)


def read_argument(name: str) -> bytes:
    """Return what a command is told to read: ``-`` is standard input.

    Raises:
        OSError: As `read_named` does.
    """
    if name != "-":
        return read_named(name, may_be_pipe=True)
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed", name)
    return _read(sys.stdin.buffer.read, NAMED_FILE_MAX_BYTES, name)


def argument_chunks(name: str) -> Iterator[bytes]:
    """Yield what `read_argument` would return, as it comes, and without its limit."""
    if name == "-":
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed", name)
        # Not more than what is there: a person may wait for the answer to a line.
        read1 = cast(io.BufferedReader, sys.stdin.buffer).read1
        yield from iter(partial(read1, _READ_BYTES), b"")
        return
    fd = open_named(name, may_be_pipe=True)
    try:
        yield from iter(partial(os.read, fd, _READ_BYTES), b"")
    finally:
        close(fd)


def _read(read: Callable[[int], bytes], limit_bytes: int, path: str) -> bytes:
    pieces = []
    left = limit_bytes + 1
    while left and (piece := read(min(left, _READ_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    if not left:
        raise OSError(errno.EFBIG, f"it has more than {limit_bytes} bytes", path)
    return b"".join(pieces)


def open_named(path: str | os.PathLike[str], *, may_be_pipe: bool = False) -> int:
    """Open a file to read it, as `read_named` does; the descriptor is the caller's.

    Raises:
        OSError: It is no regular file, or can't be opened.
    """
    name = os.fspath(path)
    match = _DESCRIPTOR.fullmatch(name) if may_be_pipe else None
    if match is not None:
        return os.dup(int(match[1] or match[2] or 0))
    refuse_special(name, os.stat(name))
    fd = os.open(name, _FLAGS)
    try:
        refuse_special(name, os.fstat(fd))
    except OSError:
        close(fd)
        raise
    return fd


def refuse_special(path: str, status: os.stat_result) -> None:
    """Raise if *status*, which is that of *path*, is of something else than a file.

    Raises:
        OSError: It says what it is.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if kind != stat.S_IFREG:
        told = f"it is {_KINDS.get(kind, 'special')}, not a regular file"
        raise OSError(errno.EINVAL, told, path)

"""Lines written to the file past the ring: those that no ring holds, or when it's over.

Nothing here keeps an order with lines in a ring; who calls flushes it before. Others
may be at the file: a line is never put behind one that is still being written.
"""

import contextlib
import os
import time
from typing import Final

from .ownership import give_to_owner

__all__ = ["append_line", "write_whole"]

# A leader whose disk was full goes on with its batch within a second. A last line that
# lacks its end for longer was left by somebody who is gone.
UNFINISHED_LIMIT_S: Final = 2.0
# Short, because a signal handler that logs may be called again meanwhile.
_POLL_S: Final = 0.0002


def append_line(path: str, line: bytes, mode: int) -> None:
    """Write a line to the end of the file at *path*; one that is made has *mode*.

    A file that others removed meanwhile is left for the one that has the name now.

    Raises:
        OSError: It can't be opened or written. A part of the line may be there.
    """
    is_kept = False
    while not is_kept:
        fd = _open_to_append(path, mode)
        try:
            write_whole(fd, line if _await_end_of_line(fd) else b"\n" + line)
            status = os.fstat(fd)
            if status.st_size == len(line) and status.st_uid == 0:
                give_to_owner(fd, os.path.dirname(path))
            is_kept = status.st_nlink > 0
        finally:
            os.close(fd)


def write_whole(fd: int, line: bytes) -> None:
    """Write all of a line, in as many calls as it takes."""
    left = memoryview(line)
    while left:
        left = left[os.write(fd, left) :]


def _open_to_append(path: str, mode: int) -> int:
    flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    with contextlib.suppress(PermissionError):
        return os.open(path, os.O_RDWR | flags, mode)
    return os.open(path, os.O_WRONLY | flags, mode)


def _await_end_of_line(fd: int) -> bool:
    """Wait while the last line grows; tell whether it has its end."""
    size, since_s = -1, 0.0
    while _is_unfinished(fd):
        now_s, now_size = time.monotonic(), os.fstat(fd).st_size
        if now_size != size:
            size, since_s = now_size, now_s
        elif now_s - since_s > UNFINISHED_LIMIT_S:
            return False
        time.sleep(_POLL_S)
    return True


def _is_unfinished(fd: int) -> bool:
    size = os.fstat(fd).st_size
    try:
        return size > 0 and os.pread(fd, 1, size - 1) not in (b"\n", b"")
    except OSError:  # it may be written to only, or is no file
        return False

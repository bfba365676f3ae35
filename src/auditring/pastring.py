"""Lines written to the file past the ring: those that no ring holds, or when it's over.

Nothing here keeps an order with lines in a ring; who calls flushes it before.
"""

import os

from .ownership import give_to_owner

__all__ = ["append_line", "write_whole"]


def append_line(path: str, line: bytes, mode: int) -> None:
    """Write a line to the end of the file at *path*; one that is made has *mode*.

    A file that others removed meanwhile is left for the one that has the name now.

    Raises:
        OSError: It can't be opened or written. A part of the line may be there.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    is_kept = False
    while not is_kept:
        fd = os.open(path, flags, mode)
        try:
            write_whole(fd, line)
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

"""Lines written to the file past the ring: those that no ring holds, or when it's over.

Nothing here keeps an order with lines in a ring; who calls flushes it before. Who else
may be at the file, and who waits for whom, stands in csrc/appending.h: each line is
there as a whole, or its writer is told. The waiting is done here.
"""

import contextlib
import errno
import os
import sys
import time
from typing import Final

from ..process._nativethread import close
from ..process.cooperation import pause
from ..ring._writer import LOOP_LIMIT_S, append_line
from ..ring.ownership import give_to_owner

__all__ = ["append_to_file", "append_to_open_file", "write_whole"]

# A leader whose disk was full goes on with its batch within a second. A last line that
# lacks its end for longer was left by somebody who is gone; one who has the lock for
# longer doesn't get on.
PATIENCE_S: Final = 2.0
# Short, because a signal handler that logs may be called again meanwhile.
_POLL_S: Final = 0.0002

# Logs whose file somebody else had for too long: not waited for again until it's free.
_given_up: set[str] = set()


def append_to_file(path: str, line: bytes, mode: int) -> None:
    """Write a line to the end of the file at *path*; one that is made has *mode*.

    A file that others removed or renamed is left for the one that has the name now.

    Raises:
        OSError: It can't be opened or written, or somebody who doesn't get on is in the
            middle of a line. Nothing of the line is there, unless the file system is
            one that can't make room beforehand.
    """
    path = os.path.realpath(path)
    name = os.fsencode(path)
    wait = _Wait(path)
    while True:
        fd = _open_to_append(path, mode)
        try:
            error = append_line(fd, line, name, False, wait.ends_torn)
            status = os.fstat(fd)
            if error == 0 and status.st_size == len(line) and status.st_uid == 0:
                give_to_owner(fd, os.path.dirname(path))
        finally:
            close(fd)
        if error == 0:
            _given_up.discard(path)
            return
        wait.go_on(error, status.st_size)


def append_to_open_file(fd: int, path: str, line: bytes, *, is_moved_too: bool) -> None:
    """Write a line to the end of a file that other processes may have open, too.

    Args:
        fd: The file, from when this process had the right to open it.
        path: Its name, which it may have no more.
        line: The line.
        is_moved_too: Also if it was renamed.

    Raises:
        OSError: As of `append_to_file`. ESTALE: it was renamed.
    """
    path = os.path.realpath(path)
    name = None if is_moved_too else os.fsencode(path)
    wait = _Wait(path)
    while error := append_line(fd, line, name, True, wait.ends_torn):
        if error == errno.ESTALE:
            raise OSError(error, "it was rotated, and the new file can't be opened")
        wait.go_on(error, os.fstat(fd).st_size)
    _given_up.discard(path)


def write_whole(fd: int, line: bytes) -> None:
    """Write all of a line, in as many calls as it takes."""
    left = memoryview(line)
    while left:
        left = left[os.write(fd, left) :]


class _Wait:
    """A wait until nobody else is in the middle of a line."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._begin_s = self._changed_s = time.monotonic()
        self._size = -1
        self.ends_torn = False

    def go_on(self, error: int, size: int) -> None:
        """Wait a moment, as *error* demands; raise it if that won't help."""
        match error:
            case errno.EAGAIN:
                self._await_lock()
            case errno.EBUSY:
                self._await_end_of_line(size)
            case errno.ESTALE:
                return  # there is another file at once
            case _:
                raise OSError(error, os.strerror(error), self._path)
        pause(_POLL_S)

    def _await_lock(self) -> None:
        limit_s = 0.0 if self._path in _given_up else _patience_s()
        if time.monotonic() - self._begin_s >= limit_s:
            _given_up.add(self._path)
            text = "who writes the file doesn't get on"
            raise OSError(errno.EAGAIN, text, self._path)

    def _await_end_of_line(self, size: int) -> None:
        now_s = time.monotonic()
        if size != self._size:
            self._size, self._changed_s = size, now_s
        self.ends_torn = now_s - self._changed_s >= _patience_s()


def _patience_s() -> float:
    """Return for how long to wait: an event loop hardly can."""
    events = sys.modules.get("asyncio.events")
    is_loop = events is not None and events._get_running_loop() is not None
    return LOOP_LIMIT_S if is_loop else PATIENCE_S


def _open_to_append(path: str, mode: int) -> int:
    flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    with contextlib.suppress(PermissionError):
        return os.open(path, os.O_RDWR | flags, mode)
    return os.open(path, os.O_WRONLY | flags, mode)

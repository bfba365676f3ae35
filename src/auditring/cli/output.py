"""A descriptor that lines are printed to: a pipe, a terminal, a file.

Its flags are left alone, as other programs share them. So nothing is written before it
is ready, and no wait is longer than a signal takes to come.
"""

import fcntl
import os
import select
import stat
import sys
import termios
from typing import Final

from .stdin_pump import Signals

__all__ = ["Output"]

# A note of the cursor can be no nearer than the last piece (keeper.py).
PIECE_BYTES: Final = 128 * 1024
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Output:
    """Writes lines in pieces that are taken at once, so that a kill tears no line.

    Of a pipe it is known how much that is, at least `PIPE_BUF` bytes when it is ready.
    A longer line is written in one call, which the tick of the signals interrupts when
    its reader stops in the middle.

    Thread-safety: the main thread only, as it waits for signals.
    """

    def __init__(self, fd: int, signals: Signals) -> None:
        """Prepare to write to *fd*.

        Raises:
            OSError: It isn't open.
        """
        self._fd = fd
        self._signals = signals
        mode = os.fstat(fd).st_mode
        self._is_file = stat.S_ISREG(mode)
        self._pipe_bytes = _pipe_bytes(fd) if stat.S_ISFIFO(mode) else 0
        self._room = _poll_of(fd, signals, select.POLLOUT)
        self._hangup = _poll_of(fd, signals, 0)
        # Lines of which a long one is being written, and where that ends.
        self._long = (b"", 0)

    def write_some(self, lines: bytes, start: int, seconds: float) -> int:
        """Wait for room, so many seconds at most, and write from *start* on.

        Returns:
            How many bytes were written; 0 if there was no room, or a signal came.

        Raises:
            BrokenPipeError: Nobody reads any more.
            OSError: It can't be written to.
        """
        room_bytes = PIECE_BYTES if self._is_file else self._free_bytes()
        if room_bytes < select.PIPE_BUF:
            if not self._wait(self._room, seconds):
                return 0
            room_bytes = select.PIPE_BUF
        end = start + min(room_bytes, PIECE_BYTES)
        if end < len(lines):
            newline = lines.rfind(b"\n", start, end)
            end = newline + 1 if newline >= 0 else self._end_of_line(lines, end)
        with memoryview(lines) as view:
            try:
                return os.write(self._fd, view[start:end])
            except BlockingIOError:
                return 0  # somebody made it so, and was faster

    def _end_of_line(self, lines: bytes, start: int) -> int:
        """Return the offset behind the next newline; looked for once in a long line."""
        known, end = self._long
        if known is not lines or end <= start:
            end = lines.index(b"\n", start) + 1
            self._long = lines, end
        return end

    def _free_bytes(self) -> int:
        """Return how much a pipe takes without making its writer wait, at least.

        It consists of pages, and what doesn't fit into the last one begins another.
        So two pages in a row hold a page's worth, and at most twice as many are in use
        as what is in them needs, besides the first and the last.
        """
        if not self._pipe_bytes:
            return 0
        answer = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4))
        unread = int.from_bytes(answer, sys.byteorder)
        return self._pipe_bytes - 2 * unread - 2 * PAGE_BYTES

    def waits_in_vain(self, seconds: float) -> bool:
        """Wait until nobody reads any more, or a signal comes, or the time is over.

        Returns:
            Whether nobody reads any more.
        """
        return self._wait(self._hangup, seconds)

    def complete_line(self) -> None:
        """End the unfinished line at the end of a file, if it is one.

        Raises:
            OSError: It can't be read or written to.
        """
        size = os.fstat(self._fd).st_size if self._is_file else 0
        if size and self._last_byte(size) != b"\n":
            os.write(self._fd, b"\n")

    def _last_byte(self, size: int) -> bytes:
        # Opened anew, as this descriptor may be for writing only.
        with open(f"/proc/self/fd/{self._fd}", "rb", buffering=0) as file:
            return os.pread(file.fileno(), 1, size - 1)

    def _wait(self, poll: select.poll, seconds: float) -> bool:
        ready = [fd for fd, _ in poll.poll(seconds * 1000)]
        if self._signals.fileno() in ready:
            self._signals.acknowledge()
        return self._fd in ready


def _pipe_bytes(fd: int) -> int:
    return int(fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ))


def _poll_of(fd: int, signals: Signals, events: int) -> select.poll:
    poll = select.poll()
    poll.register(signals, select.POLLIN)
    poll.register(fd, events)
    return poll

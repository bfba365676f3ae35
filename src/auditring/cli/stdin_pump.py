"""Feed a log with the lines of a file descriptor, in big chunks.

A line is what a newline ends; its bytes are handed on as they came. What stands behind
the last newline of the input gets one. No step here is taken once a line.
"""

import errno
import fcntl
import math
import os
import select
import signal
import stat
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import NoReturn, Self

from ..errors import RingFullError
from ..log.writer import LogWriter

__all__ = ["Feed", "Signals"]

CHUNK_BYTES = 2**20
# How long a log may take nothing of what is read after a signal.
STUCK_LIMIT_S = 5.0


class Signals:
    """Signals noted until somebody looks, and a tick every second.

    SIGTERM and SIGINT ask to stop, and have their usual effect the second time. Only
    for the main thread, and active inside a ``with`` block.

    Attributes:
        stop: One of them came.
        stopped_s: When, on the monotonic clock.
    """

    def __init__(self, on_tick: Callable[[], object], linger_s: float = 0.0) -> None:
        """Prepare.

        Args:
            on_tick: Called every second, as a signal handler is; what it raises ends
                what the main thread is at.
            linger_s: How long to read on after the first of them.
        """
        self.stop = False
        self.stopped_s = 0.0
        self._linger_s = linger_s
        self._on_tick = on_tick

    def __enter__(self) -> Self:
        # A signal between the last look and a poll() must end that poll(): the
        # interpreter writes a byte to this pipe before it runs a handler.
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._handlers = {
            number: signal.signal(number, self._note_stop)
            for number in (signal.SIGTERM, signal.SIGINT)
            # A shell without job control starts a background job with SIGINT ignored.
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        self._handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def fileno(self) -> int:
        """Tell the descriptor that is readable once a signal came."""
        return self._read_fd

    def acknowledge(self) -> None:
        """Make the descriptor unreadable until the next signal."""
        os.read(self._read_fd, 4096)

    def wait(self, seconds: float) -> None:
        """Wait until a signal comes, *seconds* at most."""
        if select.select([self], [], [], seconds)[0]:
            self.acknowledge()

    def left_s(self) -> float:
        """Tell for how long to read on: 0 if no longer, infinity before a signal."""
        if not self.stop:
            return math.inf
        return max(0.0, self.stopped_s + self._linger_s - time.monotonic())

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop = True
        self.stopped_s = time.monotonic()
        signal.signal(number, signal.SIG_DFL)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        self._on_tick()


class Feed:
    """The way of lines from a file descriptor into a log.

    Attributes:
        dropped: Lines that the log dropped, because its ring was full.
        oversize: Lines passed over, because they are longer than a record may be.
        has_end: The input was read to its end.
    """

    def __init__(
        self,
        log: LogWriter,
        fd: int,
        *,
        may_drop: bool,
        on_oversize: Callable[[int], object],
    ) -> None:
        """Prepare a feed.

        Args:
            log: Where lines go.
            fd: Where they come from.
            may_drop: The log drops lines when its ring is full; only then they are
                counted, which takes another walk over all bytes.
            on_oversize: Called with the size in bytes of each line passed over.
        """
        self.dropped = 0
        self.oversize = 0
        self.has_end = False
        self._writes_since_s = math.inf
        self._log = log
        self._fd = fd
        self._may_drop = may_drop
        self._on_oversize = on_oversize
        # No chunk is larger than a record may be, so no line in it is.
        self._buffer = bytearray(min(CHUNK_BYTES, log.record_limit))
        self._kept = 0  # bytes of an unfinished line at the start of the buffer
        self._passed_over = 0  # bytes so far of a line that is too long

    def run(self, signals: Signals, *, output_fd: int | None = None) -> None:
        """Feed the log until the input ends, or *signals* allow no more reading.

        Whoever writes there ends as well, as a rule, and is read to its last word. From
        a terminal nothing more is read, as from a regular file.

        Args:
            signals: What may ask to stop.
            output_fd: Where the log's lines go, if that is a pipe whose reader may
                leave while there is no input.

        Raises:
            OSError: The input can't be read.
            BrokenPipeError: The reader of the output left.
            RingFullError: The log is to raise that; lines already read are missing.
        """
        # A pipe of 64 KiB, as they are made, would be read in as many small pieces.
        with suppress(OSError):
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, CHUNK_BYTES)
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(signals, select.POLLIN)
        if output_fd is not None:
            poll.register(output_fd, 0)
        has_input = True
        is_awaited = not os.isatty(self._fd) and not self._is_regular()
        while has_input and (left_s := signals.left_s()):
            if signals.stop and not is_awaited:
                break
            left_ms = None if math.isinf(left_s) else math.ceil(left_s * 1000)
            ready = dict(poll.poll(left_ms))
            if output_fd in ready:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            if signals.fileno() in ready:
                signals.acknowledge()
            if self._fd in ready:
                has_input = self._read(CHUNK_BYTES) > 0
        self.has_end = not has_input
        if has_input:
            self._read_pending()
        self._end()

    def check_patience(self, signals: Signals) -> None:
        """Give up once a signal came and the log takes nothing; for a signal handler.

        Raises:
            RingFullError: It is time to.
        """
        since_s = max(self._writes_since_s, signals.stopped_s)
        if signals.stop and time.monotonic() - since_s >= STUCK_LIMIT_S:
            self._writes_since_s = math.inf
            error = RingFullError("nothing gets into the log")
            error.committed = None  # until the write that it ends says how many
            raise error

    def _is_regular(self) -> bool:
        return stat.S_ISREG(os.fstat(self._fd).st_mode)

    def _read(self, size: int) -> int:
        """Read once and hand on whole lines; tell how much was read, 0 at the end."""
        with memoryview(self._buffer) as view:
            try:
                count = os.readv(self._fd, [view[self._kept : self._kept + size]])
            except OSError as error:
                error.filename = "standard input"
                raise
        self._accept(self._kept + count)
        return count

    def _read_pending(self) -> None:
        """Read what was in the pipe when the signal came: nobody else will."""
        pending = self._pending()
        while pending > 0 and (count := self._read(pending)):
            pending -= count

    def _pending(self) -> int:
        """Return how many bytes wait in a pipe, 0 where nobody knows."""
        if self._is_regular():
            return 0
        try:
            answer = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4))
        except OSError:
            return 0  # The input is nothing that knows how much it holds.
        (pending,) = struct.unpack("i", answer)
        return int(pending)

    def _accept(self, end: int) -> None:
        """Hand on the lines in the buffer up to *end*; keep what follows the last."""
        start = self._pass_over(end) if self._passed_over else 0
        stop = self._buffer.rfind(b"\n", max(start, self._kept), end) + 1
        if stop > start:
            self._hand_on(start, stop)
            start = stop
        self._kept = end - start
        if start:  # Else a long line would be copied with each piece that comes.
            self._buffer[: self._kept] = self._buffer[start:end]
        if self._kept == len(self._buffer):
            self._make_room()

    def _hand_on(self, start: int, stop: int) -> None:
        self._writes_since_s = time.monotonic()
        try:
            with memoryview(self._buffer) as view:
                committed = self._log.write_lines(view[start:stop])
        except RingFullError as error:
            self._give_up(start, stop, error)
        finally:
            self._writes_since_s = math.inf
        if self._may_drop:
            self.dropped += self._buffer.count(b"\n", start, stop) - committed

    def _give_up(self, start: int, stop: int, error: RingFullError) -> NoReturn:
        """Count what was read and is in no ring, so that the log tells of it, too."""
        if error.committed is None:
            start = stop  # it came when all was written
        for _ in range(error.committed or 0):
            start = self._buffer.index(b"\n", start, stop) + 1
        lost = self._buffer.count(b"\n", start, stop)
        for number in range(lost):
            self._log.drop(stop - start if number == 0 else 0)
        text = f"{error}; lost are {lost} lines, {stop - start} bytes, that were read"
        if unread := self._pending():
            text += f", and {unread} bytes in the pipe"
        raise RingFullError(text) from error

    def _make_room(self) -> None:
        size = len(self._buffer)
        limit = self._log.record_limit
        if size == limit:
            self._passed_over = size
            self._kept = 0
        else:
            self._buffer.extend(bytes(min(size, limit - size)))

    def _pass_over(self, end: int) -> int:
        """Go on with a line that is too long; tell where in the buffer it ends."""
        newline = self._buffer.find(b"\n", 0, end)
        if newline < 0:
            self._passed_over += end
            return end
        self._refuse(self._passed_over + newline + 1)
        return newline + 1

    def _refuse(self, size: int) -> None:
        self._passed_over = 0
        self.oversize += 1
        self._log.drop(size)
        self._on_oversize(size)

    def _end(self) -> None:
        if self._passed_over:
            self._refuse(self._passed_over)
        elif self._kept:
            self._buffer[self._kept : self._kept + 1] = b"\n"
            self._hand_on(0, self._kept + 1)

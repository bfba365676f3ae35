"""What goes wrong while lines are written to a log, in words for standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import RingFullError
from ..log.writer import CLOSE_LIMIT_S, LogWriter
from .stdin_pump import STUCK_LIMIT_S, Feed, Signals

__all__ = ["Problems"]


class Problems:
    """What goes wrong while lines are written, told on standard error at once.

    Attributes:
        status: What the command is to exit with.
    """

    def __init__(self, path: str, complain: Callable[[str], object]) -> None:
        """Begin without one; *complain* is called with a line on each."""
        self.status = 0
        self._path = path
        self._complain = complain

    def tell(self, text: str, status: int = 1) -> None:
        """Tell a problem that the exit status has to show."""
        self.status = max(self.status, status)
        self._complain(f"{self._path}: {text}")

    def on_oversize(self, size: int) -> None:
        """Tell of a line that was passed over."""
        self.tell(f"a line of {size} bytes was left out; --ring-size takes larger ones")

    def look_at_losses(self, feed: Feed) -> None:
        """Tell how many lines are not in the log."""
        if feed.dropped:
            self.tell(f"{feed.dropped} lines were dropped: the ring was full")
        if feed.oversize:
            self.tell(f"{feed.oversize} lines were left out: too long")

    def look_at_end(self, signals: Signals) -> None:
        """Tell that whoever writes there goes on, unless nobody was waited for."""
        if signals.left_s() == 0:
            self.tell("the input had not ended when --linger was over")

    @contextmanager
    def telling(self, log: LogWriter, signals: Signals) -> Iterator[None]:
        """Tell what ends the block early, and close the log in any case."""
        flush_limit_s = CLOSE_LIMIT_S
        try:
            yield
        except BrokenPipeError:
            self.tell("its reader is gone")
            flush_limit_s = 0.0
        except RingFullError as error:
            self.tell(f"stopped: {error}")
            if signals.stop:
                flush_limit_s = 1.0  # it was waited for
        except OSError as error:
            self._complain(f"{error.filename or self._path}: {error.strerror}")
            self.status = 2
        finally:
            if signals.stop:
                flush_limit_s = min(flush_limit_s, STUCK_LIMIT_S)
            self._close(log, flush_limit_s)

    def _close(self, log: LogWriter, flush_limit_s: float) -> None:
        try:
            log.close(flush_limit_s)
        except OSError as error:
            if flush_limit_s:
                self.tell(str(error.strerror))

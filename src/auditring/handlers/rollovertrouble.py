"""Rollovers of a timed log that fail: when to try again, and when to tell.

There may be a reason that stays, like a live file that something is mounted on, or a
directory that can't be written to. Lines go on to the file as it is meanwhile.
"""

import dataclasses
import time
from typing import TYPE_CHECKING

from ..log.writer import LogWriter

if TYPE_CHECKING:
    from ..log.stats import Stats

__all__ = ["DatedLogWriter", "RolloverTrouble"]

RETRY_S = 1.0
COMPLAINT_S = 60.0


class DatedLogWriter(LogWriter):
    """A log writer whose mill works on backups that carry the date of their start.

    Attributes:
        rollover_error: Why the last rollover of this process failed, None if it didn't.
    """

    mill_dialect = "dated"
    rollover_error: OSError | None = None

    def stats(self) -> "Stats":
        """Return the counters, and whether rollovers fail in this process."""
        stats, error = super().stats(), self.rollover_error
        if error is None or stats.health != "ok":
            return stats
        reason = error.strerror or str(error)
        return dataclasses.replace(
            stats,
            health="rotation-fails",
            last_error=error.errno or 0,
            trouble=f"it can't be rolled over: {reason}; it goes on growing",
        )


class RolloverTrouble:
    """What a handler remembers of rollovers that failed and are due still.

    Thread-safety: with the handler's lock held.

    Attributes:
        retry_at: When the next try is made, in seconds since the epoch.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.retry_at = 0.0
        self._kind = ""
        self._next_complaint = 0.0

    @property
    def is_put_off(self) -> bool:
        """Whether it is too early for another try, by a clock that didn't go back."""
        return 0 < self.retry_at - time.time() <= RETRY_S

    def note(self, error: Exception, writer: LogWriter | None) -> bool:
        """Put the next try off; tell whether the error is worth telling."""
        now = time.monotonic()
        self.retry_at = time.time() + RETRY_S
        if isinstance(writer, DatedLogWriter) and isinstance(error, OSError):
            writer.rollover_error = error.with_traceback(None)
        kind = f"{type(error).__name__} {getattr(error, 'errno', None)}"
        if kind == self._kind and now < self._next_complaint:
            return False
        self._kind, self._next_complaint = kind, now + COMPLAINT_S
        return True

    def end(self, writer: LogWriter | None) -> None:
        """Note that a rollover went well, or wasn't this process's to do."""
        self.retry_at, self._kind = 0.0, ""
        if isinstance(writer, DatedLogWriter):
            writer.rollover_error = None

"""How long handlers wait for their log."""

import contextlib
from typing import TYPE_CHECKING

from ..errors import ClosedError
from ..log.writer import LogWriter

if TYPE_CHECKING:
    from ..log.stats import Stats

__all__ = ["flush_while_healthy"]

# How long a flush waits before it asks whether the disk is in trouble.
FLUSH_SLICE_S = 1.0


def flush_while_healthy(writer: LogWriter) -> "Stats | None":
    """Wait until every line that was committed before is in the file.

    Returns:
        None when they are, or when somebody closed the log, which flushed it; else the
        statistics that tell what is wrong with the disk.
    """
    with contextlib.suppress(ClosedError):
        while not writer.flush(FLUSH_SLICE_S):
            stats = writer.stats()
            if stats.health not in ("ok", "rotation-fails"):
                return stats
    return None

"""CPU time that the rest of the machine took: a figure to judge a run's noise by."""

import os
import time
from pathlib import Path

__all__ = ["Bystanders"]

# Of /proc/stat's first line: user nice system idle iowait irq softirq steal.
BUSY_FIELDS = (0, 1, 2, 5, 6, 7)


class Bystanders:
    """Compares what all CPUs did with what this process and its children did.

    Kernel threads count as others, and so does what the host took from a virtual
    machine. Children count once they were waited for.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._others = _others_s()

    def cores(self) -> float:
        """Return how many cores others kept busy on average since the start."""
        elapsed = time.monotonic() - self._start
        return max(0.0, (_others_s() - self._others) / elapsed)


def _others_s() -> float:
    ticks = Path("/proc/stat").read_text().split()[1:9]
    busy = sum(int(ticks[field]) for field in BUSY_FIELDS)
    own = os.times()
    own_s = own.user + own.system + own.children_user + own.children_system
    return busy / os.sysconf("SC_CLK_TCK") - own_s

"""Calls at a steady pace, each one timed.

The loop waits by looking at the clock, so it makes no system call of its own. A call
that comes late because another took long is made at once: what is timed is the call,
never the waiting for its turn.
"""

import math
import time
from array import array
from collections.abc import Callable, Iterable, Sequence

from lines import cycled

__all__ = ["latency_figures", "paced_latencies_ns"]

NS_PER_S = 1_000_000_000


def paced_latencies_ns(
    calls: Sequence[Callable[[bytes], object]],
    lines: Sequence[bytes],
    line_count: int,
    lines_per_s: int,
) -> list[Sequence[int]]:
    """Hand each of *line_count* lines to every one of *calls*; return their times.

    Each of the calls comes *lines_per_s* times a second, evenly between the others.
    """
    clock = time.perf_counter_ns
    # Made beforehand: growing would be paid for now and then, in the middle of the run.
    latencies = array("q", bytes(8 * len(calls) * line_count))
    period_ns = NS_PER_S // (lines_per_s * len(calls))
    turn = 0
    due = clock()
    for line in cycled(lines, line_count):
        for call in calls:
            due += period_ns
            while clock() < due:
                pass
            before = clock()
            call(line)
            latencies[turn] = clock() - before
            turn += 1
    return [latencies[first :: len(calls)] for first in range(len(calls))]


def latency_figures(latencies_ns: Iterable[int]) -> dict[str, float]:
    """Return the usual percentiles: the least value that such a share stays within."""
    ordered = sorted(latencies_ns)
    shares = {
        "p50_ns": 0.5,
        "p90_ns": 0.9,
        "p99_ns": 0.99,
        "p99_9_ns": 0.999,
        "p99_99_ns": 0.9999,
    }
    figures: dict[str, float] = {
        name: ordered[math.ceil(len(ordered) * share) - 1]
        for name, share in shares.items()
    }
    return figures | {"max_ns": ordered[-1]}

"""A writer that does nothing: what is left is the program around it, loop and clock."""

import time
from collections.abc import Sequence

from pacing import latency_figures, paced_latencies_ns
from rounds import Run

__all__ = ["Nothing", "at_a_pace"]


class Nothing:
    """Takes what a LogWriter takes in these benchmarks, and forgets it."""

    # Written in C and of one argument: no cheaper call takes a line.
    write = staticmethod(len)

    def flush(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing."""


def at_a_pace(lines: Sequence[bytes], count: int, lines_per_s: int) -> Run:
    """Make the calls that a writer at this pace gets, and as many between them."""
    calls = [Nothing.write, Nothing.write]
    start = time.perf_counter()
    first, _ = paced_latencies_ns(calls, lines, count, lines_per_s)
    seconds = time.perf_counter() - start
    return Run(count, seconds, figures=latency_figures(first))

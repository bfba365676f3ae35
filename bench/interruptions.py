"""How often the machine takes the CPU from a loop that does nothing.

Timer ticks, other threads, and on a virtual machine its host. A call that takes a
quarter of the time meets a quarter of them, and they are what its highest percentiles
show: at 50,000 calls a second, 50 a second are the p99.9.
"""

import time

__all__ = ["interruptions_per_s"]

NS_PER_S = 1_000_000_000


def interruptions_per_s(longer_than_us: float = 20, seconds: float = 0.5) -> float:
    """Return how many times a second the clock jumps by more than that."""
    clock = time.perf_counter_ns
    limit_ns = longer_than_us * 1000
    count = 0
    before = clock()
    end = before + int(seconds * NS_PER_S)
    while before < end:
        now = clock()
        if now - before > limit_ns:
            count += 1
        before = now
    return count / seconds

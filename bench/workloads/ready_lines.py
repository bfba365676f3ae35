"""W4: ready lines of 1 KB."""

from workloads.writing import WRITE_LOOP, Writing

__all__ = ["WORKLOADS"]

WORKLOADS = [
    Writing(
        "W4_lines",
        "ready lines of 1 KB, one thread",
        "bytes",
        limits=[WRITE_LOOP],
    )
]

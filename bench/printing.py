"""Programs that print a log to a pipe, and the reader that measures and compares."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from lines import Account
from rounds import Run

__all__ = ["MB", "print_log"]

MB = 1_000_000
READ_BYTES = 1024 * 1024


class Comparison:
    """Compares what comes with whole turns of a cycle of lines."""

    def __init__(self, once: bytes) -> None:
        self.size_bytes = 0
        self.is_equal = True
        self._once_bytes = len(once)
        self._repeated = once * (READ_BYTES // len(once) + 2)

    def take(self, data: memoryview) -> None:
        start = self.size_bytes % self._once_bytes
        # Of bytes, as memory is compared at once; of views it is item by item.
        self.is_equal &= bytes(data) == self._repeated[start : start + len(data)]
        self.size_bytes += len(data)


def print_log(command: Sequence[str | Path], once: bytes, size_bytes: int) -> Run:
    """Run *command* until it printed so many bytes, and compare them with a cycle.

    The clock runs from the first byte on, so no program's start counts, to the last. A
    program that goes on to wait is killed then.
    """
    comparison = Comparison(once)
    buffer = bytearray(READ_BYTES)
    with memoryview(buffer) as view:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        with process:
            assert process.stdout is not None
            fd = process.stdout.fileno()
            first = os.readv(fd, [view])
            start = perf_counter()
            count = first
            while count:
                comparison.take(view[:count])
                missing = size_bytes - comparison.size_bytes
                count = os.readv(fd, [view]) if missing > 0 else 0
            seconds = perf_counter() - start
            process.kill()
    lost = size_bytes - comparison.size_bytes
    account = Account(lost=lost, duplicated=0, foreign=0, in_order=comparison.is_equal)
    return Run((size_bytes - first) // MB, seconds, account)

"""Writes lines at a steady pace between two marks that show in a trace.

The mark is getppid(2), which nothing else calls here. The thread between the marks does
nothing but write.

Usage: traced CONTENDER FOLDER COUNT LINES_PER_S
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lines import cycled, load_lines

from probes.subject import opened

LINES_BEFORE = 20_000  # whole turns of the cycle
MAX_BYTES = 20_000_000


def main(contender: str, folder: str, count: str, lines_per_s: str) -> None:
    lines = load_lines()
    pace = int(lines_per_s)
    path = Path(folder, "audit.log")
    with opened(contender, path, {"max_bytes": MAX_BYTES}) as log:
        # Once round the ring: the first touch of a page isn't the common path.
        for line in cycled(lines, LINES_BEFORE):
            log.write(line)
        log.flush()
        seconds = write_between_marks(log.write, cycled(lines, int(count)), pace)
    print(json.dumps({"seconds": seconds, "written": LINES_BEFORE + int(count)}))


def write_between_marks(
    write: Callable[[bytes], object], lines: Iterator[bytes], lines_per_s: int
) -> float:
    clock = time.perf_counter_ns  # no system call (vdso)
    period_ns = 1_000_000_000 // lines_per_s
    start = due = clock()
    os.getppid()
    for line in lines:
        due += period_ns
        while clock() < due:
            pass
        write(line)
    os.getppid()
    return (clock() - start) / 1e9


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What a process keeps when it opens a log, writes a line and closes it, many times.

Usage: reopening FOLDER COUNT
"""

import json
import sys
import time
from pathlib import Path

from lines import load_lines
from process import descriptor_count, memory, thread_count

from auditring import LogWriter

# What Python and libc keep after the first times is no growth.
WARM_UP_COUNT = 100


def open_and_close(path: Path, line: bytes) -> None:
    with LogWriter(path) as log:
        log.write(line)


def main(folder: str, count: str) -> None:
    path = Path(folder, "audit.log")
    line = load_lines()[0]
    for _ in range(WARM_UP_COUNT):
        open_and_close(path, line)
        memory()
    descriptors, threads = {descriptor_count()}, {thread_count()}
    private_bytes = memory().private_bytes
    start = time.perf_counter()
    for _ in range(int(count)):
        open_and_close(path, line)
        descriptors.add(descriptor_count())
        threads.add(thread_count())
    seconds = time.perf_counter() - start
    figures = {
        "seconds": seconds,
        "written": WARM_UP_COUNT + int(count),
        "descriptors_gained": max(descriptors) - min(descriptors),
        "threads_gained": max(threads) - min(threads),
        "private_bytes_gained": memory().private_bytes - private_bytes,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])

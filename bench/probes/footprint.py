"""Private memory of a process after it wrote lines, its log still open.

Usage: footprint CONTENDER FOLDER COUNT
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from lines import cycled, load_lines
from process import descriptor_count, memory, thread_count

from probes.subject import opened


def main(contender: str, folder: str, count: str) -> None:
    with opened(contender, Path(folder, "audit.log"), {}) as log:
        start = time.perf_counter()
        for line in cycled(load_lines(), int(count)):
            log.write(line)
        log.flush()
        figures = {
            "seconds": time.perf_counter() - start,
            "descriptors": descriptor_count(),
            "threads": thread_count(),
            **asdict(memory()),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])

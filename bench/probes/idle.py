"""CPU time of a process whose log is open while nothing is written to it.

Usage: idle CONTENDER FOLDER SECONDS
"""

import json
import sys
import time
from pathlib import Path

from lines import cycled, load_lines

from probes.subject import opened

LINES_BEFORE = 10_000
SETTLE_S = 1.0


def main(contender: str, folder: str, seconds: str) -> None:
    options = {"compress": "gzip", "max_backups": 5}
    with opened(contender, Path(folder, "audit.log"), options) as log:
        for line in cycled(load_lines(), LINES_BEFORE):
            log.write(line)
        log.flush()
        time.sleep(SETTLE_S)
        start, cpu_start = time.perf_counter(), time.process_time()
        time.sleep(float(seconds))
        elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    print(json.dumps({"seconds": elapsed, "cpu_percent": 100 * cpu / elapsed}))


if __name__ == "__main__":
    main(*sys.argv[1:])

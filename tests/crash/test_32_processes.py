"""32 processes write into one file that is rotated and compressed meanwhile.

AUDITRING_LINES sets how many lines each writes; the full size is 20,000.
"""

import contextlib
import json
import os
import time
from pathlib import Path

from ledger import Ledger
from oracle import judge, read_log
from scene import started_scene

from auditring import LogWriter

PROCESSES = 32
LINES = int(os.environ.get("AUDITRING_LINES", "20000"))
MAX_BYTES = 5_000_000
LIMIT_S = 100


def test_every_line_of_32_processes_is_in_the_log_once_and_in_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    ledger = Ledger(tmp_path / "ledger")
    options = json.dumps({"max_bytes": MAX_BYTES, "compress": "gzip"})
    arguments = (path, ledger.path, "1", str(LINES), options)

    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(started_scene("revolver.py", str(stream), *arguments))
            for stream in range(PROCESSES)
        ]
        for process in processes:
            out, err = process.communicate(timeout=LIMIT_S)
            assert (process.returncode, err) == (0, ""), out + err
    # The processes may have ended before the one mill among them got to a backup.
    with LogWriter(path, max_bytes=MAX_BYTES, compress="gzip") as log:
        counters = log.stats()
        deadline_s = time.monotonic() + LIMIT_S
        while not list(tmp_path.glob("*.gz")) and time.monotonic() < deadline_s:
            log.wait_rotation(counters.rotations, 0.05)

    reading = read_log(path)

    finding = judge(reading, dict(ledger), unacknowledged_limit=0)
    assert finding.is_good, finding
    assert reading.gaps == []
    assert reading.lines == counters.records_written == PROCESSES * LINES
    assert len(reading.files) == counters.rotations + 1 > 1
    assert any(file.suffix == ".gz" for file in reading.files)
    assert path.stat().st_size <= MAX_BYTES

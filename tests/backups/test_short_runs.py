"""What programs that run for a moment leave: backups that were worked on.

Bounded: `close()` goes on for a second, the end of the interpreter for half a second
for all logs. Who else may be there: backups that take longer, a writer that was never
closed.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.backups.mills import CLOSE_WORK_S

RUN = """\
import logging, sys
from auditring import LogWriter, handlers
kind, path, ends = sys.argv[1:]
if kind == "lumberjack":
    log = LogWriter(path, max_bytes=20_000, compress="gzip", max_backups=2)
    write = log.write
else:
    log = (
        handlers.RotatingFileHandler(
            path, maxBytes=20_000, backupCount=2, compress="gzip"
        )
        if kind == "numbered"
        else handlers.TimedRotatingFileHandler(
            path, "S", backupCount=2, compress="gzip"
        )
    )
    write = lambda line: log.handle(
        logging.makeLogRecord({"msg": line.decode().rstrip()})
    )
for line in range(300):
    write(b"%d %s\\n" % (line, b"x" * 80))
if ends == "closes":
    log.close()
"""


@pytest.mark.parametrize("ends", ["closes", "just ends"])
@pytest.mark.parametrize("kind", ["lumberjack", "numbered", "dated"])
def test_the_backups_of_short_runs_are_compressed_and_few(
    tmp_path: Path, kind: str, ends: str
) -> None:
    path = tmp_path / "app.log"
    for _ in range(4):
        command = [sys.executable, "-W", "error", "-c", RUN, kind, path, ends]
        subprocess.run(command, check=True, timeout=60)
        if kind == "dated":
            old = time.time() - 5
            os.utime(path, (old, old))

    backups = {each.name for each in tmp_path.iterdir()} - {"app.log", ".app.log.ring"}
    assert 1 <= len(backups) <= 2
    # A busy machine may leave the last one to the next opener.
    assert sum(not name.endswith(".gz") for name in backups) < len(backups), backups


def test_a_close_does_not_wait_for_all_the_work_there_is(tmp_path: Path) -> None:
    noise = random.Random(2).randbytes(1024) * 1024
    for number in range(60):
        (tmp_path / f"app-2020-01-01T00-00-00.{number:03}.log").write_bytes(noise)
    log = LogWriter(tmp_path / "app.log", compress="zstd", compress_level=19)

    begin = time.monotonic()
    log.close()

    assert time.monotonic() - begin < 20 * CLOSE_WORK_S
    assert not list(tmp_path.glob(".app*.tmp"))
    assert list(tmp_path.glob("app*.log"))

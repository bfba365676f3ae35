"""A handler without a ring beside others that have theirs.

Who may be there: others with rings, of this process and of others, that roll over by
time or size; none of them any more; a limit that forbids the ring and not the file; a
state directory that may not be looked into.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.handlers.ringless import has_others

LIMIT_S = 100

PROGRAM = """\
import logging, resource, sys, time
from auditring.handlers import RotatingFileHandler, TimedRotatingFileHandler
name, path, limit, kind, count = *sys.argv[1:3], int(sys.argv[3]), *sys.argv[4:]
heard = []
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if kind == "timed":
    handler = TimedRotatingFileHandler(path, "S", 1, on_error=heard.append)
else:
    handler = RotatingFileHandler(path, maxBytes=1000, backupCount=500,
        on_error=heard.append)
handler.setFormatter(logging.Formatter("%(message)s"))
logger = logging.Logger("app")
logger.addHandler(handler)
logger.info("%s begins", name)
print("up", flush=True)
sys.stdin.readline()
for line in range(int(count)):
    logger.info("%s %d", name, line)
    time.sleep(0.01)
print(handler.log_writer is not None, len(heard))
handler.close()
"""


def start(name: str, log: Path, limit: int, kind: str, count: int) -> subprocess.Popen:
    worker = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name, log, str(limit), kind, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "up\n"
    return worker


@pytest.mark.parametrize("kind", ["timed", "sized"])
def test_lines_without_a_ring_beside_rollovers_are_all_there(
    tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "app.log"
    first = start("first", log, 0, kind, 250)
    second = start("second", log, 2**16, kind, 350)
    for worker in (first, second):
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said, complaints = second.communicate(timeout=LIMIT_S)
    assert first.communicate(timeout=LIMIT_S) == ("True 0\n", "")

    assert said == "False 1\n"
    assert complaints.count("\n") == 1
    assert "has no ring (File too large)" in complaints
    found = [
        line
        for path in tmp_path.glob("app.log*")
        for line in path.read_text().splitlines()
    ]
    wanted = [f"first {line}" for line in range(250)]
    wanted += [f"second {line}" for line in range(350)]
    assert sorted(found) == sorted([*wanted, "first begins", "second begins"])


def test_others_of_the_same_process_count(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    state = str(tmp_path / ".app.log.ring")
    assert not has_others(state)
    with LogWriter(log, max_bytes=0) as writer:
        writer.write(b"line")
        assert has_others(state)
    assert not has_others(state)


@pytest.mark.parametrize("kind", ["timed", "sized"])
def test_several_without_a_ring_and_nobody_with_one_lose_nothing(
    tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "app.log"
    names = ("first", "second", "third")
    workers = [start(name, log, 2**16, kind, 250) for name in names]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.communicate(timeout=LIMIT_S) == ("False 0\n", "")
    files = list(tmp_path.glob("app.log*"))
    assert len(files) > 2
    found = [line for path in files for line in path.read_text().splitlines()]
    wanted = [f"{name} {line}" for name in names for line in [*range(250), "begins"]]
    assert sorted(found) == sorted(wanted)

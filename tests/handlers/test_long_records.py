"""Records that are longer than a ring takes, among those of others.

Who else may be there: processes with short records, a leader that is another process, a
kill, a process that may not have a larger ring, a program that appends to the file in
pieces.
"""

import logging
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from programs import run

from auditring import LogWriter
from auditring.handlers import RotatingFileHandler
from auditring.handlers.fallback import append_to_file

RING_BYTES = 65_536
LONG = 300_000

WRITER = """\
import logging, os, resource, signal, sys
from auditring.handlers import RotatingFileHandler
path, name, size, count, limit, end = sys.argv[1:]
options = {"maxBytes": 2_000_000, "backupCount": 999, "ring_bytes": 65536}
handler = RotatingFileHandler(path, **options)
handler.setFormatter(logging.Formatter("%(message)s"))
logger = logging.Logger("app")
logger.addHandler(handler)
logger.info("%s up", name)
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
print("up", flush=True)
sys.stdin.readline()
for i in range(int(count)):
    logger.info("%s %d %s end", name, i, name * int(size))
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
handler.close()
"""


def start(path: Path, name: str, size: int, count: int, limit: int = 0, end: str = ""):  # noqa: ANN201
    arguments = [path, name, size, count, limit, end]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_of(path: Path) -> list[str]:
    files = sorted(path.parent.glob(f"{path.name}*"), key=lambda file: file.name)
    return [line for file in files for line in file.read_text().splitlines()]


def check_whole(lines: list[str], counts: dict[str, int]) -> None:
    """Check that each writer's lines are there once, whole, and nothing else."""
    seen: dict[str, list[int]] = {name: [] for name in counts}
    for line in lines:
        name, _, rest = line.partition(" ")
        if rest == "up":
            continue
        number, text, end = rest.split(" ")
        assert (set(text), end) == ({name}, "end"), line[:80]
        seen[name].append(int(number))
    assert {name: sorted(found) for name, found in seen.items()} == {
        name: list(range(count)) for name, count in counts.items()
    }


def handler_on(path: Path) -> RotatingFileHandler:
    handler = RotatingFileHandler(path, ring_bytes=RING_BYTES)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def record_of(text: str) -> logging.LogRecord:
    return logging.LogRecord("app", logging.INFO, "", 0, text, (), None)


def test_a_long_record_keeps_its_place_among_short_ones(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    texts = [f"{i} {'x' * (LONG if i % 7 == 3 else 10)}" for i in range(50)]
    handler = handler_on(path)
    for text in texts:
        handler.emit(record_of(text))
    handler.close()

    assert lines_of(path) == texts


def test_a_long_record_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    writer = start(path, "a", LONG, 5, end="kill")
    writer.communicate("\n", timeout=60)
    assert writer.returncode == -signal.SIGKILL

    with LogWriter(path, dialect="stdlib", adopt_settings=True):
        pass

    check_whole(lines_of(path), {"a": 5})


def test_no_line_is_empty_or_torn_beside_long_records(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    writers = [
        start(path, "a", LONG, 20),
        start(path, "b", 3_000_000, 4),
        start(path, "c", 50, 4_000),
    ]
    for writer in writers:
        writer.communicate("\n", timeout=100)

    check_whole(lines_of(path), {"a": 20, "b": 4, "c": 4_000})


def test_a_process_that_may_have_no_larger_ring_appends_whole_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.log"
    writers = [start(path, "c", 50, 4_000), start(path, "a", LONG, 20, 2_500_000)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "up\n"
    # A ring for records of 3 MB takes more than the limit of 2.5 MB.
    long = start(path, "b", 1_900_000, 1, 2_500_000)
    for writer in [*writers, long]:
        writer.communicate("\n", timeout=100)

    check_whole(lines_of(path), {"a": 20, "b": 1, "c": 4_000})


def test_a_line_that_others_append_in_pieces_is_not_cut_in_two(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    half = b"x" * 1000
    with LogWriter(path, max_bytes=0) as log:
        log.write(b"first\n")
        log.flush()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        for _ in range(20):
            os.write(fd, half)
            log.write(b"ours\n")
            os.write(fd, half + b"\n")
            assert log.flush(60)
        os.close(fd)

    lines = path.read_bytes().splitlines()
    assert sorted(lines) == sorted([b"first", *[b"ours", half + half] * 20])


def test_what_log_writer_takes_is_still_limited(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "a.log", ring_bytes=2**20) as log:
        assert log.record_limit == 2**19 - 64
        assert log.write(b"x" * (log.record_limit - 1))
        with pytest.raises(ValueError, match="limit is 524224"):
            log.write(b"x" * log.record_limit)


IDLE = """\
import os, sys
from auditring import LogWriter
with LogWriter(sys.argv[1]) as log:
    log.write(b"one\\n")
    log.flush()
    state = os.path.join(os.path.dirname(sys.argv[1]), ".a.log.ring")
    print(sum(os.stat(file).st_blocks * 512 for file in os.scandir(state)))
"""


def test_a_log_of_a_few_lines_takes_less_than_a_mebibyte(tmp_path: Path) -> None:
    assert int(run(IDLE, tmp_path / "a.log")) < 2**20


def test_a_line_past_the_ring_waits_for_one_that_is_being_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"half of ")
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(append_to_file, str(path), b"ours\n", 0o600)
        with path.open("ab", 0) as file:
            file.write(b"a line\n")
        ours.result(60)

    assert path.read_bytes().splitlines() == [b"half of a line", b"ours"]


def test_a_line_past_the_ring_ends_one_that_was_left(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"left by somebody who was killed")

    append_to_file(str(path), b"ours\n", 0o600)

    assert path.read_bytes().splitlines()[1:] == [b"ours"]

"""A log whose directory is moved, removed or made anew while it is open goes on there.

Who else is there: other threads and processes that write, one that is killed in the
middle, handlers of all kinds, a directory that doesn't come back, or that nothing can
be made in. The rule: what was committed before stands in the directory that was moved,
what comes later in the new one; what stood in a file that was removed is told, and
nothing else is.
"""

import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditring import LogWriter, handlers

RING_BYTES = 64 * 1024
LINE = b"x" * 1023 + b"\n"
GONE = "the log's directory was removed or replaced"
LIMIT_S = 60.0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def remove(directory: Path) -> None:
    """Remove the directory; a writer may be at its lock file in that moment."""
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


def replace(directory: Path) -> None:
    remove(directory)
    directory.mkdir()


def move(directory: Path) -> None:
    directory.rename(directory.with_name("moved"))
    directory.mkdir()


def found_anew(directory: Path) -> None:
    """Let somebody else have a log of that name."""
    replace(directory)
    LogWriter(directory / "audit.log").close()


def lose_state(directory: Path) -> None:
    remove(directory / ".audit.log.ring")


def lose_control(directory: Path) -> None:
    (directory / ".audit.log.ring" / "ctl").unlink()


def open_log(tmp_path: Path) -> LogWriter:
    directory = tmp_path / "logs"
    directory.mkdir()
    return LogWriter(directory / "audit.log", ring_bytes=RING_BYTES)


def split(path: Path) -> tuple[list[bytes], list[dict[str, str]]]:
    """Return the lines of a log, and what its gap events tell."""
    lines, told = [], []
    for line in path.read_bytes().splitlines():
        if b'"verb":"gap"' in line:
            told.append(json.loads(line)["annotations"])
        else:
            lines.append(line)
    return lines, told


@pytest.mark.parametrize("take", [replace, found_anew])
def test_lines_of_after_a_removal_stand_in_the_new_file(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    log = open_log(tmp_path)
    log.write(b"before\n")
    assert log.flush()
    take(tmp_path / "logs")

    log.write(b"after\n")
    assert log.flush(LIMIT_S)
    log.write(b"later\n")
    log.close()

    lines, told = split(tmp_path / "logs" / "audit.log")
    assert sorted(lines) == [b"after", b"later"]
    assert {gap["auditring.io/reason"] for gap in told} == {"live-file-unlinked"}
    assert {gap["auditring.io/count"] for gap in told} <= {"1", "2"}


def test_each_of_many_removals_is_told(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    path = tmp_path / "logs" / "audit.log"
    for round_ in range(1, 6):
        for _ in range(round_):
            log.write(b"lost\n")
        assert log.flush(LIMIT_S)
        replace(tmp_path / "logs")
        assert log.flush(LIMIT_S)
        wait_until(lambda: path.exists() and split(path)[1])

        # The file is looked at while it is being removed: the event may have stood in
        # one that was made anew, and removed as well.
        told = split(path)[1]
        assert {gap["auditring.io/reason"] for gap in told} == {"live-file-unlinked"}
        assert sum(int(gap["auditring.io/count"]) for gap in told) >= 1
        log.rotate()
    log.close()


def test_a_moved_directory_keeps_what_was_written_before(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"before\n")
    move(tmp_path / "logs")

    assert log.flush(LIMIT_S)
    log.write(b"after\n")
    assert log.flush(LIMIT_S)
    log.close()

    assert split(tmp_path / "moved" / "audit.log") == ([b"before"], [])
    assert split(tmp_path / "logs" / "audit.log") == ([b"after"], [])


@pytest.mark.parametrize("take", [lose_state, lose_control])
def test_a_lost_state_costs_no_line_and_tells_none(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    log = open_log(tmp_path)
    path = tmp_path / "logs" / "audit.log"
    expected = []
    for number in range(30):
        log.write(b"%d\n" % number)
        expected.append(b"%d" % number)
        if number % 10 == 5:
            take(tmp_path / "logs")
            assert log.flush(LIMIT_S)
            assert sorted(split(path)[0]) == sorted(expected)
    log.close()

    assert split(path)[1] == []
    assert not [*path.parent.rglob("ring.*")]


def test_a_newcomer_is_served_after_the_control_file_was_lost(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    path = tmp_path / "logs" / "audit.log"
    log.write(b"one\n")
    assert log.flush(LIMIT_S)
    lose_control(tmp_path / "logs")

    code = (
        "import sys, auditring; log = auditring.LogWriter(sys.argv[1]);"
        "log.write(b'two\\n'); assert log.flush(60); log.close()"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=LIMIT_S)
    log.write(b"three\n")
    log.close()

    assert split(path) == ([b"one", b"two", b"three"], [])


def test_a_directory_that_is_missing_says_so(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(LINE)
    assert log.flush()
    remove(tmp_path / "logs")
    assert log.write(LINE)

    with pytest.raises(FileNotFoundError, match=GONE):
        log.flush()
    with pytest.raises(FileNotFoundError, match=GONE):
        log.write_lines(LINE * (2 * RING_BYTES // len(LINE)))
    with pytest.raises(
        FileNotFoundError, match="records that were in no file are lost"
    ):
        log.close(timeout=0)


def test_a_directory_that_comes_back_has_what_the_ring_took(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    remove(tmp_path / "logs")
    assert log.write(b"without\n")
    with pytest.raises(FileNotFoundError, match=GONE):
        log.flush()
    (tmp_path / "logs").mkdir()

    assert log.flush(LIMIT_S)
    log.write(b"with\n")
    log.close()

    assert split(tmp_path / "logs" / "audit.log")[0] == [b"without", b"with"]


def test_an_idle_writer_settles_by_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    remove(tmp_path / "logs")
    assert log.write(b"without\n")
    (tmp_path / "logs").mkdir()

    path = tmp_path / "logs" / "audit.log"
    wait_until(lambda: path.exists() and path.read_bytes() == b"without\n")
    log.close()


def test_a_log_that_is_opened_again_has_what_comes_then(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    remove(tmp_path / "logs")
    log.write(LINE)
    with pytest.raises(FileNotFoundError, match=GONE):
        log.close(timeout=0)

    with LogWriter(tmp_path / "logs" / "audit.log", ring_bytes=RING_BYTES) as log:
        log.write(LINE)

    assert (tmp_path / "logs" / "audit.log").read_bytes() == LINE


def test_nothing_of_the_past_piles_up(tmp_path: Path) -> None:
    log = open_log(tmp_path)

    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    log.write(b"0\n")
    assert log.flush(LIMIT_S)
    before = held()
    for number in range(5):
        move(tmp_path / "logs")
        log.write(b"in between\n")
        assert log.flush(LIMIT_S)
        remove(tmp_path / "moved")
        wait_until(lambda: held() <= before)
        log.write(b"%d\n" % number)
    log.close()


def test_a_child_goes_on_in_the_new_directory(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"parent\n")
    assert log.flush(LIMIT_S)
    move(tmp_path / "logs")
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            log.flush(LIMIT_S)
            log.write(b"child\n")
            log.close()
            status = 0
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    log.close()

    assert split(tmp_path / "moved" / "audit.log") == ([b"parent"], [])
    assert split(tmp_path / "logs" / "audit.log") == ([b"child"], [])


# Several processes, each with threads that never stop writing.

WRITER = """
import sys, threading, time
from auditring import LogWriter
name = sys.argv[2].encode()
log = LogWriter(sys.argv[1], ring_bytes=65536)
must_stop = False
counts = [0, 0]
def work(thread):
    while not must_stop:
        log.write(b"%s-%d-%d\\n" % (name, thread, counts[thread]))
        counts[thread] += 1
        if counts[thread] % 100 == 0:
            time.sleep(0.01)
threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
for thread in threads:
    thread.start()
print("up", flush=True)
sys.stdin.readline()
must_stop = True
for thread in threads:
    thread.join()
assert log.flush(60)
log.close()
print(*counts, flush=True)
"""


def start_writers(path: Path, names: str) -> list[subprocess.Popen[str]]:
    processes = []
    for name in names:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        processes.append(process)
    return processes


@pytest.mark.parametrize("take", [move, lose_state, lose_control])
def test_every_line_of_all_processes_stands_once(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    path = directory / "audit.log"
    processes = start_writers(path, "abc")
    for number in range(3):
        size = path.stat().st_size
        wait_until(lambda size=size: path.exists() and path.stat().st_size > size)
        take(directory)
        wait_until(lambda: path.exists() and path.stat().st_size > 0)
        if take is move:
            (tmp_path / "moved").rename(tmp_path / f"moved{number}")
        wait_until((directory / ".audit.log.ring" / "ctl").exists)
    expected = []
    for process, name in zip(processes, "abc", strict=True):
        text, _ = process.communicate("\n", timeout=LIMIT_S)
        for thread, count in enumerate(text.split()):
            expected += [f"{name}-{thread}-{i}".encode() for i in range(int(count))]

    found: list[bytes] = []
    for file in tmp_path.glob("*/audit.log"):
        lines, told = split(file)
        assert told == []
        found += [line for line in lines if line]
    counts = Counter(found)
    assert set(expected) == set(counts)
    assert max(counts.values()) == 1


# The handlers, with the standard library as the yardstick.


@contextlib.contextmanager
def standard_error() -> Iterator[io.StringIO]:
    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield sys.stderr
    finally:
        sys.stderr = before


def make_handler(name: str, path: Path) -> logging.Handler:
    options = {
        "TimedRotatingFileHandler": {"when": "H"},
        "RotatingFileHandler": {"maxBytes": 100_000, "backupCount": 3},
    }
    return getattr(handlers, name)(path, **options.get(name, {}))  # type: ignore[no-any-return]


@pytest.mark.parametrize("take", [replace, move])
@pytest.mark.parametrize(
    "name",
    [
        "WatchedFileHandler",
        "TimedRotatingFileHandler",
        "RotatingFileHandler",
        "AuditHandler",
    ],
)
def test_a_handler_goes_on_in_the_new_directory(
    tmp_path: Path, take: Callable[[Path], None], name: str
) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    path = directory / "app.log"
    handler = make_handler(name, path)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    with standard_error() as errors:
        logger.warning("before")
        handler.flush()
        take(directory)
        handler.flush()
        for number in range(100):
            logger.warning("after %d.", number)
        handler.close()

    text = path.read_text()
    assert [text.count(f"after {number}.") for number in range(100)] == [1] * 100
    assert errors.getvalue().count("Traceback") <= 1

"""`auditring tail`: the last lines, over as many files as they take."""

import gzip
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import orjson
import pytest
import zstandard

from auditring.follow import follow
from auditring.follow.tail import cursor_before

COMMAND = [sys.executable, "-m", "auditring", "tail"]
LIMIT_S = 60.0
EVENT = orjson.dumps(
    {
        "auditID": "1",
        "stage": "ResponseComplete",
        "verb": "get",
        "user": {"username": "alice"},
        "requestURI": "/healthz",
        "responseStatus": {"code": 200},
        "stageTimestamp": "2026-11-22T01:02:03.104005Z",
    }
)
IN_SHORT = b"2026-11-22T01:02:03.104005Z 200 get     alice /healthz\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".lz4": lz4.frame.compress,
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "audit.log"


def last_lines(log: Path, count: int) -> list[bytes]:
    """Return what comes behind the cursor before so many lines."""
    return [line for line, _ in follow(log, cursor_before(log, count), wait=False)]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 1000, 40_000, 50_000])
def test_the_last_lines_may_be_in_any_number_of_files(
    log: Path, suffix: str, count: int
) -> None:
    lines = [b"%d of many lines\n" % number for number in range(45_000)]
    parts = [lines[:40_000], lines[40_000:44_996], [], lines[44_996:44_997]]
    for number, part in enumerate(parts):
        name = f"audit-2026-11-22T01-02-03.{number:03d}.log{suffix}"
        log.with_name(name).write_bytes(PACK[suffix](b"".join(part)))
    log.write_bytes(b"".join(lines[44_997:]) + b"half a li")

    assert last_lines(log, count) == (lines[-count:] if count else [])


@pytest.mark.parametrize("suffix", PACK)
def test_the_last_lines_of_a_large_backup_are_found(log: Path, suffix: str) -> None:
    lines = [b"%d %s\n" % (number, b"x" * 1000) for number in range(5000)]
    path = log.with_name(f"audit.log.1{suffix}")
    path.write_bytes(PACK[suffix](b"".join(lines)))

    assert last_lines(log, 3) == lines[-3:]
    assert last_lines(log, 3000) == lines[-3000:]


def test_a_log_that_is_not_there_has_no_last_lines(log: Path) -> None:
    assert last_lines(log, 10) == []


def test_ten_events_are_shown_in_short_and_plain_when_piped(log: Path) -> None:
    log.write_bytes((EVENT + b"\n") * 20 + b"no event\n")

    done = subprocess.run(
        [*COMMAND, log], capture_output=True, timeout=LIMIT_S, check=True
    )

    assert done.stdout == IN_SHORT * 9 + b"no event\n"
    assert done.stderr == b""


def test_a_terminal_gets_colors_unless_told(log: Path) -> None:
    log.write_bytes(EVENT + b"\n")

    assert b"\x1b[32m200\x1b[0m" in shown_on_terminal(log)
    assert b"\x1b" not in shown_on_terminal(log, NO_COLOR="1")


def shown_on_terminal(log: Path, **environment: str) -> bytes:
    """Return what `tail` writes to a terminal."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, log],
            stdout=theirs,
            check=True,
            timeout=LIMIT_S,
            env={**os.environ, **environment},
        )
        return os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)


def test_new_events_are_shown_as_they_come_until_it_is_interrupted(log: Path) -> None:
    log.write_bytes(EVENT + b"\n")
    with subprocess.Popen(
        [*COMMAND, "-f", "-n", "1", log], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == IN_SHORT
        with log.open("ab") as file:
            file.write(b"more\n")
        assert process.stdout.readline() == b"more\n"

        process.send_signal(signal.SIGINT)

        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_ends_it_without_a_word(log: Path) -> None:
    log.write_bytes((EVENT + b"\n") * 50_000)

    done = subprocess.run(
        f"{' '.join(COMMAND)} -n 50000 {log} | head -n 1",
        shell=True,
        capture_output=True,
        timeout=LIMIT_S,
    )

    assert (done.stdout, done.stderr) == (IN_SHORT, b"")


def test_what_can_t_be_read_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, tmp_path / "missing" / "audit.log"],
        capture_output=True,
        timeout=LIMIT_S,
    )

    assert done.returncode == 2
    assert done.stderr.decode().startswith("auditring: ")
    assert done.stderr.count(b"\n") == 1
    assert f"{tmp_path}/missing/audit.log" in done.stderr.decode()


def tail(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=data,
        capture_output=True,
        timeout=LIMIT_S,
    )


@pytest.mark.parametrize("arguments", [[], ["-f"]])
def test_a_log_that_never_was_is_refused(log: Path, arguments: list[str]) -> None:
    done = tail(*arguments, log)

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"auditring: {log}: No such file or directory\n"


def test_a_log_that_was_just_rotated_is_shown(log: Path) -> None:
    log.with_name("audit-2026-11-22T01-02-03.004.log").write_bytes(EVENT + b"\n")

    assert tail(log).stdout == IN_SHORT


@pytest.mark.parametrize("pack", PACK.values())
@pytest.mark.parametrize("name", ["old.log", "-"])
def test_a_packed_file_and_standard_input_are_shown(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack((EVENT + b"\n") * 12)
    path = name if name == "-" else tmp_path / name
    (tmp_path / "old.log").write_bytes(packed)

    done = tail("-n", 3, path, data=packed)

    assert (done.stdout, done.stderr) == (IN_SHORT * 3, b"")


def test_a_file_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "old.log.gz"
    path.write_bytes(gzip.compress(EVENT)[:-9])

    done = tail(path)

    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"auditring: {path}: damaged: ")


def test_standard_input_is_shown_as_it_comes(log: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(12):
            process.stdin.write(EVENT + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == IN_SHORT
        process.stdin.close()

        assert process.wait(LIMIT_S) == 0


def test_a_last_line_without_newline_is_shown_unless_it_may_go_on(log: Path) -> None:
    log.write_bytes(b"one\n" + EVENT)

    assert tail(log).stdout == b"one\n" + IN_SHORT
    assert tail("-n", 1, log).stdout == IN_SHORT
    assert tail("-n", 0, log).stdout == b""


def test_columns_are_aligned(log: Path) -> None:
    other = {
        "auditID": "2",
        "stage": "ResponseStarted",
        "verb": "deletecollection",
        "user": {"username": "system:kube-scheduler"},
        "requestURI": "/x",
        "stageTimestamp": "2026-11-22T01:02:03.104005Z",
    }
    log.write_bytes(EVENT + b"\n" + orjson.dumps(other) + b"\n")

    first, second = tail(log).stdout.decode().splitlines()

    assert first.index("/healthz") == second.index("/x")
    assert first.index("alice") == second.index("system:")


def test_a_very_long_name_moves_no_other_line(log: Path) -> None:
    other = orjson.loads(EVENT) | {"user": {"username": "x" * 1000}}
    log.write_bytes(EVENT + b"\n" + orjson.dumps(other) + b"\n")

    assert len(tail(log).stdout.splitlines()[0]) < 100


def test_json_prints_events_themselves_and_nothing_else(log: Path) -> None:
    whole = orjson.dumps(orjson.loads(EVENT) | {"level": "Metadata"})
    wrapped = orjson.dumps({"log": f"{whole.decode()}\n", "stream": "stdout"})
    log.write_bytes(b"\n".join([b"no event", wrapped, whole, b""]))

    done = tail("--json", log)

    assert done.stdout == (whole + b"\n") * 2
    assert done.stderr.decode() == f"auditring: {log}: 1 line is no event\n"

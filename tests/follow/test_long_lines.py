"""A line of any size costs what reads the log a bounded memory, and time as it is long.

Who may be there: a program that writes no newline; a bomb, small as an archive; a
writer that makes a long line in many small pieces; somebody who cuts off the beginning
of such a line and writes others; a limit that is larger than the memory. What is longer
than the limit is left out, counted and told with its place, and all else is read.
"""

import bz2
import gzip
import lzma
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from auditring import LogWriter
from auditring.cli.recover import recover
from auditring.cli.stdin_pump import Feed, Signals
from auditring.cursor import Cursor
from auditring.follow import follow, follow_chunks
from auditring.follow.follower import Follower

COMMAND = Path(sys.executable).parent / "auditring"
LIMIT_S = 100
MIB = 2**20
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, 1),
    ".zst": zstandard.ZstdCompressor().compress,
    ".lz4": lz4.frame.compress,
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=0),
}
# Prints in MiB what the largest of its children took.
MEASURE = """\
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print("peak", peak, "status", status, file=sys.stderr)
"""
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, bytes, str, int]:
    """Run a command; return its status, what it said on both outputs, and its peak."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=LIMIT_S,
    )
    said = done.stderr.decode()
    match = re.search(r"peak (\d+) status (\d+)\n$", said)
    assert match is not None, said
    return int(match[2]), done.stdout, said[: match.start()], int(match[1])


def backup_of(log: Path, suffix: str) -> Path:
    return log.with_name(f"{log.stem}-2026-01-01T00-00-00.000.log{suffix}")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log with a line."""
    log = tmp_path / "a.log"
    log.write_bytes(b"last\n")
    return log


# By commands.


@pytest.mark.parametrize("suffix", PACK)
def test_commands_that_read_a_log_take_bounded_memory(log: Path, suffix: str) -> None:
    data = b"one\n" + b"x" * (150 * MIB) + b"\ntwo\n"
    backup_of(log, suffix).write_bytes(PACK[suffix](data))

    tail = run("tail", "-n", "5", log)
    sidecar = run("sidecar", "--from-start", "--stop-at-end", log)

    for limit, (status, printed, said, peak_mib) in ((16, tail), (64, sidecar)):
        assert (status, printed) == (0, b"one\ntwo\nlast\n")
        assert said == (
            f"auditring: {log}: a line of {150 * MIB} bytes is left out, as it has more"
            f" than {limit * MIB} (in {backup_of(log, suffix).name}, at byte 4)\n"
        )
        assert peak_mib < 140


def test_a_backup_without_any_newline_is_no_line_of_any_size(log: Path) -> None:
    backup_of(log, ".gz").write_bytes(PACK[".gz"](b"x" * (150 * MIB)))

    status, printed, said, peak_mib = run("tail", log)

    assert (status, printed) == (0, b"last\n")
    assert said == f"auditring: {log}: half a line at the end of a backup is left out\n"
    assert peak_mib < 140


def test_tail_keeps_no_lines_that_it_counts(log: Path) -> None:
    lines = (b"x" * (10 * MIB) + b"\n") * 15
    backup_of(log, ".gz").write_bytes(PACK[".gz"](lines))

    status, printed, said, peak_mib = run("tail", "-n", "16", log)

    assert (status, said) == (0, "")
    assert printed == lines + b"last\n"
    assert peak_mib < 140


@pytest.mark.parametrize("suffix", PACK)
def test_a_simulation_leaves_out_what_is_no_event_by_its_size(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    log = tmp_path / f"a.log{suffix}"
    log.write_bytes(PACK[suffix](b"\n\n" + b"x" * (100 * MIB)))

    status, _, said, peak_mib = run("policy", "simulate", tmp_path / "policy.yaml", log)

    assert status == 1
    assert said.splitlines()[0] == (
        f"auditring: {log}:3: a line of {100 * MIB} bytes is left out, as it has more"
        f" than {16 * MIB}"
    )
    assert peak_mib < 140


@pytest.mark.parametrize("command", ["eval", "explain"])
def test_a_request_of_any_size_is_told_with_its_line(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    requests = b"\n" + b"x" * (100 * MIB) + b'\n{"method": "GET", "url": "/"}\n'
    (tmp_path / "requests").write_bytes(requests)
    policy = tmp_path / "policy.yaml"

    for name in (tmp_path / "requests", "-"):
        stdin = requests if name == "-" else b""
        status, printed, said, peak_mib = run(
            "policy", command, policy, name, stdin=stdin
        )

        assert status == 1
        assert b"Metadata" in printed
        place = "<stdin>" if name == "-" else name
        assert said == (
            f"auditring: {place}:2: a line of {100 * MIB} bytes is left out, as it has"
            f" more than {MIB}\n"
        )
        assert peak_mib < 140


def test_the_limit_of_a_sidecar_can_be_raised(log: Path) -> None:
    line = b"x" * (65 * MIB) + b"\n"
    log.write_bytes(line)

    status, printed, said, _ = run(
        "sidecar", "--from-start", "--stop-at-end", "--max-line", "65", log
    )

    assert (status, said) == (0, "")
    assert printed == line


def printing_seconds(log: Path, size: int) -> float:
    """Return the CPU time of a sidecar that prints a line to a pipe that is full."""
    log.write_bytes(b"x" * size + b"\n")
    arguments = [COMMAND, "sidecar", "--from-start", "--stop-at-end", log]
    program = "import resource, subprocess, sys\n"
    program += "subprocess.run(sys.argv[1:], check=True)\n"
    program += "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    program += "print(used.ru_utime, file=sys.stderr)\n"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    ) as printer:
        os.close(writing)
        while os.read(reading, 64 * 1024):
            pass
        os.close(reading)
        assert printer.stderr is not None
        return float(printer.stderr.read())


def test_a_long_line_on_a_full_pipe_is_looked_through_once(log: Path) -> None:
    least_s = min(printing_seconds(log, 1) for _ in range(3))
    short_s = min(printing_seconds(log, 16 * MIB) for _ in range(3)) - least_s
    long_s = min(printing_seconds(log, 63 * MIB) for _ in range(3)) - least_s

    # Sixteen, if its end were looked for after each piece.
    assert long_s < 9 * max(short_s, 0.05)


# By followers.


class Told(list[str]):
    """What a follower said."""


def follower_of(
    log: Path, told: Told, cursor: Cursor | None = None, **options: object
) -> Follower:
    return Follower(
        log,
        cursor,
        wait=False,
        on_notice=told.append,
        max_line_bytes=MIB,
        **options,  # type: ignore[arg-type]
    )


def read(follower: Follower) -> bytes:
    return b"".join(lines for lines, _ in follower.chunks())


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("size", [MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("before", [b"", b"short\n", b"y" * 5000 + b"\n"])
def test_lines_around_a_long_one_come_and_cursors_behind_it_hold(
    log: Path, suffix: str, size: int, before: bytes
) -> None:
    long = b"x" * size + b"\n"
    is_long = size > MIB
    after = b"after\n" + b"z" * (MIB - 3) + b"\n"
    packed = backup_of(log, suffix)
    packed.write_bytes(PACK[suffix](before + long + after))
    told = Told()

    lines = [
        (line, cursor)
        for line, cursor in follow(
            log, wait=False, on_notice=told.append, max_line_bytes=MIB
        )
    ]

    expected = before + (b"" if is_long else long) + after + b"last\n"
    assert b"".join(line for line, _ in lines) == expected
    assert len(told) == is_long
    for number, (_, cursor) in enumerate(lines, 1):
        rest = b"".join(line for line, _ in lines[number:])
        assert read(follower_of(log, Told(), cursor)) == rest


def read_while(log: Path, told: Told, happenings: Iterable[object]) -> bytes:
    """Follow a log; each time that there is nothing to read the next thing happens."""
    over = object()
    turns = iter(happenings)
    chunks = follow_chunks(
        log,
        pause=lambda seconds: next(turns, over) is not over,
        on_notice=told.append,
        max_line_bytes=MIB,
    )
    return b"".join(lines for lines, _ in chunks)


def append(log: Path, data: bytes) -> None:
    with log.open("ab", buffering=0) as file:
        file.write(data)


@pytest.mark.parametrize("count", [80, 400])
def test_a_long_line_in_pieces_is_read_three_times_at_most(
    log: Path, count: int
) -> None:
    told = Told()

    def grow() -> Iterator[None]:
        for _ in range(count):
            yield append(log, b"x" * 10_000)
        yield append(log, b"\nshort\n")

    before = bytes_read()
    lines = read_while(log, told, grow())

    assert lines.endswith(b"short\n")
    assert len(told) == (count * 10_000 > MIB)
    # The file's first 1,024 bytes are compared each time.
    assert bytes_read() - before < 3 * log.stat().st_size + count * 2048


def bytes_read() -> int:
    """Return how many bytes this process has read so far."""
    text = Path("/proc/self/io").read_text()
    return int(text.splitlines()[0].removeprefix("rchar:"))


def test_lines_that_stand_where_a_long_one_was_seen_are_not_lost(log: Path) -> None:
    told = Told()

    def meddle() -> Iterator[None]:
        yield append(log, b"x" * (3 * MIB))
        os.truncate(log, len(b"last\n"))
        yield append(log, b"other\n" + b"y" * (3 * MIB) + b"\nend\n")

    assert read_while(log, told, meddle()) == b"last\nother\nend\n"
    assert len(told) == 1


def test_an_unfinished_long_line_is_waited_for(log: Path) -> None:
    told = Told()
    with log.open("ab") as file:
        file.write(b"x" * (3 * MIB))

    assert read(follower_of(log, told)) == b"last\n"
    assert told == []

    with log.open("ab") as file:
        file.write(b"\nnext\n")
    assert read(follower_of(log, told)) == b"last\nnext\n"
    assert len(told) == 1


def test_a_limit_below_what_is_read_at_once_is_refused(log: Path) -> None:
    with pytest.raises(ValueError, match="max_line_bytes: expected at least"):
        Follower(log, max_line_bytes=MIB - 1)


def test_xz_that_asks_for_gigabytes_is_damaged(log: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 * MIB}]
    packed = lzma.compress(b"one\n", filters=filters)
    backup_of(log, ".xz").write_bytes(packed)
    told = Told()

    assert read(follower_of(log, told)) == b"last\n"
    assert "damaged" in told[0]


def test_many_streams_of_some_bytes_take_linear_time(log: Path) -> None:
    data = bz2.compress(b"") * 20_000 + bz2.compress(b"one\n")
    backup_of(log, ".bz2").write_bytes(data)

    assert read(follower_of(log, Told())) == b"one\nlast\n"


# By writers.


def test_recover_counts_lines_that_are_too_long_to_be_read(tmp_path: Path) -> None:
    program = """\
import os, signal, sys
from auditring import LogWriter
log = LogWriter(sys.argv[1], ring_bytes=256 * 2**20)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
log.write(b"x" * (80 * 2**20))
log.write(b"short")
os.kill(int(sys.argv[2]), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""
    log = tmp_path / "a.log"
    leading = "import sys\nfrom auditring import LogWriter\n"
    leading += "log = LogWriter(sys.argv[1])\nprint(flush=True)\nsys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", leading, log],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        subprocess.run(
            [sys.executable, "-c", program, log, str(leader.pid)], timeout=LIMIT_S
        )

    assert recover(log).lines == 2
    assert log.stat().st_size == 80 * MIB + 1 + len(b"short\n")


def feed_seconds(log: LogWriter, size: int) -> float:
    """Return how long a line of that size takes from a pipe to the ring."""
    reading, writing = os.pipe()
    program = f"import os, sys; os.write(1, b'x' * {size} + b'\\n')"
    with subprocess.Popen([sys.executable, "-c", program], stdout=writing) as writer:
        os.close(writing)
        feed = Feed(log, reading, may_drop=False, on_oversize=lambda size: None)
        start_s = time.thread_time()
        with Signals(on_tick=lambda: None) as signals:
            feed.run(signals)
        took_s = time.thread_time() - start_s
    os.close(reading)
    assert writer.returncode == 0
    return took_s


def test_four_times_the_line_from_a_pipe_takes_four_times_as_long(
    tmp_path: Path,
) -> None:
    with LogWriter(tmp_path / "a.log", ring_bytes=512 * MIB, max_bytes=0) as log:
        short_s = min(feed_seconds(log, 16 * MIB) for _ in range(3))
        long_s = min(feed_seconds(log, 64 * MIB) for _ in range(3))

    assert (tmp_path / "a.log").stat().st_size == 3 * (80 * MIB + 2)
    # Sixteen, if what there is of a line were copied with each piece.
    assert long_s < 9 * short_s

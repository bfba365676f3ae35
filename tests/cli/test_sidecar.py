"""`auditring sidecar` as a process: what it prints, and the cursor that it leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter
from auditring.cursor import Cursor, CursorFile
from auditring.files.followers import followers_of
from auditring.follow import follow

COMMAND = [sys.executable, "-m", "auditring", "sidecar"]
LIMIT_S = 60.0
MIB = 2**20

Start = Callable[..., subprocess.Popen[bytes]]


def line(number: int) -> bytes:
    """Return a line of 100 bytes."""
    return b'{"number":%08d,"padding":"%s"}\n' % (number, b"x" * 67)


LINES = b"".join(map(line, range(30_000)))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "audit.log"


@pytest.fixture
def cursor(tmp_path: Path) -> Path:
    """Return the path of a cursor that isn't there."""
    return tmp_path / "cursor"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a sidecar with pipes; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object, **kwargs: object) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            bufsize=0,
            **{**pipes, **kwargs},  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a sidecar to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=LIMIT_S)


def read(process: subprocess.Popen[bytes], size: int) -> bytes:
    """Read so much of what it prints."""
    assert process.stdout is not None
    data = b""
    while len(data) < size and (
        more := os.read(process.stdout.fileno(), size - len(data))
    ):
        data += more
    return data


def end(process: subprocess.Popen[bytes]) -> bytes:
    """Ask it to end, and return what it printed and nobody read yet."""
    process.send_signal(signal.SIGTERM)
    printed, complaints = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, complaints) == (0, b"")
    return printed


def offset_of(path: Path) -> int:
    """Return the offset of the cursor in a file, -1 if there is none."""
    saved = CursorFile(path).load()
    return -1 if saved is None else saved.offset


# Printing.


def test_every_line_is_printed_from_the_oldest_backup_on(log: Path) -> None:
    with LogWriter(log, max_bytes=100_000, compress="gzip") as writer:
        writer.write_lines(LINES)

    done = run(log, "--from-start", "--stop-at-end")

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == LINES


def test_it_begins_at_the_end_unless_told(log: Path) -> None:
    log.write_bytes(LINES)

    done = run(log, "--stop-at-end")

    assert (done.returncode, done.stdout) == (0, b"")


def test_new_lines_are_printed_as_they_come(log: Path, start: Start) -> None:
    with LogWriter(log) as writer:
        process = start(log, "--from-start")
        for number in range(5):
            writer.write(line(number))
            assert read(process, 100) == line(number)

    assert end(process) == b""


def test_a_log_that_is_made_later_is_printed(
    log: Path, cursor: Path, start: Start
) -> None:
    process = start(log, "--cursor", cursor)
    wait_until(cursor.exists)

    with LogWriter(log) as writer:
        writer.write(line(0))
        assert read(process, 100) == line(0)

    assert end(process) == b""


def test_lines_may_be_longer_than_a_pipe(log: Path) -> None:
    lines = b"x" * MIB + b"\n" + b"y" * 5000 + b"\n" + b"z\n"
    log.write_bytes(lines)

    assert run(log, "--from-start", "--stop-at-end").stdout == lines


# The cursor.


def test_it_goes_on_where_it_ended(log: Path, cursor: Path) -> None:
    log.write_bytes(LINES)
    first = run(log, "--cursor", cursor, "--from-start", "--stop-at-end")
    with log.open("ab") as file:
        file.write(b"more\n")

    second = run(log, "--cursor", cursor, "--from-start", "--stop-at-end")

    assert (first.stdout, second.stdout) == (LINES, b"more\n")


def test_the_end_at_which_it_began_is_saved_at_once(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(LINES)
    process = start(log, "--cursor", cursor)
    wait_until(cursor.exists)
    process.kill()
    process.wait()
    with log.open("ab") as file:
        file.write(b"more\n")

    assert run(log, "--cursor", cursor, "--stop-at-end").stdout == b"more\n"


def test_the_cursor_is_saved_while_it_waits(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(LINES)
    process = start(log, "--cursor", cursor, "--from-start")
    assert read(process, len(LINES)) == LINES

    wait_until(lambda: offset_of(cursor) == len(LINES))


def test_the_cursor_is_saved_while_its_reader_is_slow(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(LINES)
    process = start(log, "--cursor", cursor, "--from-start")
    read(process, 1000)

    # A pipe holds some: neither a MiB is printed, nor all that was read from the log.
    wait_until(lambda: 1000 < offset_of(cursor) < 200_000)
    assert offset_of(cursor) % 100 == 0


def test_sigterm_leaves_the_cursor_behind_the_last_byte_that_was_printed(
    log: Path, cursor: Path, start: Start
) -> None:
    with LogWriter(log, max_bytes=200_000, compress="gzip") as writer:
        writer.write_lines(LINES)
    printed = b""
    for round_number in range(8):
        process = start(log, "--cursor", cursor, "--from-start")
        printed += read(process, 150_000 + 777 * round_number)
        printed += end(process)
        assert printed.endswith(b"\n")

    printed += run(log, "--cursor", cursor, "--stop-at-end").stdout

    assert printed == LINES


def test_sigterm_ends_it_though_its_reader_took_half_a_line_and_stopped(
    log: Path, cursor: Path, start: Start
) -> None:
    long = b"x" * (3 * MIB) + b"\n"
    log.write_bytes(long + b"next\n")
    process = start(log, "--cursor", cursor, "--from-start")
    read_before = read(process, 100_000)
    # Nobody reads the pipe any more: the sidecar stops in the middle of the line.
    process.send_signal(signal.SIGTERM)
    process.wait(LIMIT_S)
    assert process.stdout is not None
    printed = read_before + process.stdout.read()

    assert process.returncode == 0
    assert offset_of(cursor) == len(printed) < len(long)
    rest = run(log, "--cursor", cursor, "--stop-at-end").stdout
    assert printed + rest == long + b"next\n"


def test_sigterm_lets_a_slow_reader_have_the_rest_of_the_line(
    log: Path, cursor: Path, start: Start
) -> None:
    long = b"x" * (3 * MIB) + b"\n"
    log.write_bytes(long + b"next\n")
    process = start(log, "--cursor", cursor, "--from-start")
    printed = read(process, 100_000)

    printed += end(process)

    assert printed == long
    assert offset_of(cursor) == len(long)


def test_sigkill_repeats_a_mebibyte_at_most_and_loses_nothing(
    log: Path, cursor: Path, start: Start
) -> None:
    with LogWriter(log, max_bytes=500_000) as writer:
        writer.write_lines(LINES)
    seen = 0
    for round_number in range(6):
        process = start(log, "--cursor", cursor, "--from-start")
        printed = read(process, 300_000 + 1001 * round_number)
        process.kill()
        printed += process.communicate()[0]
        whole = printed[: printed.rfind(b"\n") + 1]

        first = LINES.index(whole[:100])
        assert seen - MIB <= first <= seen
        assert LINES[first : first + len(whole)] == whole
        # A line is printed whole or not at all.
        assert whole == printed
        seen = first + len(whole)

    last = run(log, "--cursor", cursor, "--stop-at-end").stdout
    assert LINES.endswith(last)
    assert seen - MIB <= len(LINES) - len(last) <= seen


def test_half_a_line_that_a_killed_sidecar_left_in_a_file_is_ended(
    log: Path, cursor: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\ntwo\n")
    _, behind = next(follow(log, wait=False))
    CursorFile(cursor).save(behind)
    (tmp_path / "output").write_bytes(b"one\ntw")

    with (tmp_path / "output").open("ab") as output:
        subprocess.run(
            [*COMMAND, log, "--cursor", cursor, "--stop-at-end"],
            stdout=output,
            check=True,
            timeout=LIMIT_S,
        )

    assert (tmp_path / "output").read_bytes() == b"one\ntw\ntwo\n"


def test_a_cursor_in_the_middle_of_a_line_goes_on_there_in_a_file(
    log: Path, cursor: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\ntwo\n")
    _, behind = next(follow(log, wait=False))
    CursorFile(cursor).save(Cursor(behind.mark, 6, None))
    (tmp_path / "output").write_bytes(b"one\ntw")

    with (tmp_path / "output").open("ab") as output:
        subprocess.run(
            [*COMMAND, log, "--cursor", cursor, "--stop-at-end"],
            stdout=output,
            check=True,
            timeout=LIMIT_S,
        )

    assert (tmp_path / "output").read_bytes() == b"one\ntwo\n"


# Trouble.


def test_a_blocked_output_loses_nothing_while_the_log_is_rotated_and_compressed(
    log: Path, cursor: Path, start: Start
) -> None:
    with LogWriter(log, max_bytes=50_000, compress="gzip", max_backups=5) as writer:
        process = start(log, "--register", "blocked", "--from-start")
        wait_until(lambda: followers_of(log))
        for first in range(0, len(LINES), 20_000):
            writer.write_lines(LINES[first : first + 20_000])
            writer.flush()
        # Nobody read a byte by now, and most of the files have other names.
        wait_until(lambda: len(list(log.parent.glob("*.gz"))) > 20)

        assert read(process, len(LINES)) == LINES
        assert end(process) == b""
        writer.rotate()
        wait_until(lambda: len(list(log.parent.glob("audit-*"))) == 5)


def test_copytruncate_loses_nothing_of_the_copy(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(LINES[:500])
    process = start(log, "--cursor", cursor, "--from-start")
    assert read(process, 500) == LINES[:500]
    process.send_signal(signal.SIGSTOP)
    with log.open("ab") as file:
        file.write(LINES[500:1000])
    Path(f"{log}.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    with log.open("ab") as file:
        file.write(LINES[1000:1100])

    process.send_signal(signal.SIGCONT)

    assert read(process, 600) == LINES[500:1100]
    assert process.stderr is not None
    assert b"was truncated" in process.stderr.readline()


def test_a_reader_that_leaves_ends_it_and_the_cursor_is_right(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(LINES)
    process = start(log, "--cursor", cursor, "--from-start")
    taken = len(read(process, 100_000))
    assert process.stdout is not None
    assert process.stderr is not None

    process.stdout.close()

    assert process.wait(LIMIT_S) == 1
    assert process.stderr.read().endswith(b"nobody reads standard output any more\n")
    # What was in the pipe is printed, whoever might have read it.
    assert taken <= offset_of(cursor) <= taken + 70_000
    assert offset_of(cursor) % 100 == 0


def test_a_reader_that_leaves_is_noticed_while_there_is_nothing_to_print(
    log: Path, cursor: Path, start: Start
) -> None:
    log.write_bytes(b"one\n")
    process = start(log, "--cursor", cursor, "--from-start")
    assert read(process, 4) == b"one\n"
    assert process.stdout is not None

    process.stdout.close()

    assert process.wait(LIMIT_S) == 1
    assert offset_of(cursor) == 4


def test_closed_standard_output_is_refused(log: Path) -> None:
    log.write_bytes(LINES)
    command = " ".join([*COMMAND, str(log), "--from-start"])

    done = subprocess.run(
        ["sh", "-c", f"exec {command} >&-"], stderr=subprocess.PIPE, timeout=LIMIT_S
    )

    assert done.returncode == 2
    assert done.stderr == b"auditring: standard output: it is closed\n"


def test_an_output_that_is_full_is_told_and_the_cursor_is_right(
    log: Path, cursor: Path
) -> None:
    log.write_bytes(LINES)

    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, log, "--cursor", cursor, "--from-start"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
        )

    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert offset_of(cursor) == 0


def test_a_damaged_cursor_is_refused_by_field_and_value(
    log: Path, cursor: Path
) -> None:
    log.write_bytes(LINES)
    cursor.write_text('{"version":1,"mark":null,"offset":"far"}')

    done = run(log, "--cursor", cursor)

    assert done.returncode == 2
    told = f"auditring: {cursor}: offset: expected a whole number, got 'far'\n"
    assert done.stderr.decode() == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("missing/audit.log",), "missing/audit.log: No such file or directory"),
        (("audit.log", "--cursor", "missing/cursor"), "No such file or directory"),
        ((".",), "not a regular file"),
        (("audit.log", "--register", "a/b"), "name: expected up to 64 letters"),
        (("audit.log", "--forget", ""), "name: expected up to 64 letters"),
    ],
)
def test_what_can_t_be_done_is_one_line_and_status_2(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, timeout=LIMIT_S
    )

    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_what_may_be_missing_is_told(log: Path, cursor: Path, start: Start) -> None:
    log.write_bytes(b"one\n")
    process = start(log, "--cursor", cursor, "--from-start")
    assert read(process, 4) == b"one\n"
    os.truncate(log, 0)

    assert process.stderr is not None
    assert process.stderr.readline().endswith(b"truncated: lines may be missing\n")


# Recovery.


def test_recover_prints_what_killed_writers_left(log: Path, start: Start) -> None:
    program = """\
import os, signal, sys
from auditring import LogWriter
log = LogWriter(sys.argv[1])
log.write(b"left in the ring\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = start(log, "--from-start", "--recover")
    with Bystander(log) as leader:
        leader.stop()
        subprocess.run([sys.executable, "-c", program, log], check=False)
        leader.kill()

    assert read(process, 17) == b"left in the ring\n"
    assert process.stderr is not None
    assert process.stderr.readline().endswith(b"1 lines of killed writers recovered\n")


def test_recover_leaves_a_log_alone_that_is_written(log: Path, start: Start) -> None:
    with LogWriter(log, max_bytes=1000) as writer:
        process = start(log, "--from-start", "--recover")
        for number in range(100):
            writer.write(line(number))
        assert read(process, 100 * 100) == LINES[: 100 * 100]

        assert end(process) == b""
        assert writer.stats().settings_changes == 0


def test_recover_without_a_writer_makes_nothing(log: Path) -> None:
    log.write_bytes(b"one\n")

    done = run(log, "--recover", "--from-start", "--stop-at-end")

    assert (done.stdout, done.stderr) == (b"one\n", b"")
    assert os.listdir(log.parent) == ["audit.log"]


# Registration.


def test_a_registered_sidecar_needs_no_cursor_file(log: Path) -> None:
    with LogWriter(log) as writer:
        writer.write(line(0))
        writer.flush()
        first = run(log, "--register", "siem", "--from-start", "--stop-at-end")
        writer.write(line(1))
        writer.flush()
        second = run(log, "--register", "siem", "--from-start", "--stop-at-end")

    assert (first.stdout, second.stdout) == (line(0), line(1))
    assert followers_of(log) == ["siem"]


def test_a_registered_sidecar_is_forgotten_once(log: Path) -> None:
    with LogWriter(log):
        run(log, "--register", "siem", "--stop-at-end")

    first = run(log, "--forget", "siem")
    second = run(log, "--forget", "siem")

    assert (first.returncode, second.returncode) == (0, 1)
    assert b"no follower siem is registered" in second.stderr
    assert followers_of(log) == []


def test_backups_wait_for_a_registered_sidecar(log: Path) -> None:
    with LogWriter(log, max_backups=1) as writer:
        run(log, "--register", "siem", "--from-start", "--stop-at-end")
        for number in range(5):
            writer.write(line(number))
            writer.rotate()

        done = run(log, "--register", "siem", "--stop-at-end")

        assert done.stdout == LINES[:500]
        writer.write(line(5))
        writer.rotate()
        wait_until(lambda: len(list(log.parent.glob("audit-*"))) == 2)


def test_a_log_that_no_writer_opened_is_not_registered_with(log: Path) -> None:
    log.write_bytes(b"one\n")

    done = run(log, "--register", "siem", "--from-start", "--stop-at-end")

    assert done.stdout == b"one\n"
    assert b"no writer opened it yet" in done.stderr
    assert os.listdir(log.parent) == ["audit.log"]


def test_the_command_line_loads_nothing_of_the_reading_side() -> None:
    program = "import sys, auditring.cli; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.split())
    assert "auditring.cli.follow" in loaded
    assert not {f"auditring.{name}" for name in ("follower", "cursor")} & loaded

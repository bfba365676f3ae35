"""The commands as processes of their own: bytes in, files, messages, exit statuses."""

import contextlib
import fcntl
import gzip
import inspect
import io
import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import lz4.frame
import pytest
import zstandard
from bystander import Bystander

import auditring
from auditring import LogWriter
from auditring.cli import main

COMMAND = [sys.executable, "-m", "auditring"]
LIMIT_S = 30.0
MIB = 2**20


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process if it still runs, and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command with *data* as its standard input."""
    return subprocess.run(
        [*COMMAND, *arguments], input=data, capture_output=True, timeout=LIMIT_S
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the command with pipes; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **kwargs: object) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            bufsize=0,
            **{**pipes, **kwargs},  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds; fail when it takes too long."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def content(log: Path) -> bytes:
    """Return what the live file holds, nothing if it isn't there."""
    return log.read_bytes() if log.exists() else b""


def backups(log: Path) -> list[Path]:
    """List the backups, oldest first."""
    return sorted(log.parent.glob(f"{log.stem}-*{log.suffix}*"))


def unpacked(path: Path) -> bytes:
    """Return the lines of a backup."""
    data = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(data)
        case ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data))
            return stream.read()
        case ".lz4":
            return bytes(lz4.frame.decompress(data))
    return data


def lines_of_kilobytes(count: int) -> bytes:
    """Make *count* different lines of 1 KiB."""
    return b"".join(b"%08d%s\n" % (number, b"x" * 1015) for number in range(count))


# write: bytes.


@pytest.mark.parametrize(
    "data",
    [
        b"one\ntwo\n",
        b"\n\n\n",
        b"nul\0in\0it\nand\xff\xfeno text\n",
        b"carriage\r\nreturns\r\n",
        lines_of_kilobytes(5000),
    ],
    ids=["plain", "empty lines", "any byte", "CRLF", "5 MB"],
)
def test_write_puts_the_very_bytes_into_the_log(tmp_path: Path, data: bytes) -> None:
    log = tmp_path / "audit.log"

    done = run("write", str(log), data=data)

    assert (done.returncode, done.stderr) == (0, b"")
    assert log.read_bytes() == data


def test_write_ends_an_unfinished_last_line(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"

    done = run("write", str(log), data=b"one\ntwo")

    assert done.returncode == 0
    assert log.read_bytes() == b"one\ntwo\n"


def test_write_makes_an_empty_log_of_no_input(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"

    done = run("write", str(log))

    assert done.returncode == 0
    assert content(log) == b""


def test_write_makes_missing_directories(tmp_path: Path) -> None:
    log = tmp_path / "var" / "log" / "audit.log"

    run("write", str(log), data=b"line\n")

    assert log.read_bytes() == b"line\n"


def test_write_takes_a_line_of_5_mb_into_a_larger_ring(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    data = b"before\n" + b"x" * 5 * MIB + b"\nafter\n"

    done = run("write", str(log), "--ring-size", "16", data=data)

    assert (done.returncode, done.stderr) == (0, b"")
    assert log.read_bytes() == data


@pytest.mark.parametrize(
    "end", [b"\nafter\n", b""], ids=["in the middle", "at the end"]
)
def test_write_tells_of_a_line_too_long_and_writes_the_others(
    tmp_path: Path, end: bytes
) -> None:
    log = tmp_path / "audit.log"
    data = b"before\n" + b"x" * 5 * MIB + end

    done = run("write", str(log), data=data)

    assert done.returncode == 1
    size = 5 * MIB + len(end[:1])
    assert f"a line of {size} bytes was left out".encode() in done.stderr
    lines = log.read_bytes().splitlines(keepends=True)
    gap = next(line for line in lines if line.startswith(b"{"))
    lines.remove(gap)
    assert b"".join(lines) == b"before\n" + end[1:]
    told = json.loads(gap)["annotations"]
    assert told["auditring.io/reason"] == "dropped"
    assert told["auditring.io/bytes"] == str(size)


def test_write_rotates_before_the_file_grows_too_large(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    data = lines_of_kilobytes(3500)

    run("write", str(log), "--max-size", "1", data=data)

    files = [*backups(log), log]
    assert [file.stat().st_size for file in files] == [MIB, MIB, MIB, 428 * 1024]
    assert b"".join(map(content, files)) == data


@pytest.mark.parametrize(
    ("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst"), ("lz4", ".lz4")]
)
def test_write_leaves_no_backup_uncompressed(
    tmp_path: Path, method: str, suffix: str
) -> None:
    log = tmp_path / "audit.log"
    data = lines_of_kilobytes(3500)

    run("write", str(log), "--max-size", "1", "--compress", method, data=data)

    assert [backup.suffix for backup in backups(log)] == [suffix] * 3
    assert b"".join(map(unpacked, backups(log))) + log.read_bytes() == data


def test_write_keeps_as_many_backups_as_told(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    arguments = ["--max-size", "1", "--max-backups", "2", "--compress", "gzip"]

    run("write", str(log), *arguments, data=lines_of_kilobytes(5500))

    assert len(backups(log)) == 2


@pytest.mark.parametrize(
    ("arguments", "mode"), [([], 0o600), (["--mode", "640"], 0o640)]
)
def test_write_gives_the_file_its_mode(
    tmp_path: Path, arguments: list[str], mode: int
) -> None:
    log = tmp_path / "audit.log"

    run("write", str(log), *arguments, data=b"line\n")

    assert stat.S_IMODE(log.stat().st_mode) == mode


def test_write_names_backups_in_the_dialect_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    arguments = ["--dialect", "stdlib", "--max-size", "1", "--max-backups", "5"]

    run("write", str(log), *arguments, data=lines_of_kilobytes(2500))

    assert {file.name for file in tmp_path.glob("audit.log*")} == {
        "audit.log",
        "audit.log.1",
        "audit.log.2",
    }


# write: standard output.


def test_write_copies_to_standard_output(tmp_path: Path) -> None:
    data = lines_of_kilobytes(3000)

    done = run("write", "-", data=data)

    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_write_ends_with_a_message_when_its_reader_leaves_while_it_writes(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "input").write_bytes(lines_of_kilobytes(30_000))
    with (tmp_path / "input").open("rb") as source:
        process = start("write", "-", stdin=source)
    assert process.stdout is not None
    process.stdout.read(1024)

    process.stdout.close()

    assert process.stderr is not None
    assert process.stderr.read() == b"auditring: -: its reader is gone\n"
    assert process.wait(LIMIT_S) == 1


def test_write_ends_with_a_message_when_its_reader_leaves_while_it_waits(
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = start("write", "-")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"line\n")
    process.stdout.read(5)

    process.stdout.close()

    assert process.stderr is not None
    assert process.stderr.read() == b"auditring: -: its reader is gone\n"
    assert process.wait(LIMIT_S) == 1


# write: a ring that is full.


@pytest.fixture
def stuck(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> Callable[..., subprocess.Popen[bytes]]:
    """Start `write -` on 8,000 lines of 1 KiB, and read nothing of it for now."""
    source = tmp_path / "input"
    source.write_bytes(lines_of_kilobytes(8000))

    def stuck(*arguments: str) -> subprocess.Popen[bytes]:
        with source.open("rb") as file:
            return start("write", "-", "--ring-size", "1", *arguments, stdin=file)

    return stuck


def has_read_all(process: subprocess.Popen[bytes], size: int) -> bool:
    """Tell whether the process stands at the end of its standard input."""
    return f"pos:\t{size}\n" in Path(f"/proc/{process.pid}/fdinfo/0").read_text()


def test_write_drops_and_tells_how_many_lines_when_told_to_drop(
    stuck: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = stuck("--on-full", "drop")
    wait_until(lambda: has_read_all(process, 8000 * 1024))

    output, errors = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 1
    told = re.search(rb"(\d+) lines were dropped: the ring was full", errors)
    assert told is not None
    lines = output.splitlines(keepends=True)
    gaps = [line for line in lines if b'"verb":"gap"' in line]
    assert gaps
    assert int(told[1]) == 8000 - (len(lines) - len(gaps))


def test_write_stops_with_a_message_when_told_to_raise(
    stuck: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = stuck("--on-full", "raise")
    assert process.stderr is not None

    message = process.stderr.readline()

    assert message.startswith(b"auditring: -: stopped: ")
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1


def test_write_waits_for_its_reader_by_default(
    stuck: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = stuck()

    output, errors = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, errors) == (0, b"")
    assert output == lines_of_kilobytes(8000)


def test_write_tells_when_the_disk_is_full(
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    with open("/dev/full", "wb") as full:
        process = start("write", "-", stdout=full)
    assert process.stdin is not None
    assert process.stderr is not None

    process.stdin.write(b"line\n")

    message = process.stderr.readline()
    assert message.startswith(
        b"auditring: -: No space left on device; lines wait in the ring"
    )


# write: signals.


def is_empty(pipe: io.FileIO) -> bool:
    """Tell whether everything in a pipe was read."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))) == (0,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_write_keeps_everything_it_was_given_before_it_is_asked_to_stop(
    start: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    log = tmp_path / "audit.log"
    process = start("write", str(log), "--linger", "0")
    assert process.stdin is not None
    process.stdin.write(b"first\n")
    wait_until(lambda: content(log) == b"first\n")
    process.send_signal(signal.SIGSTOP)
    process.stdin.write(b"second\n" * 5000 + b"unfinished")
    process.send_signal(number)

    process.send_signal(signal.SIGCONT)

    assert process.wait(LIMIT_S) == 0
    assert log.read_bytes() == b"first\n" + b"second\n" * 5000 + b"unfinished\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_write_reads_on_to_the_end_of_its_input_after_a_signal(
    start: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    log = tmp_path / "audit.log"
    process = start("write", str(log))
    assert process.stdin is not None
    process.stdin.write(b"working\n")
    wait_until(lambda: content(log) == b"working\n")
    process.send_signal(number)
    wait_until(lambda: not catches(process, number))

    for line in (b"closing\n", b"closed\n"):
        process.stdin.write(line)
        wait_until(lambda line=line: content(log).endswith(line))
    process.stdin.close()

    assert process.wait(LIMIT_S) == 0
    assert log.read_bytes() == b"working\nclosing\nclosed\n"


def test_write_lingers_only_so_long(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    process = start("write", str(log), "--linger", "0.2")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"line\nunfinished")
    wait_until(lambda: catches(process, signal.SIGTERM))

    process.send_signal(signal.SIGTERM)

    assert process.wait(LIMIT_S) == 1
    assert b"--linger was over" in process.stderr.read()
    assert log.read_bytes() == b"line\nunfinished\n"


def test_write_ends_on_a_signal_though_nothing_gets_into_the_log(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    with Bystander(log) as leader:
        leader.stop()
        process = start("write", str(log), "--ring-size", "1")
        assert process.stdin is not None
        feeding = threading.Thread(
            target=feed_until_it_ends, args=[process.stdin], daemon=True
        )
        feeding.start()
        wait_until(lambda: catches(process, signal.SIGTERM))
        process.send_signal(signal.SIGTERM)

        assert process.wait(LIMIT_S) == 1
        feeding.join(LIMIT_S)
        leader.resume()

    assert process.stderr is not None
    errors = process.stderr.read().decode()
    lost = re.search(r"lost are (\d+) lines, (\d+) bytes, that were read", errors)
    left = re.search(r"records stay for the next opener: (\d+) bytes", errors)
    assert lost is not None
    assert left is not None
    lines = log.read_bytes().splitlines(keepends=True)
    gaps = [json.loads(line) for line in lines if line.startswith(b'{"kind"')]
    told = sum(int(gap["annotations"]["auditring.io/count"]) for gap in gaps)
    assert told == int(lost[1]) > 0
    assert all(line == KILOBYTE for line in lines if not line.startswith(b'{"kind"'))


KILOBYTE = b"x" * 1023 + b"\n"


def feed_until_it_ends(pipe: io.FileIO) -> None:
    """Write lines into a pipe until nobody reads there any more."""
    with contextlib.suppress(BrokenPipeError):
        while True:
            pipe.write(KILOBYTE * 16)


def test_write_is_ended_by_the_second_signal_at_once(
    stuck: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = stuck()
    wait_until(lambda: catches(process, signal.SIGTERM))
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not catches(process, signal.SIGTERM))

    process.send_signal(signal.SIGTERM)

    assert process.wait(LIMIT_S) == -signal.SIGTERM


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Tell whether the process has a handler for the signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = re.search(r"^SigCgt:\t(\w+)$", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_write_opens_the_live_file_again_on_sighup(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    process = start("write", str(log))
    assert process.stdin is not None
    process.stdin.write(b"before\n")
    wait_until(lambda: content(log) == b"before\n")
    log.rename(tmp_path / "moved.log")

    process.send_signal(signal.SIGHUP)

    wait_until(log.exists)
    process.stdin.write(b"after\n")
    process.stdin.close()
    assert process.wait(LIMIT_S) == 0
    assert (tmp_path / "moved.log").read_bytes() == b"before\n"
    assert log.read_bytes() == b"after\n"


# write: what can't be done.


def test_write_names_the_path_that_it_can_not_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = tmp_path / "file" / "audit.log"

    done = run("write", str(log))

    assert done.returncode == 2
    assert done.stderr == f"auditring: {log}: Not a directory\n".encode()


def test_write_names_the_path_that_it_may_not_write_to() -> None:
    # As root everything may be written to, so the process becomes another user; what
    # it imports may be out of that user's reach, so it does so late.
    program = """\
import os, sys
from auditring.cli import main
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
main(["write", sys.argv[1]], prog_name="auditring")
"""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, f"{directory}/audit.log"],
            input=b"line\n",
            capture_output=True,
            timeout=LIMIT_S,
        )

    message = f"auditring: {directory}/audit.log: Permission denied\n"
    assert (done.returncode, done.stderr.decode()) == (2, message)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "PATH"),
        (["--max-size", "-1"], "--max-size"),
        (["--max-size", "ten"], "ten"),
        (["--max-backups", "-1"], "--max-backups"),
        (["--max-age", "0"], "--max-age"),
        (["--max-total-size", "0"], "--max-total-size"),
        (["--compress", "brotli"], "brotli"),
        (["--compress", "gzip", "--compress-level", "99"], "99"),
        (["--ring-size", "0"], "--ring-size"),
        (["--on-full", "explode"], "explode"),
        (["--durability", "eternal"], "eternal"),
        (["--sync-interval", "0"], "--sync-interval"),
        (["--mode", "999"], "999"),
        (["--group", "no such group"], "no such group"),
        (["--dialect", "dutch"], "dutch"),
        (["--colour"], "--colour"),
    ],
    ids=lambda value: " ".join(value) or "no path" if isinstance(value, list) else "",
)
def test_write_refuses_a_wrong_option_by_name_and_value(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    path = [str(tmp_path / "audit.log")] if arguments else []

    done = run("write", *path, *arguments, data=b"line\n")

    assert done.returncode == 2
    assert named in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_write_refuses_a_closed_standard_input(tmp_path: Path) -> None:
    script = 'exec "$@" <&-'
    command = [*COMMAND, "write", str(tmp_path / "audit.log")]

    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], capture_output=True, timeout=LIMIT_S
    )

    assert done.returncode == 2
    assert done.stderr == b"auditring: standard input: it is closed\n"


def test_write_tells_when_it_can_not_read(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    with (tmp_path / "for writing").open("wb") as unreadable:
        process = start("write", str(tmp_path / "audit.log"), stdin=unreadable)

    _, errors = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 2
    assert errors == b"auditring: standard input: Bad file descriptor\n"


# recover.

WRITER = """\
import sys
from auditring import LogWriter
log = LogWriter(sys.argv[1])
print("open", flush=True)
for count in map(int, sys.stdin):
    for number in range(count):
        log.write(b"line %d\\n" % number)
    print("written", flush=True)
"""


@pytest.fixture
def start_writer(
    tmp_path: Path,
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a process that writes as many lines to audit.log as each number asks."""
    started: list[subprocess.Popen[bytes]] = []

    def start_writer() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "audit.log")],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        return process

    yield start_writer
    for process in started:
        end(process)


def order(process: subprocess.Popen[bytes], count: int) -> None:
    """Have *count* lines written and acknowledged."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"%d\n" % count)
    assert process.stdout.readline() == b"written\n"


def test_recover_brings_the_lines_of_killed_writers_to_the_log(
    tmp_path: Path, start_writer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    # The first one leads; while it is stopped, nobody drains the ring of the other.
    leader, other = start_writer(), start_writer()
    leader.send_signal(signal.SIGSTOP)
    order(other, 100)
    for process in (leader, other):
        process.kill()
        process.wait()
    assert content(tmp_path / "audit.log") == b""

    done = run("recover", str(tmp_path / "audit.log"))

    expected = b"".join(b"line %d\n" % number for number in range(100))
    assert (tmp_path / "audit.log").read_bytes() == expected
    assert done.returncode == 0
    assert f"100 lines recovered, {len(expected)} bytes" in done.stdout.decode()


def test_recover_names_the_file_that_holds_what_a_restart_left(
    tmp_path: Path, start_writer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    leader, other = start_writer(), start_writer()
    leader.send_signal(signal.SIGSTOP)
    order(other, 100)
    for process in (leader, other):
        process.kill()
        process.wait()
    pretend_restart(tmp_path / ".audit.log.ring")

    done = run("recover", str(tmp_path / "audit.log"))

    (salvaged,) = tmp_path.glob("audit-salvaged-*.jsonl")
    assert salvaged.read_bytes().count(b"line") == 100
    assert f"the machine restarted, see {salvaged}" in done.stdout.decode()
    assert b"1 of them are gap events" in done.stdout


def pretend_restart(state_dir: Path) -> None:
    """Make everything in the state directory look like that of an earlier boot."""
    now = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    earlier = b"0" * len(now)
    for file in state_dir.iterdir():
        file.write_bytes(file.read_bytes().replace(now, earlier))


def test_recover_finds_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    run("write", str(log), data=b"line\n")

    done = run("recover", str(log))

    assert done.returncode == 0
    assert b"0 lines recovered" in done.stdout
    assert log.read_bytes() == b"line\n"


def test_recover_leaves_a_running_writer_alone(
    tmp_path: Path, start_writer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start_writer()

    done = run("recover", str(tmp_path / "audit.log"))

    assert done.returncode == 1
    assert b"a writer is running" in done.stderr
    order(process, 1)


def test_recover_makes_nothing_where_nobody_wrote(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"

    missing = run("recover", str(log))
    log.write_bytes(b"line\n")
    done = run("recover", str(log))

    assert missing.returncode == 2
    assert b"audit.log: No such file or directory" in missing.stderr
    assert done.returncode == 0
    assert b"nothing to recover" in done.stdout
    assert list(tmp_path.iterdir()) == [log]


def test_recover_refuses_what_can_be_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    done = run("recover", str(tmp_path / "pipe"))

    assert done.returncode == 2
    assert b"pipe: not a regular file" in done.stderr


def test_recover_finds_rings_in_another_directory(tmp_path: Path) -> None:
    log, rings = tmp_path / "audit.log", tmp_path / "rings"
    run("write", str(log), "--state-dir", str(rings), data=b"line\n")

    without = run("recover", str(log))
    done = run("recover", str(log), "--state-dir", str(rings))

    assert (without.returncode, done.returncode) == (2, 0)
    assert b"state_dir" in without.stderr


# The command line as such.


def test_the_version_is_told() -> None:
    done = run("--version")

    assert done.stdout.decode() == f"auditring, version {auditring.__version__}\n"


def options() -> Iterator[tuple[str, click.Option]]:
    """Yield every option of those that write, with the help of its command."""
    for name in ("write", "recover", "demo"):
        command = main.commands[name]
        context = click.Context(command, info_name=name)
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option) and "--help" not in parameter.opts:
                yield command.get_help(context), parameter


@pytest.mark.parametrize(
    ("text", "option"),
    [pytest.param(*both, id=both[1].opts[-1]) for both in options()],
)
def test_the_help_tells_unit_and_default_of_each_option(
    text: str, option: click.Option
) -> None:
    entry = re.search(
        rf"^  (?:-\w, )?{option.opts[-1]} (.*?)(?=^  -|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )

    assert entry is not None
    if option.is_flag:
        return  # It says what is done with it, and without it that isn't.
    words = " ".join(entry[1].split())
    assert "[default:" in words
    unit = words.split()[0]
    units = {"MB", "N", "DAYS", "SECONDS", "FILE", "DIR", "NAME", "NAME|GID", "OCTAL"}
    assert unit in units or unit.startswith("[")
    assert unit != "MB" or "1,048,576 bytes" in " ".join(text.split())


def test_write_has_the_defaults_of_the_log_writer() -> None:
    parameters = inspect.signature(LogWriter).parameters
    command = main.commands["write"]

    context = command.make_context("write", ["audit.log"])

    own = {"path", "linger_s"}
    given = {k: value for k, value in context.params.items() if k not in own}
    assert given == {name: parameters[name].default for name in given}

"""Lines that are appended past the rings: whole, or their writer is told.

Who may be there: others who append, of this process and of others; a leader that is in
the middle of a batch because its disk is full, or that was stopped or killed there; a
limit on the size of files; a process that may not open the file any more, or has no
descriptor left; a rotation; a process of greenlets or an event loop, which can't wait.
"""

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.handlers.fallback import PATIENCE_S, append_to_file, append_to_open_file

LIMIT_S = 100
_LOCK = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)

# Appends lines of many sizes, none of them twice, and prints those that were taken.
WRITER = """\
import sys, os
from auditring.handlers.fallback import append_to_file
name, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("up", flush=True)
sys.stdin.readline()
taken = []
for number in range(count):
    text = f"{name}.{number}."
    line = text + "x" * (number * 977 % 9000) + text
    try:
        append_to_file(path, line.encode() + b"\\n", 0o600)
    except OSError:
        continue
    taken.append(number)
print(*taken)
"""

# Leads, on a disk that is full for now and then.
LEADER = """\
import sys
from auditring import LogWriter
name, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = LogWriter(path, max_bytes=0, ring_bytes=65536, state_dir=sys.argv[4])
print("up", flush=True)
sys.stdin.readline()
for number in range(count):
    text = f"{name}.{number}."
    log.write((text + "x" * (number * 977 % 9000) + text).encode())
log.close()
print(*range(count))
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def lines_of(*files: Path) -> Counter[str]:
    """Return whole lines by name and number; what is torn by itself."""
    found: Counter[str] = Counter()
    for file in files:
        for line in file.read_bytes().split(b"\n")[:-1]:
            text = line.decode()
            head = ".".join(text.split(".")[:2]) + "."
            is_whole = len(text) > len(head) and text.endswith(head)
            found[head if is_whole else f"torn: {text:.60}"] += 1
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of two megabytes."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs root to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def keep_filling(disk: Path, *processes: subprocess.Popen[str]) -> None:
    """Fill the disk to the last byte and make room again, until they are through."""
    hog = disk / "hog"
    turn = 0
    while any(process.poll() is None for process in processes):
        turn += 1
        with hog.open("wb", 0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096 if turn % 2 else 1))
        hog.unlink()


def out_of(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    return out


def test_lines_on_a_full_disk_are_whole_or_not_there(disk: Path) -> None:
    log = disk / "app.log"
    writers = [start(WRITER, f"w{number}", log, 120) for number in range(3)]
    go(*writers)
    keep_filling(disk, *writers)
    taken = {
        f"w{number}.{line}."
        for number, writer in enumerate(writers)
        for line in out_of(writer).split()
    }
    assert lines_of(log) == Counter(taken)
    assert len(taken) > 0


def test_a_leader_on_a_full_disk_is_never_written_into(disk: Path) -> None:
    log, rings = disk / "app.log", disk.parent / "rings"
    rings.mkdir()
    leader = start(LEADER, "leader", log, 150, rings)
    writers = [start(WRITER, f"w{number}", log, 60) for number in range(2)]
    go(leader, *writers)
    keep_filling(disk, leader, *writers)
    taken = {
        f"{name}.{line}."
        for name, process in zip(
            ("leader", "w0", "w1"), (leader, *writers), strict=True
        )
        for line in out_of(process).split()
    }
    assert sum(name.startswith("leader") for name in taken) == 150
    files = [file for file in disk.iterdir() if file.name.startswith("app")]
    assert lines_of(*files) == Counter(taken)


def test_a_line_beyond_a_limit_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    program = """        import resource, sys
        from auditring.handlers.fallback import append_to_file
        append_to_file(sys.argv[1], b"a" * 59 + b"\\n", 0o600)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            append_to_file(sys.argv[1], b"b" * 59 + b"\\n", 0o600)
        except OSError as error:
            print(error.strerror)
        append_to_file(sys.argv[1], b"c" * 39 + b"\\n", 0o600)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), log],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.stdout, done.stderr) == ("File too large\n", "")
    assert log.read_bytes() == b"a" * 59 + b"\n" + b"c" * 39 + b"\n"


def test_who_has_the_file_and_does_not_get_on_is_waited_for_once(
    tmp_path: Path,
) -> None:
    log = tmp_path / "app.log"
    append_to_file(str(log), b"first\n", 0o600)
    fd = os.open(log, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK)
    for limit_s in (LIMIT_S, PATIENCE_S):
        begin = time.monotonic()
        with pytest.raises(BlockingIOError, match="doesn't get on"):
            append_to_file(str(log), b"refused\n", 0o600)
        assert time.monotonic() - begin < limit_s
    os.close(fd)
    append_to_file(str(log), b"second\n", 0o600)
    assert log.read_bytes() == b"first\nsecond\n"


def test_an_event_loop_is_not_held_up(tmp_path: Path) -> None:
    program = """        import asyncio, fcntl, os, sys, time
        from auditring.handlers.fallback import append_to_file
        append_to_file(sys.argv[1], b"first\\n", 0o600)
        fd = os.open(sys.argv[1], os.O_RDWR)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, bytes.fromhex(sys.argv[2]))
        async def main():
            begin = time.monotonic()
            try:
                append_to_file(sys.argv[1], b"refused\\n", 0o600)
            except BlockingIOError:
                print(time.monotonic() - begin)
        asyncio.run(main())
        """
    took = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(program),
            tmp_path / "app.log",
            _LOCK.hex(),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout
    assert 0.04 < float(took) < PATIENCE_S


def test_a_line_that_a_killed_process_left_unfinished_stays_by_itself(
    tmp_path: Path,
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"whole\nto")
    append_to_file(str(log), b"next\n", 0o600)
    assert log.read_bytes() == b"whole\nto\nnext\n"


def test_an_unfinished_line_is_waited_for_while_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"be")
    thread = threading.Thread(target=append_to_file, args=(str(log), b"next\n", 0o600))
    thread.start()
    with log.open("ab", 0) as file:
        for part in (b"g", b"i", b"n\n"):
            # For as long as the other one sees no more than a pause.
            thread.join(PATIENCE_S / 4)
            file.write(part)
    thread.join(LIMIT_S)
    assert log.read_bytes() == b"begin\nnext\n"


def test_a_rotation_takes_no_line_away(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    writers = [start(WRITER, f"w{number}", log, 300) for number in range(2)]
    with LogWriter(log, max_bytes=200_000, max_backups=1000, compress="gzip") as leader:
        go(*writers)
        while any(writer.poll() is None for writer in writers):
            leader.write(b"leader.0." * 2)
            leader.rotate()
        taken = [out_of(writer).split() for writer in writers]
        leader.flush()
    found: Counter[str] = Counter()
    for file in tmp_path.glob("app*"):
        if file.suffix == ".gz":
            plain = tmp_path / "plain"
            plain.write_bytes(subprocess.check_output(["gzip", "-dc", file]))
            found += lines_of(plain)
        elif file.is_file():
            found += lines_of(file)
    del found["leader.0."]
    assert [len(each) for each in taken] == [300, 300]
    assert found == Counter(
        f"w{number}.{line}." for number in range(2) for line in range(300)
    )


def test_an_open_file_takes_lines_where_its_name_may_not_be_opened(
    tmp_path: Path,
) -> None:
    log = tmp_path / "app.log"
    fd = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        append_to_open_file(fd, str(log), b"first\n", is_moved_too=False)
        log.rename(tmp_path / "app.log.1")
        with pytest.raises(OSError, match="was rotated"):
            append_to_open_file(fd, str(log), b"refused\n", is_moved_too=False)
        append_to_open_file(fd, str(log), b"second\n", is_moved_too=True)
    finally:
        os.close(fd)
    assert (tmp_path / "app.log.1").read_bytes() == b"first\nsecond\n"


def test_a_file_that_parent_and_child_have_open_takes_one_line_at_a_time(
    tmp_path: Path,
) -> None:
    log = tmp_path / "app.log"
    fd = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK)
    try:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                append_to_open_file(fd, str(log), b"child\n", is_moved_too=False)
            except BlockingIOError:
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        other = os.open(log, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            # The child gave back no lock that wasn't its own.
            fcntl.fcntl(other, fcntl.F_OFD_SETLK, _LOCK)
        os.close(other)
    finally:
        os.close(fd)
    assert log.read_bytes() == b""

"""A log for each of many tenants, most of them quiet.

Who else may be there: files and sockets of the program's own, a limit on descriptors,
another process with the same logs, a kill while they rest, a fork, a user who gives his
rights up after the logs were opened.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import run

LIMIT_S = 240

HELPERS = """\
import os, sys, time
from pathlib import Path
from auditring import LogWriter
folder = Path(sys.argv[1])
def descriptors():
    return len(os.listdir("/proc/self/fd"))
def threads():
    return len(os.listdir("/proc/self/task"))
def wait_until(is_reached):
    deadline = time.monotonic() + 100
    while not is_reached():
        assert time.monotonic() < deadline, (descriptors(), threads())
        time.sleep(0.01)
def open_all(count):
    return [LogWriter(folder / f"{i}.log") for i in range(count)]
def write_all(logs, line):
    for log in logs:
        log.write(line)
    for log in logs:
        assert log.flush(100)
before = descriptors()
def wait_until_quiet(logs):
    wait_until(lambda: descriptors() - before <= 2 * len(logs) and threads() <= 2)
"""

FEW = """\
logs = open_all(int(sys.argv[2]))
write_all(logs, b"one\\n")
wait_until_quiet(logs)
for log in logs:
    log.write(b"two\\n")
    log.write(b"x" * 200_000 + b"\\n")
write_all(logs, b"three\\n")
wait_until_quiet(logs)
for log in logs:
    assert log.stats().health == "ok"
    assert log.stats().leader_changes == 1
    log.close()
assert descriptors() == before
assert threads() == 1
"""

MANY = """\
logs = open_all(int(sys.argv[2]))
write_all(logs, sys.argv[3].encode() + b" one\\n")
wait_until_quiet(logs)
print("quiet", flush=True)
assert sys.stdin.readline() == "go on\\n"
write_all(logs, sys.argv[3].encode() + b" two\\n")
wait_until_quiet(logs)
print("quiet", flush=True)
assert sys.stdin.readline() == "end\\n"
for log in logs:
    log.close()
"""

FORKED = """\
logs = open_all(20)
write_all(logs, b"parent one\\n")
wait_until_quiet(logs)
child = os.fork()
if child == 0:
    write_all(logs, b"child\\n")
    for log in logs:
        log.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
write_all(logs, b"parent two\\n")
for log in logs:
    log.close()
"""

WITHOUT_RIGHTS = """\
folder.chmod(0o755)
logs = open_all(3)
write_all(logs, b"as root\\n")
wait_until_quiet(logs)
os.setgid(65534)
os.setuid(65534)
write_all(logs, b"as nobody\\n")
for log in logs:
    assert log.stats().health == "ok"
    log.close()
"""

BESIDE_A_LIMIT = """\
import resource
logs = open_all(40)
write_all(logs, b"one\\n")
wait_until_quiet(logs)
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 2, 4096))
own = []
try:
    while True:
        own.append(open(os.devnull))
except OSError:
    pass
write_all(logs, b"two\\n")
for file in own:
    file.close()
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
write_all(logs, b"three\\n")
for log in logs:
    log.close()
"""


def lines_of(folder: Path) -> dict[bytes, int]:
    """Return the lines of all logs, cut off, and how often each is there."""
    files = [file for file in folder.glob("*.log*") if file.is_file()]
    lines = [line[:20] for file in files for line in file.read_bytes().splitlines()]
    return {line: lines.count(line) for line in set(lines)}


def folder_of(tmp_path: Path) -> Path:
    """Return a new folder that any user may enter."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(parent.stat().st_mode | 0o111)
    tmp_path.chmod(0o755)
    return folder


def start(folder: Path, count: int, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HELPERS + MANY, folder, str(count), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


def wait_until_quiet(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "quiet\n"


def go_on_to_the_end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        tell(process, "go on")
    for process in processes:
        wait_until_quiet(process)
        tell(process, "end")
    for process in processes:
        process.wait(LIMIT_S)


@pytest.mark.parametrize("count", [1, 60])
def test_a_quiet_log_keeps_two_descriptors_and_no_thread(
    tmp_path: Path, count: int
) -> None:
    folder = folder_of(tmp_path)

    run(HELPERS + FEW, folder, str(count))

    assert lines_of(folder) == {
        b"one": count,
        b"two": count,
        b"x" * 20: count,
        b"three": count,
    }


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 4096,
    reason="needs 4096 descriptors",
)
def test_a_thousand_quiet_logs_cost_little_and_go_on(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with start(folder, 1000, "alone") as process:
        wait_until_quiet(process)
        threads = len(os.listdir(f"/proc/{process.pid}/task"))
        disk = [
            sum(file.stat().st_blocks * 512 for file in state.iterdir())
            for state in folder.glob(".*.ring")
        ]
        go_on_to_the_end([process])

    assert process.returncode == 0
    assert threads <= 4
    assert len(disk) == 1000
    assert max(disk) <= 1_000_000
    assert lines_of(folder) == {b"alone one": 1000, b"alone two": 1000}


def test_two_processes_share_quiet_logs(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with start(folder, 200, "a") as one, start(folder, 200, "b") as other:
        wait_until_quiet(one)
        wait_until_quiet(other)
        go_on_to_the_end([one, other])

    assert one.returncode == other.returncode == 0
    assert lines_of(folder) == {
        line: 200 for line in (b"a one", b"a two", b"b one", b"b two")
    }


def test_one_that_is_killed_among_quiet_logs_loses_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with start(folder, 100, "other") as other:
        with start(folder, 100, "killed") as killed:
            wait_until_quiet(killed)
            wait_until_quiet(other)
            killed.send_signal(signal.SIGKILL)
        go_on_to_the_end([other])

    assert other.returncode == 0
    assert lines_of(folder) == {
        line: 100 for line in (b"killed one", b"other one", b"other two")
    }


def test_a_child_goes_on_in_logs_that_rest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)

    run(HELPERS + FORKED, folder)

    assert lines_of(folder) == {b"parent one": 20, b"child": 20, b"parent two": 20}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_rights_that_are_given_up_while_logs_rest_are_not_missed(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path)

    run(HELPERS + WITHOUT_RIGHTS, folder)

    assert lines_of(folder) == {b"as root": 3, b"as nobody": 3}


def test_quiet_logs_go_on_without_a_descriptor_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)

    run(HELPERS + BESIDE_A_LIMIT, folder)

    assert lines_of(folder) == {b"one": 40, b"two": 40, b"three": 40}

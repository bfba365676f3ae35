"""A log for each of many tenants, most of them quiet.

Who else may be there: files and sockets of the program's own, a limit on descriptors.
"""

from pathlib import Path

from programs import run

PROGRAM = """\
import os, sys, time
from auditring import LogWriter
folder = sys.argv[1]
def descriptors():
    return len(os.listdir("/proc/self/fd"))
def wait_until(is_reached):
    deadline = time.monotonic() + 50
    while not is_reached():
        assert time.monotonic() < deadline, descriptors()
        time.sleep(0.01)
before = descriptors()
logs = [LogWriter(f"{folder}/{i}.log") for i in range(60)]
for log in logs:
    log.write(b"one\\n")
for log in logs:
    assert log.flush(50)
wait_until(lambda: descriptors() - before <= 3 * len(logs))
for log in logs:
    log.write(b"two\\n")
    log.write(b"x" * 200_000 + b"\\n")
for log in logs:
    assert log.flush(50)
for log in logs:
    log.close()
"""


def lines_of(folder: Path) -> list[bytes]:
    files = [file for file in folder.glob("*.log") if file.is_file()]
    return [line[:10] for file in files for line in file.read_bytes().splitlines()]


def test_a_quiet_log_keeps_three_descriptors_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()

    run(PROGRAM, folder)

    lines = lines_of(folder)
    assert {line: lines.count(line) for line in set(lines)} == {
        b"one": 60,
        b"two": 60,
        b"x" * 10: 60,
    }
    assert not list(folder.glob("*.gaps"))

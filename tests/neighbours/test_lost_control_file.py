"""A control file that is lost or damaged costs no line and no word.

Who is there: killed writers with acknowledged lines in their rings, a command that
recovers, an opener after it, and writers that run while their entry is wiped.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditring import LogWriter

RING_BYTES = 64 * 1024

WRITER = """
import sys
from auditring import LogWriter
log = LogWriter(sys.argv[1], ring_bytes=65536)
log.write(b"first\\n")
log.flush()
print("up", flush=True)
sys.stdin.readline()
for number in range(50):
    log.write(b"K %d\\n" % number)
print("written", flush=True)
sys.stdin.readline()
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    """Stop all of its threads, and wait until they are."""
    process.send_signal(signal.SIGSTOP)
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        while (task / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)


def leave_undrained(path: Path) -> None:
    """Have 50 acknowledged lines in the ring of a writer that was killed."""
    leader, other = start_writer(path), start_writer(path)
    stop(leader)
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write("\n")
    other.stdin.flush()
    assert other.stdout.readline() == "written\n"
    for process in (other, leader):
        process.kill()
        process.communicate()


def recover(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditring", "recover", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def empty(control: Path) -> None:
    os.truncate(control, 0)


def shorten(control: Path) -> None:
    os.truncate(control, 5000)


def garble(control: Path) -> None:
    with control.open("r+b") as file:
        file.write(os.urandom(64))


def scatter(control: Path) -> None:
    data = bytearray(control.read_bytes())
    data[8:] = os.urandom(len(data) - 8)
    control.write_bytes(data)


def remove_all_but_rings(control: Path) -> None:
    for file in control.parent.iterdir():
        if not file.name.startswith("ring."):
            file.unlink()


@pytest.mark.parametrize(
    "harm", [Path.unlink, empty, shorten, garble, scatter, remove_all_but_rings]
)
def test_lines_in_rings_come_back_by_the_files_of_the_rings(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "audit.log"
    state = tmp_path / ".audit.log.ring"
    leave_undrained(path)
    harm(state / "ctl")

    done = recover(path)

    assert done.returncode == 0, done.stderr
    assert "50 lines recovered" in done.stdout
    assert "2 rings of killed writers are settled" in done.stdout
    LogWriter(path, ring_bytes=RING_BYTES).close()
    assert path.read_bytes().splitlines() == [b"first"] * 2 + [
        b"K %d" % number for number in range(50)
    ]
    assert not [*state.glob("ring.*")]


def test_what_is_lost_is_told_once_and_by_the_exit_status(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    state = tmp_path / ".audit.log.ring"
    leave_undrained(path)
    (state / "ctl").unlink()
    for ring in state.glob("ring.*"):
        with ring.open("r+b") as file:
            file.write(bytes(4096))

    done = recover(path)
    again = recover(path)

    assert (done.returncode, again.returncode) == (1, 0), done.stdout
    assert "2 rings of killed writers are settled" in done.stdout
    LogWriter(path, ring_bytes=RING_BYTES).close()
    text = path.read_text()
    assert text.count('"lost-ring"') == 1
    assert re.findall(r'"auditring.io/count":"(\d+)"', text) == ["2"]
    assert not [*state.glob("ring.*")]


def test_a_flush_is_true_only_with_the_lines_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    state = tmp_path / ".audit.log.ring"
    with LogWriter(path, ring_bytes=RING_BYTES) as log:
        log.write(b"one\n")
        assert log.flush(60)
        (ring,) = state.glob("ring.*")
        nonce = bytes.fromhex(ring.name.rpartition(".")[2])[::-1]
        for number in range(20):
            wipe_slots(state / "ctl", nonce)
            log.write(b"%d\n" % number)
            assert log.flush(60)
            assert path.read_bytes().endswith(b"\n%d\n" % number)
    assert not [*state.glob("ring.*")]


def wipe_slots(control: Path, nonce: bytes) -> None:
    """Zero the entry of the slot that names the ring."""
    data = control.read_bytes()
    at = data.find(nonce)
    if at >= 0:
        with control.open("r+b") as file:
            file.seek(at - 16)
            file.write(bytes(128))


def test_rings_that_were_lost_with_their_file_system_are_told(tmp_path: Path) -> None:
    path, rings = tmp_path / "audit.log", tmp_path / "memory"
    rings.mkdir()
    code = (
        "import os, sys, auditring;"
        "log = auditring.LogWriter(sys.argv[1], state_dir=sys.argv[2]);"
        "log.write(b'one\\n');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, path, rings], check=False)
    shutil.rmtree(rings)
    rings.mkdir()
    control = tmp_path / ".audit.log.ring" / "ctl"
    now = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    control.write_bytes(control.read_bytes().replace(now, b"0" * len(now)))

    LogWriter(path, state_dir=rings).close()
    LogWriter(path, state_dir=rings).close()

    assert path.read_text().count('"auditring.io/reason":"lost-ring"') == 1

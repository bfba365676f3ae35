"""What is on the disk, and when: the levels "process", "interval" and "sync"."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter


def test_a_write_syncs_nothing_by_default(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log") as log:
        log.write(b"one\n")
        log.flush()

        assert log.stats().syncs == 0


def test_sync_syncs_once(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log") as log:
        log.write(b"one\n")

        assert log.sync()

        assert log.stats().syncs == 1
        assert (tmp_path / "audit.log").read_bytes() == b"one\n"


def test_a_write_returns_after_its_sync_with_durability_sync(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log", durability="sync") as log:
        for number in range(1, 6):
            log.write(b"%d\n" % number)

            assert log.stats().syncs >= number
            assert len((tmp_path / "audit.log").read_bytes()) == 2 * number


def test_write_lines_syncs_a_chunk_together_with_durability_sync(
    tmp_path: Path,
) -> None:
    with LogWriter(tmp_path / "audit.log", durability="sync") as log:
        assert log.write_lines(b"line\n" * 1000) == 1000

        assert 1 <= log.stats().syncs < 100
        assert (tmp_path / "audit.log").read_bytes() == b"line\n" * 1000


def test_writes_of_many_threads_share_their_syncs(tmp_path: Path) -> None:
    count = 50
    with LogWriter(tmp_path / "audit.log", durability="sync") as log:

        def write_all() -> None:
            for _ in range(count):
                log.write(b"line\n")

        threads = [threading.Thread(target=write_all) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert log.stats().syncs < 8 * count
        assert (tmp_path / "audit.log").read_bytes() == b"line\n" * 8 * count


def test_a_chunk_in_one_thread_takes_no_durability_from_the_writes_of_another(
    tmp_path: Path,
) -> None:
    unsynced = []
    path = tmp_path / "audit.log"
    with LogWriter(path, durability="sync", ring_bytes=64 * 1024) as log:
        chunk = b"%01023d\n" % 0 * 500
        thread = threading.Thread(target=lambda: log.write_lines(chunk))
        thread.start()
        while thread.is_alive():
            before = log.stats().syncs
            log.write(b"one\n")
            unsynced.append(log.stats().syncs == before)
        thread.join()
        before = log.stats().syncs
        log.write(b"last\n")

        assert log.stats().syncs > before
    assert not any(unsynced)


def test_a_sync_write_is_waited_for_with_a_leader_of_another_level(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with (
        Bystander(path) as leader,
        LogWriter(path, durability="sync") as log,
    ):
        assert leader.leads
        log.write(b"one\n")

        assert log.stats().syncs >= 1
        assert path.read_bytes() == b"one\n"


def test_the_disk_is_synced_at_intervals_without_a_call(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, durability="interval", sync_interval=0.01) as log:
        log.write(b"one\n")
        wait_until(lambda: log.stats().syncs >= 1)

        log.write(b"two\n")
        wait_until(lambda: log.stats().syncs >= 2)

        assert log.stats().sync_errors == 0


def test_nothing_is_synced_at_intervals_when_nothing_was_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, durability="interval", sync_interval=0.001) as log:
        log.write(b"one\n")
        wait_until(lambda: log.stats().syncs)
        log.flush()
        synced = log.stats().syncs

        for _ in range(20):
            log.flush()

        assert log.stats().syncs == synced


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_write_of_durability_sync_returns_after_the_fdatasync_of_its_bytes(
    tmp_path: Path,
) -> None:
    program = """\
import os, sys
from auditring import LogWriter

log = LogWriter(sys.argv[1], durability="sync")
log.write(b"the line\\n")
os.write(2, b"returned")
log.close()
"""
    trace = tmp_path / "trace"
    calls = "trace=write,writev,pwritev,pwritev2,fdatasync,fsync"
    tracing = ["strace", "-f", "-qq", "-s", "100", "-e", calls, "-o", trace]
    done = subprocess.run(
        [*tracing, sys.executable, "-c", program, tmp_path / "audit.log"],
        capture_output=True,
        timeout=60,
    )
    if done.returncode != 0 and b"ptrace" in done.stderr:
        pytest.skip("tracing is not allowed")

    assert done.returncode == 0, done.stderr
    # A call of one thread may be cut in two by a call of another: only ends count.
    ends = [line for line in trace.read_text().splitlines() if "= " in line]
    order = [
        name
        for line in ends
        for name, pattern in {
            "written": r"write.*the line|write.* resumed.*= 9$",
            "synced": r"f(data)?sync.*= 0$",
            "returned": r'write\(2, "returned"',
        }.items()
        if re.search(pattern, line)
    ]
    assert order[:3] == ["written", "synced", "returned"]

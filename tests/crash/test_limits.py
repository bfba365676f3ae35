"""Disk, file sizes, rights and descriptors run out, and come back.

The log holds whole lines only, what is missing from it is counted, and within two
seconds after the trouble everything is as before.
"""

import contextlib
import errno
import gc
import json
import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger import Ledger
from oracle import Reading, judge, read_log
from puppet import Puppet, wait_until
from stream import make_line

from auditring import LogWriter

RING_BYTES = 65_536
RECOVERY_LIMIT_S = 2.0


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 4 MiB and return where."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"]
    mounted = subprocess.run(["mount", *options, place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs root that may mount: {mounted.stderr}")
    yield place
    subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def interrupted_in(seconds: float) -> Iterator[None]:
    """Do as if somebody pressed Ctrl-C then."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.signal(signal.SIGALRM, before)


def fill(disk: Path) -> Path:
    """Take all the space that is left, and return the file that has it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def check(reading: Reading, ledger: Ledger) -> None:
    finding = judge(reading, dict(ledger), unacknowledged_limit=0)
    assert finding.is_good, finding


# A full disk.


def write_or_drop(log: LogWriter, ledger: Ledger, count: int) -> int:
    """Write *count* lines of stream 0; return how many attempts were dropped."""
    dropped = 0
    wanted = ledger[0] + count
    while ledger[0] < wanted and dropped < count:
        if log.write(make_line(0, ledger[0])):
            ledger[0] += 1
        else:
            dropped += 1
    return dropped


def test_a_full_disk_drops_what_is_counted_if_told_to(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    with LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log:
        dropped = write_or_drop(log, ledger, 100)
        log.flush()
        for _ in range(3):
            filler = fill(small_disk)
            dropped += write_or_drop(log, ledger, 500)
            wait_until(lambda: log.stats().health == "disk-full", "the disk is full")
            assert log.stats().last_error == errno.ENOSPC
            assert read_finished_lines(path).torn == []

            filler.unlink()
            freed = time.monotonic()
            wait_until(lambda: log.stats().health == "ok", "all is well again")
            assert time.monotonic() - freed < RECOVERY_LIMIT_S
            dropped += write_or_drop(log, ledger, 100)
            log.flush()

        assert log.stats().dropped_records == dropped > 0

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gap_reasons() == {"dropped"}
    assert reading.gap_sum("dropped", "count") == dropped


def read_finished_lines(path: Path) -> Reading:
    """Read all lines but a last one that is to be finished when there is room."""
    reading = Reading()
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            reading.enter(line)
    return reading


def test_a_full_disk_blocks_writers_and_loses_nothing(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    with LogWriter(path, ring_bytes=RING_BYTES) as log:
        filler = fill(small_disk)
        thread = threading.Thread(target=ledger.write, args=(log, 0, 1000))
        thread.start()
        wait_until(lambda: log.stats().blocked_ns > 0, "the writer waits for room")
        wait_until(lambda: log.stats().health == "disk-full", "the disk is full")
        assert thread.is_alive()

        filler.unlink()
        thread.join(RECOVERY_LIMIT_S)

        assert not thread.is_alive()
        assert log.flush(RECOVERY_LIMIT_S)
        assert log.stats().health == "ok"

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []


def test_what_is_in_the_ring_when_the_disk_is_full_is_left_to_the_next_opener(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    log = LogWriter(path, ring_bytes=RING_BYTES)
    log.flush()
    filler = fill(small_disk)
    ledger.write(log, 0, 20)
    wait_until(lambda: log.stats().health == "disk-full", "the disk is full")

    with pytest.raises(OSError, match="next opener") as caught:
        log.close(timeout=0.1)

    assert caught.value.errno == errno.ENOSPC
    filler.unlink()
    LogWriter(path, ring_bytes=RING_BYTES).close()
    reading = read_log(path)
    check(reading, ledger)
    assert reading.lines == 20


def test_closing_a_log_on_a_full_disk_can_be_interrupted(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    log = LogWriter(path, ring_bytes=RING_BYTES)
    log.flush()
    filler = fill(small_disk)
    ledger.write(log, 0, 20)
    wait_until(lambda: log.stats().health == "disk-full", "the disk is full")

    with interrupted_in(0.1), pytest.raises(KeyboardInterrupt):
        log.close(timeout=1000)

    assert log.closed
    filler.unlink()
    LogWriter(path, ring_bytes=RING_BYTES).close()
    reading = read_log(path)
    check(reading, ledger)
    assert reading.lines == 20


def test_a_log_whose_ring_does_not_fit_the_disk_goes_on_in_a_small_one(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    with LogWriter(path, ring_bytes=64 * 1024**2) as log:
        ledger.write(log, 0, 2_000)

        assert log.flush(60)
        assert log.stats().ring_capacity == 256 * 1024
    check(read_log(path), ledger)


def test_a_log_can_not_be_founded_on_a_full_disk(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"
    filler = fill(small_disk)

    with pytest.raises(OSError, match="No space"):
        LogWriter(path, ring_bytes=RING_BYTES)

    filler.unlink()
    with LogWriter(path, ring_bytes=RING_BYTES) as log:
        ledger.write(log, 0, 20)
    check(read_log(path), ledger)


def test_a_child_that_can_not_have_a_ring_is_told_and_may_try_again(
    small_disk: Path, ledger: Ledger
) -> None:
    path = small_disk / "audit.log"

    def try_twice() -> None:
        filler = fill(small_disk)
        with pytest.raises(OSError, match="No space"):
            log.write(b"nothing\n")
        filler.unlink()
        ledger.write(log, 1, 20)
        log.close()

    with LogWriter(path, ring_bytes=RING_BYTES) as log:
        ledger.write(log, 0, 20)
        run_in_child(try_twice)
        ledger.write(log, 0, 20)

    check(read_log(path), ledger)


# Limits of a process.


def stop(ledger: Ledger, *puppets: Puppet) -> None:
    ledger.must_stop = True
    for puppet in puppets:
        puppet.stop()


def test_a_process_that_may_not_make_files_larger_begins_new_ones(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "audit.log"
    limit = 200_000
    with Puppet.started(path, ledger, 0, max_bytes=0) as puppet:
        puppet.wait_for_lines()

        resource.prlimit(puppet.pid, resource.RLIMIT_FSIZE, (limit, limit))
        puppet.wait_for_lines(1_000)
        stop(ledger, puppet)

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []
    assert len(reading.files) > 1
    assert path.stat().st_size <= limit


def test_a_process_that_may_not_make_files_larger_lets_another_lead(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "audit.log"
    limit = 200_000
    with (
        Puppet.started(path, ledger, 0, max_bytes=0) as limited,
        Puppet.started(path, ledger, 1, max_bytes=0) as other,
    ):
        limited.wait_for_lines()

        resource.prlimit(limited.pid, resource.RLIMIT_FSIZE, (limit, limit))
        wait_until(lambda: other.stat("leads") == 1, "the other one leads")
        limited.wait_for_lines(1_000)
        other.wait_for_lines(1_000)
        assert other.stat("handovers") > 0
        stop(ledger, limited, other)

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []
    assert path.stat().st_size > limit


def test_a_process_without_a_free_descriptor_rotates_when_it_has_one(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "audit.log"
    with Puppet.started(path, ledger, 0, max_bytes=50_000) as puppet:
        puppet.wait_for_lines()
        soft, hard = resource.prlimit(puppet.pid, resource.RLIMIT_NOFILE)

        resource.prlimit(puppet.pid, resource.RLIMIT_NOFILE, (3, hard))
        wait_until(lambda: puppet.stat("last_error") == errno.EMFILE, "it has none")
        resource.prlimit(puppet.pid, resource.RLIMIT_NOFILE, (soft, hard))
        puppet.wait_for_lines(1_000)
        stop(ledger, puppet)

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []


# Rights.


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that everybody reaches; it belongs to who runs `run_in_child`."""
    folder = Path(tempfile.mkdtemp(prefix="auditring-", dir="/tmp"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def run_in_child(work: Callable[[], None], *, as_nobody: bool = False) -> None:
    """Do *work* in a child, as a user without rights if told so; it must end well."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if as_nobody and os.geteuid() == 0:
                nobody = pwd.getpwnam("nobody")
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0


def test_a_directory_that_may_not_be_written_to_is_an_error(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    def try_to_open() -> None:
        with pytest.raises(PermissionError):
            LogWriter(open_folder / "audit.log")

    run_in_child(try_to_open, as_nobody=True)

    assert list(open_folder.iterdir()) == []


def test_a_directory_that_becomes_read_only_delays_rotation_and_loses_nothing(
    open_folder: Path, ledger: Ledger
) -> None:
    path = open_folder / "audit.log"

    def write() -> None:
        with LogWriter(path, max_bytes=20_000) as log:
            ledger.write(log, 0, 100)
            log.flush()
            open_folder.chmod(0o555)
            rotations = log.stats().rotations
            ledger.write(log, 0, 200)
            wait_until(lambda: log.stats().rotate_errors > 0, "it can't be rotated")
            assert log.stats().rotations == rotations
            open_folder.chmod(0o700)
            allowed = time.monotonic()
            while log.stats().rotations == rotations:
                ledger.write(log, 0, 1)
                assert log.flush(RECOVERY_LIMIT_S)
                assert time.monotonic() - allowed < RECOVERY_LIMIT_S

    run_in_child(write, as_nobody=True)

    reading = read_log(path)
    check(reading, ledger)
    assert reading.gaps == []


# What is given back.


def count_held() -> tuple[int, int]:
    """Count the descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize("compress", [None, "gzip"])
def test_opening_and_closing_a_thousand_times_leaves_nothing_behind(
    tmp_path: Path, compress: str | None
) -> None:
    path = tmp_path / "audit.log"
    gc.collect()  # what earlier tests left is not given back in between
    before = count_held()

    for number in range(1000):
        log = LogWriter(
            path,
            ring_bytes=RING_BYTES,
            max_bytes=2_000,
            compress=compress,  # type: ignore[arg-type]
            max_backups=3,
        )
        log.write(b"%d\n" % number)
        log.close()

        # close() has joined every thread; the kernel forgets it a moment later.
        wait_until(lambda: count_held() == before, "nothing is held any more")

    assert list(tmp_path.glob(".audit.log.ring/ring.*")) == []
    assert json.loads(path.read_bytes().splitlines()[-1]) == 999

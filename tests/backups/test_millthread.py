"""The thread that drives a mill: woken by rotations, parked at forks, soon ended."""

import errno
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kernelthreads import threads_called
from millwork import (
    LIMIT_S,
    LINES,
    MIB,
    NEWEST,
    assert_one_whole_copy,
    backup_name,
    files_in,
    in_child,
    mill_of,
    open_files,
    put_backups,
    temps_in,
    wait_until,
)

from auditring.backups.mill import Mill, MillSettings
from auditring.backups.space import SpaceWatch
from auditring.backups.thread import STOP_LIMIT_S, MillThread


class Rotations:
    """A MillSource without a writer: the test rotates, and gives the lock away."""

    def __init__(self, *, holds_lock: bool = True) -> None:
        self.holds_lock = holds_lock
        self.tries = 0
        self._count = 0
        self._wakes = 0
        self._changed = threading.Condition()

    def rotate(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_rotation(self, seen: int, timeout: float) -> int:
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(
                lambda: self._count != seen or self._wakes != wakes, timeout
            )
            return self._count

    def wake(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def try_mill_lock(self) -> bool:
        self.tries += 1
        return self.holds_lock


@pytest.fixture
def rotations() -> Rotations:
    return Rotations()


def slow_mill(directory: Path) -> Mill:
    """Make a mill that takes seconds for the backup that is put there for it."""
    words = random.Random(2).randbytes(MIB)
    (directory / NEWEST).write_bytes(b"".join([words, words[::-1]] * 8))
    return mill_of(directory, compress="zstd", compress_level=19)


def threads_of_mills() -> list[Path]:
    """Return where the kernel shows the threads of mills."""
    return threads_called("auditring-mill")


def test_a_pass_is_made_at_the_start_and_after_a_rotation(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / backup_name(1)).write_bytes(LINES)
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)

    thread.start()
    wait_until(lambda: mill.counters.compressed == 1)
    (tmp_path / backup_name(0)).write_bytes(LINES)
    rotations.rotate()
    wait_until(lambda: mill.counters.compressed == 2)
    thread.stop()

    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0) + ".gz"]


def test_nothing_is_touched_without_the_lock_and_all_is_once_it_is_had(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    rotations = Rotations(holds_lock=False)
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)

    thread.start()
    for _ in range(3):
        tries = rotations.tries
        rotations.rotate()
        wait_until(lambda tries=tries: rotations.tries > tries)  # type: ignore[misc]
    untouched = files_in(tmp_path)
    rotations.holds_lock = True
    rotations.wake()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert untouched == [NEWEST]
    assert files_in(tmp_path) == [NEWEST + ".gz"]


def test_the_thread_has_a_low_priority(tmp_path: Path, rotations: Rotations) -> None:
    priorities: list[int] = []

    def settings() -> MillSettings:
        own = threading.get_native_id()
        priorities.append(os.getpriority(os.PRIO_PROCESS, own))
        return MillSettings()

    thread = MillThread(Mill(tmp_path / "audit.log", settings), rotations)

    thread.start()
    wait_until(lambda: priorities)
    thread.stop()

    assert set(priorities) == {19}
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


def test_stop_interrupts_a_large_file_and_leaves_it_plain(
    tmp_path: Path, rotations: Rotations
) -> None:
    mill = slow_mill(tmp_path)
    files_before = open_files()
    thread = MillThread(mill, rotations)

    thread.start()
    wait_until(lambda: temps_in(tmp_path))
    thread.stop()

    assert mill.counters.compressed == 0
    assert files_in(tmp_path) == [NEWEST]
    assert open_files() == files_before
    assert threads_of_mills() == []


def test_stop_can_be_called_twice_and_before_start(
    tmp_path: Path, rotations: Rotations
) -> None:
    thread = MillThread(mill_of(tmp_path), rotations)

    thread.stop()
    thread.start()
    thread.stop()
    thread.stop()


def test_a_stopped_thread_can_be_started_again(
    tmp_path: Path, rotations: Rotations
) -> None:
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)
    thread.start()
    thread.stop()

    (tmp_path / NEWEST).write_bytes(LINES)
    rotations.rotate()
    thread.start()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert files_in(tmp_path) == [NEWEST + ".gz"]


def test_stop_in_on_error_does_not_wait_for_itself(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).mkdir()
    chosen = MillSettings(compress="gzip")
    threads: list[MillThread] = []
    mill = Mill(
        tmp_path / "audit.log", lambda: chosen, on_error=lambda _: threads[0].stop()
    )
    threads.append(MillThread(mill, rotations))

    threads[0].start()

    wait_until(lambda: mill.counters.errors == 1)
    wait_until(lambda: not threads_of_mills())


def test_a_parked_thread_is_gone_and_goes_on_where_it_was(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 400)
    mill = mill_of(tmp_path, compress="zstd", compress_level=6)
    thread = MillThread(mill, rotations)
    thread.start()
    wait_until(lambda: temps_in(tmp_path))
    (temp,) = temps_in(tmp_path)
    inode = os.stat(temp).st_ino

    for _ in range(20):
        wait_until(threads_of_mills)
        (shown,) = threads_of_mills()
        thread.park()
        assert not shown.exists()
        thread.resume()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert (tmp_path / (NEWEST + ".zst")).stat().st_ino == inode
    assert_one_whole_copy(tmp_path, LINES * 400)


def test_a_thread_that_did_not_run_is_not_started_by_resume(
    tmp_path: Path, rotations: Rotations
) -> None:
    thread = MillThread(mill_of(tmp_path), rotations)

    thread.park()
    thread.resume()
    never_started = threads_of_mills()
    thread.start()
    thread.stop()
    thread.park()
    thread.resume()

    assert never_started == threads_of_mills() == []


def test_a_fork_in_the_middle_of_a_file_disturbs_neither_side(
    tmp_path: Path, rotations: Rotations
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    (mine / NEWEST).write_bytes(LINES * 400)
    mill = mill_of(mine, compress="zstd", compress_level=6)
    thread = MillThread(mill, rotations)
    thread.start()
    wait_until(lambda: temps_in(mine))

    def in_the_child() -> None:
        thread.forget()
        (other / NEWEST).write_bytes(LINES)
        own_mill = mill_of(other, compress="gzip")
        own = MillThread(own_mill, Rotations())
        own.start()
        wait_until(lambda: own_mill.counters.compressed == 1)
        own.stop()
        # What was forgotten can be used anew, though the lock is the parent's.
        rotations.holds_lock = False
        thread.start()
        thread.stop()

    thread.park()
    half_made = temps_in(mine)
    status = in_child(in_the_child)
    still_there = temps_in(mine)
    thread.resume()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert status == 0
    assert half_made == still_there != ()
    assert_one_whole_copy(mine, LINES * 400)
    assert files_in(other) == [NEWEST + ".gz"]


def test_a_thread_that_stops_itself_is_not_started_by_resume(
    tmp_path: Path, rotations: Rotations
) -> None:
    is_stopping, may_end = threading.Event(), threading.Event()
    threads: list[MillThread] = []

    def settings() -> MillSettings:
        threads[0].stop()
        is_stopping.set()
        may_end.wait(LIMIT_S)
        return MillSettings()

    threads.append(MillThread(Mill(tmp_path / "audit.log", settings), rotations))
    threads[0].start()
    is_stopping.wait(LIMIT_S)
    timer = threading.Timer(0, may_end.set)
    timer.start()

    threads[0].park()
    threads[0].resume()

    timer.join()
    assert threads_of_mills() == []


def test_an_interpreter_ends_at_once_though_nobody_stopped_the_thread(
    tmp_path: Path,
) -> None:
    slow_mill(tmp_path)
    program = f"""
import time
from pathlib import Path
from auditring.backups.mill import Mill, MillSettings
from auditring.backups.thread import STOP_LIMIT_S, MillThread

class Never:
    def wait_rotation(self, seen, timeout):
        return 0
    def wake(self):
        pass
    def try_mill_lock(self):
        return True

chosen = MillSettings(compress="zstd", compress_level=19)
thread = MillThread(Mill({str(tmp_path / "audit.log")!r}, lambda: chosen), Never())
thread.start()
while not list(Path({str(tmp_path)!r}).glob(".*.tmp")):
    time.sleep(0)
"""
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 10
    mill_of(tmp_path).resolve()
    assert files_in(tmp_path) == [NEWEST]


def test_the_thread_looks_after_the_free_space(
    tmp_path: Path, rotations: Rotations
) -> None:
    put_backups(tmp_path, 1, 1, 1)
    mill = mill_of(tmp_path)

    class Usage:
        @property
        def free(self) -> int:
            return 100 - 10 * len(files_in(tmp_path))

    watch = SpaceWatch(
        tmp_path,
        warn_bytes=95,
        critical_bytes=85,
        full_bytes=1,
        interval_s=0.001,
        usage=lambda _: Usage(),
        remove_oldest=mill.remove_oldest,
    )
    thread = MillThread(mill, rotations, watch=watch)

    thread.start()
    wait_until(lambda: watch.state == "warn")
    thread.stop()

    assert files_in(tmp_path) == [backup_name(0)]


def test_trouble_with_the_free_space_is_reported(
    tmp_path: Path, rotations: Rotations
) -> None:
    def fail(path: str) -> Any:  # noqa: ANN401 - it never returns
        raise OSError(errno.EIO, "no answer")

    mill = mill_of(tmp_path)
    watch = SpaceWatch(
        tmp_path, warn_bytes=2, critical_bytes=1, full_bytes=0, usage=fail
    )
    thread = MillThread(mill, rotations, watch=watch)

    thread.start()
    wait_until(lambda: mill.counters.errors)
    thread.stop()

    assert "no answer" in mill.counters.last_error


def test_nobody_waits_for_trouble_that_is_being_told(
    tmp_path: Path, rotations: Rotations
) -> None:
    is_telling, may_end = threading.Event(), threading.Event()

    def tell(error: Exception) -> None:
        is_telling.set()
        may_end.wait(LIMIT_S)

    def fail() -> MillSettings:
        raise OSError("no settings")

    mill = Mill(tmp_path / "audit.log", fail, on_error=tell)
    thread = MillThread(mill, rotations)
    thread.start()
    is_telling.wait(LIMIT_S)
    began = time.monotonic()

    thread.park()
    thread.resume()
    thread.stop()

    took = time.monotonic() - began
    may_end.set()
    wait_until(lambda: not threads_of_mills())
    assert took < STOP_LIMIT_S

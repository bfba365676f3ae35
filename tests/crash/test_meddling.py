"""Others meddle with the log, its directory and its processes, and no line is lost.

Unless they take lines away: then the log says how many.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger import Ledger
from oracle import Reading, judge, read_file, read_log
from puppet import Puppet, wait_until
from scene import started_scene
from stream import make_line

from auditring import LogWriter

ROUNDS = 5
RING_BYTES = 65_536
MAX_BYTES = 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the log will be, in a directory of its own."""
    directory = tmp_path / "log"
    directory.mkdir()
    return directory / "audit.log"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@contextlib.contextmanager
def started_pair(path: Path, ledger: Ledger) -> Iterator[tuple[Puppet, Puppet]]:
    """Start the process that leads and another one; both write in two threads.

    They write all the time, so that on a busy machine a test may come to its next step
    when there are hundreds of megabytes: no rotation is to come in between.
    """
    options = {"threads": 2, "ring_bytes": RING_BYTES, "max_bytes": MAX_BYTES}
    with (
        Puppet.started(path, ledger, 0, **options) as leader,
        Puppet.started(path, ledger, 2, **options) as other,
    ):
        wait_until(lambda: leader.stat("leads") == 1, "the first one leads")
        yield leader, other


def stop(ledger: Ledger, *puppets: Puppet) -> None:
    ledger.must_stop = True
    for puppet in puppets:
        puppet.stop()


def check(reading: Reading, ledger: Ledger, *, is_ordered: bool = True) -> None:
    """Check that a log has every acknowledged line, where nobody was killed."""
    finding = judge(
        reading, dict(ledger), unacknowledged_limit=0, is_ordered=is_ordered
    )
    assert finding.is_good, finding


# Descriptors and locks.


@pytest.mark.parametrize("command", ["copy", "archive", "close_all", "close_each"])
@pytest.mark.parametrize("victim", ["leader", "other"])
def test_no_line_is_lost_when_a_process_drops_its_locks(
    path: Path, ledger: Ledger, command: str, victim: str
) -> None:
    with started_pair(path, ledger) as (leader, other):
        puppet = leader if victim == "leader" else other
        for _ in range(ROUNDS):
            puppet.do(command)
            assert puppet.do("flush") == "True"
            leader.wait_for_lines()
            other.wait_for_lines()
        stop(ledger, leader, other)

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []


@pytest.mark.parametrize("victim", ["leader", "other"])
def test_files_under_the_numbers_of_closed_descriptors_are_left_alone(
    path: Path, ledger: Ledger, victim: str
) -> None:
    with started_pair(path, ledger) as (leader, other):
        puppet = leader if victim == "leader" else other
        for _ in range(ROUNDS):
            assert puppet.do("reuse_all") == "left them alone"
            leader.wait_for_lines()
            other.wait_for_lines()
        stop(ledger, leader, other)

    check(read_log(path), ledger)


# Spellings.


def spellings(path: Path) -> list[str | Path]:
    """Return other ways to name the same log."""
    link = path.parent.parent / "link"
    link.symlink_to(path.parent, target_is_directory=True)
    log_link = path.parent / "link.log"
    log_link.symlink_to(path.name)
    return [
        path,
        os.path.relpath(path),
        link / path.name,
        f"{path.parent}/../{path.parent.name}//./{path.name}",
        log_link,
    ]


def test_spellings_of_a_path_share_one_log_in_one_process(
    path: Path, ledger: Ledger
) -> None:
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(LogWriter(name)) for name in spellings(path)]
        for _ in range(10):
            for stream, log in enumerate(logs):
                ledger.write(log, stream, 20)

        # One that was left for a larger ring is drained, and its slot is given back.
        wait_until(
            lambda: {log.stats().live_slots for log in logs} == {1}, "one slot is left"
        )

    check(read_log(path), ledger)


def test_spellings_of_a_path_share_one_log_in_many_processes(
    path: Path, ledger: Ledger
) -> None:
    names = spellings(path)
    with contextlib.ExitStack() as stack:
        puppets = [
            stack.enter_context(Puppet.started(name, ledger, stream, max_bytes=200_000))
            for stream, name in enumerate(names)
        ]
        for puppet in puppets:
            puppet.wait_for_lines()

        assert puppets[0].stat("live_slots") == len(names)
        stop(ledger, *puppets)

    check(read_log(path), ledger)


# A stopped leader.


def test_nobody_takes_over_from_a_leader_that_is_stopped(
    path: Path, ledger: Ledger
) -> None:
    with started_pair(path, ledger) as (leader, other):
        other.wait_for_lines()

        os.kill(leader.pid, signal.SIGSTOP)
        # Its ring absorbs what it writes, and then it waits: far longer than those who
        # stand by take to notice that nobody leads.
        blocked_ns = other.stat("blocked_ns")
        wait_until(
            lambda: other.stat("blocked_ns") > blocked_ns + 500_000_000, "it is blocked"
        )
        size = path.stat().st_size
        assert other.stat("leads") == 0
        assert other.stat("ring_used") > RING_BYTES / 2
        assert path.stat().st_size == size

        os.kill(leader.pid, signal.SIGCONT)
        leader.wait_for_lines()
        other.wait_for_lines()
        stop(ledger, leader, other)

    check(read_log(path), ledger)


def test_another_process_takes_over_from_a_leader_that_is_killed(
    path: Path, ledger: Ledger
) -> None:
    with started_pair(path, ledger) as (leader, other):
        os.kill(leader.pid, signal.SIGSTOP)
        other_limit = other.written + 10 * RING_BYTES // 100

        os.kill(leader.pid, signal.SIGKILL)
        wait_until(lambda: other.written > other_limit, "the other's ring is drained")

        assert other.stat("leads") == 1
        stop(ledger, other)

    assert judge(read_log(path), dict(ledger)).is_good


# The live file.


def test_a_renamed_live_file_is_left_for_a_new_one(path: Path, ledger: Ledger) -> None:
    moved = [path.with_name(f"moved.{number}") for number in range(ROUNDS)]
    with started_pair(path, ledger) as puppets:
        for target in moved:
            path.rename(target)
            wait_until(path.exists, "there is a live file again")
            puppets[0].wait_for_lines()
        stop(ledger, *puppets)

    reading = Reading()
    for file in [*moved, path]:
        read_file(reading, file)

    check(reading, ledger)
    assert reading.gaps == []


@pytest.mark.parametrize("is_replaced", [False, True], ids=["unlinked", "replaced"])
def test_an_unlinked_live_file_is_counted_in_the_new_one(
    path: Path, ledger: Ledger, *, is_replaced: bool
) -> None:
    held: list[int] = []
    with started_pair(path, ledger) as puppets:
        for _ in range(ROUNDS):
            wait_until(lambda: path.stat().st_size > 0, "there is something to lose")
            held.append(os.open(path, os.O_RDONLY))
            if is_replaced:
                newer = path.with_name("newer")
                newer.touch(mode=0o600)
                newer.rename(path)
            else:
                path.unlink()
                wait_until(path.exists, "there is a live file again")
            puppets[0].wait_for_lines()
        stop(ledger, *puppets)

    everything, taken = Reading(), Reading()
    for fd in held:
        read_file(everything, Path(f"/proc/self/fd/{fd}"))
        read_file(taken, Path(f"/proc/self/fd/{fd}"))
        os.close(fd)
    read_file(everything, path)

    # What was taken and what was left make the whole, and what was taken is told.
    check(everything, ledger)
    assert everything.gap_reasons() == {"live-file-unlinked"}
    told = everything.gap_sum("live-file-unlinked", "count")
    assert told == taken.lines + len(taken.gaps), everything.gap_notes()


@pytest.mark.parametrize("is_cut_in_a_line", [False, True], ids=["empty", "in-a-line"])
def test_a_cut_live_file_is_counted_behind_the_cut(
    path: Path, ledger: Ledger, *, is_cut_in_a_line: bool
) -> None:
    with started_pair(path, ledger) as puppets:
        wait_until(lambda: path.stat().st_size > 10_000, "there is something to cut")

        os.truncate(path, 5_003 if is_cut_in_a_line else 0)
        puppets[0].wait_for_lines(2_000)
        assert puppets[0].do("flush") == "True"
        newlines_added = puppets[0].stat("foreign_lines_completed")
        stop(ledger, *puppets)

    reading = read_log(path)

    assert reading.torn_count == is_cut_in_a_line
    finding = judge(reading, dict(ledger))
    assert (finding.duplicated, finding.disordered, finding.invented) == (0, 0, 0)
    assert reading.gap_reasons() == {"live-file-cut"}
    assert reading.gap_sum("live-file-cut", "count") > 0
    written = sum(
        len(make_line(stream, number))
        for stream, count in ledger
        for number in range(count)
    )
    lines = path.read_bytes().splitlines(keepends=True)
    left = sum(len(line) for line in lines if b'"verb":"gap"' not in line)
    lost = written - (left - newlines_added)
    assert reading.gap_sum("live-file-cut", "bytes") == lost


# Opening and closing.


def test_processes_that_open_and_close_all_the_time_lose_nothing(
    path: Path, ledger: Ledger
) -> None:
    count, rounds, lines = 16, 40, 10
    with contextlib.ExitStack() as stack:
        options = json.dumps({"ring_bytes": RING_BYTES, "max_bytes": 100_000})
        arguments = (path, ledger.path, str(rounds), str(lines), options)
        processes = [
            stack.enter_context(started_scene("revolver.py", str(stream), *arguments))
            for stream in range(count)
        ]
        for process in processes:
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, ""), out + err

    reading = read_log(path)

    check(reading, ledger)
    assert reading.gaps == []
    assert reading.lines == count * rounds * lines
    assert len(reading.files) > 1
    assert list(path.parent.glob(".audit.log.ring/ring.*")) == []

"""Every loss leaves a gap event in the log, where it happened and with its size."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bystander import Bystander, wait_until

from auditring import ClosedError, LogWriter

RING_BYTES = 64 * 1024
LINE = b"x" * 1023 + b"\n"


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a file."""
    return path.read_bytes().splitlines(keepends=True)


def is_gap(line: bytes) -> bool:
    """Tell a gap event from the lines of these tests."""
    return line.startswith(b"{")


def gaps_in(path: Path) -> list[dict[str, Any]]:
    """Return the gap events of a file."""
    return [json.loads(line) for line in lines_of(path) if is_gap(line)]


def losses_in(path: Path) -> list[tuple[str, int, int]]:
    """Return reason, count and bytes of the gap events of a file."""
    return losses_of(path.read_bytes())


def losses_of(data: bytes) -> list[tuple[str, int, int]]:
    """Return reason, count and bytes of the gap events among lines."""
    gaps = [json.loads(line) for line in data.splitlines() if is_gap(line)]
    notes = [gap["annotations"] for gap in gaps]
    return [
        (
            note["auditring.io/reason"],
            int(note["auditring.io/count"]),
            int(note["auditring.io/bytes"]),
        )
        for note in notes
    ]


def drop(log: LogWriter, line: bytes, count: int) -> list[bytes]:
    """Write *line* until *count* of it were dropped; return those that were not."""
    written = []
    dropped = 0
    while dropped < count:
        if log.write(line):
            written.append(line)
        else:
            dropped += 1
    return written


# Drops.


def test_drops_leave_one_gap_event_where_they_happened(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log:
            before = drop(log, LINE, 17)
            leader.resume()
            assert log.flush()
            assert log.write(b"after\n")

    lines = lines_of(path)
    assert [line for line in lines if not is_gap(line)] == [*before, b"after\n"]
    assert is_gap(lines[len(before)])
    assert losses_in(path) == [("dropped", 17, 17 * len(LINE))]


def test_a_flush_brings_the_gap_event_of_every_drop_before_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with (
        Bystander(path) as leader,
        LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log,
    ):
        for count in range(1, 50):
            leader.stop()
            drop(log, LINE, count)
            leader.resume()
            assert log.flush()

            told = sum(loss[1] for loss in losses_in(path))
            assert told == count * (count + 1) // 2


def test_a_gap_event_is_an_audit_event_of_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log:
            drop(log, LINE, 1)
            leader.resume()

    (gap,) = gaps_in(path)
    pid = gap["annotations"].pop("auditring.io/pid")
    times = [gap.pop("requestReceivedTimestamp"), gap.pop("stageTimestamp")]
    assert UUID(gap.pop("auditID")).version == 4
    assert gap == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "requestURI": "/auditring/gap",
        "verb": "gap",
        "user": {"username": "auditring"},
        "annotations": {
            "auditring.io/reason": "dropped",
            "auditring.io/count": "1",
            "auditring.io/bytes": str(len(LINE)),
        },
    }
    assert pid == str(os.getpid())
    assert times[0] == times[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", times[0])
    age = datetime.now(UTC) - datetime.fromisoformat(times[0])
    assert timedelta() <= age < timedelta(minutes=1)


def test_drops_are_told_before_the_next_record_each_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with (
        Bystander(path) as leader,
        LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log,
    ):
        for count in (3, 5):
            leader.stop()
            drop(log, LINE, count)
            leader.resume()
            assert log.flush()
            assert log.write(b"fits\n")

    # The last bytes of a full ring may hold an event, and another one tells the rest.
    parts = path.read_bytes().split(b"fits\n")
    told = [sum(count for _, count, _ in losses_of(part)) for part in parts]
    assert told == [3, 5, 0]


def test_drops_of_many_threads_are_counted_exactly(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    attempts = 500
    committed = []
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log:

            def write_all() -> None:
                committed.append(sum(log.write(LINE) for _ in range(attempts)))

            threads = [threading.Thread(target=write_all) for _ in range(4)]
            for thread in threads:
                thread.start()
            leader.resume()
            for thread in threads:
                thread.join()

    lines = [line for line in lines_of(path) if not is_gap(line)]
    dropped = sum(count for _, count, _ in losses_in(path))
    assert len(lines) == sum(committed)
    assert len(lines) + dropped == 4 * attempts


def test_drops_at_the_very_end_are_told_when_the_log_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=RING_BYTES, on_full="drop") as log:
            drop(log, LINE, 2)
            leader.resume()

    assert losses_in(path) == [("dropped", 2, 2 * len(LINE))]


def test_drops_that_their_process_did_not_live_to_tell_are_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    program = f"""\
import os, signal, sys
from auditring import LogWriter

log = LogWriter(sys.argv[1], ring_bytes={RING_BYTES}, on_full="drop")
while log.stats().dropped_records < 7:
    log.write({LINE!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    with Bystander(path) as leader:
        leader.stop()
        done = subprocess.run([sys.executable, "-c", program, path], check=False)
        leader.resume()
        wait_until(lambda: losses_in(path))

    assert done.returncode == -signal.SIGKILL
    assert losses_in(path) == [("dropped", 7, 7 * len(LINE))]


def test_an_oversize_record_that_was_refused_leaves_no_gap_event(
    tmp_path: Path,
) -> None:
    with LogWriter(tmp_path / "audit.log", ring_bytes=RING_BYTES) as log:
        with pytest.raises(ValueError, match="the limit is"):
            log.write(bytes(RING_BYTES))
        log.write(b"one\n")

    assert (tmp_path / "audit.log").read_bytes() == b"one\n"


def test_a_record_that_its_writer_gives_up_is_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(LINE)
        log.drop(12)
        log.drop()
        log.write(LINE)
        with pytest.raises(OverflowError):
            log.drop(-1)
        log.flush()
        assert log.stats().dropped_records == 2

    assert losses_in(path) == [("dropped", 2, 12)]
    with pytest.raises(ClosedError):
        log.drop()


# Damage.


def flip_in_ring(path: Path, needle: bytes) -> None:
    """Change a byte of what stands in a ring of the log, and is *needle*."""
    for ring in (path.parent / f".{path.name}.ring").glob("ring.*"):
        position = ring.read_bytes().find(needle)
        if position >= 0:
            with ring.open("r+b") as file:
                file.seek(position)
                file.write(b"?")
            return
    pytest.fail("it is in no ring")


def test_a_record_that_was_damaged_in_the_ring_is_left_out_and_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=RING_BYTES) as log:
            log.write_lines(b"one\ntwo two two\nthree\n")
            flip_in_ring(path, b"two two two\n")
            leader.resume()
            wait_until(lambda: log.stats().gap_events)
            assert log.stats().damaged_records == 1

    assert [line for line in lines_of(path) if not is_gap(line)] == [
        b"one\n",
        b"three\n",
    ]
    (loss,) = losses_in(path)
    assert loss[:2] == ("damaged-record", 1)


# The live file under other hands.


def test_a_live_file_that_was_removed_is_made_anew_and_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write_lines(b"one\ntwo\n")
        log.flush()
        path.unlink()

        log.write(b"three\n")
        log.flush()
        wait_until(lambda: log.stats().gap_events)

        assert log.stats().live_file_unlinked == 1
    assert [line for line in lines_of(path) if not is_gap(line)] == [b"three\n"]
    assert losses_in(path) == [("live-file-unlinked", 2, len(b"one\ntwo\n"))]


def test_a_live_file_that_was_truncated_has_no_hole_and_it_is_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write_lines(b"one\ntwo\n")
        log.flush()
        os.truncate(path, 0)

        log.write(b"three\n")
        log.flush()
        wait_until(lambda: log.stats().gap_events)

        assert log.stats().live_file_cut == 1
    assert [line for line in lines_of(path) if not is_gap(line)] == [b"three\n"]
    assert losses_in(path) == [("live-file-cut", 2, len(b"one\ntwo\n"))]


def test_a_live_file_that_was_cut_in_a_line_goes_on_with_a_whole_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write_lines(b"one\ntwo\n")
        log.flush()
        os.truncate(path, 6)

        log.write(b"three\n")
        log.flush()
        wait_until(lambda: log.stats().gap_events)

    written = [line for line in lines_of(path) if not is_gap(line)]
    assert written == [b"one\n", b"tw\n", b"three\n"]
    assert losses_in(path) == [("live-file-cut", 1, 2)]


def test_a_live_file_that_was_renamed_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")
        log.flush()
        path.rename(tmp_path / "elsewhere")

        log.write(b"two\n")
        log.flush()

        assert log.stats().live_file_moved == 1
        assert log.stats().gap_events == 0
    assert (tmp_path / "elsewhere").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_lines_that_others_append_stay_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")
        log.flush()
        with path.open("ab") as file:
            file.write(b"foreign, unfinished")

        log.write(b"two\n")
        log.flush()

        assert log.stats().foreign_bytes == len(b"foreign, unfinished")
        assert log.stats().foreign_lines_completed == 1
        assert log.stats().gap_events == 0
    assert path.read_bytes() == b"one\nforeign, unfinished\ntwo\n"


# No loss.


def test_a_run_without_loss_writes_exactly_the_bytes_of_its_callers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    for number in range(5):
        with LogWriter(path) as log, Bystander(path):
            log.write(b"%d\n" % number)
            log.reopen()
            log.sync()

    assert path.read_bytes() == b"0\n1\n2\n3\n4\n"


def test_gap_events_count_as_bytes_but_not_as_records(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")
        log.flush()
        path.unlink()
        log.write(b"two\n")
        wait_until(lambda: log.stats().gap_events)
        log.flush()

        stats = log.stats()
        assert stats.gap_events == 1
        assert stats.records_written == 2
        assert stats.bytes_written == len(b"one\n") + path.stat().st_size


# The stdlib dialect.


def test_the_stdlib_dialect_has_gap_events_in_a_file_beside_the_log(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.log"
    with Bystander(path, dialect="stdlib", mode=0o640) as leader:
        leader.stop()
        with LogWriter(
            path, dialect="stdlib", mode=0o640, ring_bytes=RING_BYTES, on_full="drop"
        ) as log:
            written = drop(log, LINE, 4)
            leader.resume()
            log.flush()
            log.write(b"after\n")

    aside = tmp_path / "app.log.gaps"
    assert lines_of(path) == [*written, b"after\n"]
    assert losses_in(aside) == [("dropped", 4, 4 * len(LINE))]
    assert aside.stat().st_mode & 0o7777 == 0o640

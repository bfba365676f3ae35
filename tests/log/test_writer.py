"""Records on their way into a log: what is taken, kept whole, counted and shared."""

import array
import dataclasses
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander

from auditring import LogWriter, Stats
from auditring.ring._writer import COUNTER_NAMES

RING_BYTES = 64 * 1024
RECORD_LIMIT = RING_BYTES // 2 - 64
LIMIT_S = 30.0


def open_log(directory: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    """Open a log with the smallest ring."""
    return LogWriter(directory / "audit.log", ring_bytes=RING_BYTES, **options)


def content(directory: Path) -> bytes:
    """Return what the live file holds."""
    return (directory / "audit.log").read_bytes()


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        timeout=LIMIT_S,
    )


# One record.


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"one\n", b"one\n"),
        (b"one", b"one\n"),
        (b"\n", b"\n"),
        (b"one\n\n", b"one\n\n"),
        (b"one\ntwo", b"one\ntwo\n"),
        (b"\0\xff\r", b"\0\xff\r\n"),
        (bytearray(b"one"), b"one\n"),
        (memoryview(b"-one-")[1:4], b"one\n"),
        (array.array("B", b"one"), b"one\n"),
        (array.array("i", [0]), b"\0\0\0\0\n"),
    ],
    ids=repr,
)
def test_a_record_is_kept_as_it_is_and_ends_with_a_newline(
    tmp_path: Path, data: bytes, written: bytes
) -> None:
    with open_log(tmp_path) as log:
        assert log.write(data) is True

    assert content(tmp_path) == written


def test_a_mapped_file_is_a_record(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"mapped")
    with (
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        open_log(tmp_path) as log,
    ):
        log.write(mapped)

    assert content(tmp_path) == b"mapped\n"


def test_a_bytearray_may_change_after_its_write(tmp_path: Path) -> None:
    data = bytearray(b"one\n")
    with open_log(tmp_path) as log:
        log.write(data)
        data[:] = b"changed and longer\n"

    assert content(tmp_path) == b"one\n"


def test_an_empty_record_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        with pytest.raises(ValueError, match="at least one byte"):
            log.write(b"")
        with pytest.raises(ValueError, match="at least one byte"):
            log.write(memoryview(b""))

    assert content(tmp_path) == b""


@pytest.mark.parametrize("data", ["text", None, 5, [b"one"], {}], ids=repr)
def test_what_is_not_bytes_is_refused(tmp_path: Path, data: Any) -> None:  # noqa: ANN401
    with open_log(tmp_path) as log:
        with pytest.raises(TypeError, match=re.escape(repr(data))):
            log.write(data)
        with pytest.raises(TypeError, match=re.escape(repr(data))):
            log.write_lines(data)

    assert content(tmp_path) == b""


def test_bytes_with_holes_between_them_are_refused(tmp_path: Path) -> None:
    with open_log(tmp_path) as log, pytest.raises(BufferError):
        log.write(memoryview(b"abcdef")[::2])


def test_the_largest_record_is_half_of_the_ring_less_64_bytes(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert log.record_limit == RECORD_LIMIT

        log.write(b"x" * (RECORD_LIMIT - 1))
        log.write(b"y" * (RECORD_LIMIT - 1) + b"\n")

    lines = content(tmp_path).splitlines()
    assert lines == [b"x" * (RECORD_LIMIT - 1), b"y" * (RECORD_LIMIT - 1)]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_record_over_the_limit_is_refused_with_both_sizes_and_counted(
    tmp_path: Path, end: bytes
) -> None:
    data = b"x" * RECORD_LIMIT + end
    with open_log(tmp_path) as log:
        with pytest.raises(ValueError, match=f" {len(data)} .* {RECORD_LIMIT} "):
            log.write(data)
        log.write(b"one\n")

        assert log.stats().refused_records == 1
    assert content(tmp_path) == b"one\n"


# Many lines.


@pytest.mark.parametrize(
    ("chunk", "count", "written"),
    [
        (b"", 0, b""),
        (b"one", 1, b"one\n"),
        (b"one\ntwo\n", 2, b"one\ntwo\n"),
        (b"one\ntwo", 2, b"one\ntwo\n"),
        (b"\n\n\n", 3, b"\n\n\n"),
        (b"one\n\ntwo\r\n", 3, b"one\n\ntwo\r\n"),
        (memoryview(bytearray(b"-one\ntwo-"))[1:-1], 2, b"one\ntwo\n"),
    ],
    ids=repr,
)
def test_each_line_of_a_chunk_is_a_record(
    tmp_path: Path, chunk: bytes, count: int, written: bytes
) -> None:
    with open_log(tmp_path) as log:
        assert log.write_lines(chunk) == count
        log.flush()

        assert log.stats().records_written == count
    assert content(tmp_path) == written


def test_a_chunk_may_be_larger_than_the_ring(tmp_path: Path) -> None:
    chunk = b"".join(b"%08d%s\n" % (n, b"x" * (n % 500)) for n in range(20_000))
    assert len(chunk) > 50 * RING_BYTES

    with open_log(tmp_path) as log:
        assert log.write_lines(chunk) == 20_000

    assert content(tmp_path) == chunk


def test_a_line_over_the_limit_ends_a_chunk_after_the_lines_before_it(
    tmp_path: Path,
) -> None:
    long = b"x" * RECORD_LIMIT + b"\n"
    with open_log(tmp_path) as log:
        with pytest.raises(ValueError, match=f" {len(long)} .* {RECORD_LIMIT} "):
            log.write_lines(b"one\ntwo\n" + long + b"three\n")

        assert log.stats().refused_records == 1
    assert content(tmp_path) == b"one\ntwo\n"


# JSON.


def test_a_mapping_is_one_line_of_compact_json_in_utf_8(tmp_path: Path) -> None:
    event = {"verb": "get", "user": {"username": "Zoë"}, "codes": [200, None, 1.5]}
    with open_log(tmp_path) as log:
        assert log.write_json(event) is True

        assert log.stats().coerced_values == 0
    assert content(tmp_path).decode() == (
        '{"verb":"get","user":{"username":"Zoë"},"codes":[200,null,1.5]}\n'
    )


def test_newlines_in_text_do_not_end_a_line_of_json(tmp_path: Path) -> None:
    event = {"text": "one\ntwo\r\n\u2028\u0085"}
    with open_log(tmp_path) as log:
        log.write_json(event)

    assert content(tmp_path).count(b"\n") == 1
    assert json.loads(content(tmp_path)) == event


def test_numbers_that_json_lacks_are_null_and_counted(tmp_path: Path) -> None:
    numbers = [float("nan"), (1.5, float("inf")), {"low": float("-inf")}, None]
    with open_log(tmp_path) as log:
        log.write_json({"numbers": numbers})

        assert log.stats().coerced_values == 3
    assert json.loads(content(tmp_path)) == {
        "numbers": [None, [1.5, None], {"low": None}, None]
    }


def test_odd_values_are_written_as_something_and_counted(tmp_path: Path) -> None:
    circle: dict[str, object] = {}
    circle["circle"] = circle
    with open_log(tmp_path) as log:
        assert log.write_json({"a": b"\xff", "b": {1}, "c": 2**64, 4: circle}) is True
        assert log.write_json({"a": "\ud800"}) is True

        assert log.stats().coerced_values == log.coerced_values == 6
    first, second = map(json.loads, content(tmp_path).splitlines())
    assert first == {
        "a": "\ufffd",
        "b": [1],
        "c": "18446744073709551616",
        "4": {"circle": "…"},
    }
    assert second == {"a": "?"}


def test_a_line_of_json_over_the_limit_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path) as log, pytest.raises(ValueError, match="the limit is"):
        log.write_json({"text": "x" * RECORD_LIMIT})


# Waiting and asking.


def test_flush_brings_every_record_into_the_file(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for number in range(100):
            log.write(b"%d" % number)

            assert log.flush() is True

            assert content(tmp_path).endswith(b"%d\n" % number)


def test_flush_covers_the_records_of_other_processes(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        done = run(
            """\
import os, sys
from auditring import LogWriter

log = LogWriter(sys.argv[1])
log.write_lines(b"x\\n" * 10_000)
os._exit(0)
""",
            tmp_path / "audit.log",
        )
        assert done.returncode == 0

        assert log.flush() is True

        assert content(tmp_path) == b"x\n" * 10_000


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan")])
def test_a_wrong_timeout_is_refused(tmp_path: Path, timeout: float) -> None:
    with open_log(tmp_path) as log:
        for call in (log.flush, log.sync, log.close):
            with pytest.raises(ValueError, match=f"timeout: .*{timeout!r}"):
                call(timeout)


@pytest.mark.parametrize("timeout", [None, 30, 30.0, 1e300, float("inf")], ids=repr)
def test_a_timeout_may_be_as_long_as_one_likes(
    tmp_path: Path, timeout: float | None
) -> None:
    with open_log(tmp_path) as log:
        log.write(b"one\n")

        assert log.flush(timeout) is True
        assert log.sync(timeout) is True


def test_the_counters_of_stats_are_those_of_the_core_in_its_order() -> None:
    names = [field.name for field in dataclasses.fields(Stats)]

    assert names[: len(COUNTER_NAMES)] == list(COUNTER_NAMES)


def test_stats_do_not_change_and_can_not_be_changed(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        stats = log.stats()
        log.write(b"one\n")
        log.flush()

        assert stats.records_written == 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            stats.records_written = 1  # type: ignore[misc]


def test_stats_count_what_was_written(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write_lines(b"one\ntwo\nthree\n")
        log.flush()
        stats = log.stats()

    assert stats.records_written == 3
    assert stats.bytes_written == len(b"one\ntwo\nthree\n")
    assert 1 <= stats.batches_written <= 3
    assert stats.ring_used == 0
    assert stats.live_slots == 1
    assert stats.leads is True
    assert (stats.health, stats.last_error, stats.space) == ("ok", 0, "ok")


def test_counters_outlive_their_processes(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(b"one\n")
    with open_log(tmp_path) as log:
        log.write(b"two\n")
        log.flush()

        assert log.stats().records_written == 2


# Sharing.


def test_two_writers_of_one_path_write_to_one_file(tmp_path: Path) -> None:
    with open_log(tmp_path) as one, open_log(tmp_path) as two:
        one.write(b"one\n")
        two.write(b"two\n")
        one.flush()

        assert content(tmp_path) == b"one\ntwo\n"
        assert one.stats().live_slots == 1


@pytest.mark.parametrize(
    "spell", [os.path.relpath, lambda path: f"{path.parent}/./x/../audit.log"]
)
def test_two_spellings_of_a_path_are_one_log(
    tmp_path: Path, spell: Callable[[Path], str]
) -> None:
    (tmp_path / "x").mkdir()
    with open_log(tmp_path) as one, LogWriter(spell(tmp_path / "audit.log")) as two:
        two.write(b"two\n")
        one.flush()

        assert one.path == two.path
        assert one.stats().live_slots == 1


def test_a_path_through_a_linked_directory_is_the_same_log(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    with open_log(tmp_path / "real") as one, open_log(tmp_path / "linked") as two:
        assert one.path == two.path
        assert one.stats().live_slots == 1


def test_the_settings_of_the_newest_opener_count(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1000) as one, open_log(tmp_path, max_bytes=4):
        one.write_lines(b"one\ntwo\n")
        one.flush()

        assert one.stats().rotations == 1
        assert one.stats().settings_changes == 1


def test_the_settings_of_another_process_count_when_it_came_last(
    tmp_path: Path,
) -> None:
    with (
        open_log(tmp_path, max_bytes=1000) as log,
        Bystander(tmp_path / "audit.log", max_bytes=4),
    ):
        log.write_lines(b"one\ntwo\n")
        log.flush()

        assert log.stats().rotations == 1


def test_closing_one_of_two_writers_leaves_the_other_open(tmp_path: Path) -> None:
    one, two = open_log(tmp_path), open_log(tmp_path)

    one.close()

    assert one.closed
    assert not two.closed
    two.write(b"two\n")
    two.close()
    assert content(tmp_path) == b"two\n"


def test_records_of_many_threads_are_whole_and_in_order(tmp_path: Path) -> None:
    threads, count = 8, 2000

    def write_all(thread: int) -> None:
        for number in range(count):
            log.write(b"%d %d %s" % (thread, number, b"x" * (number % 300)))

    with open_log(tmp_path) as log:
        workers = [threading.Thread(target=write_all, args=[n]) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    lines = content(tmp_path).splitlines()
    assert len(lines) == threads * count
    for thread in range(threads):
        own = [line for line in lines if line.startswith(b"%d " % thread)]
        assert own == [
            b"%d %d %s" % (thread, number, b"x" * (number % 300))
            for number in range(count)
        ]


def test_a_signal_handler_may_write(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        before = signal.signal(signal.SIGALRM, lambda *_: log.write(b"signal\n"))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for _ in range(20_000):
            log.write(b"main\n")
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    lines = content(tmp_path).splitlines()
    assert set(lines) == {b"main", b"signal"}
    assert lines.count(b"main") == 20_000

"""Records on their way into a log: what is taken, kept whole, counted and shared."""

import array
import dataclasses
import gc
import json
import mmap
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander, wait_until

from auditring import ClosedError, LogWriter, Stats
from auditring._writer import COUNTER_NAMES

RING_BYTES = 64 * 1024
RECORD_LIMIT = RING_BYTES // 2 - 64
LIMIT_S = 30.0

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


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


# Names and targets.


@pytest.mark.parametrize(
    "name", [".hidden", "audit", "two words.log", "журнал.log", "a.b.c", "-", "x" * 200]
)
def test_a_log_may_have_any_name(tmp_path: Path, name: str) -> None:
    with LogWriter(tmp_path / name) as log:
        log.write(b"one\n")
        log.rotate()
        log.write(b"two\n")

    assert (tmp_path / name).read_bytes() == b"two\n"
    (backup,) = {path.name for path in tmp_path.iterdir() if path.is_file()} - {name}
    assert (tmp_path / backup).read_bytes() == b"one\n"


def test_a_name_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.log")
    with LogWriter(tmp_path / name) as log:
        log.write(b"one\n")

    assert (tmp_path / name).read_bytes() == b"one\n"


@pytest.mark.parametrize("name", ["x" * 201, "x" * 300])
def test_a_name_that_leaves_no_room_for_the_names_of_backups_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(OSError, match="File name too long"):
        LogWriter(tmp_path / name)

    assert os.listdir(tmp_path) == []


def test_a_path_may_be_text_or_a_path_object(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for spelling in (path, str(path)):
        with LogWriter(spelling) as log:
            assert log.path == path
            assert repr(log) == f"<LogWriter {str(path)!r}>"


def test_missing_directories_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")

    assert path.read_bytes() == b"one\n"


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link_to_link(path: Path) -> None:
    path.with_name("second").symlink_to("target")
    path.symlink_to("second")


def make_link_to_directory(path: Path) -> None:
    path.with_name("target").mkdir()
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (make_directory, "Is a directory"),
        (make_fifo, "not a regular file"),
        (make_link_to_link, "a symbolic link to a symbolic link"),
        (make_link_to_directory, "Is a directory"),
    ],
)
def test_what_is_no_file_is_refused_and_nothing_made_beside_it(
    tmp_path: Path, make: Callable[[Path], None], text: str
) -> None:
    make(tmp_path / "audit.log")
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(OSError, match=text):
        open_log(tmp_path)

    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("end", ["/", "/.", "/.."])
def test_a_path_that_names_a_directory_is_refused(tmp_path: Path, end: str) -> None:
    with pytest.raises(IsADirectoryError):
        LogWriter(f"{tmp_path}{end}")


def test_a_device_is_refused() -> None:
    before = os.listdir("/dev")

    with pytest.raises(OSError, match="not a regular file"):
        LogWriter("/dev/null")

    assert os.listdir("/dev") == before


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises((NotADirectoryError, FileExistsError)):
        LogWriter(tmp_path / "file" / "audit.log")


def test_a_log_that_is_a_link_is_the_log_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "audit.log").symlink_to("logs/real.log")
    with open_log(tmp_path) as log:
        log.write(b"one\n")
        log.rotate()
        log.write(b"two\n")

    assert (tmp_path / "logs" / "real.log").read_bytes() == b"two\n"
    assert (tmp_path / "audit.log").is_symlink()
    assert len(list((tmp_path / "logs").glob("real-*.log"))) == 1


@only_root
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to("real.log")
    os.chown(tmp_path / "audit.log", 1, 1, follow_symlinks=False)

    with pytest.raises(PermissionError, match="link of another user"):
        open_log(tmp_path)


def test_a_live_file_that_is_replaced_by_a_fifo_does_not_hang_the_log(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path) as log:
        log.write(b"one\n")
        log.flush()
        (tmp_path / "audit.log").unlink()
        os.mkfifo(tmp_path / "audit.log")
        log.write(b"two\n")
        wait_until(lambda: log.stats().health == "disk-error")

        (tmp_path / "audit.log").unlink()
        assert log.flush(timeout=LIMIT_S)

        assert log.stats().health == "ok"
        assert b"two\n" in content(tmp_path)


# Rights.


def rights_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_have_the_mode_that_was_asked_for_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with open_log(tmp_path, mode=0o640, compress="gzip") as log:
            log.write(b"one\n")
            log.rotate()
            log.write(b"two\n")
            wait_until(lambda: log.stats().backups_compressed)
    finally:
        os.umask(before)

    (backup,) = tmp_path.glob("*.gz")
    assert rights_of(tmp_path / "audit.log") == 0o640
    assert rights_of(backup) == 0o640


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nobody_else_may_look_into_a_log_or_its_rings_by_default(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with open_log(tmp_path):
            state = tmp_path / ".audit.log.ring"
            assert rights_of(tmp_path / "audit.log") == 0o600
            assert rights_of(state) == 0o700
            assert {rights_of(path) for path in state.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_live_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(b"")
    (tmp_path / "audit.log").chmod(0o644)

    open_log(tmp_path, mode=0o600).close()

    assert rights_of(tmp_path / "audit.log") == 0o644


@only_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_group_of_a_shared_log_may_use_all_of_it(
    tmp_path: Path, umask: int
) -> None:
    group = 12345
    before = os.umask(umask)
    try:
        with open_log(tmp_path, group=group) as log:
            log.write(b"one\n")
            log.rotate()
            state = tmp_path / ".audit.log.ring"
            assert stat.S_IMODE(state.stat().st_mode) == 0o2770
            for path in [*tmp_path.glob("*.log"), *state.iterdir()]:
                assert (path.stat().st_gid, rights_of(path)) == (group, 0o660)
    finally:
        os.umask(before)


@only_root
def test_members_of_the_group_share_a_log_across_users() -> None:
    group = 12345
    program = f"""\
import os, sys
from auditring import LogWriter
os.setgroups([{group}])
os.setgid({group})
os.setuid(int(sys.argv[2]))
with LogWriter(sys.argv[1], group={group}) as log:
    log.write(sys.argv[2].encode())
    log.rotate()
"""
    # Not tmp_path: only its owner gets there.
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.chown(directory, 0, group)
        directory.chmod(0o2770)

        for user in (54321, 54322):
            done = run(program, directory / "audit.log", user)
            assert (done.returncode, done.stderr) == (0, b"")

        backups = [path.read_bytes() for path in directory.glob("audit-*")]
    assert sorted(backups) == [b"54321\n", b"54322\n"]


# state_dir.


def test_state_dir_takes_the_rings_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "rings"
    with open_log(tmp_path, state_dir=elsewhere) as log:
        log.write(b"one\n")

        assert [path.name[:5] for path in elsewhere.iterdir()] == ["ring."]
        assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))
    assert content(tmp_path) == b"one\n"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(("first", "second"), [(None, "b"), ("a", None), ("a", "b")])
@pytest.mark.parametrize("is_open", [True, False])
def test_another_state_dir_than_the_log_was_founded_with_is_refused(
    tmp_path: Path, first: str | None, second: str | None, *, is_open: bool
) -> None:
    def state_dir(name: str | None) -> Path | None:
        return None if name is None else tmp_path / name

    log = open_log(tmp_path, state_dir=state_dir(first))
    if not is_open:
        log.close()

    with pytest.raises(OSError, match="state_dir"):
        open_log(tmp_path, state_dir=state_dir(second))

    log.close()
    open_log(tmp_path, state_dir=state_dir(first)).close()


# Ending.


def test_a_context_closes_its_log(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert not log.closed
        log.write(b"one\n")

    assert log.closed
    assert content(tmp_path) == b"one\n"


def test_closing_again_does_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()

    log.close()

    assert log.closed


@pytest.mark.parametrize(
    "use",
    [
        lambda log: log.write(b"one\n"),
        lambda log: log.write_lines(b"one\n"),
        lambda log: log.write_json({}),
        lambda log: log.flush(),
        lambda log: log.sync(),
        lambda log: log.rotate(),
        lambda log: log.reopen(),
        lambda log: log.stats(),
        lambda log: log.record_limit,
    ],
)
def test_a_closed_log_can_not_be_used(
    tmp_path: Path, use: Callable[[LogWriter], object]
) -> None:
    log = open_log(tmp_path)
    log.close()

    with pytest.raises(ClosedError, match=r"audit\.log: .* after close"):
        use(log)


def test_two_threads_may_close_a_log_at_once(tmp_path: Path) -> None:
    for _ in range(20):
        log = open_log(tmp_path, compress="gzip")
        log.write(b"one\n")
        threads = [threading.Thread(target=log.close) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert log.closed
    assert content(tmp_path) == b"one\n" * 20


def test_a_signal_handler_may_close_a_log_that_is_being_closed(tmp_path: Path) -> None:
    done = run(
        """\
import signal, sys
from auditring import LogWriter

signal.signal(signal.SIGALRM, lambda *_: log.close())
for _ in range(200):
    log = LogWriter(sys.argv[1], compress="gzip", ring_bytes=65536)
    log.write(b"one")
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    log.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
""",
        tmp_path / "audit.log",
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert content(tmp_path) == b"one\n" * 200


@pytest.mark.parametrize("options", ["", ", compress='gzip'", ", durability='sync'"])
@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise RuntimeError"])
def test_a_program_that_ends_without_close_keeps_everything(
    tmp_path: Path, options: str, end: str
) -> None:
    done = run(
        f"""\
import sys
from auditring import LogWriter
log = LogWriter(sys.argv[1]{options})
for number in range(100):
    log.write(b"%d" % number)
{end}
""",
        tmp_path / "audit.log",
    )

    assert b"auditring" not in done.stderr
    assert content(tmp_path) == b"".join(b"%d\n" % number for number in range(100))
    assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))


def test_a_log_that_is_forgotten_closes_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")
    reference = weakref.ref(log)

    del log
    gc.collect()

    assert reference() is None
    assert content(tmp_path) == b"one\n"
    assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))


def test_a_log_that_is_forgotten_in_a_circle_closes_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")
    circle = [log]
    circle.append(circle)  # type: ignore[arg-type]

    del log, circle
    gc.collect()

    assert content(tmp_path) == b"one\n"


def test_opening_and_closing_leaves_no_descriptor_thread_or_mapping(
    tmp_path: Path,
) -> None:
    def resources() -> tuple[int, int, int]:
        with open("/proc/self/maps") as maps:
            rings = sum(".ring/" in line for line in maps)
        tasks = len(os.listdir("/proc/self/task"))
        return len(os.listdir("/proc/self/fd")), tasks, rings

    def use() -> None:
        with open_log(tmp_path, compress="gzip", max_bytes=100) as log:
            log.write_lines(b"%050d\n" % 1 * 10)
            log.sync()

    use()
    before = resources()

    for _ in range(20):
        use()

    assert resources() == before


def test_a_log_that_can_not_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    open_log(tmp_path, state_dir=tmp_path / "rings").close()
    before = os.listdir("/proc/self/fd")

    for _ in range(5):
        with pytest.raises(OSError, match="state_dir"):
            open_log(tmp_path)

    assert os.listdir("/proc/self/fd") == before

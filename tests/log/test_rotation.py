"""Rotation as lumberjack documents it, and without the bugs that it is known for.

Source: natefinch/lumberjack v2.2.1, behaviour and issues.
"""

import gzip
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard
from bystander import Bystander, wait_until

from auditring import LogWriter
from auditring.files.names import list_backups

NAME = re.compile(r"audit-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})\.log")
LINE = b"1234567\n"

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


def open_log(directory: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    """Open a log with a small ring."""
    return LogWriter(directory / "audit.log", ring_bytes=64 * 1024, **options)


def content(directory: Path) -> bytes:
    """Return what the live file holds."""
    return (directory / "audit.log").read_bytes()


def backups(directory: Path) -> list[Path]:
    """List the backups, oldest first."""
    listed = list_backups(directory, "audit.log", "lumberjack")
    return [Path(backup.path) for backup in reversed(listed)]


def files(directory: Path) -> list[bytes]:
    """Return what the backups and the live file hold, oldest first."""
    return [path.read_bytes() for path in backups(directory)] + [content(directory)]


def make_backup(directory: Path, age: timedelta, data: bytes = b"old\n") -> Path:
    """Make a backup of that age beside the log."""
    time = datetime.now(UTC) - age
    milliseconds = time.microsecond // 1000
    path = directory / f"audit-{time:%Y-%m-%dT%H-%M-%S}.{milliseconds:03}.log"
    path.write_bytes(data)
    return path


# Opening.


def test_a_new_file_is_made_when_the_log_is_opened(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert content(tmp_path) == b""
        log.write(LINE)

    assert files(tmp_path) == [LINE]


def test_a_file_that_is_there_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(b"before\n")

    with open_log(tmp_path) as log:
        log.write(LINE)

    assert files(tmp_path) == [b"before\n" + LINE]


def test_the_size_of_a_file_that_is_there_counts(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(b"before\n")

    with open_log(tmp_path, max_bytes=7 + len(LINE) - 1) as log:
        log.write(LINE)

    assert files(tmp_path) == [b"before\n", LINE]


def test_the_first_record_rotates_a_file_that_it_would_fill_exactly(
    tmp_path: Path,
) -> None:
    (tmp_path / "audit.log").write_bytes(b"before\n")

    with open_log(tmp_path, max_bytes=7 + len(LINE)) as log:
        log.write(LINE)

    assert files(tmp_path) == [b"before\n", LINE]


def test_the_first_record_stays_in_a_file_that_has_room_for_more(
    tmp_path: Path,
) -> None:
    (tmp_path / "audit.log").write_bytes(b"before\n")

    with open_log(tmp_path, max_bytes=7 + len(LINE) + 1) as log:
        log.write(LINE)

    assert files(tmp_path) == [b"before\n" + LINE]


def test_missing_directories_are_made_for_all_to_enter(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        open_log(tmp_path / "a" / "b").close()
    finally:
        os.umask(before)

    assert content(tmp_path / "a" / "b") == b""
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o755


# Rotating by size.


def test_a_record_that_would_make_the_file_too_large_begins_a_new_one(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path, max_bytes=2 * len(LINE) + 1) as log:
        log.write_lines(LINE * 5)

    assert files(tmp_path) == [LINE * 2, LINE * 2, LINE]


def test_a_record_may_fill_the_file_exactly(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=2 * len(LINE)) as log:
        log.write_lines(LINE * 4)

    assert files(tmp_path) == [LINE * 2, LINE * 2]


def test_a_size_is_a_number_of_bytes(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1) as log:
        log.write_lines(b"\n\n\n")

    assert files(tmp_path) == [b"\n"] * 3


def test_no_record_is_split_over_files(tmp_path: Path) -> None:
    records = [b"%0*d\n\n" % (n * 7 % 40, n) for n in range(300)]
    with open_log(tmp_path, max_bytes=64) as log:
        for record in records:
            log.write(record)

    written = files(tmp_path)
    assert b"".join(written) == b"".join(records)
    assert all(file.endswith(b"\n\n") for file in written)
    assert all(len(file) <= 64 for file in written)


def test_a_record_larger_than_max_bytes_has_a_file_of_its_own_and_is_counted(
    tmp_path: Path,
) -> None:
    long = b"x" * 100 + b"\n"
    with open_log(tmp_path, max_bytes=50) as log:
        log.write_lines(LINE + long + LINE)
        log.flush()

        assert log.stats().oversize_records == 1
    assert files(tmp_path) == [LINE, long, LINE]


def test_a_record_larger_than_max_bytes_makes_no_empty_backup(tmp_path: Path) -> None:
    long = b"x" * 100 + b"\n"
    with open_log(tmp_path, max_bytes=50) as log:
        log.write(long)

    assert files(tmp_path) == [long]


def test_max_bytes_of_0_never_rotates(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=0) as log:
        log.write_lines(LINE * 100_000)

    assert files(tmp_path) == [LINE * 100_000]


# Rotating by hand.


def test_rotate_makes_the_live_file_a_backup(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(LINE)

        log.rotate()

        assert files(tmp_path) == [LINE, b""]
        assert log.stats().rotations == 1


def test_rotate_takes_an_empty_file_too(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.rotate()

    assert files(tmp_path) == [b"", b""]


def test_records_before_rotate_are_in_the_backup_and_those_after_it_are_not(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path) as log:
        log.write_lines(b"x\n" * 10_000)
        log.rotate()
        log.write_lines(b"y\n" * 10_000)

    assert files(tmp_path) == [b"x\n" * 10_000, b"y\n" * 10_000]


def test_rotate_reaches_a_leader_in_another_process(tmp_path: Path) -> None:
    with Bystander(tmp_path / "audit.log") as leader, open_log(tmp_path) as log:
        assert leader.leads
        log.write(LINE)

        log.rotate()

        assert files(tmp_path) == [LINE, b""]


# Names.


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/St_Johns"])
def test_the_time_in_a_name_is_that_of_the_rotation_in_utc(
    tmp_path: Path, zone: str
) -> None:
    program = "import sys; from auditring import LogWriter\n"
    program += "with LogWriter(sys.argv[1]) as log: log.rotate()"

    before = time.time()
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "audit.log"],
        env={**os.environ, "TZ": zone},
        check=True,
    )
    after = time.time()

    (backup,) = backups(tmp_path)
    match = NAME.fullmatch(backup.name)
    assert match
    told = datetime.strptime(match[1] + "+0000", "%Y-%m-%dT%H-%M-%S.%f%z").timestamp()
    assert before - 0.001 <= told <= after


def test_rotations_in_one_millisecond_overwrite_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1) as log:
        log.write_lines(b"".join(b"%d\n" % number for number in range(500)))

    assert len(backups(tmp_path)) == 499
    assert files(tmp_path) == [b"%d\n" % number for number in range(500)]


def test_a_clock_that_went_back_does_not_make_a_newer_backup_look_older(
    tmp_path: Path,
) -> None:
    future = make_backup(tmp_path, age=-timedelta(days=1000))

    with open_log(tmp_path) as log:
        log.write(LINE)
        log.rotate()

    assert backups(tmp_path)[0] == future
    assert files(tmp_path) == [b"old\n", LINE, b""]


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".lz4"])
def test_a_backup_that_was_compressed_keeps_its_name_for_itself(
    tmp_path: Path, suffix: str
) -> None:
    future = make_backup(tmp_path, age=-timedelta(days=1000))
    taken = future.rename(f"{future}{suffix}")

    with open_log(tmp_path) as log:
        log.rotate()

    assert backups(tmp_path)[0] == taken
    assert len({path.name.split(".log")[0] for path in backups(tmp_path)}) == 2


# Retaining.


def settled(log: LogWriter, directory: Path, count: int) -> None:
    """Wait until so many backups are left."""
    wait_until(lambda: len(backups(directory)) == count)


def test_max_backups_keeps_the_newest(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1, max_backups=3) as log:
        log.write_lines(b"".join(b"%d\n" % number for number in range(50)))
        log.flush()
        settled(log, tmp_path, 3)

        assert log.stats().backups_removed >= 46
    assert files(tmp_path) == [b"46\n", b"47\n", b"48\n", b"49\n"]


def test_max_backups_of_0_keeps_all(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1, max_age=1) as log:
        log.write_lines(b"\n" * 50)

    assert len(backups(tmp_path)) == 49


def test_what_belongs_to_others_is_neither_counted_nor_touched(tmp_path: Path) -> None:
    name = "audit-2000-01-01T00-00-00.000"
    foreign = [
        "audit.log.1",
        f"{name}.txt",
        f"{name}.log.bak",
        f"other-{name[6:]}.log",
        "audit-not-a-time.log",
        "audit-2000-02-30T00-00-00.000.log",
    ]
    for one in foreign:
        (tmp_path / one).write_bytes(b"foreign")
    (tmp_path / f"{name}.log").mkdir()

    with open_log(tmp_path, max_bytes=1, max_backups=1, max_age=1) as log:
        log.write_lines(b"\n" * 5)
        log.flush()
        settled(log, tmp_path, 1)

    assert {(tmp_path / one).read_bytes() for one in foreign} == {b"foreign"}
    assert (tmp_path / f"{name}.log").is_dir()


def test_backups_of_an_earlier_run_are_cleaned_up_at_the_start(tmp_path: Path) -> None:
    made = [make_backup(tmp_path, timedelta(hours=hours)) for hours in (1, 2, 3)]

    with open_log(tmp_path, max_backups=1) as log:
        settled(log, tmp_path, 1)

    assert backups(tmp_path) == [made[0]]


def test_max_age_goes_by_the_time_in_the_name(tmp_path: Path) -> None:
    young = make_backup(tmp_path, timedelta(hours=47))
    make_backup(tmp_path, timedelta(hours=49))

    with open_log(tmp_path, max_age=2) as log:
        settled(log, tmp_path, 1)

    assert backups(tmp_path) == [young]


def test_max_age_may_be_a_timedelta_and_as_short_as_one_likes(tmp_path: Path) -> None:
    make_backup(tmp_path, timedelta(seconds=5))

    with open_log(tmp_path, max_age=timedelta(milliseconds=1)) as log:
        settled(log, tmp_path, 0)


def test_max_total_bytes_counts_what_backups_take_compressed(tmp_path: Path) -> None:
    data = os.urandom(1000)
    for hours in range(5):
        path = make_backup(tmp_path, timedelta(hours=hours + 1), data)
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data))
        path.unlink()
    size = len(gzip.compress(data))

    with open_log(tmp_path, max_total_bytes=3 * size) as log:
        settled(log, tmp_path, 3)

    assert sum(path.stat().st_size for path in backups(tmp_path)) == 3 * size


# Compressing.

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "lz4": lz4.frame.decompress,
}
SUFFIX = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}


@pytest.mark.parametrize("compress", UNPACK)
def test_a_backup_is_compressed_after_rotation(tmp_path: Path, compress: Any) -> None:  # noqa: ANN401
    with open_log(tmp_path, compress=compress) as log:
        log.write_lines(LINE * 1000)
        log.rotate()
        wait_until(lambda: log.stats().backups_compressed)

        assert log.stats().mill_errors == 0
    (backup,) = backups(tmp_path)
    assert backup.name.endswith(f".log{SUFFIX[compress]}")
    assert UNPACK[compress](backup.read_bytes()) == LINE * 1000
    assert content(tmp_path) == b""


def test_a_backup_that_a_crash_left_half_compressed_is_compressed_anew(
    tmp_path: Path,
) -> None:
    plain = make_backup(tmp_path, timedelta(hours=1), LINE * 1000)
    compressed = plain.with_name(f"{plain.name}.gz")
    compressed.write_bytes(b"")

    with open_log(tmp_path, compress="gzip"):
        wait_until(lambda: not plain.exists())

    assert gzip.decompress(compressed.read_bytes()) == LINE * 1000


def test_a_backup_of_an_earlier_run_is_compressed_at_the_start(tmp_path: Path) -> None:
    plain = make_backup(tmp_path, timedelta(hours=1))

    with open_log(tmp_path, compress="zstd"):
        wait_until(lambda: not plain.exists())

    assert [path.suffix for path in backups(tmp_path)] == [".zst"]


def test_no_reader_sees_half_a_compressed_backup(tmp_path: Path) -> None:
    data = b"".join(b"%d\n" % number for number in range(300_000))
    with open_log(tmp_path, compress="gzip") as log:
        log.write_lines(data)
        log.rotate()
        wait_until(lambda: list(tmp_path.glob("*.gz")))
        (backup,) = tmp_path.glob("*.gz")

        assert gzip.decompress(backup.read_bytes()) == data


def test_writing_goes_on_while_a_backup_is_compressed(tmp_path: Path) -> None:
    with open_log(tmp_path, compress="zstd", compress_level=19) as log:
        log.write_lines(b"".join(b"%d\n" % number for number in range(300_000)))
        log.rotate()

        log.write(LINE)
        log.flush()

        assert log.stats().backups_compressed == 0
        assert content(tmp_path) == LINE


def test_close_does_not_wait_until_every_backup_is_compressed(tmp_path: Path) -> None:
    log = open_log(tmp_path, compress="zstd", compress_level=22)
    log.write_lines(b"".join(b"%d\n" % number for number in range(1_000_000)))
    log.rotate()

    log.close()

    (backup,) = backups(tmp_path)
    assert backup.suffix == ".log"
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


# Rights.


def test_a_new_file_has_the_mode_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "audit.log").touch()
    (tmp_path / "audit.log").chmod(0o644)

    with open_log(tmp_path, compress="gzip") as log:
        log.write(LINE)
        log.rotate()
        wait_until(lambda: log.stats().backups_compressed)

    (backup,) = backups(tmp_path)
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o644
    assert stat.S_IMODE(backup.stat().st_mode) == 0o644


@only_root
def test_a_new_file_has_the_owner_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "audit.log").touch()
    os.chown(tmp_path / "audit.log", 1234, 5678)

    with open_log(tmp_path, compress="gzip") as log:
        log.write(LINE)
        log.rotate()
        wait_until(lambda: log.stats().backups_compressed)

    for path in (*backups(tmp_path), tmp_path / "audit.log"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


# What lumberjack is known for.


def test_no_thread_is_left_after_close(tmp_path: Path) -> None:
    threads, tasks = set(threading.enumerate()), set(os.listdir("/proc/self/task"))
    for _ in range(10):
        with open_log(tmp_path, compress="gzip", max_backups=1) as log:
            log.write(LINE)
            log.rotate()

    assert set(threading.enumerate()) <= threads
    assert set(os.listdir("/proc/self/task")) <= tasks


def test_no_descriptor_is_left_by_rotations(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1, compress="gzip", max_backups=1) as log:
        log.write_lines(b"\n" * 10)
        log.flush()
        before = len(os.listdir("/proc/self/fd"))

        log.write_lines(b"\n" * 500)
        log.flush()
        settled(log, tmp_path, 1)

        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_backup_is_on_the_disk_before_a_sync_returns(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1) as log:
        log.write_lines(b"\n" * 10)

        assert log.sync()

        assert log.stats().syncs >= 1
        assert log.stats().sync_errors == 0


def test_the_reason_of_a_failure_with_backups_is_told(tmp_path: Path) -> None:
    told: list[Exception] = []
    blocked = make_backup(tmp_path, timedelta(hours=1))
    # A directory stands where the compressed backup is to go.
    blocked.with_name(f"{blocked.name}.gz").mkdir()

    with open_log(tmp_path, compress="gzip", on_error=told.append) as log:
        wait_until(lambda: log.stats().mill_errors)
        wait_until(lambda: told)

        assert str(told[-1]) in log.stats().mill_last_error
    assert blocked.read_bytes() == b"old\n"


def test_several_processes_share_a_log_that_rotates(tmp_path: Path) -> None:
    processes, count = 4, 2000
    program = f"""\
import sys
from auditring import LogWriter

with LogWriter(sys.argv[1], max_bytes=5000, ring_bytes=65536) as log:
    for number in range({count}):
        log.write(b"%s %d" % (sys.argv[2].encode(), number))
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "audit.log", str(process)]
        )
        for process in range(processes)
    ]
    assert [process.wait(60) for process in running] == [0] * processes

    written = files(tmp_path)
    assert all(len(file) <= 5000 for file in written)
    lines = b"".join(written).splitlines()
    assert len(lines) == processes * count
    for process in range(processes):
        own = [line for line in lines if line.startswith(b"%d " % process)]
        assert own == [b"%d %d" % (process, number) for number in range(count)]

"""Backups as logging.handlers.RotatingFileHandler names and counts them."""

import fcntl
import gzip
import logging
import logging.handlers
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from lz4.frame import decompress

from auditring import LogWriter

LINE = b"1234567\n"


def open_log(directory: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    """Open a log of the dialect with a small ring."""
    options = {"max_backups": 3, **options}
    path = directory / "app.log"
    return LogWriter(path, dialect="stdlib", ring_bytes=64 * 1024, **options)


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of every file by name."""
    paths = [path for path in directory.iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in paths}


def test_the_newest_backup_has_number_1(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for data in (b"one\n", b"two\n"):
            log.write(data)
            log.rotate()
        log.write(b"three\n")

    assert files(tmp_path) == {
        "app.log": b"three\n",
        "app.log.1": b"two\n",
        "app.log.2": b"one\n",
    }


def test_no_more_than_max_backups_are_kept(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=1, max_backups=2) as log:
        log.write_lines(b"1\n2\n3\n4\n5\n")

    assert files(tmp_path) == {
        "app.log": b"5\n",
        "app.log.1": b"4\n",
        "app.log.2": b"3\n",
    }


def test_a_record_that_would_fill_the_file_begins_a_new_one(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=2 * len(LINE)) as log:
        log.write_lines(LINE * 3)

    assert files(tmp_path) == {
        "app.log": LINE,
        "app.log.1": LINE,
        "app.log.2": LINE,
    }


def test_a_file_stays_below_max_bytes(tmp_path: Path) -> None:
    with open_log(tmp_path, max_bytes=2 * len(LINE) + 1) as log:
        log.write_lines(LINE * 3)

    assert files(tmp_path) == {"app.log": LINE, "app.log.1": LINE * 2}


@pytest.mark.parametrize(("max_bytes", "max_backups"), [(1, 0), (0, 3)])
def test_nothing_rotates_by_size_when_either_limit_is_0(
    tmp_path: Path, max_bytes: int, max_backups: int
) -> None:
    with open_log(tmp_path, max_bytes=max_bytes, max_backups=max_backups) as log:
        log.write_lines(LINE * 100)

    assert files(tmp_path) == {"app.log": LINE * 100}


def test_rotate_without_backups_goes_on_in_the_same_file(tmp_path: Path) -> None:
    with open_log(tmp_path, max_backups=0) as log:
        log.write(LINE)
        log.rotate()
        log.write(LINE)
        log.flush()

        assert log.stats().rotate_errors == 0

    assert files(tmp_path) == {"app.log": LINE * 2}


def test_a_record_larger_than_max_bytes_is_written_whole(tmp_path: Path) -> None:
    long = b"x" * 100 + b"\n"
    with open_log(tmp_path, max_bytes=50) as log:
        log.write_lines(LINE + long + LINE)
        log.flush()

        assert log.stats().oversize_records == 1
    assert files(tmp_path) == {
        "app.log": LINE,
        "app.log.1": long,
        "app.log.2": LINE,
    }


def test_compressed_backups_move_on_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"one\n"))
    (tmp_path / "app.log.2").write_bytes(b"two\n")

    with open_log(tmp_path) as log:
        log.write(b"live\n")
        log.rotate()

    assert files(tmp_path) == {
        "app.log": b"",
        "app.log.1": b"live\n",
        "app.log.2.gz": gzip.compress(b"one\n"),
        "app.log.3": b"two\n",
    }


def test_the_last_backup_goes_in_whatever_form_it_has(tmp_path: Path) -> None:
    (tmp_path / "app.log.1").write_bytes(b"one\n")
    (tmp_path / "app.log.2.zst").write_bytes(b"two\n")

    with open_log(tmp_path, max_backups=2) as log:
        log.rotate()

    assert files(tmp_path) == {
        "app.log": b"",
        "app.log.1": b"",
        "app.log.2": b"one\n",
    }


def test_a_hole_in_the_row_is_filled_before_a_backup_goes(tmp_path: Path) -> None:
    (tmp_path / "app.log.1").write_bytes(b"one\n")
    (tmp_path / "app.log.3").write_bytes(b"three\n")

    with open_log(tmp_path) as log:
        log.write(b"live\n")
        log.rotate()

    assert files(tmp_path) == {
        "app.log": b"",
        "app.log.1": b"live\n",
        "app.log.2": b"one\n",
        "app.log.3": b"three\n",
    }


def test_backups_are_compressed_under_their_numbers(tmp_path: Path) -> None:
    with open_log(tmp_path, compress="gzip") as log:
        for number in range(1, 3):
            log.write(b"%d\n" % number)
            log.rotate()
            wait_until(lambda: log.stats().backups_compressed == number)  # noqa: B023

    found = files(tmp_path)
    assert set(found) == {"app.log", "app.log.1.gz", "app.log.2.gz"}
    assert gzip.decompress(found["app.log.1.gz"]) == b"2\n"
    assert gzip.decompress(found["app.log.2.gz"]) == b"1\n"


def test_every_record_is_there_when_rotation_and_compression_race(
    tmp_path: Path,
) -> None:
    lines = [b"%05d\n" % number for number in range(3000)]
    with open_log(tmp_path, max_bytes=60, max_backups=10_000, compress="lz4") as log:
        for line in lines:
            log.write(line)
        log.flush()

        assert log.stats().mill_errors == 0
    found = files(tmp_path)
    written = found.pop("app.log")
    for name in sorted(found, key=lambda name: int(name.split(".")[2])):
        data = found[name]
        written = (decompress(data) if name.endswith(".lz4") else data) + written
    assert written == b"".join(lines)


def test_names_of_others_are_not_touched(tmp_path: Path) -> None:
    foreign = ["app.log.0", "app.log.01", "app.log.1.bak", "app.log.x", "app.log.4"]
    for name in foreign:
        (tmp_path / name).write_bytes(b"foreign")

    with open_log(tmp_path, max_bytes=1, max_backups=2) as log:
        log.write_lines(b"\n" * 10)

    assert {files(tmp_path)[name] for name in foreign} == {b"foreign"}


def test_a_rotation_that_fails_is_told_and_the_records_stay_in_the_file(
    tmp_path: Path,
) -> None:
    # A directory can't be pushed out of the row by a file.
    obstacle = tmp_path / "app.log.1"
    obstacle.mkdir()

    with open_log(tmp_path, max_bytes=20, max_backups=1) as log:
        log.write_lines(LINE * 4)
        assert log.flush()
        assert log.stats().rotate_errors >= 1
        assert log.stats().last_error != 0
        assert files(tmp_path) == {"app.log": LINE * 4}

        with pytest.raises(OSError, match=r"app\.log"):
            log.rotate()

        obstacle.rmdir()
        log.rotate()
    assert files(tmp_path) == {"app.log": b"", "app.log.1": LINE * 4}


def test_a_rotation_does_not_wait_for_who_holds_the_names_for_long(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path, max_bytes=20) as log:
        state = os.open(tmp_path / ".app.log.ring", os.O_RDONLY)
        fcntl.flock(state, fcntl.LOCK_EX)

        log.write_lines(LINE * 4)
        assert log.flush(timeout=10)

        assert log.stats().rotate_errors == 1
        os.close(state)
        log.rotate()
    assert files(tmp_path) == {"app.log": b"", "app.log.1": LINE * 4}


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(min_value=0, max_value=90), max_size=60),
    max_bytes=st.integers(min_value=92, max_value=300),
    max_backups=st.integers(min_value=0, max_value=5),
)
def test_the_files_are_those_of_the_standard_handler(
    sizes: list[int], max_bytes: int, max_backups: int
) -> None:
    messages = [f"{number % 10}" * size for number, size in enumerate(sizes)]
    with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as ours:
        handler = logging.handlers.RotatingFileHandler(
            os.path.join(theirs, "app.log"), maxBytes=max_bytes, backupCount=max_backups
        )
        for message in messages:
            handler.emit(logging.makeLogRecord({"msg": message}))
        handler.close()

        with open_log(Path(ours), max_bytes=max_bytes, max_backups=max_backups) as log:
            for message in messages:
                log.write(message.encode() + b"\n")

        assert files(Path(ours)) == files(Path(theirs))


def test_old_backups_go_without_compression(tmp_path: Path) -> None:
    old = tmp_path / "app.log.1"
    old.write_bytes(LINE)
    os.utime(old, (0, 0))

    with open_log(tmp_path, max_age=1):
        wait_until(lambda: not old.exists())

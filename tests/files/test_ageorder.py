"""The past files of a log come in the order in which they were written.

Who else may be there: a rotation that was changed, with the old names left; the hour
that comes twice when summer time ends; somebody who touched or restored files; gzip
that is at work, or that made a file whose plain name another one has by now.
"""

import gzip
import os
from pathlib import Path

import pytest

from auditring.files.generations import Generations

NOON_S = 1_795_305_600


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "app.log"


def made(log: Path, names: list[str], *, step_s: int = 60) -> None:
    """Make files of these names, the oldest first."""
    for number, name in enumerate(names):
        path = log.with_name(name)
        path.write_bytes(b"%d\n" % number)
        os.utime(path, (0, NOON_S + number * step_s))


def row(log: Path) -> list[str]:
    """Return the names of the files as they are read."""
    return [os.path.basename(file.path) for file in Generations(log).row()]


@pytest.mark.parametrize(
    "names",
    [
        ["app.log.1.gz", "app.log-20261122", "app.log.2026-11-23"],
        ["app.log-20261122.gz", "app.log-20261123", "app.log.2.gz", "app.log.1"],
        ["app.log.2026-11-22", "app.log.2026-11-23", "app.log-20261122"],
        ["app-2026-11-22T01-02-03.004.log", "app.log.2026-11-21", "app.log.1"],
        ["app.log.31-10-2026", "app.log.01-11-2026", "app.log.15-09-2026"],
        ["app.log.2026-11-22", "app.log.2026-11-23_00", "app.log.2026-11-23_01"],
    ],
)
def test_mixtures_are_in_the_order_of_their_files_times(
    log: Path, names: list[str]
) -> None:
    made(log, [*names, "app.log"], step_s=86_400)

    assert row(log) == [*names, "app.log"]


def test_the_hour_that_comes_twice_is_in_the_order_of_its_files_times(
    log: Path,
) -> None:
    times = ["01-30", "02-10", "02-30", "02-00", "02-20", "02-40", "03-00"]
    names = [f"app.log.2026-10-25_{time}" for time in times]
    made(log, names)

    assert row(log) == names


def test_files_that_were_touched_are_in_the_order_of_their_names(log: Path) -> None:
    names = [f"app.log.2026-11-22_{hour:02}" for hour in range(10)]
    made(log, names)
    os.utime(log.with_name(names[3]), (0, NOON_S + 10**6))

    assert row(log) == names


def test_numbers_and_times_of_our_writers_count_whatever_the_files_times_are(
    log: Path,
) -> None:
    for names in (
        ["app.log.2", "app.log.1"],
        [f"app-2026-11-22T01-02-03.00{number}.log" for number in (4, 5)],
    ):
        made(log, names, step_s=-60)

        assert row(log) == names

        for name in names:
            log.with_name(name).unlink()


@pytest.mark.parametrize("size", [0, 30, -1], ids=["empty", "header", "whole"])
@pytest.mark.parametrize("name", ["app.log.1", "app.log-20261122"])
def test_of_a_file_in_two_forms_the_plain_one_is_read(
    log: Path, name: str, size: int
) -> None:
    made(log, [name])
    packed = gzip.compress(log.with_name(name).read_bytes())
    log.with_name(f"{name}.gz").write_bytes(packed[:size] if size >= 0 else packed)

    assert row(log) == [name]


@pytest.mark.parametrize("name", ["app.log.1", "app.log.2026-11-22"])
def test_a_compressed_file_that_holds_something_else_is_read_before(
    log: Path, name: str
) -> None:
    made(log, [name])
    packed = log.with_name(f"{name}.gz")
    packed.write_bytes(gzip.compress(b"other\n"))
    os.utime(packed, (0, NOON_S - 1))

    assert row(log) == [f"{name}.gz", name]

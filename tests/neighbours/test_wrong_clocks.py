"""Limits hold whatever clock or name is wrong, and the trouble is told once.

Who else may be there: a clock that jumped ahead and came back, with backups named and
written to meanwhile; a file that somebody dated; a name of the last year there is.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from millwork import every_format, files_in, run

from auditring import LogWriter
from auditring.backups.mill import Mill, MillSettings
from auditring.files.names import Dialect

DAY_S = 86400
# 2001-01-01, before any kernel's time: what that says of a file is the future as well.
NOW_S = 978_307_200
NAMES: dict[Dialect, list[str]] = {
    "lumberjack": [
        "app-2096-11-22T00-00-00.003.log",
        "app-2096-11-22T00-00-00.002.log",
        "app-2096-11-22T00-00-00.001.log",
    ],
    "stdlib": ["app.log.1", "app.log.2", "app.log.3"],
    "dated": ["app.log.2096-11-22", "app.log.2096-11-21", "app.log.2096-11-20"],
}
every_dialect = pytest.mark.parametrize("dialect", NAMES)


def put(directory: Path, name: str, age_days: float) -> None:
    (directory / ".app.log.ring").mkdir(exist_ok=True)
    (directory / name).write_bytes(b"a line\n")
    written_s = NOW_S - age_days * DAY_S
    os.utime(directory / name, (written_s, written_s))


def mill_of(
    directory: Path,
    on_error: Callable[[Exception], object] | None = None,
    **settings: Any,  # noqa: ANN401 - passed on as they are
) -> Mill:
    chosen = MillSettings(**settings)
    return Mill(
        directory / "app.log", lambda: chosen, now=lambda: NOW_S, on_error=on_error
    )


def backups_in(directory: Path) -> list[str]:
    return [name for name in files_in(directory) if name != ".app.log.ring"]


@every_dialect
def test_what_no_name_dates_is_dated_by_the_file(
    tmp_path: Path, dialect: Dialect
) -> None:
    for name, age_days in zip(NAMES[dialect], (1, 2, 3), strict=True):
        put(tmp_path, name, age_days)

    run(mill_of(tmp_path, dialect=dialect, max_age_days=2.5))

    assert backups_in(tmp_path) == sorted(NAMES[dialect][:2])


@every_dialect
def test_what_nobody_can_date_is_no_younger_than_the_next_newer_one(
    tmp_path: Path, dialect: Dialect
) -> None:
    newest, jumped, oldest = NAMES[dialect]
    put(tmp_path, newest, 3)
    put(tmp_path, jumped, -70 * 365)
    put(tmp_path, oldest, 1)

    run(mill_of(tmp_path, dialect=dialect, max_age_days=2))

    assert backups_in(tmp_path) == [oldest]


@every_dialect
def test_what_nobody_can_date_counts(tmp_path: Path, dialect: Dialect) -> None:
    for name in NAMES[dialect]:
        put(tmp_path, name, -70 * 365)

    run(mill_of(tmp_path, dialect=dialect, max_age_days=2, max_backups=2))

    assert backups_in(tmp_path) == sorted(NAMES[dialect][:2])


@pytest.mark.parametrize("dialect", ["lumberjack", "dated"])
def test_the_trouble_is_told_once(tmp_path: Path, dialect: Dialect) -> None:
    for name in NAMES[dialect]:
        put(tmp_path, name, 1)
    told: list[Exception] = []
    mill = mill_of(tmp_path, told.append, dialect=dialect, max_age_days=9)

    run(mill)
    run(mill)

    assert len(told) == 1
    assert "2096" in str(told[0])
    assert "3 backups" in str(told[0])


@every_format
@pytest.mark.parametrize(
    "name", ["app-9999-12-31T23-59-59.999.log", "app-2099-01-01T00-00-00.000.log"]
)
def test_a_name_of_the_future_ends_neither_limits_nor_compression(
    tmp_path: Path, name: str, compress: str
) -> None:
    (tmp_path / name).write_bytes(b"somebody's\n")
    options = {"compress": compress, "max_backups": 3}

    with LogWriter(tmp_path / "app.log", ring_bytes=64 * 1024, **options) as log:
        for number in range(9):
            log.write(b"%d\n" % number)
            log.rotate()

    names = [each for each in files_in(tmp_path) if each.startswith("app-")]
    assert len(names) == 3
    assert all(len(each) == len(f"{name}.gz") or compress != "gzip" for each in names)
    assert not [each for each in names if each.endswith(".log")]

"""Backups stay as long as every limit lets them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwork import NOON_MS, backup_name, files_in, mill_of, pack, put_backups, run

from auditring.backups.mill import Mill, MillSettings


def test_the_newest_backups_are_kept(tmp_path: Path) -> None:
    put_backups(tmp_path, 1, 1, 1, 1, 1)
    mill = mill_of(tmp_path, max_backups=2)

    run(mill)

    assert files_in(tmp_path) == [backup_name(1), backup_name(0)]
    assert mill.counters.removed == 3


def test_both_forms_of_a_backup_count_as_one(tmp_path: Path) -> None:
    put_backups(tmp_path, 1, 1, 1)
    for number in (1, 2):
        packed = pack(bytes(1), ".gz")
        (tmp_path / (backup_name(number) + ".gz")).write_bytes(packed)

    run(mill_of(tmp_path, max_backups=2))

    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0)]


def test_a_backup_goes_when_the_time_in_its_name_is_before_the_cutoff(
    tmp_path: Path,
) -> None:
    on_time = "audit-2026-11-20T12-00-00.000.log"
    too_old = "audit-2026-11-20T11-59-59.999.log"
    for name in (on_time, too_old, f"{too_old}.gz"):
        (tmp_path / name).touch()

    run(mill_of(tmp_path, max_age_days=2))

    assert files_in(tmp_path) == [on_time]


def test_a_numbered_backup_goes_when_it_was_written_before_the_cutoff(
    tmp_path: Path,
) -> None:
    (tmp_path / ".app.log.ring").mkdir()
    for number, age_days in ((1, 1.9), (2, 2.1)):
        name = tmp_path / f"app.log.{number}"
        name.touch()
        written_s = NOON_MS / 1000 - age_days * 86400
        os.utime(name, (written_s, written_s))

    run(mill_of(tmp_path, "app.log", dialect="stdlib", max_age_days=2))

    assert files_in(tmp_path) == [".app.log.ring", "app.log.1"]


@pytest.mark.parametrize(
    ("limit", "kept"), [(30, 3), (29, 2), (20, 2), (11, 1), (10, 1), (1, 1), (0, 3)]
)
def test_the_newest_that_fit_are_kept_and_one_in_any_case(
    tmp_path: Path, limit: int, kept: int
) -> None:
    put_backups(tmp_path, 10, 10, 10)

    run(mill_of(tmp_path, max_total_bytes=limit))

    assert files_in(tmp_path) == sorted(backup_name(n) for n in range(kept))


def test_nothing_behind_the_first_that_does_not_fit_is_kept(tmp_path: Path) -> None:
    put_backups(tmp_path, 10, 100, 1)

    run(mill_of(tmp_path, max_total_bytes=50))

    assert files_in(tmp_path) == [backup_name(0)]


@given(
    sizes=st.lists(st.integers(0, 40), max_size=8),
    max_backups=st.integers(0, 9),
    max_age_minutes=st.integers(0, 9),
    max_total_bytes=st.integers(0, 200),
)
def test_what_is_kept_obeys_every_limit_and_no_more_goes(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    max_backups: int,
    max_age_minutes: int,
    max_total_bytes: int,
) -> None:
    directory = tmp_path_factory.mktemp("log")
    put_backups(directory, *sizes)
    limits = MillSettings(
        max_backups=max_backups,
        max_age_days=(600 + max_age_minutes) / 1440 if max_age_minutes else None,
        max_total_bytes=max_total_bytes,
    )
    # At 11:59 the newest is ten hours old, and each other a minute more.
    mill = Mill(directory / "audit.log", lambda: limits, now=lambda: NOON_MS / 1e3 - 60)

    run(mill)

    def is_allowed(count: int) -> bool:
        return (
            (not max_backups or count <= max_backups)
            and (not max_age_minutes or count <= max_age_minutes + 1)
            and (not max_total_bytes or count <= 1 or sum(sizes[:count]) <= max_total)
        )

    max_total = max_total_bytes
    count = max(n for n in range(len(sizes) + 1) if is_allowed(n))
    assert files_in(directory) == sorted(backup_name(n) for n in range(count))


def test_room_is_made_by_the_oldest_backup_and_never_by_the_newest(
    tmp_path: Path,
) -> None:
    put_backups(tmp_path, 1, 1)
    (tmp_path / (backup_name(1) + ".gz")).touch()
    mill = mill_of(tmp_path)

    assert mill.remove_oldest()
    assert files_in(tmp_path) == [backup_name(0)]
    assert not mill.remove_oldest()
    assert files_in(tmp_path) == [backup_name(0)]

"""Backups wait for the followers that are registered, and for nobody else."""

import gzip
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter
from auditring.backups.mill import Mill, MillSettings
from auditring.cursor import Cursor
from auditring.errors import CursorError
from auditring.files.followers import (
    FollowerRecord,
    followers_of,
    forget,
    unread_backups,
)
from auditring.files.formats import Compression
from auditring.files.names import Dialect, list_backups
from auditring.follow import follow

DIALECTS: tuple[Dialect, ...] = ("lumberjack", "stdlib")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that a writer opened once."""
    path = tmp_path / "audit.log"
    LogWriter(path).close()
    return path


def backup(log: Path, number: int, suffix: str = "") -> Path:
    """Return the path of a backup; a larger number is newer."""
    return log.with_name(f"audit-2026-11-22T01-02-03.{number:03d}.log{suffix}")


def make_backups(log: Path, count: int) -> None:
    """Make backups that hold one line each, and a live file that does."""
    for number in range(1, count + 1):
        backup(log, number).write_bytes(b"line %d\n" % number)
        os.utime(backup(log, number), (number, number))
    log.write_bytes(b"live\n")


def cursors_of(log: Path) -> list[Cursor]:
    """Return the cursor behind each line of a log."""
    return [cursor for _, cursor in follow(log, wait=False)]


def unread(log: Path, dialect: Dialect = "lumberjack") -> set[str]:
    """Return the names of the backups that somebody has not read."""
    return unread_backups(log, list_backups(log.parent, log.name, dialect))


def backups_of(log: Path) -> list[str]:
    """Return the names of the backups, of both dialects, sorted."""
    names = {path.name for path in log.parent.glob("audit[-.]*")}
    return sorted(names - {"audit.log", "audit.log.gaps"})


def mill_of(log: Path, told: list[tuple[int, int]], **settings: Any) -> Mill:  # noqa: ANN401 - passed on as they are
    chosen = MillSettings(**settings)
    return Mill(log, lambda: chosen, on_unread=lambda *loss: told.append(loss))


def run(mill: Mill) -> None:
    for _ in mill.run():
        pass


# Registration.


def test_a_follower_registers_by_saving_its_cursor(log: Path) -> None:
    FollowerRecord(log, "siem").save(Cursor())

    assert followers_of(log) == ["siem"]
    assert FollowerRecord(log, "siem").load() == Cursor()


def test_only_its_user_gets_at_a_record(log: Path) -> None:
    FollowerRecord(log, "siem").save(Cursor())

    directory = log.with_name(".audit.log.ring") / "followers"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "siem").stat().st_mode) == 0o600


def test_a_follower_that_is_forgotten_is_not_there(log: Path) -> None:
    FollowerRecord(log, "siem").save(Cursor())

    assert forget(log, "siem")
    assert not forget(log, "siem")
    assert followers_of(log) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a b", "x" * 65, "ä", "-rf", "a\n"]
)
def test_a_name_that_is_no_name_is_refused(log: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name: expected up to 64 letters"):
        FollowerRecord(log, name)


def test_where_no_writer_was_nothing_is_registered(tmp_path: Path) -> None:
    record = FollowerRecord(tmp_path / "audit.log", "siem")

    record.save(Cursor())

    assert not record.is_possible
    assert os.listdir(tmp_path) == []


def test_what_a_killed_follower_left_is_no_follower(log: Path) -> None:
    FollowerRecord(log, "siem").save(Cursor())
    directory = log.with_name(".audit.log.ring") / "followers"
    (directory / ".other.tmp").write_text("{")

    assert followers_of(log) == ["siem"]


# What is unread.


def test_without_followers_nothing_is_unread(log: Path) -> None:
    make_backups(log, 3)

    assert unread(log) == set()


@pytest.mark.parametrize("taken", range(5))
def test_what_is_behind_the_cursor_is_unread_and_the_file_that_it_is_in(
    log: Path, taken: int
) -> None:
    make_backups(log, 3)
    cursor = cursors_of(log)[taken - 1] if taken else Cursor()
    FollowerRecord(log, "siem").save(cursor)

    first = max(taken, 1)
    assert unread(log) == {backup(log, number).name for number in range(first, 4)}


def test_the_slowest_follower_counts(log: Path) -> None:
    make_backups(log, 3)
    cursors = cursors_of(log)
    for name, cursor in zip(("slow", "fast"), (cursors[1], cursors[3]), strict=True):
        FollowerRecord(log, name).save(cursor)

    assert unread(log) == {backup(log, number).name for number in (2, 3)}


def test_a_compressed_backup_is_known_by_what_is_in_it(log: Path) -> None:
    make_backups(log, 3)
    FollowerRecord(log, "siem").save(cursors_of(log)[1])
    for number in (1, 2, 3):
        path = backup(log, number)
        backup(log, number, ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    assert unread(log) == {backup(log, number).name for number in (2, 3)}


def test_a_damaged_record_is_an_error(log: Path) -> None:
    make_backups(log, 1)
    (log.with_name(".audit.log.ring") / "followers").mkdir()
    (log.with_name(".audit.log.ring") / "followers" / "siem").write_text("{")

    with pytest.raises(CursorError, match="siem: expected a cursor in JSON"):
        unread(log)


# What the mill does.


@pytest.mark.parametrize(
    "limit", [{"max_backups": 1}, {"max_age_days": 0.001}, {"max_total_bytes": 1}]
)
def test_limits_spare_what_is_unread(log: Path, limit: dict[str, float]) -> None:
    make_backups(log, 4)
    FollowerRecord(log, "siem").save(cursors_of(log)[1])
    told: list[tuple[int, int]] = []

    run(mill_of(log, told, **limit))

    assert backups_of(log) == [backup(log, number).name for number in (2, 3, 4)]
    assert told == []


def test_what_is_spared_goes_once_it_is_read(log: Path) -> None:
    make_backups(log, 4)
    cursors = cursors_of(log)
    mill = mill_of(log, [], max_backups=1)
    left = []

    for cursor in (Cursor(), *cursors):
        FollowerRecord(log, "siem").save(cursor)
        run(mill)
        left.append(len(backups_of(log)))

    assert left == [4, 4, 3, 2, 1, 1]


def test_what_is_spared_is_compressed(log: Path) -> None:
    make_backups(log, 3)
    FollowerRecord(log, "siem").save(Cursor())

    run(mill_of(log, [], max_backups=1, compress="gzip"))

    names = [backup(log, number, ".gz").name for number in (1, 2, 3)]
    assert backups_of(log) == names


def test_want_of_space_spares_what_is_unread_too(log: Path) -> None:
    make_backups(log, 3)
    FollowerRecord(log, "siem").save(cursors_of(log)[1])
    mill = mill_of(log, [], max_backups=9)

    removed = [mill.remove_oldest() for _ in range(3)]

    assert removed == [True, False, False]
    assert backups_of(log) == [backup(log, number).name for number in (2, 3)]


def test_what_goes_unread_is_told_when_followers_don_t_count(log: Path) -> None:
    make_backups(log, 4)
    FollowerRecord(log, "siem").save(cursors_of(log)[1])
    told: list[tuple[int, int]] = []

    run(mill_of(log, told, max_backups=1, keep_for_followers=False))

    assert backups_of(log) == [backup(log, 4).name]
    assert told == [(2, 2 * len(b"line 2\n"))]


def test_what_goes_for_want_of_space_is_told_when_followers_don_t_count(
    log: Path,
) -> None:
    make_backups(log, 3)
    FollowerRecord(log, "siem").save(cursors_of(log)[1])
    told: list[tuple[int, int]] = []
    mill = mill_of(log, told, max_backups=9, keep_for_followers=False)

    removed = [mill.remove_oldest() for _ in range(3)]

    assert removed == [True, True, False]
    assert told == [(1, len(b"line 2\n"))]


@pytest.mark.parametrize(("keeps", "left"), [(True, 3), (False, 1)])
def test_a_damaged_record_is_reported_and_spares_all_if_followers_count(
    log: Path, keeps: bool, left: int
) -> None:
    make_backups(log, 3)
    record = FollowerRecord(log, "siem")
    record.save(Cursor())
    Path(record.path).write_text("garbage")
    told: list[tuple[int, int]] = []
    mill = mill_of(log, told, max_backups=1, keep_for_followers=keeps)

    run(mill)

    assert len(backups_of(log)) == left
    assert told == []
    assert mill.counters.errors == 1
    assert "siem: expected a cursor" in mill.counters.last_error


# What a writer does.


def gaps_in(paths: Sequence[Path]) -> list[tuple[str, str, str]]:
    """Return reason, count and bytes of the gap events in files."""
    lines = b"".join(path.read_bytes() for path in paths if path.exists()).splitlines()
    notes = [json.loads(line)["annotations"] for line in lines if b'"gap"' in line]
    names = [f"auditring.io/{name}" for name in ("reason", "count", "bytes")]
    return [(note[names[0]], note[names[1]], note[names[2]]) for note in notes]


@pytest.mark.parametrize("compress", ["gzip", None])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_writer_keeps_backups_until_they_are_read(
    log: Path, dialect: Dialect, compress: Compression | None
) -> None:
    record = FollowerRecord(log, "siem")
    record.save(Cursor())
    with LogWriter(log, max_backups=2, dialect=dialect, compress=compress) as writer:
        for number in range(6):
            writer.write(b"line %d\n" % number)
            writer.rotate()
        assert len(list_backups(log.parent, log.name, dialect)) >= 6
        lines = []
        for line, cursor in follow(log, wait=False):
            lines.append(line)
            record.save(cursor)
        writer.write(b"line 6\n")
        writer.rotate()

        wait_until(lambda: len({name[:36] for name in backups_of(log)}) == 2)

    assert lines == [b"line %d\n" % number for number in range(6)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_writer_that_doesn_t_keep_them_tells_of_it_in_a_gap_event(
    log: Path, dialect: Dialect
) -> None:
    FollowerRecord(log, "siem").save(Cursor())
    options: dict[str, Any] = {"max_backups": 2, "dialect": dialect}
    with LogWriter(log, keep_for_followers=False, **options) as writer:
        for number in range(3):
            writer.write(b"line %d\n" % number)
            writer.rotate()
        wait_until(lambda: writer.stats().unread_backups_removed)

        stats = writer.stats()

    assert (stats.unread_backups_removed, stats.backups_removed) == (1, 1)
    files = [log, log.with_name("audit.log.gaps"), *map(log.with_name, backups_of(log))]
    assert gaps_in(files) == [("removed-unread", "1", "7")]


def test_numbered_backups_are_pushed_out_when_the_last_follower_is_forgotten(
    log: Path,
) -> None:
    FollowerRecord(log, "siem").save(Cursor())
    with LogWriter(log, max_backups=2, dialect="stdlib") as writer:
        for number in range(5):
            writer.write(b"line %d\n" % number)
            writer.rotate()
        kept = backups_of(log)
        forget(log, "siem")
        writer.write(b"line 5\n")
        writer.rotate()

        wait_until(lambda: len(backups_of(log)) == 2)

    assert kept == [f"audit.log.{number}" for number in range(1, 6)]


def test_the_newest_opener_says_whether_followers_count(log: Path) -> None:
    FollowerRecord(log, "siem").save(Cursor())
    with (
        Bystander(log, max_backups=1),
        LogWriter(log, max_backups=1, keep_for_followers=False) as writer,
    ):
        for number in range(4):
            writer.write(b"line %d\n" % number)
            writer.rotate()

        # The bystander's mill does it: it came first.
        wait_until(lambda: writer.stats().unread_backups_removed == 3)
        assert len(backups_of(log)) == 1


def test_settings_can_be_adopted(log: Path) -> None:
    with (
        LogWriter(log, max_bytes=1000, max_backups=7) as first,
        LogWriter(log, max_bytes=5, adopt_settings=True) as second,
    ):
        assert second._settings() == first._settings()
        assert first._settings()["max_bytes"] == 1000
        assert first.stats().settings_changes == 1


def test_there_is_nothing_to_adopt_in_a_new_log(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "new.log", max_bytes=5, adopt_settings=True) as writer:
        assert writer._settings()["max_bytes"] == 5

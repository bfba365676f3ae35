"""Only names of the exact grammar are backups, and their order is that of time."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.files.names import Backup, Dialect, list_backups, scan_backups, temp_name

SUFFIXES = ["", ".gz", ".zst", ".lz4", ".bz2", ".xz"]
TIME = "2026-11-22T01-02-03.004"
BACKUP = f"audit-{TIME}.log"

moments = st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999)


def touch(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).touch()


def names_of(directory: Path, log: str, dialect: Dialect = "lumberjack") -> list[str]:
    return [backup.name for backup in list_backups(directory, log, dialect)]


def listed(file_name: str, log: str, dialect: Dialect) -> Backup | None:
    """Tell what a listing makes of *file_name* in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        touch(Path(directory), file_name)
        backups = list_backups(directory, log, dialect)
    return backups[0] if backups else None


def text_of(time_ms: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    day = f"{time.year:04}-{time.month:02}-{time.day:02}"
    clock = f"{time.hour:02}-{time.minute:02}-{time.second:02}"
    return f"{day}T{clock}.{time.microsecond // 1000:03}"


# The lumberjack dialect.


@given(time_ms=moments, suffix=st.sampled_from(SUFFIXES))
def test_a_name_tells_its_time_to_the_millisecond(time_ms: int, suffix: str) -> None:
    name = f"audit-{text_of(time_ms)}.log{suffix}"

    backup = listed(name, "audit.log", "lumberjack")

    assert backup is not None
    assert (backup.time_ms, backup.suffix) == (time_ms, suffix)
    assert backup.plain + suffix == backup.name == name


@pytest.mark.parametrize(
    ("log", "backup"),
    [
        ("audit.log", f"audit-{TIME}.log"),
        ("audit", f"audit-{TIME}"),
        (".hidden", f"-{TIME}.hidden"),
        (".hidden.log", f".hidden-{TIME}.log"),
        ("a.b.c", f"a.b-{TIME}.c"),
        ("audit.", f"audit-{TIME}."),
        ("audit.gz", f"audit-{TIME}.gz"),
        ("a-b.log", f"a-b-{TIME}.log"),
        ("a+(b).log", f"a+(b)-{TIME}.log"),
    ],
)
def test_the_extension_starts_at_the_last_dot(
    tmp_path: Path, log: str, backup: str
) -> None:
    touch(tmp_path, *(backup + suffix for suffix in SUFFIXES))

    backups = list_backups(tmp_path, log, "lumberjack")

    assert [one.name for one in backups] == sorted(backup + end for end in SUFFIXES)
    assert {one.plain for one in backups} == {backup}


@pytest.mark.parametrize(
    "name",
    [
        "audit.log",
        "audit-.log",
        "audit-2026-02-30T01-02-03.004.log",
        "audit-2025-02-29T01-02-03.004.log",
        "audit-2026-13-01T01-02-03.004.log",
        "audit-2026-00-01T01-02-03.004.log",
        "audit-2026-11-22T24-02-03.004.log",
        "audit-2026-11-22T01-60-03.004.log",
        "audit-2026-11-22T01-02-60.004.log",
        "audit-0000-11-22T01-02-03.004.log",
        "audit-2026-11-22T01-02-03.04.log",
        "audit-2026-11-22T01-02-03.0040.log",
        "audit-2026-11-22T01-02-03,004.log",
        "audit-2026-11-22T1-02-03.004.log",
        "audit-2026-11-22 01-02-03.004.log",
        "audit-2026-11-22t01-02-03.004.log",
        "audit-2026-11-22T01:02:03.004.log",
        "audit-\u0662\u0660\u0662\u0666-11-22T01-02-03.004.log",
        f"audit-{TIME}",
        f"audit-{TIME}.txt",
        f"audit-{TIME}.log.Z",
        f"audit-{TIME}.log.gz.gz",
        f"audit-{TIME}.log.gz.tmp",
        f"audit-{TIME}.log\n",
        f"audit-{TIME}.logs",
        f"audit_{TIME}.log",
        f"Audit-{TIME}.log",
        f"my-audit-{TIME}.log",
        f"audit-2-{TIME}.log",
        f".audit-{TIME}.log.gz.tmp",
    ],
)
def test_another_name_is_no_backup(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)

    assert list_backups(tmp_path, "audit.log", "lumberjack") == []


@given(
    at=st.integers(min_value=0, max_value=len(BACKUP)),
    cut=st.integers(min_value=0, max_value=2),
    put=st.text(alphabet="0123456789-.:T log", max_size=2),
)
def test_a_garbled_name_is_listed_only_if_it_is_well_formed_again(
    at: int, cut: int, put: str
) -> None:
    name = BACKUP[:at] + put + BACKUP[at + cut :]

    backup = listed(name, "audit.log", "lumberjack")

    if backup is not None:
        assert backup.time_ms is not None
        assert name == f"audit-{text_of(backup.time_ms)}.log"


def test_the_newest_comes_first_and_plain_before_compressed(tmp_path: Path) -> None:
    newest_first = [
        "audit-2026-11-22T01-02-03.005.log",
        "audit-2026-11-22T01-02-03.004.log",
        "audit-2026-11-22T01-02-03.004.log.gz",
        "audit-2025-12-31T23-59-59.999.log.zst",
        "audit-1969-12-31T23-59-59.999.log",
    ]
    touch(tmp_path, *sorted(newest_first))

    assert names_of(tmp_path, "audit.log") == newest_first


# The stdlib dialect.


@given(index=st.integers(1, 10**18), suffix=st.sampled_from(SUFFIXES))
def test_a_name_tells_its_index(index: int, suffix: str) -> None:
    name = f"app.log.{index}{suffix}"

    backup = listed(name, "app.log", "stdlib")

    assert backup is not None
    assert (backup.index, backup.suffix) == (index, suffix)
    assert backup.plain == f"app.log.{index}"


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.",
        "app.log.0",
        "app.log.01",
        "app.log.-1",
        "app.log.+1",
        "app.log.1 ",
        "app.log.1\n",
        "app.log.1_000",
        "app.log.\u0661",
        "app.log.1.Z",
        "app.log.1.gz.zst",
        "app.log.gz",
        "app.log.2026-11-22",
        "xapp.log.1",
        "appxlog.1",
        "app.log.1.1",
    ],
)
def test_another_name_is_no_numbered_backup(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)

    assert list_backups(tmp_path, "app.log", "stdlib") == []


def test_the_lowest_index_comes_first(tmp_path: Path) -> None:
    touch(tmp_path, "app.log.10.gz", "app.log.2", "app.log.1", "app.log.2.gz")

    names = names_of(tmp_path, "app.log", "stdlib")

    assert names == ["app.log.1", "app.log.2", "app.log.2.gz", "app.log.10.gz"]


# Both.


def test_a_dialect_does_not_see_the_backups_of_the_other(tmp_path: Path) -> None:
    touch(tmp_path, BACKUP, "audit.log.1")

    assert names_of(tmp_path, "audit.log", "lumberjack") == [BACKUP]
    assert names_of(tmp_path, "audit.log", "stdlib") == ["audit.log.1"]


@pytest.mark.parametrize(
    ("name", "dialect"), [(BACKUP, "lumberjack"), ("audit.log.1", "stdlib")]
)
def test_what_is_no_regular_file_is_no_backup(
    tmp_path: Path, name: str, dialect: Dialect
) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / name).mkdir()
    (tmp_path / f"{name}.gz").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / f"{name}.zst")

    assert list_backups(tmp_path, "audit.log", dialect) == []


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list_backups(tmp_path / "nowhere", "audit.log", "lumberjack")


@pytest.mark.parametrize(
    ("dialect", "compressed"),
    [
        ("lumberjack", f"{BACKUP}.gz"),
        ("lumberjack", f"{BACKUP}.zst"),
        ("stdlib", "audit.log.12.lz4"),
    ],
)
def test_a_temporary_file_is_found_and_is_no_backup(
    tmp_path: Path, dialect: Dialect, compressed: str
) -> None:
    temp = temp_name(compressed)
    touch(tmp_path, temp)

    listing = scan_backups(tmp_path, "audit.log", dialect)

    assert listing.backups == ()
    assert listing.temps == (str(tmp_path / temp),)


@pytest.mark.parametrize(
    "name",
    [
        ".audit.log.gz.tmp",
        f".other-{TIME}.log.gz.tmp",
        f".{BACKUP}.tmp",
        f".{BACKUP}.gz",
        f"{BACKUP}.gz.tmp",
        f".{BACKUP}.gz.tmp.tmp",
        ".audit.log.ring",
    ],
)
def test_a_hidden_file_of_somebody_else_is_no_temporary_file(
    tmp_path: Path, name: str
) -> None:
    touch(tmp_path, name)

    assert scan_backups(tmp_path, "audit.log", "lumberjack").temps == ()


def test_a_backup_was_written_at_the_time_in_its_name(tmp_path: Path) -> None:
    touch(tmp_path, BACKUP)

    (backup,) = list_backups(tmp_path, "audit.log", "lumberjack")

    assert backup.time_ms is not None
    assert backup.written_ms(backup.time_ms) == backup.time_ms


def test_a_numbered_backup_was_written_at_its_mtime(tmp_path: Path) -> None:
    touch(tmp_path, "audit.log.1")
    os.utime(tmp_path / "audit.log.1", ns=(0, 1_234_567_890))

    (backup,) = list_backups(tmp_path, "audit.log", "stdlib")

    assert backup.written_ms(1234) == 1234


def test_a_backup_that_has_gone_is_old_and_empty(tmp_path: Path) -> None:
    (tmp_path / "audit.log.1").write_bytes(b"12345")
    (backup,) = list_backups(tmp_path, "audit.log", "stdlib")
    size_before = backup.size_bytes()

    os.unlink(backup.path)

    assert size_before == 5
    assert (backup.written_ms(1), backup.size_bytes()) == (0, 0)


DATED = [
    "app.log.2026-11-22",
    "app.log.2026-11-22_10",
    "app.log.2026-11-22_10-30",
    "app.log.2026-11-22_10-30-59.gz",
]
NOT_DATED = [
    "app.log.2026-11-31",
    "app.log.2026-11-22_",
    "app.log.2026-11-22_10-30-59-1",
    "app.log.1",
    "app.log-2026-11-22",
    "other.log.2026-11-22",
]


def test_dated_backups_are_those_of_the_timed_handler_newest_first(
    tmp_path: Path,
) -> None:
    for name in [*DATED, *NOT_DATED]:
        (tmp_path / name).touch()

    backups = list_backups(tmp_path, "app.log", "dated")

    assert [backup.name for backup in backups] == DATED[::-1]
    assert {backup.dialect for backup in backups} == {"dated"}

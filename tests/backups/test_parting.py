"""A backup's name that two files have, plain and compressed, is given to one of them.

Who else may be there: cron's gzip, yesterday or now; a user; a clock that went back, so
that a name came twice; another program that takes the next names as well.
"""

import gzip
from pathlib import Path

import pytest
from bystander import wait_until
from millwork import LINES, every_format, files_in, mill_of, pack, run, unpacked

from auditring import LogWriter
from auditring.files.formats import Compression
from auditring.files.names import Dialect

RING_BYTES = 64 * 1024
OTHERS = b"somebody's\n" * 100

# The name of a backup of app.log, and of the one behind it.
NAMES: dict[Dialect, tuple[str, str]] = {
    "lumberjack": (
        "app-2026-11-22T01-59-00.000.log",
        "app-2026-11-22T01-59-00.001.log",
    ),
    "stdlib": ("app.log.1", "app.log.2"),
    "dated": ("app.log.2026-11-21", "app.log.2026-11-21.1"),
}
every_dialect = pytest.mark.parametrize("dialect", NAMES)


def put_pair(directory: Path, name: str, suffix: str = ".gz") -> None:
    (directory / ".app.log.ring").mkdir(exist_ok=True)
    (directory / name).write_bytes(LINES)
    (directory / (name + suffix)).write_bytes(pack(OTHERS, suffix))


def contents(directory: Path) -> list[bytes]:
    return sorted(unpacked(file) for file in directory.iterdir() if file.is_file())


@every_dialect
@pytest.mark.parametrize("suffix", [".gz", ".zst", ".lz4"])
def test_both_stay_and_each_has_a_name_of_its_own(
    tmp_path: Path, dialect: Dialect, suffix: str
) -> None:
    name, behind = NAMES[dialect]
    put_pair(tmp_path, name, suffix)

    mill = mill_of(tmp_path, "app.log", dialect=dialect)
    mill.resolve()

    # In a row of numbers the plain one is the newer one, and keeps its place.
    expected = {
        "lumberjack": [name + suffix, behind],
        "stdlib": [name, behind + suffix],
        "dated": [behind, name + suffix],
    }[dialect]
    assert files_in(tmp_path) == sorted([".app.log.ring", *expected])
    assert contents(tmp_path) == sorted([LINES, OTHERS])
    assert mill.counters.errors == 0


@every_dialect
@every_format
def test_a_pass_that_compresses_loses_none(
    tmp_path: Path, dialect: Dialect, compress: Compression
) -> None:
    put_pair(tmp_path, NAMES[dialect][0])

    run(mill_of(tmp_path, "app.log", dialect=dialect, compress=compress))

    assert contents(tmp_path) == sorted([LINES, OTHERS])
    assert not [
        name for name in files_in(tmp_path) if name.endswith((".log", "1", "2"))
    ]


@every_dialect
def test_names_that_are_taken_stay_with_who_has_them(
    tmp_path: Path, dialect: Dialect
) -> None:
    name, behind = NAMES[dialect]
    put_pair(tmp_path, name)
    (tmp_path / (behind + ".gz")).write_bytes(pack(b"behind\n", ".gz"))

    mill_of(tmp_path, "app.log", dialect=dialect).resolve()

    assert contents(tmp_path) == sorted([LINES, OTHERS, b"behind\n"])
    (kept,) = [file for file in tmp_path.iterdir() if file.name.startswith(behind)] or [
        tmp_path
    ]
    if dialect != "stdlib":
        assert unpacked(kept) == b"behind\n"


def test_a_row_of_numbers_moves_up_to_the_first_free_place(tmp_path: Path) -> None:
    put_pair(tmp_path, "app.log.1")
    for number, suffix in ((2, ".zst"), (3, ""), (5, "")):
        data = pack(b"%d\n" % number, suffix) if suffix else b"%d\n" % number
        (tmp_path / f"app.log.{number}{suffix}").write_bytes(data)

    mill_of(tmp_path, "app.log", dialect="stdlib").resolve()

    assert files_in(tmp_path)[1:] == [
        "app.log.1",
        "app.log.2.gz",
        "app.log.3.zst",
        "app.log.4",
        "app.log.5",
    ]
    assert (tmp_path / "app.log.4").read_bytes() == b"3\n"


def test_the_last_name_of_all_has_one_before_it(tmp_path: Path) -> None:
    put_pair(tmp_path, "app-9999-12-31T23-59-59.999.log")

    mill_of(tmp_path, "app.log").resolve()

    assert files_in(tmp_path)[1:] == [
        "app-9999-12-31T23-59-59.998.log",
        "app-9999-12-31T23-59-59.999.log.gz",
    ]


@every_dialect
@pytest.mark.parametrize("is_equal", [True, False])
def test_any_opener_settles_a_pair(
    tmp_path: Path, dialect: Dialect, is_equal: bool
) -> None:
    name = NAMES[dialect][0]
    put_pair(tmp_path, name)
    if is_equal:
        (tmp_path / (name + ".gz")).write_bytes(gzip.compress(LINES))

    LogWriter(tmp_path / "app.log", ring_bytes=RING_BYTES).close()

    files = {file.name for file in tmp_path.iterdir() if file.is_file()} - {"app.log"}
    assert len(files) == (1 if is_equal else 2)
    assert name + ".gz" in files or dialect == "stdlib"
    expected = [LINES] if is_equal else [LINES, OTHERS]
    assert contents(tmp_path) == sorted([b"", *expected])


@pytest.mark.parametrize("compress", ["gzip", None])
def test_what_an_opener_settles_it_settles_beside_the_mill_of_another_writer(
    tmp_path: Path, compress: Compression | None
) -> None:
    path = tmp_path / "app.log"
    with LogWriter(path, ring_bytes=RING_BYTES, compress="gzip"):
        put_pair(tmp_path, NAMES["lumberjack"][0])
        with LogWriter(path, ring_bytes=RING_BYTES, compress=compress) as log:
            log.write(b"one\n")
            log.rotate()
            wait_until(lambda: len(contents(tmp_path)) == 4)

    assert sorted([LINES, OTHERS, b"one\n", b""]) == contents(tmp_path)

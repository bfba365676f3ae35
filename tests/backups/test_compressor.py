"""Backups are compressed whole or not at all, and of two forms the right one stays."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from millwork import (
    LIMIT_S,
    LINES,
    MIB,
    NEWEST,
    SUFFIX,
    UNPACK,
    assert_one_whole_copy,
    backup_name,
    every_format,
    files_in,
    in_child,
    mill_of,
    pack,
    run,
    temps_in,
    unpacked,
)

from auditring.backups.mill import Mill, MillSettings
from auditring.files.formats import Compression
from auditring.files.names import list_backups


@every_format
@pytest.mark.parametrize("size", [0, 1, len(LINES)])
def test_a_backup_is_compressed_whole(
    tmp_path: Path, compress: Compression, size: int
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES[:size])
    mill = mill_of(tmp_path, compress=compress)

    run(mill)

    (compressed,) = tmp_path.iterdir()
    assert compressed.name == NEWEST + SUFFIX[compress]
    assert unpacked(compressed) == LINES[:size]
    assert mill.counters.compressed == 1
    assert mill.counters.bytes_in == size
    assert mill.counters.bytes_out == compressed.stat().st_size
    assert mill.counters.errors == 0


@pytest.mark.parametrize(
    ("compress", "level"),
    [
        ("gzip", None),
        ("gzip", 3),
        ("gzip", 4),
        ("gzip", 9),
        ("zstd", None),
        ("zstd", 12),
        ("lz4", None),
        ("lz4", 16),
    ],
)
@pytest.mark.parametrize("kind", ["lines", "noise"])
def test_a_backup_of_several_chunks_is_compressed_at_every_level(
    tmp_path: Path, compress: Compression, level: int | None, kind: str
) -> None:
    noise = random.Random(5).randbytes(MIB) + bytes(MIB)
    data = (LINES * 99)[: 9 * MIB + 1] if kind == "lines" else noise * 4 + noise[:99]
    (tmp_path / NEWEST).write_bytes(data)
    mill = mill_of(tmp_path, compress=compress, compress_level=level)

    run(mill)

    assert mill.counters.last_error == ""
    assert unpacked(tmp_path / (NEWEST + SUFFIX[compress])) == data


def test_gzip_is_made_without_isal_too(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)

    def work() -> None:
        sys.modules["isal"] = None  # type: ignore[assignment]  # as if not installed
        mill = mill_of(tmp_path, compress="gzip")
        run(mill)
        assert mill.counters.last_error == ""

    assert in_child(work) == 0
    assert files_in(tmp_path) == [NEWEST + ".gz"]
    assert unpacked(tmp_path / (NEWEST + ".gz")) == LINES


def test_a_missing_library_is_reported_and_the_backup_kept(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)

    def work() -> None:
        sys.modules["zstandard"] = None  # type: ignore[assignment]
        mill = mill_of(tmp_path, compress="zstd")
        run(mill)
        assert mill.counters.errors == 1
        assert "zstandard" in mill.counters.last_error

    assert in_child(work) == 0
    assert files_in(tmp_path) == [NEWEST]


@pytest.mark.parametrize(
    ("compress", "tool"), [("gzip", "gzip"), ("zstd", "zstd"), ("lz4", "lz4")]
)
def test_the_command_of_the_format_reads_it(
    tmp_path: Path, compress: Compression, tool: str
) -> None:
    command = shutil.which(tool)
    if command is None:
        pytest.skip(f"{tool} isn't installed; its library has read the same elsewhere")
    (tmp_path / NEWEST).write_bytes(LINES)
    run(mill_of(tmp_path, compress=compress))

    arguments = [command, "-dc", str(tmp_path / (NEWEST + SUFFIX[compress]))]
    done = subprocess.run(arguments, capture_output=True, check=True, timeout=LIMIT_S)

    assert done.stdout == LINES


@every_format
def test_mode_and_mtime_are_kept(tmp_path: Path, compress: Compression) -> None:
    plain = tmp_path / NEWEST
    plain.write_bytes(LINES)
    plain.chmod(0o666)
    os.utime(plain, ns=(11, 1_234_567_890_123_456_789))

    run(mill_of(tmp_path, compress=compress))

    status = (tmp_path / (NEWEST + SUFFIX[compress])).stat()
    assert oct(status.st_mode) == "0o100666"
    assert status.st_mtime_ns == 1_234_567_890_123_456_789


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change an owner")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    os.chown(tmp_path / NEWEST, 1234, 4321)

    run(mill_of(tmp_path, compress="zstd"))

    status = (tmp_path / (NEWEST + ".zst")).stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_group_gets_no_rights_when_the_owner_can_not_be_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / NEWEST).chmod(0o664)
    for parent in [tmp_path, *tmp_path.parents[:2]]:
        parent.chmod(0o777)

    def work() -> None:
        os.setgroups([])
        os.setgid(4321)
        os.setuid(1234)
        run(mill_of(tmp_path, compress="zstd"))

    assert in_child(work) == 0
    status = (tmp_path / (NEWEST + ".zst")).stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321)
    assert oct(status.st_mode) == "0o100604"


@every_format
def test_nothing_half_made_is_seen_under_a_name_of_a_backup(
    tmp_path: Path, compress: Compression
) -> None:
    data = LINES * 80
    (tmp_path / NEWEST).write_bytes(data)

    steps = 0
    for _ in mill_of(tmp_path, compress=compress).run():
        steps += 1
        for backup in list_backups(tmp_path, "audit.log", "lumberjack"):
            assert unpacked(Path(backup.path)) == data

    assert steps > 3
    assert files_in(tmp_path) == [NEWEST + SUFFIX[compress]]


def test_without_compression_a_backup_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)

    run(mill_of(tmp_path, max_backups=5))

    assert files_in(tmp_path) == [NEWEST]


def test_what_belongs_to_somebody_else_is_not_touched(tmp_path: Path) -> None:
    files = [
        "audit.log",
        "audit-2026-02-30T01-02-03.004.log",
        "audit-old.log",
        f"other-{NEWEST}",
        ".other-2026-11-22T01-59-00.000.log.gz.tmp",
        f"{NEWEST}.Z",
        f".{NEWEST}.bz2.tmp",
        "audit.log.1",
    ]
    for name in files:
        (tmp_path / name).write_bytes(LINES)
    (tmp_path / backup_name(1)).mkdir()
    (tmp_path / backup_name(2)).symlink_to(tmp_path / "audit.log")
    before = files_in(tmp_path)

    limits = MillSettings(
        compress="gzip", max_backups=1, max_age_days=0.001, max_total_bytes=1
    )
    mill = Mill(tmp_path / "audit.log", lambda: limits)
    mill.resolve()
    run(mill)

    assert files_in(tmp_path) == before
    assert all((tmp_path / name).read_bytes() == LINES for name in files)
    assert mill.counters.errors == 0


def test_a_directory_in_the_way_is_reported_and_nothing_lost(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).mkdir()
    mill = mill_of(tmp_path, compress="gzip")

    run(mill)

    assert files_in(tmp_path) == [NEWEST, NEWEST + ".gz"]
    assert mill.counters.errors == 1
    assert "FileExistsError" in mill.counters.last_error


@every_format
def test_what_does_not_unpack_to_the_backup_is_thrown_away(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    mill = mill_of(tmp_path, compress=compress)
    written = 0

    for _ in mill.run():
        for temp in temps_in(tmp_path):
            with open(temp, "r+b") as file:
                written = max(written, len(file.read()))
                file.seek(written // 2)
                file.write(b"rubbish"[: written // 2])

    assert written > 1000
    assert files_in(tmp_path) == [NEWEST]
    assert (tmp_path / NEWEST).read_bytes() == LINES
    assert mill.counters.errors == 1


def test_each_call_comes_when_the_ones_before_are_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    mill = mill_of(tmp_path, compress="gzip")

    calls = calls_of({"pwritev", "fsync", "unlink"}, mill)

    # The first fsync is the file's, before it is renamed; the second its directory's.
    assert calls == ["pwritev", "fsync", "fsync", "unlink"]


def test_a_backup_that_grows_meanwhile_stays_plain(tmp_path: Path) -> None:
    plain = tmp_path / NEWEST
    plain.write_bytes(LINES)
    mill = mill_of(tmp_path, compress="lz4")

    for _ in mill.run():
        with plain.open("ab") as file:
            file.write(b"late\n")

    assert files_in(tmp_path) == [NEWEST]
    assert plain.read_bytes().startswith(LINES + b"late\n")
    assert mill.counters.errors == 1


def test_a_backup_that_is_cut_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    plain = tmp_path / NEWEST
    plain.write_bytes(LINES * 80)
    mill = mill_of(tmp_path, compress="lz4")

    for _ in mill.run():
        os.truncate(plain, 7)

    assert files_in(tmp_path) == [NEWEST]
    assert plain.read_bytes() == LINES[:7]
    assert mill.counters.errors == 1


def test_a_fifo_that_took_the_place_of_a_backup_is_left_alone(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / backup_name(number)).write_bytes(LINES)
    mill = mill_of(tmp_path, compress="gzip")

    work = mill.run()
    next(work)
    (tmp_path / backup_name(1)).unlink()
    os.mkfifo(tmp_path / backup_name(1))
    for _ in work:
        pass

    assert files_in(tmp_path) == [backup_name(1), backup_name(0) + ".gz"]


def test_a_slow_level_works_in_smaller_steps(tmp_path: Path) -> None:
    words = random.Random(7).randbytes(MIB)
    data = b"".join([words, words[::-1]] * 3)
    steps: dict[int, int] = {}

    for level in (1, 19):
        (tmp_path / NEWEST).write_bytes(data)
        mill = mill_of(tmp_path, compress="zstd", compress_level=level)
        steps[level] = sum(1 for _ in mill.run())
        (tmp_path / (NEWEST + ".zst")).unlink()

    assert steps[19] >= 2 * steps[1]


def test_twenty_megabytes_take_few_calls_that_let_go_of_the_gil(
    tmp_path: Path,
) -> None:
    mill = mill_of(tmp_path, compress="gzip")
    (tmp_path / backup_name(1)).write_bytes(LINES * 20)
    run(mill)
    (tmp_path / NEWEST).write_bytes((LINES * 200)[: 20 * 10**6])
    long_ones = {"preadv", "pwritev", "read", "readinto", "compress_and_crc", "fsync"}

    calls = calls_of(long_ones, mill)

    assert mill.counters.compressed == 2
    assert "compress_and_crc" in calls
    assert len(calls) <= 16


def calls_of(names: set[str], mill: Mill) -> list[str]:
    """Make a pass and return the calls of C functions of these *names*, in order."""
    calls: list[str] = []

    def note(_frame: FrameType, event: str, called: object) -> None:
        name = getattr(called, "__name__", "")
        if event == "c_call" and name in names:
            calls.append(name)

    sys.setprofile(note)
    try:
        run(mill)
    finally:
        sys.setprofile(None)
    return calls


def killed_at(point: int, work: Callable[[], Iterator[None] | None]) -> bool:
    """Do *work* in a child that SIGKILL ends before or after a system call.

    Args:
        point: Which one: 1 is before the first call, 2 after it, and so on.
        work: What to do, at once or in steps.

    Returns:
        False when it ended before it got there.
    """

    def until_killed() -> None:
        left = point

        def count(_frame: FrameType, event: str, called: object) -> None:
            nonlocal left
            if event.startswith("c_") and getattr(called, "__module__", "") == "posix":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        for _ in work() or ():
            pass
        sys.setprofile(None)

    status = in_child(until_killed)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


@every_format
def test_a_mill_killed_at_any_point_leaves_one_whole_copy(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    # Imports of a library are no points of interest, so they come first.
    run(mill_of(tmp_path, compress=compress))
    (tmp_path / (NEWEST + SUFFIX[compress])).unlink()
    points = leftovers = 0

    is_killed = True
    while is_killed:
        points += 1
        (tmp_path / NEWEST).write_bytes(LINES)
        is_killed = killed_at(points, mill_of(tmp_path, compress=compress).run)
        leftovers += len(files_in(tmp_path)) > 1
        mill = mill_of(tmp_path, compress=compress)
        mill.resolve()
        assert_one_whole_copy(tmp_path, LINES)
        run(mill)
        assert mill.counters.errors == 0
        assert files_in(tmp_path) == [NEWEST + SUFFIX[compress]]
        assert_one_whole_copy(tmp_path, LINES)
        (tmp_path / (NEWEST + SUFFIX[compress])).unlink()

    assert points > 50
    assert leftovers > 30


def test_a_mill_killed_while_it_resolves_leaves_one_whole_copy(tmp_path: Path) -> None:
    states = {
        "both": {NEWEST: LINES, NEWEST + ".gz": pack(LINES, ".gz")},
        "torn": {NEWEST: LINES, NEWEST + ".gz": pack(LINES, ".gz")[:-3]},
        "temp": {NEWEST: LINES, f".{NEWEST}.gz.tmp": b"half of it"},
    }
    for files in states.values():
        point, is_killed = 0, True
        while is_killed:
            point += 1
            for name, data in files.items():
                (tmp_path / name).write_bytes(data)
            is_killed = killed_at(point, mill_of(tmp_path, compress="gzip").resolve)
            mill_of(tmp_path, compress="gzip").resolve()
            assert_one_whole_copy(tmp_path, LINES)
            for file in tmp_path.iterdir():
                file.unlink()
        assert point > 8


@pytest.mark.parametrize("suffix", UNPACK)
def test_of_both_forms_the_plain_one_goes_when_they_are_equal(
    tmp_path: Path, suffix: str
) -> None:
    data = LINES * 80  # more than one chunk
    (tmp_path / NEWEST).write_bytes(data)
    (tmp_path / (NEWEST + suffix)).write_bytes(pack(data, suffix))

    mill_of(tmp_path).resolve()

    assert files_in(tmp_path) == [NEWEST + suffix]
    assert_one_whole_copy(tmp_path, data)


def cut_short(suffix: str) -> list[bytes]:
    whole = pack(LINES, suffix)
    return [whole[:-count] for count in range(1, 24)] + [whole[: len(whole) // 2], b""]


def with_other_content(suffix: str) -> list[bytes]:
    whole = bytearray(pack(LINES, suffix))
    whole[len(whole) // 2] ^= 0x10
    others = [LINES[:-1], LINES + b"\n", b"x" + LINES[1:], LINES[:-2] + b"x\n", b""]
    return [
        *(pack(other, suffix) for other in others),
        bytes(whole),
        pack(LINES, suffix) + b"rubbish",
        pack(b"x" + LINES, suffix)[:-9],
        pack(LINES[:5000] + b"x" + LINES, suffix)[:-9],
        b"no such format",
    ]


# bzip2 gives nothing out before the end of a block: that is in test_foreign_packing.py.
@pytest.mark.parametrize("suffix", sorted(UNPACK.keys() - {".bz2"}))
def test_of_both_forms_the_compressed_one_goes_when_it_is_torn(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    mill = mill_of(tmp_path)

    for data in cut_short(suffix):
        (tmp_path / (NEWEST + suffix)).write_bytes(data)
        mill.resolve()

        assert files_in(tmp_path) == [NEWEST]
    assert (tmp_path / NEWEST).read_bytes() == LINES
    assert mill.counters.errors == 0


@pytest.mark.parametrize("suffix", UNPACK)
def test_of_both_forms_none_goes_when_they_hold_different_things(
    tmp_path: Path, suffix: str
) -> None:
    mill = mill_of(tmp_path)

    for data in with_other_content(suffix):
        (tmp_path / NEWEST).write_bytes(LINES)
        (tmp_path / (NEWEST + suffix)).write_bytes(data)
        mill.resolve()

        own_name = NEWEST.replace(".000.log", ".001.log")
        assert files_in(tmp_path) == [NEWEST + suffix, own_name]
        assert (tmp_path / (NEWEST + suffix)).read_bytes() == data
        assert (tmp_path / own_name).read_bytes() == LINES
        (tmp_path / own_name).unlink()
    assert mill.counters.errors == 0


@pytest.mark.parametrize("suffix", UNPACK)
def test_what_somebody_is_still_compressing_is_left_to_him(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    whole = pack(LINES, suffix)
    mill = mill_of(tmp_path, compress="gzip")

    with (tmp_path / (NEWEST + suffix)).open("wb") as file:
        file.write(whole[:-9])
        file.flush()
        mill.resolve()
        run(mill)
        assert files_in(tmp_path) == [NEWEST, NEWEST + suffix]
        file.write(whole[-9:])
    run(mill)

    assert files_in(tmp_path) == [NEWEST + suffix]
    assert_one_whole_copy(tmp_path, LINES)
    assert mill.counters.errors == 0


@pytest.mark.parametrize("suffix", UNPACK)
def test_an_empty_file_is_no_compressed_form_of_an_empty_backup(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / NEWEST).touch()
    (tmp_path / (NEWEST + suffix)).touch()

    mill_of(tmp_path).resolve()

    assert files_in(tmp_path) == [NEWEST]


def test_an_empty_gz_beside_a_backup_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).touch()

    run(mill_of(tmp_path, compress="gzip"))

    assert files_in(tmp_path) == [NEWEST + ".gz"]
    assert_one_whole_copy(tmp_path, LINES)


def test_both_forms_stay_when_nobody_can_tell_whether_they_are_equal(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".zst")).write_bytes(pack(LINES, ".zst"))

    def work() -> None:
        sys.modules["zstandard"] = None  # type: ignore[assignment]
        mill = mill_of(tmp_path)
        mill.resolve()
        assert mill.counters.errors == 1

    assert in_child(work) == 0
    assert files_in(tmp_path) == [NEWEST, NEWEST + ".zst"]

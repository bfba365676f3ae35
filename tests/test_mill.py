"""Backups are compressed whole or not at all, and retained as the settings say."""

import contextlib
import errno
import fcntl
import gzip
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from lz4 import frame

from auditring.backups import list_backups, scan_backups
from auditring.formats import Compression
from auditring.mill import Mill, MillSettings
from auditring.millthread import MillThread
from auditring.space import SpaceWatch

LIMIT_S = 30.0
MIB = 1024**2

SUFFIX: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompress(data),
    ".lz4": frame.decompress,
}
every_format = pytest.mark.parametrize("compress", list(SUFFIX))

LINES = b"".join(
    b'{"kind":"Event","auditID":"%032x","verb":"get"}\n' % (number * 7919)
    for number in range(3000)
)


def backup_name(number: int) -> str:
    """Name the backup of log audit.log that is *number* minutes old at 02:00."""
    return f"audit-2026-11-22T01-{59 - number:02}-00.000.log"


NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00 UTC
NEWEST = backup_name(0)


def mill_of(directory: Path, name: str = "audit.log", **settings: Any) -> Mill:  # noqa: ANN401 - passed on as they are
    chosen = MillSettings(**settings)
    return Mill(directory / name, lambda: chosen, now=lambda: NOON_MS / 1000)


def run(mill: Mill) -> None:
    for _ in mill.run():
        pass


def files_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def unpacked(path: Path) -> bytes:
    unpack = UNPACK.get(path.suffix, bytes)
    return unpack(path.read_bytes())


def pack(data: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data)
    if suffix == ".zst":
        return zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return bytes(frame.compress(data, content_checksum=True))


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        os.sched_yield()


def in_child(work: Callable[[], object]) -> int:
    """Run *work* in a forked child; return its wait status, 0 if all went well."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            sys.__stderr__.write(f"in the child: {error!r}\n")  # type: ignore[union-attr]
            os._exit(1)
    return os.waitpid(child, 0)[1]


# Settings.


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"compress": "bzip2"}, "compress: expected None, 'gzip', .* got 'bzip2'"),
        ({"dialect": "java"}, "dialect: expected 'lumberjack', .* got 'java'"),
        ({"max_backups": -1}, "max_backups: expected 0 or more, got -1"),
        ({"max_age_days": -0.5}, "max_age_days: expected 0 or more, got -0.5"),
        ({"max_age_days": float("nan")}, "max_age_days: expected 0 or more, got nan"),
        ({"max_total_bytes": -9}, "max_total_bytes: expected 0 or more, got -9"),
        ({"compress_level": 3}, "compress_level: 3 without a compression"),
        ({"compress": "gzip", "compress_level": 0}, "expected 1 to 9 for gzip, got 0"),
        ({"compress": "zstd", "compress_level": 23}, "expected 1 to 22 for zstd"),
        ({"compress": "lz4", "compress_level": 17}, "expected 0 to 16 for lz4"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MillSettings(**wrong)


# Compress.


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
        f"{NEWEST}.bz2",
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

    calls = calls_of({"pwritev", "fsync", "rename", "unlink"}, mill)

    assert calls == ["pwritev", "fsync", "rename", "fsync", "unlink"]


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


# Crashes.


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


def assert_one_whole_copy(directory: Path, data: bytes) -> None:
    (only,) = directory.iterdir()
    assert only.name.startswith(NEWEST)
    assert unpacked(only) == data


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
        b"no such format",
    ]


@pytest.mark.parametrize("suffix", UNPACK)
@pytest.mark.parametrize("damaged", [cut_short, with_other_content])
def test_of_both_forms_the_compressed_one_goes_when_it_is_damaged(
    tmp_path: Path, suffix: str, damaged: Callable[[str], list[bytes]]
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    mill = mill_of(tmp_path)

    for data in damaged(suffix):
        (tmp_path / (NEWEST + suffix)).write_bytes(data)
        mill.resolve()

        assert files_in(tmp_path) == [NEWEST]
    assert (tmp_path / NEWEST).read_bytes() == LINES
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


# Errors.


def test_a_refused_write_leaves_the_backup_and_the_next_one_is_compressed(
    tmp_path: Path,
) -> None:
    large = random.Random(3).randbytes(200_000)
    (tmp_path / backup_name(0)).write_bytes(large)
    (tmp_path / backup_name(1)).write_bytes(LINES[:5000])
    seen: list[Exception] = []
    chosen = MillSettings(compress="gzip")

    def work() -> None:
        # Beyond this, write(2) fails with EFBIG as it fails with ENOSPC elsewhere.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        mill = Mill(tmp_path / "audit.log", lambda: chosen, on_error=seen.append)
        run(mill)
        assert mill.counters.errors == 1
        assert backup_name(0) in mill.counters.last_error
        (error,) = seen
        assert isinstance(error, OSError)
        assert error.errno == errno.EFBIG

    assert in_child(work) == 0
    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0)]
    assert (tmp_path / backup_name(0)).read_bytes() == large

    run(mill_of(tmp_path, compress="gzip"))

    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0) + ".gz"]
    assert unpacked(tmp_path / (backup_name(0) + ".gz")) == large


@contextlib.contextmanager
def small_file_system(directory: Path, size_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tmpfs")
    mounted = directory / "small"
    mounted.mkdir()
    options = f"size={size_bytes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs root to mount a tmpfs")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@every_format
def test_a_full_disk_costs_no_backup(tmp_path: Path, compress: Compression) -> None:
    noise = random.Random(1).randbytes(600_000)
    with small_file_system(tmp_path, MIB) as full:
        (full / NEWEST).write_bytes(noise)
        mill = mill_of(full, compress=compress)

        run(mill)

        assert mill.counters.errors == 1
        assert "No space left" in mill.counters.last_error
        assert files_in(full) == [NEWEST]
        assert (full / NEWEST).read_bytes() == noise


def test_what_on_error_raises_is_counted(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).mkdir()

    def fail(error: Exception) -> None:
        raise KeyError("no thank you")

    chosen = MillSettings(compress="gzip")
    mill = Mill(tmp_path / "audit.log", lambda: chosen, on_error=fail)

    run(mill)

    assert mill.counters.errors == 2
    assert mill.counters.last_error == "KeyError: 'no thank you'"


def test_a_directory_that_has_gone_is_reported(tmp_path: Path) -> None:
    mill = mill_of(tmp_path / "nowhere", compress="gzip")

    mill.resolve()
    run(mill)

    assert mill.counters.errors == 2


# Retain.


def put_backups(directory: Path, *sizes: int) -> None:
    """Put as many backups as there are *sizes*, the newest first."""
    for number, size in enumerate(sizes):
        (directory / backup_name(number)).write_bytes(bytes(size))


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


# Numbered backups are renamed under the mill's feet.


def shift(directory: Path, content: bytes) -> None:
    """Rotate app.log, as the writer does it: names shift while it holds the flock."""
    state = os.open(directory / ".app.log.ring", os.O_RDONLY)
    fcntl.flock(state, fcntl.LOCK_EX)
    for number in range(8, 0, -1):
        for suffix in ("", *UNPACK):
            with contextlib.suppress(FileNotFoundError):
                old = directory / f"app.log.{number}{suffix}"
                old.rename(directory / f"app.log.{number + 1}{suffix}")
    (directory / "app.log.1").write_bytes(content)
    os.close(state)


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    (tmp_path / ".app.log.ring").mkdir()
    return tmp_path


def backups_of(directory: Path) -> dict[str, bytes]:
    found = list_backups(directory, "app.log", "stdlib")
    return {one.plain: unpacked(Path(one.path)) for one in found}


@every_format
def test_a_backup_that_is_shifted_meanwhile_is_compressed_under_its_new_number(
    numbered: Path, compress: Compression
) -> None:
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress=compress)
    steps = 0
    for shifted_at in range(4):
        for file in numbered.glob("app.log.*"):
            file.unlink()
        for number in (1, 2):
            (numbered / f"app.log.{number}").write_bytes(LINES + b"%d\n" % number)

        for step, _ in enumerate(mill.run()):
            steps += 1
            if step == shifted_at:
                shift(numbered, b"new\n")
        run(mill)

        suffix = SUFFIX[compress]
        names = [f"app.log.{number}{suffix}" for number in (1, 2, 3)]
        assert files_in(numbered) == [".app.log.ring", *names]
        assert backups_of(numbered) == {
            "app.log.1": b"new\n",
            "app.log.2": LINES + b"1\n",
            "app.log.3": LINES + b"2\n",
        }
    assert steps > 12
    assert mill.counters.errors == 0


def test_a_backup_that_is_removed_meanwhile_leaves_nothing(numbered: Path) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress="gzip")

    for _ in mill.run():
        (numbered / "app.log.1").unlink(missing_ok=True)

    assert files_in(numbered) == [".app.log.ring"]
    assert mill.counters == replace(mill.counters, compressed=0, errors=0)


def test_both_forms_are_settled_under_their_new_number(numbered: Path) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    (numbered / "app.log.1.zst").write_bytes(pack(LINES, ".zst"))
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress="zstd")

    work = mill.run()
    next(work)
    shift(numbered, b"new\n")
    for _ in work:
        pass

    assert backups_of(numbered) == {"app.log.1": b"new\n", "app.log.2": LINES}
    assert "app.log.2" not in files_in(numbered)


@pytest.mark.parametrize("gone", ["app.log.1", "app.log.1.zst"])
def test_the_last_form_of_a_backup_is_never_unlinked(numbered: Path, gone: str) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    (numbered / "app.log.1.zst").write_bytes(pack(LINES, ".zst"))
    mill = mill_of(numbered, "app.log", dialect="stdlib", max_backups=9)

    work = mill.run()
    next(work)
    (numbered / gone).unlink()
    for _ in work:
        pass

    assert backups_of(numbered) == {"app.log.1": LINES}


def test_the_mill_renames_nothing_while_a_rotation_holds_the_names(
    numbered: Path,
) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    work = mill_of(numbered, "app.log", dialect="stdlib", compress="gzip").run()
    next(work)
    held = os.open(numbered / ".app.log.ring", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    rest = threading.Thread(target=lambda: [None for _ in work])

    rest.start()
    wait_until(lambda: is_somebody_waiting_for_a_flock_of(held))

    assert [one.name for one in list_backups(numbered, "app.log", "stdlib")] == [
        "app.log.1"
    ]
    os.close(held)
    rest.join(LIMIT_S)
    assert files_in(numbered) == [".app.log.ring", "app.log.1.gz"]


def is_somebody_waiting_for_a_flock_of(fd: int) -> bool:
    inode = f":{os.fstat(fd).st_ino} "
    locks = Path("/proc/locks").read_text().splitlines()
    return any("-> FLOCK" in line and inode in line for line in locks)


# A pass that is interrupted.


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@every_format
def test_a_pass_that_is_dropped_leaves_no_trace(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    mill = mill_of(tmp_path, compress=compress)
    files_before = open_files()

    steps = sum(1 for _ in mill.run())
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    (tmp_path / (NEWEST + SUFFIX[compress])).unlink()
    for step in range(1, steps):
        work = mill.run()
        for _ in range(step):
            next(work)
        assert len(files_in(tmp_path)) == 2
        work.close()

        assert files_in(tmp_path) == [NEWEST]
    assert open_files() == files_before
    assert mill.counters.errors == 0


@every_format
def test_another_thread_can_go_on_at_any_step(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    work = mill_of(tmp_path, compress=compress).run()
    ends: list[bool] = []

    while not ends:
        thread = threading.Thread(
            target=lambda: next(work, None) is None and ends.extend(is_over(work))
        )
        thread.start()
        thread.join(LIMIT_S)

    assert_one_whole_copy(tmp_path, LINES * 80)


def is_over(work: object) -> list[bool]:
    return [True] if getattr(work, "gi_frame", None) is None else []


def test_a_forked_child_leaves_the_half_made_file_to_its_parent(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    work = mill_of(tmp_path, compress="zstd").run()
    next(work)
    half_made = files_in(tmp_path)

    def drop() -> None:
        files_before = open_files()
        work.close()
        assert open_files() == files_before - 2

    assert in_child(drop) == 0
    assert files_in(tmp_path) == half_made
    for _ in work:
        pass
    assert_one_whole_copy(tmp_path, LINES * 80)


# The thread.


class Rotations:
    """A MillSource without a writer: the test rotates, and gives the lock away."""

    def __init__(self, *, holds_lock: bool = True) -> None:
        self.holds_lock = holds_lock
        self.tries = 0
        self._count = 0
        self._wakes = 0
        self._changed = threading.Condition()

    def rotate(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_rotation(self, seen: int, timeout: float) -> int:
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(
                lambda: self._count != seen or self._wakes != wakes, timeout
            )
            return self._count

    def wake(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def try_mill_lock(self) -> bool:
        self.tries += 1
        return self.holds_lock


@pytest.fixture
def rotations() -> Rotations:
    return Rotations()


def slow_mill(directory: Path) -> Mill:
    """Make a mill that takes seconds for the backup that is put there for it."""
    words = random.Random(2).randbytes(MIB)
    (directory / NEWEST).write_bytes(b"".join([words, words[::-1]] * 8))
    return mill_of(directory, compress="zstd", compress_level=19)


def temps_in(directory: Path) -> tuple[str, ...]:
    return scan_backups(directory, "audit.log", "lumberjack").temps


def threads_of_mills() -> list[Path]:
    """Return where the kernel shows the threads that Python knows as running."""
    return [
        Path(f"/proc/self/task/{thread.native_id}")
        for thread in threading.enumerate()
        if thread.name == "auditring-mill"
    ]


def test_a_pass_is_made_at_the_start_and_after_a_rotation(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / backup_name(1)).write_bytes(LINES)
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)

    thread.start()
    wait_until(lambda: mill.counters.compressed == 1)
    (tmp_path / backup_name(0)).write_bytes(LINES)
    rotations.rotate()
    wait_until(lambda: mill.counters.compressed == 2)
    thread.stop()

    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0) + ".gz"]


def test_nothing_is_touched_without_the_lock_and_all_is_once_it_is_had(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    rotations = Rotations(holds_lock=False)
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)

    thread.start()
    for _ in range(3):
        tries = rotations.tries
        rotations.rotate()
        wait_until(lambda tries=tries: rotations.tries > tries)  # type: ignore[misc]
    untouched = files_in(tmp_path)
    rotations.holds_lock = True
    rotations.wake()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert untouched == [NEWEST]
    assert files_in(tmp_path) == [NEWEST + ".gz"]


def test_the_thread_has_a_low_priority(tmp_path: Path, rotations: Rotations) -> None:
    priorities: list[int] = []

    def settings() -> MillSettings:
        own = threading.get_native_id()
        priorities.append(os.getpriority(os.PRIO_PROCESS, own))
        return MillSettings()

    thread = MillThread(Mill(tmp_path / "audit.log", settings), rotations)

    thread.start()
    wait_until(lambda: priorities)
    thread.stop()

    assert set(priorities) == {19}
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


def test_stop_interrupts_a_large_file_and_leaves_it_plain(
    tmp_path: Path, rotations: Rotations
) -> None:
    mill = slow_mill(tmp_path)
    files_before = open_files()
    thread = MillThread(mill, rotations)

    thread.start()
    wait_until(lambda: temps_in(tmp_path))
    thread.stop()

    assert mill.counters.compressed == 0
    assert files_in(tmp_path) == [NEWEST]
    assert open_files() == files_before
    assert threads_of_mills() == []


def test_stop_can_be_called_twice_and_before_start(
    tmp_path: Path, rotations: Rotations
) -> None:
    thread = MillThread(mill_of(tmp_path), rotations)

    thread.stop()
    thread.start()
    thread.stop()
    thread.stop()


def test_a_stopped_thread_can_be_started_again(
    tmp_path: Path, rotations: Rotations
) -> None:
    mill = mill_of(tmp_path, compress="gzip")
    thread = MillThread(mill, rotations)
    thread.start()
    thread.stop()

    (tmp_path / NEWEST).write_bytes(LINES)
    rotations.rotate()
    thread.start()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert files_in(tmp_path) == [NEWEST + ".gz"]


def test_stop_in_on_error_does_not_wait_for_itself(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).mkdir()
    chosen = MillSettings(compress="gzip")
    threads: list[MillThread] = []
    mill = Mill(
        tmp_path / "audit.log", lambda: chosen, on_error=lambda _: threads[0].stop()
    )
    threads.append(MillThread(mill, rotations))

    threads[0].start()

    wait_until(lambda: mill.counters.errors == 1)
    wait_until(lambda: not threads_of_mills())


def test_a_parked_thread_is_gone_and_goes_on_where_it_was(
    tmp_path: Path, rotations: Rotations
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 400)
    mill = mill_of(tmp_path, compress="zstd", compress_level=6)
    thread = MillThread(mill, rotations)
    thread.start()
    wait_until(lambda: temps_in(tmp_path))
    (temp,) = temps_in(tmp_path)
    inode = os.stat(temp).st_ino

    for _ in range(20):
        (shown,) = threads_of_mills()
        thread.park()
        assert not shown.exists()
        thread.resume()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert (tmp_path / (NEWEST + ".zst")).stat().st_ino == inode
    assert_one_whole_copy(tmp_path, LINES * 400)


def test_a_thread_that_did_not_run_is_not_started_by_resume(
    tmp_path: Path, rotations: Rotations
) -> None:
    thread = MillThread(mill_of(tmp_path), rotations)

    thread.park()
    thread.resume()
    never_started = threads_of_mills()
    thread.start()
    thread.stop()
    thread.park()
    thread.resume()

    assert never_started == threads_of_mills() == []


def test_a_fork_in_the_middle_of_a_file_disturbs_neither_side(
    tmp_path: Path, rotations: Rotations
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    (mine / NEWEST).write_bytes(LINES * 400)
    mill = mill_of(mine, compress="zstd", compress_level=6)
    thread = MillThread(mill, rotations)
    thread.start()
    wait_until(lambda: temps_in(mine))

    def in_the_child() -> None:
        thread.forget()
        (other / NEWEST).write_bytes(LINES)
        own_mill = mill_of(other, compress="gzip")
        own = MillThread(own_mill, Rotations())
        own.start()
        wait_until(lambda: own_mill.counters.compressed == 1)
        own.stop()
        # What was forgotten can be used anew, though the lock is the parent's.
        rotations.holds_lock = False
        thread.start()
        thread.stop()

    thread.park()
    half_made = temps_in(mine)
    status = in_child(in_the_child)
    still_there = temps_in(mine)
    thread.resume()
    wait_until(lambda: mill.counters.compressed == 1)
    thread.stop()

    assert status == 0
    assert half_made == still_there != ()
    assert_one_whole_copy(mine, LINES * 400)
    assert files_in(other) == [NEWEST + ".gz"]


def test_a_thread_that_stops_itself_is_not_started_by_resume(
    tmp_path: Path, rotations: Rotations
) -> None:
    is_stopping, may_end = threading.Event(), threading.Event()
    threads: list[MillThread] = []

    def settings() -> MillSettings:
        threads[0].stop()
        is_stopping.set()
        may_end.wait(LIMIT_S)
        return MillSettings()

    threads.append(MillThread(Mill(tmp_path / "audit.log", settings), rotations))
    threads[0].start()
    is_stopping.wait(LIMIT_S)
    timer = threading.Timer(0, may_end.set)
    timer.start()

    threads[0].park()
    threads[0].resume()

    timer.join()
    assert threads_of_mills() == []


def test_an_interpreter_ends_at_once_though_nobody_stopped_the_thread(
    tmp_path: Path,
) -> None:
    slow_mill(tmp_path)
    program = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
from auditring.mill import Mill, MillSettings
from auditring.millthread import MillThread

class Never:
    def wait_rotation(self, seen, timeout):
        return 0
    def wake(self):
        pass
    def try_mill_lock(self):
        return True

chosen = MillSettings(compress="zstd", compress_level=19)
thread = MillThread(Mill({str(tmp_path / "audit.log")!r}, lambda: chosen), Never())
thread.start()
while not list(Path({str(tmp_path)!r}).glob(".*.tmp")):
    time.sleep(0)
"""
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 10
    mill_of(tmp_path).resolve()
    assert files_in(tmp_path) == [NEWEST]


def test_the_thread_looks_after_the_free_space(
    tmp_path: Path, rotations: Rotations
) -> None:
    put_backups(tmp_path, 1, 1, 1)
    mill = mill_of(tmp_path)

    class Usage:
        @property
        def free(self) -> int:
            return 100 - 10 * len(files_in(tmp_path))

    watch = SpaceWatch(
        tmp_path,
        warn_bytes=95,
        critical_bytes=85,
        full_bytes=1,
        interval_s=0.001,
        usage=lambda _: Usage(),
        remove_oldest=mill.remove_oldest,
    )
    thread = MillThread(mill, rotations, watch=watch)

    thread.start()
    wait_until(lambda: watch.state == "warn")
    thread.stop()

    assert files_in(tmp_path) == [backup_name(0)]


def test_trouble_with_the_free_space_is_reported(
    tmp_path: Path, rotations: Rotations
) -> None:
    def fail(path: str) -> Any:  # noqa: ANN401 - it never returns
        raise OSError(errno.EIO, "no answer")

    mill = mill_of(tmp_path)
    watch = SpaceWatch(
        tmp_path, warn_bytes=2, critical_bytes=1, full_bytes=0, usage=fail
    )
    thread = MillThread(mill, rotations, watch=watch)

    thread.start()
    wait_until(lambda: mill.counters.errors)
    thread.stop()

    assert "no answer" in mill.counters.last_error

"""Backups that others compressed are shifted, pruned, settled and read as ours are.

By hand, by cron or by logrotate's `compresscmd`: bzip2 and xz, which we never make, and
files of several streams, members, frames or blocks, as pbzip2, pigz, ``xz -T0`` and
appending make them. Who else may be there: the packer that is still at work, one that
was killed, a Python without the library, a file that asks for more memory than we take.
"""

import bz2
import gzip
import io
import logging
import lzma
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from bystander import wait_until
from lz4 import frame
from millwork import LINES, NEWEST, files_in, in_child, mill_of, pack, run, unpacked

from auditring.files.unpacking import unpack
from auditring.follow.follower import Follower
from auditring.follow.tail import cursor_before
from auditring.handlers import RotatingFileHandler

FOREIGN = [".bz2", ".xz"]
# More than one block of bzip2, which has 900,000 bytes at most.
LONG = LINES * 10


def parts(data: bytes) -> list[bytes]:
    """Cut data into three, not at the ends of lines."""
    third = len(data) // 3 + 1
    return [data[:third], data[third : 2 * third], data[2 * third :]]


def joined(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(map(pack, parts(data)))


def padded_xz(data: bytes) -> bytes:
    return bytes(8).join(map(lzma.compress, parts(data))) + bytes(4)


PACKED_IN_PARTS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "members": (".gz", joined(gzip.compress)),
    "members and zeros": (".gz", lambda data: joined(gzip.compress)(data) + bytes(512)),
    "frames of zstd": (".zst", joined(lambda part: pack(part, ".zst"))),
    "frames of zstd, no checksum": (".zst", joined(zstandard.compress)),
    "frames of lz4": (".lz4", joined(lambda part: pack(part, ".lz4"))),
    "frames of lz4, no checksum": (".lz4", joined(frame.compress)),
    "streams of bzip2": (".bz2", joined(bz2.compress)),
    "blocks of bzip2": (".bz2", lambda data: bz2.compress(data, 1)),
    "streams of xz": (".xz", joined(lzma.compress)),
    "padded streams of xz": (".xz", padded_xz),
    "xz, no checksum": (".xz", lambda data: lzma.compress(data, check=0)),
    "xz, SHA-256": (".xz", lambda data: lzma.compress(data, check=lzma.CHECK_SHA256)),
}
every_packing = pytest.mark.parametrize("packing", PACKED_IN_PARTS)


def log_lines(handler: logging.Handler, count: int) -> None:
    for number in range(count):
        handler.handle(logging.makeLogRecord({"msg": f"line {number:04}"}))
    handler.flush()


def sized(log: Path, **options: object) -> RotatingFileHandler:
    """Make a handler whose files have one line each."""
    return RotatingFileHandler(log, maxBytes=12, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", FOREIGN)
def test_a_rollover_by_size_shifts_and_prunes_them(tmp_path: Path, suffix: str) -> None:
    log = tmp_path / "app.log"
    handler = sized(log, backupCount=3)
    try:
        log_lines(handler, 2)
        plain = tmp_path / "app.log.1"
        (tmp_path / f"app.log.1{suffix}").write_bytes(pack(plain.read_bytes(), suffix))
        plain.unlink()

        log_lines(handler, 2)
        found = [unpacked(tmp_path / f"app.log.3{suffix}")]
        log_lines(handler, 2)
    finally:
        handler.close()

    assert found == [b"line 0000\n"]
    names = {name for name in files_in(tmp_path) if name.startswith("app")}
    assert names == {"app.log", "app.log.1", "app.log.2", "app.log.3"}


@pytest.mark.parametrize("suffix", FOREIGN)
@pytest.mark.parametrize(
    "limits",
    [{"max_backups": 1}, {"max_age_days": 0.42}, {"max_total_bytes": 1}],
    ids=str,
)
def test_each_limit_counts_them(
    tmp_path: Path, limits: dict[str, float], suffix: str
) -> None:
    for hour in range(3):
        name = f"audit-2026-11-22T0{hour}-00-00.000.log{suffix}"
        (tmp_path / name).write_bytes(pack(LINES, suffix))

    run(mill_of(tmp_path, **limits))

    assert files_in(tmp_path) == [f"audit-2026-11-22T02-00-00.000.log{suffix}"]


@every_packing
def test_of_both_forms_the_plain_one_goes(tmp_path: Path, packing: str) -> None:
    suffix, packed = PACKED_IN_PARTS[packing]
    (tmp_path / NEWEST).write_bytes(LONG)
    (tmp_path / (NEWEST + suffix)).write_bytes(packed(LONG))
    mill = mill_of(tmp_path)

    mill.resolve()

    assert files_in(tmp_path) == [NEWEST + suffix]
    assert mill.counters.errors == 0


@every_packing
def test_who_reads_the_log_reads_them(tmp_path: Path, packing: str) -> None:
    suffix, packed = PACKED_IN_PARTS[packing]
    log = tmp_path / "app.log"
    (tmp_path / f"app.log.1{suffix}").write_bytes(packed(LONG))
    log.write_bytes(b"live\n")
    lines = LONG.splitlines(keepends=True)

    cursor = cursor_before(log, 1 + len(lines))
    follower = Follower(log, cursor, wait=False)
    read = b"".join(chunk for chunk, _ in follower.chunks())

    assert read == LONG + b"live\n"
    assert follower.counters.damaged == 0


@every_packing
def test_one_that_holds_less_is_another_backup(tmp_path: Path, packing: str) -> None:
    suffix, packed = PACKED_IN_PARTS[packing]
    (tmp_path / NEWEST).write_bytes(LONG)
    (tmp_path / (NEWEST + suffix)).write_bytes(packed(LONG[:-1]))

    mill_of(tmp_path).resolve()

    assert len(files_in(tmp_path)) == 2
    assert sorted(unpacked_files(tmp_path)) == sorted([LONG, LONG[:-1]])


def unpacked_files(directory: Path) -> list[bytes]:
    view = memoryview(bytearray(2**20))
    found = []
    for path in directory.iterdir():
        with io.FileIO(path) as file:
            is_plain = path.suffix == ".log"
            pieces = [file.readall()] if is_plain else unpack(path.suffix, file, view)
            found.append(b"".join(map(bytes, pieces)))
    return found


def test_what_was_packed_by_a_killed_bzip2_is_kept_where_it_proves_nothing(
    tmp_path: Path,
) -> None:
    mill = mill_of(tmp_path)
    whole = bz2.compress(LONG)
    for size, is_proof in [(len(whole) - 1, True), (1000, False)]:
        (tmp_path / NEWEST).write_bytes(LONG)
        (tmp_path / (NEWEST + ".bz2")).write_bytes(whole[:size])

        mill.resolve()

        left = [path for path in tmp_path.iterdir() if path.suffix == ".log"]
        assert [path.read_bytes() for path in left] == [LONG]
        assert (tmp_path / (NEWEST + ".bz2")).exists() != is_proof
        left[0].unlink()
    assert mill.counters.errors == 0


@pytest.mark.parametrize("suffix", [*FOREIGN, ".gz", ".zst", ".lz4"])
@pytest.mark.parametrize("written", [0, 10, 1000])
def test_a_packer_at_work_is_left_alone(
    tmp_path: Path, suffix: str, written: int
) -> None:
    whole = pack(LONG, suffix)
    (tmp_path / NEWEST).write_bytes(LONG)
    mill = mill_of(tmp_path, compress="gzip")

    with (tmp_path / (NEWEST + suffix)).open("wb", buffering=0) as file:
        file.write(whole[:written])
        mill.resolve()
        run(mill)
        assert files_in(tmp_path) == [NEWEST, NEWEST + suffix]
        file.write(whole[written:])
        (tmp_path / NEWEST).unlink()
    run(mill)

    assert files_in(tmp_path) == [NEWEST + suffix]
    assert unpacked(tmp_path / (NEWEST + suffix)) == LONG
    assert mill.counters.errors == 0


@pytest.mark.parametrize(("suffix", "library"), [(".bz2", "bz2"), (".xz", "lzma")])
def test_without_the_library_both_forms_stay(
    tmp_path: Path, suffix: str, library: str
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + suffix)).write_bytes(pack(LINES, suffix))

    def work() -> None:
        sys.modules[library] = None  # type: ignore[assignment]
        mill = mill_of(tmp_path)
        mill.resolve()
        assert mill.counters.errors == 1
        assert library in mill.counters.last_error

    assert in_child(work) == 0
    assert files_in(tmp_path) == [NEWEST, NEWEST + suffix]


def test_what_asks_for_too_much_memory_is_not_taken_for_another_backup(
    tmp_path: Path,
) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1024**3}]
    (tmp_path / NEWEST).write_bytes(LINES)
    packed = lzma.compress(LINES, filters=filters)
    (tmp_path / (NEWEST + ".xz")).write_bytes(packed)
    mill = mill_of(tmp_path)

    mill.resolve()

    assert files_in(tmp_path) == [NEWEST, NEWEST + ".xz"]
    assert "Memory usage limit" in mill.counters.last_error


@pytest.mark.parametrize("command", ["bzip2", "xz", "gzip", "zstd --rm", "lz4 --rm -m"])
def test_a_packer_beside_a_busy_log_loses_no_line(tmp_path: Path, command: str) -> None:
    program, *options = command.split()
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    log = tmp_path / "app.log"
    handler = sized(log, backupCount=400, compress=None)
    try:
        for begin in range(0, 200, 20):
            for number in range(begin, begin + 20):
                handler.handle(logging.makeLogRecord({"msg": f"line {number:04}"}))
            handler.flush()
            # What it says of names that moved on meanwhile is its matter.
            subprocess.run(
                [program, *options, "-q", str(tmp_path / "app.log.3")],
                stderr=subprocess.DEVNULL,
                timeout=60,
                check=False,
            )
        wait_until(lambda: log.read_bytes() == b"line 0199\n")
    finally:
        handler.close()

    names = [path for path in tmp_path.iterdir() if path.is_file()]
    assert sorted(map(unpacked, names)) == [b"line %04d\n" % n for n in range(200)]

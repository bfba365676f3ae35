"""Backups to work on, mills that do, and what is left of both."""

import bz2
import gzip
import lzma
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from lz4 import frame

from auditring.backups.mill import Mill, MillSettings
from auditring.files.formats import Compression
from auditring.files.names import scan_backups

LIMIT_S = 30.0
MIB = 1024**2

SUFFIX: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompress(data),
    ".lz4": frame.decompress,
    # Others make these, we never do.
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
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
    if suffix == ".bz2":
        return bz2.compress(data)
    if suffix == ".xz":
        return lzma.compress(data)
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


def assert_one_whole_copy(directory: Path, data: bytes) -> None:
    (only,) = directory.iterdir()
    assert only.name.startswith(NEWEST)
    assert unpacked(only) == data


def put_backups(directory: Path, *sizes: int) -> None:
    """Put as many backups as there are *sizes*, the newest first."""
    for number, size in enumerate(sizes):
        (directory / backup_name(number)).write_bytes(bytes(size))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def temps_in(directory: Path) -> tuple[str, ...]:
    return scan_backups(directory, "audit.log", "lumberjack").temps

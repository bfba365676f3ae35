"""W9: how fast a backup is compressed, and to how much."""

import gzip
import os
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from audited import sample_lines
from lines import Account, cycled
from stand import Measured, Stand
from workloads.workload import Workload

from auditring.backups.packing import Pace, buffer, pack, verify
from auditring.files.formats import FORMATS

__all__ = ["WORKLOADS"]

MB = 1_000_000
SEED = 5
GZIP_USUAL_LEVEL = 6
SOURCE = "backup.log"
TARGET = "packed"
KEY = b'"auditID":"'
ID_CHARS = 36


class Compression(Workload):
    """The log is that of a cluster, over and over, each event with an ID of its own.

    Ours is what the writer does with a backup but for the last step, the check that
    unpacking brings the same: `verify_s` is what that took.
    """

    name = "W9_compression"
    title = "compression of a backup of a real audit log, disk to disk"
    unit = "MB"
    line_bytes = 0
    baseline = "gzip module, level 6"
    rivals = ("gzip module, level 1", "gzip module, level 6")
    limits = ("isal call, level 1", "zstandard call, level 1")

    def contenders(self) -> list[str]:
        return [*(f"auditring {name}" for name in FORMATS), *CALLS]

    def prepare(self, stand: Stand) -> None:
        chosen = random.Random(SEED)
        size = 0
        with (stand.prepared / SOURCE).open("wb") as file:
            for line in cycled(sample_lines(), 10**9):
                key = line.index(KEY) + len(KEY)
                fresh = str(uuid.UUID(int=chosen.getrandbits(128))).encode()
                made = line[:key] + fresh + line[key + ID_CHARS :]
                size += file.write(made)
                if size >= stand.parameters.packed_bytes:
                    break

    def count(self, stand: Stand, contender: str) -> int:
        return (stand.prepared / SOURCE).stat().st_size // MB

    def run(self, stand: Stand, contender: str) -> Measured:
        source, target = stand.prepared / SOURCE, stand.logs / TARGET
        size = source.stat().st_size
        if contender in CALLS:
            start = time.perf_counter()
            target.write_bytes(CALLS[contender](source.read_bytes()))
            seconds = time.perf_counter() - start
            figures = {}
        else:
            seconds, verify_s = _pack(source, target, contender)
            figures = {"verify_s": verify_s}
        figures["ratio"] = size / target.stat().st_size
        return Measured(size // MB, seconds, figures)

    def account(self, stand: Stand, contender: str) -> Account | None:
        """Unpack with the libraries themselves, and compare."""
        source, target = stand.prepared / SOURCE, stand.logs / TARGET
        if not target.exists():
            return None
        is_equal = _unpacked(target, contender) == source.read_bytes()
        return Account(0 if is_equal else 1, 0, 0, in_order=is_equal)


def _pack(source: Path, target: Path, contender: str) -> tuple[float, float]:
    form = next(form for name, form in FORMATS.items() if name in contender)
    size = source.stat().st_size
    read = os.open(source, os.O_RDONLY)
    made = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with buffer() as view:
        start = time.perf_counter()
        packer = form.packer(size, form.default_level)
        for _ in pack(read, size, made, packer, Pace(), view):
            pass
        packed = time.perf_counter()
        for _ in verify(made, size, form, view):
            pass
        verified = time.perf_counter()
    os.close(read)
    os.close(made)
    return packed - start, verified - packed


def _isal(data: bytes) -> bytes:
    from isal import igzip

    packed: bytes = igzip.compress(data, compresslevel=1)
    return packed


def _zstandard(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)


def _lz4(data: bytes) -> bytes:
    import lz4.frame

    packed: bytes = lz4.frame.compress(data, content_checksum=True)
    return packed


CALLS: dict[str, Callable[[bytes], bytes]] = {
    "isal call, level 1": _isal,
    "zstandard call, level 1": _zstandard,
    "lz4 call, level 0": _lz4,
    "gzip module, level 1": lambda data: gzip.compress(data, 1),
    "gzip module, level 6": lambda data: gzip.compress(data, GZIP_USUAL_LEVEL),
}


def _unpacked(path: Path, contender: str) -> bytes:
    import lz4.frame
    import zstandard

    data = path.read_bytes()
    if "zst" in contender:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if "lz4" in contender:
        unpacked: bytes = lz4.frame.decompress(data)
        return unpacked
    return gzip.decompress(data)


WORKLOADS = [Compression()]

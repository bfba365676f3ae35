"""A live file that somebody packed and unlinked is told as lost only if it is.

logrotate with ``compress`` renames the live file, packs it and unlinks it at once. Who
else may be there: packers of several formats, their own and as libraries; an old packed
file of the same size; a packer that leaves out a line; somebody who just removes the
log; a service that was down meanwhile.
"""

import gzip
import io
import lzma
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from bystander import wait_until

from auditring import LogWriter

# Around the stripes of the checksums, and more than one look of the leader takes.
SIZES = [1, 16, 55, 65_536, 20 * 2**20]


def zstd_stream(data: bytes) -> bytes:
    """Pack as from standard input: the size isn't known at the beginning."""
    packed = io.BytesIO()
    packer = zstandard.ZstdCompressor(write_checksum=True)
    with packer.stream_writer(packed, closefd=False) as stream:
        stream.write(data)
    return packed.getvalue()


def zstd_whole(data: bytes) -> bytes:
    """Pack as a file, with its size."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def lz4_stream(data: bytes) -> bytes:
    """Pack with a checksum and without the size."""
    return lz4.frame.compress(data, content_checksum=True, store_size=False)  # type: ignore[no-any-return]


def lz4_whole(data: bytes) -> bytes:
    """Pack with a checksum and the size."""
    return lz4.frame.compress(data, content_checksum=True)  # type: ignore[no-any-return]


PACK: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": (".gz", gzip.compress),
    "zstd, stream": (".zst", zstd_stream),
    "zstd, whole": (".zst", zstd_whole),
    "lz4, stream": (".lz4", lz4_stream),
    "lz4, whole": (".lz4", lz4_whole),
    "xz": (".xz", lzma.compress),
    "xz, CRC-32": (".xz", lambda data: lzma.compress(data, check=lzma.CHECK_CRC32)),
}


def opened(log: Path) -> LogWriter:
    """Return a writer that has a line in the log."""
    writer = LogWriter(log, max_bytes=0)
    writer.write(b"line one\n")
    assert writer.flush(30)
    return writer


def pack_away(log: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    """Do as logrotate does."""
    past = log.with_name("app.log.1")
    os.rename(log, past)
    status = past.stat()
    packed = log.with_name(f"app.log.1{suffix}")
    packed.write_bytes(pack(past.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    past.unlink()


def told(writer: LogWriter, log: Path) -> bool:
    """Wait until it is known what became of the file, and tell whether it is lost."""

    def is_decided() -> bool:
        stats = writer.stats()
        # A new file may have the number of the removed one, and seem to be cut.
        losses = stats.live_file_unlinked + stats.live_file_cut
        return bool(stats.live_file_moved + losses)

    wait_until(is_decided)
    writer.write(b"line two\n")
    writer.close()
    text = log.read_bytes()
    assert b"line two\n" in text
    return b"live-file-" in text


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "app.log"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", PACK)
def test_a_file_that_was_packed_is_no_loss(log: Path, form: str, size: int) -> None:
    log.write_bytes((b"a line that was there\n" * (size // 22 + 1))[-size:])
    writer = opened(log)

    pack_away(log, *PACK[form])

    assert not told(writer, log)


def test_it_may_have_been_packed_in_another_directory(log: Path) -> None:
    writer = opened(log)
    old = log.parent / "old"
    old.mkdir()

    # As logrotate does it with `olddir`.
    os.rename(log, old / "app.log.1")
    packed = gzip.compress((old / "app.log.1").read_bytes())
    (old / "app.log.1.gz").write_bytes(packed)
    (old / "app.log.1").unlink()

    assert not told(writer, log)


@pytest.mark.parametrize(
    ("command", "suffix"),
    [("gzip", ".gz"), ("zstd", ".zst"), ("lz4", ".lz4"), ("xz", ".xz")],
)
def test_the_packers_of_the_system_are_known(
    log: Path, command: str, suffix: str
) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}")
    writer = opened(log)

    def pack(data: bytes) -> bytes:
        done = subprocess.run(
            [command, "-c"], input=data, stdout=subprocess.PIPE, check=True, timeout=60
        )
        return done.stdout

    pack_away(log, suffix, pack)

    assert not told(writer, log)


@pytest.mark.parametrize("form", ["gzip", "zstd, whole", "lz4, stream", "xz"])
def test_what_lacks_a_line_or_holds_another_is_no_proof(log: Path, form: str) -> None:
    suffix, pack = PACK[form]
    writer = opened(log)

    pack_away(log, suffix, lambda data: pack(data.swapcase()))

    assert told(writer, log)


def test_a_removed_file_is_a_loss_though_an_old_packed_one_is_the_same(
    log: Path,
) -> None:
    writer = opened(log)
    old = log.with_name("app.log.2.gz")
    old.write_bytes(gzip.compress(log.read_bytes()))
    os.utime(old, (0, 1_700_000_000))

    log.unlink()

    assert told(writer, log)


@pytest.mark.parametrize("form", ["gzip", "zstd, whole", "lz4, whole", "xz"])
def test_a_file_that_was_packed_while_the_service_was_down_is_no_loss(
    log: Path, form: str
) -> None:
    opened(log).close()

    pack_away(log, *PACK[form])

    assert not told(opened(log), log)


def test_a_file_that_was_removed_while_the_service_was_down_is_a_loss(
    log: Path,
) -> None:
    opened(log).close()
    old = log.with_name("app.log.2.gz")
    old.write_bytes(gzip.compress(log.read_bytes()))
    os.utime(old, (0, 1_700_000_000))

    log.unlink()

    assert told(opened(log), log)

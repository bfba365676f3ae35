"""What logrotate packs with can be read, whole or as far as it goes."""

import bz2
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from auditring.event.recordedlog import read_lines
from auditring.files.formats import DamagedError
from auditring.files.unpacking import PACKED_SUFFIXES, unpack

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
DATA = b"".join(b"line %d\n" % number for number in range(400_000))


def unpacked(path: Path) -> list[bytes]:
    """Return the pieces that a file comes in."""
    with io.FileIO(path) as file:
        pieces = unpack(path.suffix, file, memoryview(bytearray(2**20)))
        return [bytes(piece) for piece in pieces]


@pytest.fixture(params=PACK)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return where to put a packed file."""
    return tmp_path / f"app.log.1{request.param}"


def test_all_of_our_formats_are_among_them() -> None:
    assert {".gz", ".zst", ".lz4", *PACK} == PACKED_SUFFIXES


def test_what_was_packed_comes_in_pieces(path: Path) -> None:
    path.write_bytes(PACK[path.suffix](DATA))

    pieces = unpacked(path)

    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= 2**20


def test_streams_may_follow_each_other(path: Path) -> None:
    path.write_bytes(PACK[path.suffix](b"one\n") + PACK[path.suffix](b"two\n"))

    assert b"".join(unpacked(path)) == b"one\ntwo\n"


def test_xz_may_be_padded(tmp_path: Path) -> None:
    path = tmp_path / "app.log.1.xz"
    path.write_bytes(lzma.compress(b"one\n") + bytes(8) + lzma.compress(b"two\n"))

    assert b"".join(unpacked(path)) == b"one\ntwo\n"


def test_nothing_packed_is_nothing(path: Path) -> None:
    path.write_bytes(PACK[path.suffix](b""))

    assert b"".join(unpacked(path)) == b""


@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_what_ends_too_soon_is_damaged(path: Path, kept: int) -> None:
    path.write_bytes(PACK[path.suffix](DATA)[:kept])

    with pytest.raises(DamagedError, match="ends before"):
        unpacked(path)


def test_what_is_something_else_is_damaged(path: Path) -> None:
    path.write_bytes(b"a line of text\n" * 10)

    with pytest.raises(DamagedError):
        unpacked(path)


def test_a_recorded_log_may_be_packed_so(path: Path) -> None:
    path.write_bytes(PACK[path.suffix](b"one\ntwo\n"))

    assert list(read_lines(path)) == [b"one", b"two"]

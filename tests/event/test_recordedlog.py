"""The lines of a log are the same whether it is compressed or not."""

import gzip
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from auditring.event.recordedlog import CHUNK_BYTES, read_lines
from auditring.files.formats import DamagedError

CONTENT = b"one\ntwo\n" + b"x" * (2 * CHUNK_BYTES) + b"\n\nlast"


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("", CONTENT),
        (".gz", gzip.compress(CONTENT)),
        (".zst", zstandard.compress(CONTENT)),
        (".lz4", lz4.frame.compress(CONTENT)),
    ],
)
def test_lines_are_read(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"audit.log{suffix}"
    path.write_bytes(content)

    assert [*read_lines(path)] == CONTENT.split(b"\n")


def test_an_empty_log_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "audit.log").touch()

    assert [*read_lines(tmp_path / "audit.log")] == []


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".lz4"])
def test_what_is_not_compressed_is_damaged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"audit.log{suffix}"
    path.write_bytes(b"no archive at all")

    with pytest.raises(DamagedError):
        [*read_lines(path)]

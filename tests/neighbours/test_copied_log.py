"""A log whose directory was copied, moved or restored has lost nothing, and says so."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditring import LogWriter

RING_BYTES = 65_536


def write(path: Path, first: int, count: int) -> None:
    with LogWriter(path, ring_bytes=RING_BYTES) as log:
        for number in range(first, first + count):
            log.write(b"%d\n" % number)


@pytest.mark.parametrize("take", [shutil.copytree, os.rename])
def test_a_directory_with_other_inodes_has_lost_nothing(
    tmp_path: Path, take: Callable[[Path, Path], object]
) -> None:
    write(tmp_path / "one" / "a.log", 0, 100)
    take(tmp_path / "one", tmp_path / "two")

    write(tmp_path / "two" / "a.log", 100, 1)

    lines = (tmp_path / "two" / "a.log").read_bytes().splitlines()
    assert lines == [b"%d" % number for number in range(101)]


def test_a_file_that_was_put_in_its_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    write(path, 0, 100)
    path.unlink()
    path.write_bytes(b"other\n")

    write(path, 100, 1)

    assert b"live-file-unlinked" in path.read_bytes()

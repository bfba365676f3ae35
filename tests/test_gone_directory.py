"""A log whose directory is taken away while it is open: nobody waits for it in vain."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditring import LogWriter

RING_BYTES = 64 * 1024
LINE = b"x" * 1023 + b"\n"
GONE = "the log's directory was removed or replaced"


def remove(directory: Path) -> None:
    """Remove the directory; a writer may be at its lock file in that moment."""
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


def replace(directory: Path) -> None:
    remove(directory)
    directory.mkdir()


def found_anew(directory: Path) -> None:
    """Let somebody else have a log of that name."""
    replace(directory)
    LogWriter(directory / "audit.log").close()


TAKEN = pytest.mark.parametrize("take", [remove, replace, found_anew])


def open_log(tmp_path: Path) -> LogWriter:
    directory = tmp_path / "logs"
    directory.mkdir()
    return LogWriter(directory / "audit.log", ring_bytes=RING_BYTES)


@TAKEN
def test_a_flush_says_what_happened(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    log = open_log(tmp_path)
    log.write(LINE)
    assert log.flush()
    take(tmp_path / "logs")
    log.write(LINE)

    with pytest.raises(FileNotFoundError, match=GONE):
        log.flush()
    with pytest.raises(FileNotFoundError, match=GONE):
        log.close(timeout=0)


@TAKEN
def test_a_write_into_a_full_ring_says_what_happened(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    log = open_log(tmp_path)
    take(tmp_path / "logs")

    with pytest.raises(FileNotFoundError, match=GONE):
        log.write_lines(LINE * (2 * RING_BYTES // len(LINE)))
    with pytest.raises(
        FileNotFoundError, match="records that were in no file are lost"
    ):
        log.close(timeout=0)


def test_a_log_that_is_opened_again_has_what_comes_then(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    remove(tmp_path / "logs")
    log.write(LINE)
    with pytest.raises(FileNotFoundError, match=GONE):
        log.close(timeout=0)

    with LogWriter(tmp_path / "logs" / "audit.log", ring_bytes=RING_BYTES) as log:
        log.write(LINE)

    assert (tmp_path / "logs" / "audit.log").read_bytes() == LINE

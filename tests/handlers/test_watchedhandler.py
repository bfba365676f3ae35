"""Logs that somebody else renames or removes."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditring.handlers import WatchedFileHandler


def message(text: str) -> logging.LogRecord:
    """Make a record whose message is *text*."""
    return logging.makeLogRecord({"msg": text})


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[WatchedFileHandler]:
    """Open app.log with a line in it."""
    handler = WatchedFileHandler(tmp_path / "app.log", ring_bytes=64 * 1024)
    handler.handle(message("one"))
    handler.flush()
    yield handler
    handler.close()


@pytest.mark.parametrize("reopens", [True, False])
def test_a_renamed_log_is_left(
    tmp_path: Path, handler: WatchedFileHandler, reopens: bool
) -> None:
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")

    if reopens:
        handler.reopenIfNeeded()
    handler.handle(message("two"))
    handler.flush()

    assert (tmp_path / "app.log.1").read_bytes() == b"one\n"
    assert (tmp_path / "app.log").read_bytes() == b"two\n"


def test_a_removed_log_is_made_again(
    tmp_path: Path, handler: WatchedFileHandler
) -> None:
    (tmp_path / "app.log").unlink()

    handler.handle(message("two"))
    handler.flush()

    assert (tmp_path / "app.log").read_bytes() == b"two\n"


def test_reopening_tells_which_file_it_is(
    tmp_path: Path, handler: WatchedFileHandler
) -> None:
    before = handler.dev, handler.ino
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")

    handler.reopenIfNeeded()

    status = (tmp_path / "app.log").stat()
    assert (handler.dev, handler.ino) == (status.st_dev, status.st_ino) != before


def test_a_delayed_log_has_no_file_yet(tmp_path: Path) -> None:
    handler = WatchedFileHandler(tmp_path / "app.log", delay=True)

    assert (handler.dev, handler.ino) == (-1, -1)
    assert list(tmp_path.iterdir()) == []
    handler.handle(message("one"))
    handler.close()
    assert (tmp_path / "app.log").read_bytes() == b"one\n"


def test_mode_w_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"old\n")

    handler = WatchedFileHandler(tmp_path / "app.log", "w")
    handler.handle(message("new"))
    handler.close()

    assert (tmp_path / "app.log").read_bytes() == b"new\n"


class Watching(WatchedFileHandler):
    """Counts how often it is asked to look."""

    looks = 0

    def reopenIfNeeded(self) -> None:
        self.looks += 1
        super().reopenIfNeeded()


def test_an_own_way_of_watching_is_honoured(tmp_path: Path) -> None:
    handler = Watching(tmp_path / "app.log")

    for text in ("one", "two"):
        handler.handle(message(text))
    handler.close()

    assert handler.looks == 2
    assert (tmp_path / "app.log").read_bytes() == b"one\ntwo\n"

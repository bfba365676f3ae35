"""A follower goes on across rotations, whoever makes them, and isn't told who.

Who else may be there: a timed handler of the package, logrotate with numbers or dates,
its compressor, a restart of the follower while they were at work.
"""

import bz2
import gzip
import logging
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from bystander import wait_until

from auditring import LogWriter
from auditring.cursor import Cursor
from auditring.files.followers import FollowerRecord, unread_backups
from auditring.files.names import Dialect, list_backups
from auditring.follow.follower import Follower
from auditring.follow.tail import cursor_before
from auditring.handlers import TimedRotatingFileHandler

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".lz4": lz4.frame.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
NAMES = [
    "app-2026-11-22T01-02-03.004.log",
    "app.log.1",
    "app.log.2026-11-22",
    "app.log.2026-11-22_03-04-05",
    "app.log-20261122",
    "app.log-20261122-1795305600",
    "app-20261122.log",
    "app.log.22-11-2026",
]
OF_DIALECT: dict[Dialect, list[str]] = {
    "lumberjack": [f"app-2026-11-22T01-02-03.00{number}.log" for number in (1, 2, 3)],
    "stdlib": ["app.log.3", "app.log.2", "app.log.1"],
    "dated": ["app.log.2026-11-22", "app.log.2026-11-23", "app.log.2026-11-24"],
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "app.log"


def read_on(log: Path, cursor: Cursor | None) -> tuple[bytes, Cursor, list[str]]:
    """Return what a follower finds, where it got, and what it says."""
    notices: list[str] = []
    follower = Follower(log, cursor, wait=False, on_notice=notices.append)
    lines = b"".join(lines for lines, _ in follower.chunks())
    return lines, follower.cursor, notices


def rotate(log: Path, name: str, suffix: str) -> None:
    """Rename the live file, and compress it as gzip does."""
    past = log.with_name(name)
    os.rename(log, past)
    if suffix:
        status = past.stat()
        packed = log.with_name(name + suffix)
        packed.write_bytes(PACK[suffix](past.read_bytes()))
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        past.unlink()


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("name", NAMES)
def test_a_cursor_goes_on_where_the_file_was_renamed_and_compressed(
    log: Path, name: str, suffix: str
) -> None:
    log.write_bytes(b"one\n")
    _, cursor, _ = read_on(log, None)
    with log.open("ab") as file:
        file.write(b"two\n")
    rotate(log, name, suffix)
    log.write_bytes(b"three\n")

    lines, cursor, notices = read_on(log, cursor)

    assert (lines, notices) == (b"two\nthree\n", [])
    assert read_on(log, cursor)[0] == b""


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("name", NAMES)
def test_the_last_lines_are_found_in_it(log: Path, name: str, suffix: str) -> None:
    log.write_bytes(b"one\ntwo\n")
    rotate(log, name, suffix)
    log.write_bytes(b"three\n")

    assert read_on(log, cursor_before(log, 2))[0] == b"two\nthree\n"


class Chatter:
    """A program that logs lines, and rolls over each second."""

    def __init__(self, log: Path) -> None:
        self.count = 0
        self._log = log
        self._handler = TimedRotatingFileHandler(log, when="S")
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("app")
        self._logger.addHandler(self._handler)

    def log_until(self, backups: int) -> None:
        """Log a line now and then until there are so many backups."""

        def goes_on() -> bool:
            self._logger.info("line %d", self.count)
            self.count += 1
            time.sleep(0.01)
            return len(list(self._log.parent.glob("app.log.2*"))) < backups

        wait_until(lambda: not goes_on())

    def close(self) -> None:
        """Have all lines in the file."""
        self._handler.close()


def test_a_restart_over_rollovers_by_time_misses_nothing_and_says_nothing(
    log: Path,
) -> None:
    chatter = Chatter(log)
    read: list[bytes] = []
    said: list[str] = []
    cursor = None

    for backups in (1, 3, 5):
        chatter.log_until(backups)
        lines, cursor, notices = read_on(log, cursor)
        read.append(lines)
        said += notices
    chatter.close()
    read.append(read_on(log, cursor)[0])

    expected = [b"line %d\n" % number for number in range(chatter.count)]
    assert b"".join(read) == b"".join(expected)
    assert said == []


@pytest.mark.parametrize("dialect", OF_DIALECT)
def test_a_registered_follower_in_a_file_of_another_dialect_keeps_what_is_newer(
    log: Path, dialect: Dialect
) -> None:
    with LogWriter(log):
        pass
    names = OF_DIALECT[dialect]
    for number, name in enumerate([names[0], "app.log-20261123.gz", *names[1:]]):
        path = log.with_name(name)
        suffix = ".gz" if name.endswith(".gz") else ""
        path.write_bytes(PACK[suffix](b"%d\n" % number))
        os.utime(path, (0, 1_795_305_600 + number))
    follower = Follower(log, wait=False)
    chunks = follower.chunks()
    read = [next(chunks)[0], next(chunks)[0]]
    FollowerRecord(log, "agent").save(follower.cursor)

    unread = unread_backups(log, list_backups(log.parent, log.name, dialect))

    assert read == [b"0\n", b"1\n"]
    assert unread == set(names[1:])

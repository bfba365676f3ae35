"""A timed handler's rollover replaces nothing, and is made when it is asked for.

Who else may be there: cron's gzip, the hour that comes twice at the end of summer time,
a clock that was put back or had been ahead, a second handler, another process that
rolls over and was stopped, a follower that has not read a backup yet.
"""

import contextlib
import fcntl
import gzip
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until

from auditring.files.followers import FollowerRecord
from auditring.files.opened import is_free
from auditring.follow.follower import Follower
from auditring.handlers import TimedRotatingFileHandler

HOUR = 3600
DAY = 86400
SUFFIXES = ["", ".gz", ".zst", ".lz4"]

Opener = Callable[..., TimedRotatingFileHandler]


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Return a function that opens app.log; what it opened is closed in the end."""
    opened = []

    def open_handler(**options: Any) -> TimedRotatingFileHandler:  # noqa: ANN401
        options = {"when": "h", "utc": True, "ring_bytes": 64 * 1024, **options}
        opened.append(TimedRotatingFileHandler(tmp_path / "app.log", **options))
        return opened[-1]

    yield open_handler
    for handler in opened:
        handler.close()


def message(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text})


def files(directory: Path) -> dict[str, bytes]:
    found = {}
    for path in directory.iterdir():
        # One that is packed meanwhile goes.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            found[path.name] = path.read_bytes()
    return found


def name_of(handler: TimedRotatingFileHandler) -> str:
    """Return the name of the next backup."""
    return os.path.basename(handler._backup_name())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("way", ["ring", "standard library's"])
def test_a_rollover_that_is_asked_for_takes_a_free_name(
    tmp_path: Path, opener: Opener, suffix: str, way: str
) -> None:
    handler = opener()
    if way != "ring":
        handler.rotator = os.rename
    handler.handle(message("one"))
    name = name_of(handler)
    (tmp_path / (name + suffix)).write_bytes(b"somebody's")
    (tmp_path / (name + ".1.zst")).write_bytes(b"somebody's, too")

    handler.doRollover()
    handler.handle(message("two"))
    handler.doRollover()
    handler.flush()

    found = files(tmp_path)
    assert found[name + suffix] == b"somebody's"
    assert found[name + ".1.zst"] == b"somebody's, too"
    assert found[name + ".2"] == b"one\n"
    assert found[name + ".3"] == b"two\n"


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_rollover_that_is_due_takes_a_free_name(
    tmp_path: Path, opener: Opener, suffix: str
) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.rolloverAt = int(time.time())
    name = name_of(handler)
    (tmp_path / (name + suffix)).write_bytes(b"somebody's")

    handler.handle(message("two"))
    handler.flush()

    assert files(tmp_path) == {
        "app.log": b"two\n",
        name + suffix: b"somebody's",
        name + ".1": b"one\n",
    }


def test_the_hour_that_comes_twice_costs_no_backup(
    tmp_path: Path, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = opener(compress="gzip")
    for text in ("first", "second", "third"):
        handler.handle(message(text))
        handler.rolloverAt = int(time.time())
        name = name_of(handler)
        Path(handler._state_dir(), "rollover").unlink(missing_ok=True)
        handler.handle(message(f"behind {text}"))
        wait_until(lambda: not [each for each in files(tmp_path) if each[-1].isdigit()])

    packed = {
        each: gzip.decompress(data)
        for each, data in files(tmp_path).items()
        if each.endswith(".gz")
    }
    assert packed == {
        f"{name}.gz": b"first\n",
        f"{name}.1.gz": b"behind first\nsecond\n",
        f"{name}.2.gz": b"behind second\nthird\n",
    }


def test_what_is_asked_for_is_done_beside_another_handler(
    tmp_path: Path, opener: Opener
) -> None:
    first, second = opener(), opener()
    for handler in (first, second):
        handler.handle(message("one"))
    name = name_of(first)

    first.doRollover()
    second.doRollover()
    first.flush()

    assert files(tmp_path) == {"app.log": b"", name: b"one\none\n", name + ".1": b""}


def test_what_is_asked_for_and_can_not_be_done_is_an_error(
    tmp_path: Path, opener: Opener
) -> None:
    handler = opener()
    handler.handle(message("one"))
    fd = os.open(Path(handler._state_dir(), "rollover"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)

    with pytest.raises(TimeoutError, match="another process"):
        handler.doRollover()

    os.close(fd)
    handler.doRollover()
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("compress", [None, "gzip"])
def test_numbered_dates_count_to_the_limit_in_their_order(
    tmp_path: Path, opener: Opener, compress: str | None
) -> None:
    handler = opener(backupCount=3, compress=compress)
    name = name_of(handler)
    for number in range(14):
        handler.handle(message(str(number)))
        handler.doRollover()
    handler.flush()

    def backups() -> set[str]:
        found = {each.removesuffix(".gz") for each in os.listdir(tmp_path)}
        return {each for each in found if each.startswith(name)}

    # One that the mill had just compressed may go with the next rollover.
    newest = {f"{name}.{number}" for number in (11, 12, 13)}
    assert newest <= backups()
    wait_until(lambda: compress is None or not list(tmp_path.glob(".app*.tmp")))
    handler.doRollover()
    assert backups() == {f"{name}.{number}" for number in (12, 13, 14)}


def test_what_a_follower_has_not_read_is_spared(tmp_path: Path, opener: Opener) -> None:
    handler = opener(backupCount=1)
    handler.handle(message("one"))
    handler.flush()
    follower = Follower(tmp_path / "app.log", start="beginning", wait=False)
    FollowerRecord(tmp_path / "app.log", "agent").save(follower.cursor)

    for text in ("two", "three", "four"):
        handler.doRollover()
        handler.handle(message(text))
    handler.flush()

    assert len(files(tmp_path)) == 4


# Clocks.


def test_a_file_of_the_future_is_rolled_over_all_the_same(
    tmp_path: Path, opener: Opener
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"old\n")
    later = int(time.time()) + 70 * 365 * DAY
    os.utime(log, (later, later))

    handler = opener()

    assert handler.rolloverAt <= time.time() + HOUR


def test_a_clock_that_is_put_back_brings_rollovers_back(
    tmp_path: Path, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = opener()
    ahead_s = 70 * 365 * DAY
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + ahead_s)
        handler.handle(message("one"))
        Path(handler._state_dir(), "rollover").unlink()
        handler.rolloverAt = int(now()) + ahead_s - 1
        handler.handle(message("two"))
        assert handler.rolloverAt > now() + ahead_s

    handler.handle(message("three"))

    assert handler.rolloverAt <= time.time() + HOUR
    handler.flush()
    assert (tmp_path / "app.log").read_bytes() == b"two\nthree\n"


def test_a_name_is_free_when_no_form_of_it_is_there(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"name{suffix}"
        path.symlink_to("nowhere")
        assert not is_free(str(tmp_path / "name"))
        path.unlink()
    assert is_free(str(tmp_path / "name"))

"""Logs of our TimedRotatingFileHandler, next to those of the standard library's."""

import contextlib
import fcntl
import gzip
import logging
import logging.handlers
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until

from auditring.handlers import TimedRotatingFileHandler

HOUR = 3600


def message(text: str) -> logging.LogRecord:
    """Make a record whose message is *text*."""
    return logging.makeLogRecord({"msg": text})


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of every file by name."""
    paths = [path for path in directory.iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in paths}


Opener = Callable[..., TimedRotatingFileHandler]


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Return a function that opens app.log; what it opened is closed in the end."""
    opened = []

    def open_handler(**options: Any) -> TimedRotatingFileHandler:  # noqa: ANN401
        options = {"when": "h", "utc": True, **options}
        handler = TimedRotatingFileHandler(
            tmp_path / "app.log", ring_bytes=64 * 1024, **options
        )
        opened.append(handler)
        return handler

    yield open_handler
    for handler in opened:
        handler.close()


def hour_name(rollover_at: int) -> str:
    """Return the name of the backup of the hour before *rollover_at*."""
    start = time.gmtime(rollover_at - HOUR)
    return "app.log." + time.strftime("%Y-%m-%d_%H", start)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_backup_is_named_for_its_beginning(
    tmp_path: Path, opener: Opener, is_first: bool
) -> None:
    (tmp_path / "app.log").write_bytes(b"old\n")
    handler = opener()
    if not is_first:
        handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())

    handler.handle(message("two"))
    handler.flush()

    assert files(tmp_path) == {
        "app.log": b"two\n",
        hour_name(now): b"old\n" if is_first else b"old\none\n",
    }
    assert now < handler.rolloverAt <= time.time() + HOUR


@pytest.mark.parametrize("when", ["S", "M", "H", "D", "midnight", "W3"])
@pytest.mark.parametrize("utc", [True, False])
def test_names_and_times_are_the_standard_librarys(
    tmp_path: Path, opener: Opener, when: str, utc: bool
) -> None:
    theirs_path = tmp_path / "theirs"
    theirs_path.mkdir()
    theirs = logging.handlers.TimedRotatingFileHandler(
        theirs_path / "app.log", when, utc=utc
    )
    ours = opener(when=when, utc=utc)
    now = int(time.time())
    for handler in (theirs, ours):
        handler.handle(message("one"))
        handler.rolloverAt = now
        handler.handle(message("two"))
    theirs.close()
    ours.flush()

    assert files(tmp_path) == files(theirs_path)
    assert abs(ours.rolloverAt - theirs.rolloverAt) <= 1


def test_nothing_rolls_over_before_its_time(tmp_path: Path, opener: Opener) -> None:
    handler = opener()

    for text in ("one", "two"):
        handler.handle(message(text))
    handler.flush()

    assert files(tmp_path) == {"app.log": b"one\ntwo\n"}


def roll_over_hours(handler: TimedRotatingFileHandler, ages: list[int]) -> list[str]:
    """Roll over as if hours had passed; return the names of the backups."""
    now = int(time.time())
    names = []
    for age in ages:
        handler.rolloverAt = now - age * HOUR
        names.append(hour_name(handler.rolloverAt))
        handler.handle(message(str(age)))
        forget_agreement(handler)
    handler.flush()
    return names


def forget_agreement(handler: TimedRotatingFileHandler) -> None:
    """Let the next rollover be due at once, whatever was agreed on."""
    directory, name = os.path.split(handler.baseFilename)
    Path(directory, f".{name}.ring", "rollover").unlink()


def test_only_so_many_backups_are_kept(tmp_path: Path, opener: Opener) -> None:
    handler = opener(backupCount=2)

    names = roll_over_hours(handler, [5, 4, 3, 2])

    assert set(files(tmp_path)) == {"app.log", *names[2:]}


@pytest.mark.parametrize("compress", ["gzip", "zstd", "lz4"])
def test_compressed_backups_count_as_well(
    tmp_path: Path, opener: Opener, compress: str
) -> None:
    suffix = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}[compress]
    handler = opener(backupCount=2, compress=compress)
    handler.handle(message("first"))

    for age in (5, 4, 3, 2):
        (name,) = roll_over_hours(handler, [age])
        wait_until(lambda name=name: (tmp_path / f"{name}{suffix}").exists())
        wait_until(lambda name=name: not (tmp_path / name).exists())

    kept = {hour_name(int(time.time()) - age * HOUR) + suffix for age in (3, 2)}
    assert set(files(tmp_path)) == {"app.log", *kept}


def test_a_compressed_backup_holds_what_was_written(
    tmp_path: Path, opener: Opener
) -> None:
    handler = opener(compress="gzip")
    handler.handle(message("first"))

    (name,) = roll_over_hours(handler, [1])
    wait_until(lambda: (tmp_path / f"{name}.gz").exists())

    assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) == b"first\n"


def test_a_backup_that_is_there_is_not_replaced(tmp_path: Path, opener: Opener) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())
    backup = tmp_path / hour_name(now)
    backup.write_bytes(b"earlier\n")

    for text in ("two", "three"):
        handler.handle(message(text))
    handler.flush()

    assert files(tmp_path) == {
        "app.log": b"one\ntwo\nthree\n",
        backup.name: b"earlier\n",
    }
    assert handler.rolloverAt > now


def test_who_comes_late_finds_the_rollover_made(tmp_path: Path, opener: Opener) -> None:
    first, second = opener(), opener()
    for handler in (first, second):
        handler.handle(message("one"))
    now = int(time.time())
    # A second apart, as processes are that were started one after the other.
    first.rolloverAt, second.rolloverAt = now - HOUR, now

    for handler in (first, second):
        handler.handle(message("two"))
    first.flush()

    assert files(tmp_path) == {
        "app.log": b"two\ntwo\n",
        hour_name(now - HOUR): b"one\none\n",
    }
    assert first.rolloverAt == second.rolloverAt


def test_an_agreement_on_longer_intervals_is_void(
    tmp_path: Path, opener: Opener
) -> None:
    daily = opener(when="D")
    daily.handle(message("one"))
    daily.rolloverAt = int(time.time())
    daily.handle(message("two"))
    hourly = opener()
    hourly.handle(message("three"))
    hourly.rolloverAt = now = int(time.time())

    hourly.handle(message("four"))
    hourly.flush()

    assert files(tmp_path)[hour_name(now)] == b"two\nthree\n"


def test_a_record_is_kept_when_the_rollover_fails(
    tmp_path: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = opener(backupCount=1)
    handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())
    # What is too old is removed; a directory can't be.
    obstacles = [tmp_path / hour_name(now - age * HOUR) for age in (1, 2)]
    for obstacle in obstacles:
        obstacle.mkdir()

    handler.handle(message("two"))
    handler.flush()

    assert b"two\n" in b"".join(files(tmp_path).values())
    assert "Logging error" in capsys.readouterr().err


@contextlib.contextmanager
def rollover_under_way(tmp_path: Path) -> Iterator[None]:
    """Hold what a process holds that is rolling over."""
    fd = os.open(tmp_path / ".app.log.ring" / "rollover", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield
    os.close(fd)


def test_a_process_that_stops_in_a_rollover_stops_nobody_else(
    tmp_path: Path, opener: Opener
) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())

    with rollover_under_way(tmp_path):
        handler.handle(message("two"))
        handler.flush()
        assert (tmp_path / "app.log").read_bytes() == b"one\ntwo\n"
    assert now < handler.rolloverAt <= time.time() + 1


def test_a_child_forked_in_the_middle_of_a_rollover_logs(
    tmp_path: Path, opener: Opener
) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.rolloverAt = int(time.time())

    with rollover_under_way(tmp_path):
        roller = threading.Thread(target=handler.handle, args=(message("two"),))
        roller.start()
        wait_until(lambda: handler._ring.busy_pid)
        pid = os.fork()
        if pid == 0:
            handler.handle(message("child"))
            os._exit(0)
        os.waitpid(pid, 0)
        roller.join()
    handler.flush()

    lines = (tmp_path / "app.log").read_text().splitlines()
    assert sorted(lines) == ["child", "one", "two"]


def test_a_namer_is_asked(tmp_path: Path, opener: Opener) -> None:
    handler = opener()
    handler.namer = lambda name: f"{name}.old"
    handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())

    handler.handle(message("two"))

    assert files(tmp_path) == {
        "app.log": b"two\n",
        f"{hour_name(now)}.old": b"one\n",
    }


def test_a_suffix_may_be_set(tmp_path: Path, opener: Opener) -> None:
    handler = opener()
    handler.suffix = "%H"
    handler.handle(message("one"))
    handler.rolloverAt = now = int(time.time())

    handler.handle(message("two"))
    handler.flush()

    name = "app.log." + time.strftime("%H", time.gmtime(now - HOUR))
    assert files(tmp_path) == {"app.log": b"two\n", name: b"one\n"}


def test_the_age_of_the_file_decides_over_the_first_rollover(
    tmp_path: Path, opener: Opener
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"old\n")
    written = int(time.time()) - 2 * HOUR
    os.utime(log, (written, written))

    handler = opener()
    handler.handle(message("new"))
    handler.flush()

    assert files(tmp_path) == {"app.log": b"new\n", hour_name(written + HOUR): b"old\n"}


@pytest.mark.parametrize("when", ["X", "W", "W7"])
def test_an_unknown_unit_is_refused(opener: Opener, when: str) -> None:
    with pytest.raises(ValueError, match=when):
        opener(when=when, delay=True)

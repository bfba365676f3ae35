"""Logs of our RotatingFileHandler, next to those of the standard library's."""

import gzip
import logging
import logging.handlers
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from auditring.handlers import RotatingFileHandler

RING = 64 * 1024


def message(text: object, **attributes: object) -> logging.LogRecord:
    """Make a record whose message is *text*."""
    return logging.makeLogRecord({"msg": text, **attributes})


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of every file by name."""
    return {
        path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()
    }


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[RotatingFileHandler]:
    """Open app.log with room for two short lines and three backups."""
    handler = RotatingFileHandler(
        tmp_path / "app.log", maxBytes=10, backupCount=3, ring_bytes=RING
    )
    yield handler
    handler.close()


def test_backups_have_the_standard_librarys_names(
    tmp_path: Path, handler: RotatingFileHandler
) -> None:
    for number in range(12):
        handler.handle(message(f"{number:03}"))
    handler.flush()

    assert files(tmp_path) == {
        "app.log": b"010\n011\n",
        "app.log.1": b"008\n009\n",
        "app.log.2": b"006\n007\n",
        "app.log.3": b"004\n005\n",
    }


TEXTS = st.text("abc", max_size=30)


@settings(deadline=None, max_examples=60)
@given(
    messages=st.lists(TEXTS, max_size=25),
    max_bytes=st.integers(0, 60),
    backup_count=st.integers(0, 4),
    is_delayed=st.booleans(),
    before=st.sampled_from([None, b"", b"old\n"]),
)
def test_files_are_those_of_the_standard_library(
    messages: list[str],
    max_bytes: int,
    backup_count: int,
    is_delayed: bool,
    before: bytes | None,
) -> None:
    with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as ours:
        for directory, kind, options in (
            (theirs, logging.handlers.RotatingFileHandler, {}),
            (ours, RotatingFileHandler, {"ring_bytes": RING}),
        ):
            path = Path(directory, "app.log")
            if before is not None:
                path.write_bytes(before)
            handler = kind(
                path, "a", max_bytes, backup_count, "utf-8", is_delayed, **options
            )
            for text in messages:
                handler.handle(message(text))
            handler.close()

        assert files(Path(ours)) == files(Path(theirs))


def test_backups_are_compressed(tmp_path: Path) -> None:
    handler = RotatingFileHandler(
        tmp_path / "app.log",
        maxBytes=10,
        backupCount=2,
        compress="gzip",
        ring_bytes=RING,
    )
    for number in range(6):
        handler.handle(message(f"{number:03}"))
        handler.flush()

    names = {"app.log", "app.log.1.gz", "app.log.2.gz"}
    wait_until(lambda: files(tmp_path).keys() == names)
    handler.close()
    assert gzip.decompress(files(tmp_path)["app.log.1.gz"]) == b"002\n003\n"


def test_limits_may_change_while_it_runs(
    tmp_path: Path, handler: RotatingFileHandler
) -> None:
    handler.maxBytes = 0
    for number in range(9):
        handler.handle(message(f"{number:03}"))
    handler.maxBytes = 10
    handler.backupCount = 1
    for number in range(9, 13):
        handler.handle(message(f"{number:03}"))
    handler.flush()

    assert files(tmp_path) == {"app.log": b"011\n012\n", "app.log.1": b"009\n010\n"}


@pytest.mark.parametrize("max_bytes", [10.0, 9.5])
def test_max_bytes_may_be_a_fraction(tmp_path: Path, max_bytes: float) -> None:
    handler = RotatingFileHandler(
        tmp_path / "app.log",
        maxBytes=max_bytes,
        backupCount=1,  # type: ignore[arg-type]
    )
    for number in range(4):
        handler.handle(message(f"{number:03}"))
    handler.close()

    assert files(tmp_path) == {"app.log": b"002\n003\n", "app.log.1": b"000\n001\n"}


def test_negative_limits_are_none(tmp_path: Path) -> None:
    handler = RotatingFileHandler(tmp_path / "app.log", maxBytes=-1, backupCount=-1)

    handler.handle(message("x" * 100))
    handler.close()

    assert files(tmp_path) == {"app.log": b"x" * 100 + b"\n"}


def test_a_record_too_large_for_any_ring_is_in_its_place(tmp_path: Path) -> None:
    large = "x" * (2 * RING)
    handler = RotatingFileHandler(
        tmp_path / "app.log", maxBytes=RING, backupCount=2, ring_bytes=RING
    )
    for text in ("before", large, "after"):
        handler.handle(message(text))
    handler.close()

    assert files(tmp_path) == {
        "app.log": b"after\n",
        "app.log.1": large.encode() + b"\n",
        "app.log.2": b"before\n",
    }


# Rolling over by hand.


@pytest.mark.parametrize("texts", [[], ["one"]])
def test_do_rollover_makes_a_backup(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "app.log").write_bytes(b"old\n")
    handler = RotatingFileHandler(tmp_path / "app.log", backupCount=2)
    for text in texts:
        handler.handle(message(text))

    handler.doRollover()

    assert files(tmp_path) == {
        "app.log": b"",
        "app.log.1": b"".join([b"old\n", *(f"{text}\n".encode() for text in texts)]),
    }
    handler.handle(message("two"))
    handler.close()
    assert (tmp_path / "app.log").read_bytes() == b"two\n"


def test_do_rollover_without_backups_goes_on_in_the_file(tmp_path: Path) -> None:
    handler = RotatingFileHandler(tmp_path / "app.log")
    handler.handle(message("one"))

    handler.doRollover()
    handler.handle(message("two"))
    handler.close()

    assert files(tmp_path) == {"app.log": b"one\ntwo\n"}


def test_do_rollover_without_backups_begins_anew_in_mode_w(tmp_path: Path) -> None:
    handler = RotatingFileHandler(tmp_path / "app.log", "w")
    handler.handle(message("one"))

    handler.doRollover()
    handler.handle(message("two"))
    handler.close()

    found = files(tmp_path)
    assert found["app.log"] == b"two\n"
    assert b"live-file-cut" in found["app.log.gaps"]


def test_should_rollover_answers_for_the_lines_that_were_emitted(
    handler: RotatingFileHandler,
) -> None:
    handler.handle(message("1234567"))

    assert not handler.shouldRollover(message(""))
    assert handler.shouldRollover(message("1"))


# What others do with it.


class CountingFormatter(logging.Formatter):
    """Counts what it formats."""

    count = 0

    def format(self, record: logging.LogRecord) -> str:
        self.count += 1
        return super().format(record)


@pytest.mark.parametrize("size", [1, 100, 2 * RING])
def test_a_record_is_formatted_once(
    tmp_path: Path, handler: RotatingFileHandler, size: int
) -> None:
    formatter = CountingFormatter()
    handler.setFormatter(formatter)

    for _ in range(3):
        handler.handle(message("x" * size))

    assert formatter.count == 3


def compress(source: str, target: str) -> None:
    with open(source, "rb") as plain, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.remove(source)


def test_the_recipe_for_compression_is_honoured(
    tmp_path: Path, handler: RotatingFileHandler
) -> None:
    handler.namer = lambda name: f"{name}.gz"
    handler.rotator = compress
    for number in range(4):
        handler.handle(message(f"{number:03}"))

    assert set(files(tmp_path)) == {"app.log", "app.log.1.gz"}
    assert gzip.decompress(files(tmp_path)["app.log.1.gz"]) == b"000\n001\n"


def test_a_namer_that_comes_late_finds_every_line(
    tmp_path: Path, handler: RotatingFileHandler
) -> None:
    handler.handle(message("000"))

    handler.namer = lambda name: f"{name}.old"
    for number in range(1, 4):
        handler.handle(message(f"{number:03}"))

    assert files(tmp_path) == {"app.log": b"002\n003\n", "app.log.1.old": b"000\n001\n"}


PROGRAM = """\
import logging, sys
from auditring.handlers import RotatingFileHandler

path, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
handler = RotatingFileHandler(path, maxBytes=5000, backupCount=10000, ring_bytes=65536)
logger = logging.getLogger("x")
logger.addHandler(handler)
for i in range(count):
    logger.warning("%d %d", number, i)
"""


def test_processes_share_a_log_that_rotates(tmp_path: Path) -> None:
    process_count, line_count = 4, 3000
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                tmp_path / "app.log",
                str(n),
                str(line_count),
            ]
        )
        for n in range(process_count)
    ]
    for process in processes:
        assert process.wait(60) == 0

    found = files(tmp_path)
    assert len(found) > 10
    assert sorted(b"".join(found.values()).splitlines()) == sorted(
        b"%d %d" % (n, i) for n in range(process_count) for i in range(line_count)
    )


def test_a_killed_process_leaves_every_line_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    program = PROGRAM + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program, path, "1", "1000"], timeout=60)

    handler: Any = RotatingFileHandler(path)  # it has nothing to say itself
    handler.close()

    found = files(tmp_path)
    names = sorted(found, key=lambda name: -int(f"{name}.0".split(".")[2]))
    lines = b"".join(found[name] for name in names)
    assert lines == b"".join(b"1 %d\n" % i for i in range(1000))

"""An option that is of no effect is told, once, and the lines are written all the same.

Who else may be there: a namer, a rotator, a subclass, a suffix of one's own, a pipe in
place of a file, a directory that can have no ring, an `on_error` that raises.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until

from auditring import LogWriter, handlers

OPTIONS: dict[str, Any] = {"compress": "gzip", "max_age": 9, "ring_bytes": 64 * 1024}


class Shouting(handlers.RotatingFileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        record.msg = str(record.msg).upper()
        super().emit(record)


def with_namer(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    handler = handlers.RotatingFileHandler(path, **options)
    handler.namer = lambda name: f"{name}.old"
    return handler


def with_rotator(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    handler = handlers.TimedRotatingFileHandler(path, **options)
    handler.rotator = os.rename
    return handler


def with_suffix(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    handler = handlers.TimedRotatingFileHandler(path, **options)
    handler.suffix = "%Y%m%d"
    return handler


def with_terminator(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    return handlers.WatchedFileHandler(path, terminator="|", **options)


def of_a_subclass(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    return Shouting(path, **options)


def of_a_link(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    path.symlink_to(path.with_name("elsewhere"))
    return handlers.RotatingFileHandler(path, **options)


def without_a_ring(path: Path, **options: Any) -> logging.Handler:  # noqa: ANN401
    path.with_name(".app.log.ring").write_bytes(b"in the way")
    return handlers.RotatingFileHandler(path, **options)


WAYS: dict[str, Callable[..., logging.Handler]] = {
    "namer": with_namer,
    "rotator": with_rotator,
    "suffix": with_suffix,
    "plain lines": with_terminator,
    "overridden": of_a_subclass,
    "regular": of_a_link,
    "no ring": without_a_ring,
}


def message(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text})


@pytest.mark.parametrize("reason", WAYS)
def test_what_is_of_no_effect_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    told: list[Exception] = []

    def fail(error: Exception) -> None:
        told.append(error)
        raise LookupError

    handler = WAYS[reason](tmp_path / "app.log", on_error=fail, **OPTIONS)
    for _ in range(3):
        handler.handle(message("one"))
        handler.setFormatter(logging.Formatter("%(message)s"))  # the way is chosen anew
    handler.close()

    err = capsys.readouterr().err
    assert err.count("of no effect") == 1
    assert "compress, max_age: of no effect" in err
    assert reason in err
    (warning,) = [each for each in told if isinstance(each, UserWarning)]
    assert reason in str(warning)
    assert (tmp_path / "app.log").read_bytes().lower().count(b"one") == 3


@pytest.mark.parametrize("reason", WAYS)
def test_nothing_is_told_where_nothing_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    handler = WAYS[reason](tmp_path / "app.log", ring_bytes=64 * 1024)
    handler.handle(message("one"))
    handler.close()

    assert "of no effect" not in capsys.readouterr().err


def test_durability_that_only_a_ring_gives_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = with_namer(tmp_path / "app.log", durability="sync")
    handler.handle(message("one"))
    handler.close()

    assert "durability: of no effect" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["RotatingFileHandler", "TimedRotatingFileHandler"])
def test_nothing_is_told_where_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    options = {"maxBytes": 9} if kind == "RotatingFileHandler" else {"when": "S"}
    made = getattr(handlers, kind)
    handler = made(tmp_path / "app.log", backupCount=9, **options, **OPTIONS)
    handler.handle(message("one"))
    handler.doRollover()

    wait_until(lambda: list(tmp_path.glob("*.gz")))
    handler.close()
    assert capsys.readouterr().err == ""


def test_standard_output_has_no_backups(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Exception] = []

    LogWriter("-", compress="gzip", max_backups=3, on_error=told.append).close()

    assert "max_backups, compress: of no effect" in capsys.readouterr().err
    assert len(told) == 1

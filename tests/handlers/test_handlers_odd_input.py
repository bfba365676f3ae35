"""The drop-in handlers make of odd input what the standard library's make of it.

Each case is a function that is given a logger and a handler. It is run with both, and
the files, what was printed, and what was raised have to be the same.
"""

import contextlib
import io
import logging
import logging.handlers
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from auditring import handlers
from auditring.handlers.install import FastLogger

Case = Callable[[logging.Logger, Any], object]

KINDS = ["RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler"]
FORMAT = "%(levelname)s %(name)s %(message)s"
# Frames of logging and of this package, with the lines of code below them.
INNER_FRAME = re.compile(r'  File ".*(?:/logging/|auditring/)[^\n]*\n(?:    [^\n]*\n)*')
# Since Python 3.12 `str.encode` says so of some codecs, and a text stream doesn't.
CODEC_NOTE = re.compile(r"^encoding with '.*' codec failed\n", re.MULTILINE)
BIG = "x" * 3_000_000


class Rude:
    """Raises whatever is asked of it."""

    def __str__(self) -> str:
        raise ZeroDivisionError("rude")

    __repr__ = __format__ = __str__  # type: ignore[assignment]


class Liar:
    def __str__(self) -> str:
        return b"bytes"  # type: ignore[return-value]


class RudeError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError("rude")


class Text(str):
    """A text that lies about itself."""

    def __str__(self) -> str:
        return "another"

    def encode(self, *args: object) -> bytes:
        return b"encoded"


RUDE, LIAR = Rude(), Liar()
CYCLIC: list[object] = []
CYCLIC.append(CYCLIC)
MAPPING: dict[object, object] = {"a": 1, 2: RUDE}


class Answering(logging.Formatter):
    """Returns or raises what it was made with."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(self.answer, BaseException):
            # A new one each time, without the traceback of the one before.
            raise type(self.answer)(*self.answer.args)
        return self.answer  # type: ignore[return-value]


class RudeFilter:
    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError("rude")


class Outcome(NamedTuple):
    """All that can be seen of a case."""

    files: dict[str, bytes]
    printed: str
    raised: str


def outcome_of(
    folder: Path,
    module: Any,  # noqa: ANN401 - logging.handlers or ours
    kind: str,
    logger_kind: type[logging.Logger],
    case: Case,
    options: dict[str, Any],
) -> Outcome:
    folder.mkdir()
    printed = io.StringIO()
    raised = ""
    handler = getattr(module, kind)(folder / "app.log", **options)
    with contextlib.closing(handler), contextlib.redirect_stderr(printed):
        handler.setFormatter(logging.Formatter(FORMAT))
        logger = logger_kind("app")
        logger.addHandler(handler)
        logger.info("before")
        try:
            case(logger, handler)
        except BaseException as error:  # also what ends programs
            raised = f"{type(error).__name__}: {error}"
        handler.level = 0
        handler.setFormatter(None)
        logger.info("after")
        handler.flush()
    return Outcome(
        {path.name: path.read_bytes() for path in folder.glob("app.log*")},
        told_in(printed.getvalue(), folder),
        raised,
    )


def told_in(printed: str, folder: Path) -> str:
    """Return what does not tell whose handler it was."""
    text = INNER_FRAME.sub("", printed.replace(str(folder), ""))
    return CODEC_NOTE.sub("", text)


def assert_same(
    tmp_path: Path,
    case: Case,
    *,
    kind: str = "RotatingFileHandler",
    logger_kind: type[logging.Logger] = logging.Logger,
    **options: object,
) -> Outcome:
    options = {"encoding": "utf-8", **options}
    outcomes = [
        outcome_of(tmp_path / name, module, kind, logger_kind, case, options)
        for name, module in (("theirs", logging.handlers), ("ours", handlers))
    ]
    theirs, ours = outcomes
    assert ours == theirs
    return ours


def logs(*args: Any, **kwargs: Any) -> Case:  # noqa: ANN401 - odd ones
    return lambda logger, _: logger.warning(*args, **kwargs)


def formats(formatter: object, **kwargs: Any) -> Case:  # noqa: ANN401
    """Log with another formatter."""

    def case(logger: logging.Logger, handler: logging.Handler) -> None:
        handler.setFormatter(formatter)  # type: ignore[arg-type]
        logger.warning("hello %s", "you", **kwargs)

    return case


def sets(name: str, value: object) -> Case:
    """Log with another attribute of the handler."""

    def case(logger: logging.Logger, handler: logging.Handler) -> None:
        setattr(handler, name, value)
        logger.warning("hello %s", "you")

    return case


def filters(item: Any) -> Case:  # noqa: ANN401
    def case(logger: logging.Logger, handler: logging.Handler) -> None:
        handler.addFilter(item)
        try:
            logger.warning("hello")
        finally:
            handler.removeFilter(item)

    return case


def raises(error: BaseException | None) -> Case:
    """Log an exception as it is handled."""

    def case(logger: logging.Logger, _: logging.Handler) -> None:
        try:
            if error is not None:
                raise error.with_traceback(None)
        except BaseException:
            logger.exception("failed %d", 1)
        else:
            logger.exception("failed %d", 1)

    return case


MESSAGES = {
    "object": logs(object),
    "rude": logs(RUDE),
    "rude argument": logs("%s", RUDE),
    "rude representation": logs("%r", RUDE),
    "liar": logs(LIAR),
    "lying argument": logs("%s", LIAR),
    "none": logs(None),
    "bytes": logs(b"bytes %s", "x"),
    "tuple": logs((1, 2)),
    "tuple with arguments": logs((1, 2), 3),
    "dict": logs({"a": 1}),
    "own text": logs(Text("text")),
    "own text with arguments": logs(Text("text %s"), Text("argument")),
    "empty": logs(""),
    "too few": logs("%s %s", "x"),
    "too many": logs("%s", "x", "y"),
    "no placeholder": logs("text", "x"),
    "wrong type": logs("%d", "x"),
    "float as int": logs("%d", 1.9),
    "none as int": logs("%d", None),
    "true as int": logs("%d", True),
    "huge int": logs("%d", 10**400),
    "bad conversion": logs("%y", "x"),
    "lone percent": logs("100 %", 1),
    "percent without arguments": logs("100 %"),
    "mapping": logs("%(a)s", {"a": 1}),
    "mapping without key": logs("%(b)s", {"a": 1}),
    "odd mapping": logs("%(a)d", MAPPING),
    "empty mapping": logs("%s", {}),
    "empty tuple as argument": logs("%s", ()),
    "cyclic": logs("%s", CYCLIC),
    "nan": logs("%s %d", float("nan"), 1),
    "nan as int": logs("%d", float("nan")),
    "newlines": logs("a\nb\r\nc\rd\x00e\x1b[31m"),
    "unicode": logs("ä€😀\u2028\x85\ufeff"),
    "lone surrogate": logs("\ud800"),
    "escaped byte": logs("%s", "\udcff"),
    "big": logs("%s", BIG),
    "no arguments at all": lambda logger, _: logger.warning(),  # type: ignore[call-arg]
    "unknown keyword": logs("x", colour="red"),
}
EXTRAS = {
    "plain": logs("x", extra={"user": "alice"}),
    "numbers as keys": logs("x", extra={1: 2}),
    "none as key": logs("x", extra={None: RUDE}),
    "message": logs("x", extra={"message": 1}),
    "name": logs("x", extra={"name": 1}),
    "levelname": logs("x", extra={"levelname": 1}),
    "no mapping": logs("x", extra=[1]),
    "rude": logs("x", extra={"user": RUDE}),
    "cyclic": logs("x", extra={"user": CYCLIC}),
    "empty": logs("x", extra={}),
}
# Formatted with %(user)s.
EXTRA_VALUES = {
    "missing": {},
    "none": {"user": None},
    "rude": {"user": RUDE},
    "cyclic": {"user": CYCLIC},
    "nan": {"user": float("nan")},
    "surrogate": {"user": "\ud800"},
    "huge": {"user": BIG},
    "bytes": {"user": b"\xff"},
}
EXCEPTIONS = {
    "plain": raises(ValueError("x")),
    "none": raises(None),
    "rude": raises(RudeError()),
    "exit": raises(SystemExit(3)),
    "group": raises(ExceptionGroup("many", [ValueError("a"), KeyError("b")])),
    "surrogate": raises(ValueError("\ud800")),
    "instance": logs("x", exc_info=ValueError("y")),
    "triple": logs("x", exc_info=(ValueError, ValueError("y"), None)),
    "triple of nothing": logs("x", exc_info=(None, None, None)),
    "text": logs("x", exc_info="odd"),
    "pair": logs("x", exc_info=(ValueError, 1)),
    "odd triple": logs("x", exc_info=(1, 2, 3)),
    "falsy": logs("x", exc_info=0),
    "level of the stack": logs("x", stacklevel=1000),
}
FORMATTERS = {
    "raises": formats(Answering(ValueError("broken"))),
    "runs too deep": formats(Answering(RecursionError("deep"))),
    "interrupts": formats(Answering(KeyboardInterrupt("stop"))),
    "exits": formats(Answering(SystemExit(3))),
    "bytes": formats(Answering(b"bytes")),
    "none": formats(Answering(None)),
    "number": formats(Answering(7)),
    "own text": formats(Answering(Text("text"))),
    "surrogate": formats(Answering("\udc80")),
    "no formatter": formats(object()),
    "missing field": formats(logging.Formatter("%(nothing)s %(message)s")),
    "unknown conversion": formats(logging.Formatter("%(message)y", validate=False)),
    "wrong type": formats(logging.Formatter("%(message)d")),
    "shape": formats(logging.Formatter("%(message)20.7s|%(levelno)05d|%(name)-5s|")),
    "percent": formats(logging.Formatter("100 %% %(message)s")),
    "no field": formats(logging.Formatter("text", validate=False)),
    "braces": formats(logging.Formatter("{message!r:>20}", style="{")),
    "dollar": formats(logging.Formatter("$message ${name}", style="$")),
    "braces without field": formats(logging.Formatter("{nothing}", style="{")),
    "default": formats(logging.Formatter("%(user)s", defaults={"user": "nobody"})),
    "buffered": formats(logging.BufferingFormatter()),
}
ATTRIBUTES = {
    "no newline": sets("terminator", ""),
    "two newlines": sets("terminator", "\r\n"),
    "text": sets("terminator", "<>"),
    "no terminator": sets("terminator", None),
    "bytes": sets("terminator", b"\n"),
    "level": sets("level", 1000),
    "level by name": sets("level", "INFO"),
    "no formatter": sets("formatter", None),
    "no filters": sets("filters", []),
    "vetoing function": filters(lambda record: False),
    "number": filters(lambda record: 7),
    "rude filter": filters(RudeFilter()),
    "raising function": filters(lambda record: 1 / 0),
    "no filter at all": filters(7),
}


def close_first(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.close()
    logger.warning("hello")


def close_twice(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.close()
    handler.close()
    handler.flush()


def close_in_between(logger: logging.Logger, handler: logging.Handler) -> None:
    for number in range(3):
        logger.warning("%d", number)
        handler.close()


def close_the_stream(logger: logging.Logger, handler: Any) -> None:  # noqa: ANN401
    handler.stream.close()
    logger.warning("hello")
    handler.stream = None


def fail_after_closing(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.close()
    logger.warning("%d", "x")
    logger.warning("\ud800")


ENDS: dict[str, Case] = {
    "first": close_first,
    "twice": close_twice,
    "in between": close_in_between,
    "stream": close_the_stream,
    "fails": fail_after_closing,
}


@pytest.mark.parametrize("logger_kind", [logging.Logger, FastLogger])
@pytest.mark.parametrize("name", MESSAGES)
def test_odd_messages(
    tmp_path: Path, name: str, logger_kind: type[logging.Logger]
) -> None:
    outcome = assert_same(tmp_path, MESSAGES[name], logger_kind=logger_kind)

    assert outcome.files["app.log"].startswith(b"INFO app before\n")
    assert outcome.files["app.log"].endswith(b"after\n")


@pytest.mark.parametrize("logger_kind", [logging.Logger, FastLogger])
@pytest.mark.parametrize("name", EXTRAS)
def test_odd_extra(
    tmp_path: Path, name: str, logger_kind: type[logging.Logger]
) -> None:
    assert_same(tmp_path, EXTRAS[name], logger_kind=logger_kind)


@pytest.mark.parametrize("name", EXTRA_VALUES)
@pytest.mark.parametrize("field", ["%(user)s", "%(user)5d", "%(user)r"])
def test_odd_fields_that_are_formatted(tmp_path: Path, name: str, field: str) -> None:
    formatter = logging.Formatter(f"{field} %(message)s")

    assert_same(tmp_path, formats(formatter, extra=EXTRA_VALUES[name]))


@pytest.mark.parametrize("logger_kind", [logging.Logger, FastLogger])
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_odd_exceptions(
    tmp_path: Path, name: str, logger_kind: type[logging.Logger]
) -> None:
    assert_same(tmp_path, EXCEPTIONS[name], logger_kind=logger_kind)


@pytest.mark.parametrize("logger_kind", [logging.Logger, FastLogger])
@pytest.mark.parametrize("name", FORMATTERS)
def test_broken_formatters(
    tmp_path: Path, name: str, logger_kind: type[logging.Logger]
) -> None:
    assert_same(tmp_path, FORMATTERS[name], logger_kind=logger_kind)


@pytest.mark.parametrize("logger_kind", [logging.Logger, FastLogger])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_odd_attributes(
    tmp_path: Path, name: str, logger_kind: type[logging.Logger]
) -> None:
    assert_same(tmp_path, ATTRIBUTES[name], logger_kind=logger_kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENDS)
def test_closed_handlers(tmp_path: Path, name: str, kind: str) -> None:
    assert_same(tmp_path, ENDS[name], kind=kind)


# Taking the stream away cuts the standard library's file off; not one that others may
# be writing to.
@pytest.mark.parametrize("name", sorted(set(ENDS) - {"stream"}))
def test_closed_handlers_that_begin_anew(tmp_path: Path, name: str) -> None:
    assert_same(tmp_path, ENDS[name], kind="WatchedFileHandler", mode="w")


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": encoding, "errors": errors}
        for encoding in ("ascii", "latin-1", "utf-8", "utf-16", "utf-8-sig", "gbk")
        for errors in ("strict", "replace", "backslashreplace", "surrogateescape")
    ],
    ids=lambda options: " ".join(options.values()),
)
def test_unencodable_text(tmp_path: Path, options: dict[str, str]) -> None:
    def case(logger: logging.Logger, _: logging.Handler) -> None:
        for text in ("ä", "€", "😀", "\udcff", "\ud800"):
            logger.warning("%s", text)
            logger.warning(text)

    assert_same(tmp_path, case, **options)


@pytest.mark.parametrize("errors", ["nonsense", "xmlcharrefreplace", "ignore"])
def test_what_is_done_about_unencodable_text(tmp_path: Path, errors: str) -> None:
    assert_same(tmp_path, logs("<\ud800>"), errors=errors)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATTERS)
def test_broken_formatters_of_every_kind(tmp_path: Path, name: str, kind: str) -> None:
    assert_same(tmp_path, FORMATTERS[name], kind=kind)


@pytest.mark.parametrize("name", ["rude argument", "lone surrogate", "too few"])
@pytest.mark.parametrize("kind", KINDS)
def test_trouble_is_told_by_every_kind(tmp_path: Path, kind: str, name: str) -> None:
    outcome = assert_same(tmp_path, MESSAGES[name], kind=kind)

    assert outcome.printed.count("--- Logging error ---") == 1


@pytest.mark.parametrize("name", ["rude argument", "lone surrogate", "too few"])
def test_trouble_is_kept_quiet_where_it_shall_be(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    assert assert_same(tmp_path, MESSAGES[name]).printed == ""


def test_trouble_without_a_standard_error_is_no_trouble(tmp_path: Path) -> None:
    def case(logger: logging.Logger, _: logging.Handler) -> None:
        stderr, sys.stderr = sys.stderr, None  # type: ignore[assignment]
        try:
            logger.warning("%d", "x")
        finally:
            sys.stderr = stderr

    assert_same(tmp_path, case)


@pytest.mark.parametrize("size", [1, 24, 100])
def test_lines_larger_than_a_file(tmp_path: Path, size: int) -> None:
    def case(logger: logging.Logger, _: logging.Handler) -> None:
        for number in range(5):
            logger.warning("%d %s", number, "x" * size)

    assert_same(tmp_path, case, maxBytes=60, backupCount=3)

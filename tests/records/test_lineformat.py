"""Lines made by a plan, and by the formatter that it was made of."""

import copy
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditring.records._format import LinePlan, plan_for

USUAL = "%(asctime)s %(levelname)-8s [%(name)s:%(lineno)d] %(message)s"
RECORD = {
    "name": "app.x",
    "levelno": logging.INFO,
    "levelname": "INFO",
    "pathname": "/srv/app/views.py",
    "filename": "views.py",
    "module": "views",
    "funcName": "show",
    "lineno": 42,
    "msg": "request %s took %d ms",
    "args": ("abc", 7),
    "created": 1_700_000_000.25,
    "msecs": 250.0,
    "relativeCreated": 1234.5,
    "process": 4711,
    "thread": 140_000_000_000_000,
    "threadName": "MainThread",
}


def record_of(**changes: Any) -> logging.LogRecord:  # noqa: ANN401 - any attribute
    """Make a record that differs from the usual one in *changes*."""
    return logging.makeLogRecord({**RECORD, **changes})


def plan_of(*args: Any, **kwargs: Any) -> LinePlan:  # noqa: ANN401 - passed on
    """Return the plan for a Formatter with these arguments, which must have one."""
    plan = plan_for(logging.Formatter(*args, **kwargs))
    assert plan is not None
    return plan


FIELDS = [
    "%(message)s",
    "%(asctime)s",
    "%(name)s",
    "%(levelname)s",
    "%(levelname)-8s",
    "%(levelname).3s",
    "%(levelno)d",
    "%(levelno)s",
    "%(pathname)s",
    "%(lineno)d",
    "%(lineno)5d",
    "%(lineno)x",
    "%(funcName)s",
    "%(process)d",
    "%(thread)d",
    "%(threadName)s",
    "%(created)f",
    "%(created)s",
    "%(msecs)03d",
    "%(msecs)d",
    "%(relativeCreated)d",
    "%(message)20s",
    "%(message)r",
    "%(asctime)-30s",
    "%(request_id)s",
    "%(taskName)s",
    "%%",
    " ",
    "ä|",
    "\n",
]
TEXTS = st.text(max_size=20)
ARGUMENTS = st.one_of(
    TEXTS,
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.none(),
    st.booleans(),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=2),
)
MESSAGES = st.one_of(
    TEXTS,
    st.sampled_from(["%s", "%s and %d", "%d%%", "%5.1f", "%r", "%(key)s", "%", "%s\n"]),
    st.integers(),
)
RECORDS = st.fixed_dictionaries(
    {
        "msg": MESSAGES,
        "args": st.one_of(
            st.tuples(),
            st.tuples(ARGUMENTS),
            st.tuples(ARGUMENTS, ARGUMENTS),
            st.dictionaries(st.just("key"), ARGUMENTS, min_size=1),
            st.none(),
        ),
    },
    optional={
        "name": TEXTS,
        "levelname": st.one_of(TEXTS, st.none()),
        "levelno": st.one_of(st.integers(), st.booleans()),
        "lineno": st.one_of(st.integers(), TEXTS),
        "request_id": ARGUMENTS,
        "created": st.one_of(
            st.floats(0, 4e9), st.floats(), st.integers(0, 2**31), TEXTS
        ),
        "msecs": st.one_of(st.floats(0, 999.99), st.floats(), st.integers()),
        "exc_text": st.one_of(st.none(), st.just("ValueError: x")),
        "exc_info": st.sampled_from([None, False, (ValueError, ValueError("x"), None)]),
        "stack_info": st.one_of(st.none(), st.just("Stack:\n  here")),
    },
)
FORMATS = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=8).map("".join)
DATE_FORMATS = st.sampled_from([None, "%H:%M:%S", "%d.%m. %z", "%Y-%m-%dT%H:%M:%S"])


def outcome(make: Callable[[], Any]) -> object:
    """Return what *make* returns, or the text of what it raises."""
    try:
        return make()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@settings(deadline=None, max_examples=1500)
@given(FORMATS, DATE_FORMATS, RECORDS)
def test_a_line_is_the_formatters_or_left_to_it(
    fmt: str, datefmt: str | None, changes: dict[str, Any]
) -> None:
    formatter = logging.Formatter(fmt, datefmt, validate=False)
    ours, theirs = record_of(**changes), record_of(**changes)
    plan = plan_for(formatter)
    expected = outcome(lambda: formatter.format(theirs).encode())

    assert plan is not None
    line = outcome(lambda: plan.format(ours))

    if isinstance(line, bytes):
        assert line == expected
        assert ours.__dict__ == theirs.__dict__
    elif line is not None:
        assert isinstance(expected, str)  # it raised


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_a_usual_record_is_left_to_the_formatter(field: str) -> None:
    record = record_of(request_id="r-1", taskName=None)

    line = plan_of(field, validate=False).format(copy.copy(record))

    assert line == logging.Formatter(field, validate=False).format(record).encode()


@pytest.mark.parametrize(
    "attributes",
    [
        {"default_msec_format": None},
        {"default_msec_format": "%s.%03d"},
        {"default_time_format": "%H:%M"},
        {"converter": time.gmtime},
        {"datefmt": "%Y"},
        {"colour": True},
    ],
)
def test_attributes_of_the_formatter_count(attributes: dict[str, Any]) -> None:
    formatter = logging.Formatter(USUAL)
    for name, value in attributes.items():
        setattr(formatter, name, value)
    plan = plan_for(formatter)

    assert plan is not None
    assert plan.format(record_of()) == formatter.format(record_of()).encode()


class Overriding(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return "now"


class OtherStyle(logging.PercentStyle):
    def _format(self, record: logging.LogRecord) -> str:
        return "other"


def with_attribute(name: str, value: object) -> logging.Formatter:
    formatter = logging.Formatter(USUAL)
    setattr(formatter, name, value)
    return formatter


@pytest.mark.parametrize(
    "formatter",
    [
        Overriding(USUAL),
        logging.Formatter("{message}", style="{"),
        logging.Formatter("$message", style="$"),
        logging.Formatter(USUAL, defaults={"name": "x"}),
        logging.Formatter("%(message)*d", validate=False),
        logging.Formatter("%s %(message)s", validate=False),
        with_attribute("_style", OtherStyle(USUAL)),
        with_attribute("format", lambda record: "mine"),
        with_attribute("converter", lambda seconds: time.gmtime(0)),
        with_attribute("default_msec_format", "%s %d"),
    ],
)
def test_there_is_no_plan_for(formatter: logging.Formatter) -> None:
    assert plan_for(formatter) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("datefmt", "%Y"),
        ("converter", time.gmtime),
        ("default_msec_format", None),
        ("formatTime", lambda record, datefmt: "now"),
    ],
)
def test_a_plan_is_not_used_once_the_formatter_was_changed(
    name: str, value: object
) -> None:
    formatter = logging.Formatter(USUAL)
    plan = plan_for(formatter)
    assert plan is not None
    assert plan.format(record_of()) is not None

    setattr(formatter, name, value)

    assert plan.format(record_of()) is None


def test_a_plan_is_not_used_once_the_style_was_changed() -> None:
    formatter = logging.Formatter(USUAL)
    plan = plan_for(formatter)
    assert plan is not None

    formatter._style._fmt = "%(message)s"

    assert plan.format(record_of()) is None


class Own(logging.Formatter):
    """A class of a test's own, to be changed by it."""


def test_a_plan_is_not_used_once_the_class_was_changed() -> None:
    plan = plan_for(Own(USUAL))
    assert plan is not None

    Own.converter = time.gmtime

    assert plan.format(record_of()) is None


class Subclassed(logging.LogRecord):
    """Records of a class of their own."""


@pytest.mark.parametrize(
    "changes",
    [
        {"exc_info": (ValueError, ValueError("x"), None)},
        {"exc_text": "ValueError: x"},
        {"stack_info": "Stack"},
        {"__class__": Subclassed},
    ],
)
def test_a_record_with_more_to_it_is_left_to_the_formatter(
    changes: dict[str, Any],
) -> None:
    record = record_of()
    for name, value in changes.items():
        setattr(record, name, value)

    assert plan_of(USUAL).format(record) is None


@pytest.fixture
def berlin() -> Iterator[None]:
    """Set the time zone for one test."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_another_time_zone_shows_in_the_same_second(berlin: None) -> None:
    plan = plan_of("%(asctime)s", "%H:%M")
    there = plan.format(record_of())

    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()

    assert there == b"23:13"
    assert plan.format(record_of()) == b"07:13"


def test_text_that_utf8_has_no_bytes_for_is_an_error() -> None:
    plan = plan_of("%(message)s")

    with pytest.raises(UnicodeEncodeError):
        plan.format(record_of(msg="\udc80", args=()))
    with pytest.raises(UnicodeEncodeError):
        plan.format(record_of(msg="%s", args=("\udc80",)))


def test_a_long_line_is_whole() -> None:
    message = "äx" * 5000

    line = plan_of(USUAL).format(record_of(msg=message, args=()))

    assert line is not None
    assert line.endswith(message.encode())


def test_more_messages_than_are_remembered_are_put_right() -> None:
    plan = plan_of("%(message)s")

    lines = [plan.format(record_of(msg=f"{i} %s", args=("x",))) for i in range(5000)]

    assert lines == [b"%d x" % i for i in range(5000)]


class Logging:
    """An argument whose text makes another line."""

    def __init__(self, plan: LinePlan) -> None:
        self.plan = plan
        self.inner: bytes | None = None

    def __str__(self) -> str:
        self.inner = self.plan.format(record_of(msg="inner", args=()))
        return "outer"


def test_a_line_can_be_made_while_another_one_is() -> None:
    plan = plan_of("%(name)s %(message)s")
    argument = Logging(plan)

    line = plan.format(record_of(msg="-%s-", args=(argument,)))

    assert line == b"app.x -outer-"
    assert argument.inner == b"app.x inner"


def test_a_plan_says_what_of_a_call_it_needs() -> None:
    assert plan_of("%(filename)s:%(lineno)d").wants_caller
    assert not plan_of("%(asctime)s %(message)s %(threadName)s").wants_caller
    assert plan_of("%(asctime)s %(message)s %(threadName)s").knows_calls
    assert not plan_of("%(request_id)s").knows_calls

import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from auditring import LogWriter
from auditring.handlers import BytesLoggerFactory
from auditring.handlers.byteslogger import BytesLogger

METHODS = [
    *("msg", "log", "debug", "info", "warn", "warning", "error", "err"),
    *("fatal", "critical", "exception", "failure"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def factory(log: Path) -> Iterator[BytesLoggerFactory]:
    factory = BytesLoggerFactory(log, max_bytes=10**6)
    yield factory
    factory.close()


@pytest.fixture
def structlog_defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def render(logger: object, name: str, event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.usefixtures("structlog_defaults")
def test_structlog_logs_through_it(log: Path, factory: BytesLoggerFactory) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[structlog.processors.add_log_level, render],
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("name")

    logger.debug("quiet")
    logger.info("hello", user="me")
    logger.bind(user="you").warning("beware")
    factory.close()

    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        {"event": "hello", "level": "info", "user": "me"},
        {"event": "beware", "level": "warning", "user": "you"},
    ]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_structlogs_own_writes_a_line(
    log: Path, factory: BytesLoggerFactory, method: str
) -> None:
    result = getattr(factory(), method)(b"line")
    factory.close()

    assert result is None
    assert log.read_bytes() == b"line\n"


def test_it_has_the_methods_of_structlogs_own() -> None:
    own = {name for name in dir(structlog.BytesLogger) if not name.startswith("_")}

    assert own - {"name"} <= set(dir(BytesLogger))


def test_an_empty_line_is_a_line(log: Path, factory: BytesLoggerFactory) -> None:
    factory().info(b"")
    factory.close()

    assert log.read_bytes() == b"\n"


def test_text_is_refused(factory: BytesLoggerFactory) -> None:
    with pytest.raises(TypeError):
        factory().info("text")  # type: ignore[arg-type]


def test_a_log_that_is_open_may_be_given(log: Path) -> None:
    with LogWriter(log) as writer:
        BytesLoggerFactory(writer)("ignored").info(b"line")

        with pytest.raises(TypeError, match="max_bytes: the log is open"):
            BytesLoggerFactory(writer, max_bytes=1)

    assert log.read_bytes() == b"line\n"


def test_a_pickled_logger_opens_the_log_for_itself(
    log: Path, factory: BytesLoggerFactory
) -> None:
    one, two = pickle.loads(pickle.dumps((factory(), factory())))
    factory().info(b"parent")
    one.info(b"child")
    two.info(b"child")
    one._factory.close()
    factory.close()

    assert one._factory is two._factory is not factory
    assert sorted(log.read_bytes().splitlines()) == [b"child", b"child", b"parent"]
    again = pickle.loads(pickle.dumps(one))
    again.info(b"again")
    again._factory.close()
    assert log.read_bytes().endswith(b"again\n")

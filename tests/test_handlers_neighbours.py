"""The drop-in handlers with the libraries that programs use them with."""

import http.client
import json
import logging
import logging.handlers
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import structlog
from bystander import wait_until
from pythonjsonlogger.json import JsonFormatter

from auditring import LogWriter
from auditring.fastlogger import FastLogger
from auditring.handlers import RotatingFileHandler


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def handler(log: Path) -> Iterator[RotatingFileHandler]:
    handler = RotatingFileHandler(log, encoding="utf-8")
    yield handler
    handler.close()


def log_some(logger: logging.Logger) -> None:
    """Log what a formatter may stumble on."""
    logger.info("plain %s", "text")
    logger.info("extra", extra={"user": "ä", "count": 3, "tags": ["a", "b"]})
    logger.info({"message": "a mapping", "key": 1})
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("an error", stack_info=True)


@pytest.mark.parametrize("kind", [logging.Logger, FastLogger])
def test_json_lines_are_those_of_the_standard_librarys_handler(
    log: Path, handler: RotatingFileHandler, kind: type[logging.Logger]
) -> None:
    formatter = JsonFormatter("%(levelname)s %(name)s %(message)s %(lineno)d")
    theirs = logging.handlers.RotatingFileHandler(
        log.with_name("theirs.log"), encoding="utf-8"
    )
    logger = kind("app")
    for each in (handler, theirs):
        each.setFormatter(formatter)
        logger.addHandler(each)

    log_some(logger)
    handler.flush()
    theirs.close()

    assert log.read_bytes() == log.with_name("theirs.log").read_bytes()
    lines = log.read_text().splitlines()
    assert [json.loads(line)["levelname"] for line in lines] == [*["INFO"] * 3, "ERROR"]


# structlog.


@pytest.fixture
def structlog_defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("structlog_defaults")
def test_structlog_logs_through_a_handler(
    log: Path, handler: RotatingFileHandler
) -> None:
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ]
        )
    )
    logger = FastLogger("app")
    logger.addHandler(handler)

    structlog.wrap_logger(logger).info("hello", user="ä")
    logger.info("plain %s", "text")
    handler.flush()

    assert log.read_text().splitlines() == [
        '{"event": "hello", "user": "\\u00e4"}',
        '{"event": "plain text"}',
    ]


class RingLogger:
    """What structlog needs of a logger that takes bytes."""

    def __init__(self, writer: LogWriter) -> None:
        self.info = self.warning = self.error = writer.write


@pytest.mark.parametrize("way", ["BytesLogger", "own"])
@pytest.mark.usefixtures("structlog_defaults")
def test_structlog_writes_bytes_to_a_log(log: Path, way: str) -> None:
    with LogWriter(log) as writer:
        own = RingLogger(writer)
        factory: Any = structlog.BytesLoggerFactory(writer)  # type: ignore[arg-type]
        if way == "own":
            factory = lambda *_: own  # noqa: E731 - what else is a factory
        structlog.configure(
            processors=[
                structlog.processors.JSONRenderer(
                    lambda event, **_: json.dumps(event).encode()
                )
            ],
            logger_factory=factory,
        )

        structlog.get_logger().info("hello", user="me")

    assert log.read_bytes() == b'{"user": "me", "event": "hello"}\n'


# pytest.


@pytest.mark.parametrize("kind", [logging.Logger, FastLogger])
def test_caplog_sees_what_the_handler_logs(
    log: Path,
    handler: RotatingFileHandler,
    caplog: pytest.LogCaptureFixture,
    kind: type[logging.Logger],
) -> None:
    logger = kind("app")
    logger.parent = logging.getLogger()
    logger.addHandler(handler)

    with caplog.at_level(logging.INFO):
        logger.info("hello %s", "you")
    handler.flush()

    assert caplog.messages == ["hello you"]
    assert caplog.records[0].funcName == "test_caplog_sees_what_the_handler_logs"
    assert log.read_text() == "hello you\n"


# Django.


DJANGO = """\
import sys
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("fail", lambda request: 1 / 0)]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "verbose": {
                "format": "{levelname} {name} {message}",
                "style": "{",
            },
        },
        "filters": {"quiet": {"()": "django.utils.log.RequireDebugFalse"}},
        "handlers": {
            "file": {
                "class": "auditring.handlers.RotatingFileHandler",
                "filename": sys.argv[1],
                "maxBytes": 1_000_000,
                "backupCount": 3,
                "compress": "gzip",
                "filters": ["quiet"],
                "formatter": "verbose",
            },
        },
        "loggers": {"django": {"handlers": ["file"], "level": "INFO"}},
    },
)
django.setup()

from django.test import Client
client = Client(raise_request_exception=False)
assert client.get("/missing").status_code == 404
assert client.get("/fail").status_code == 500
"""


def test_djangos_logging_is_configured_with_it(log: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, log], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    assert lines[0] == "WARNING django.request Not Found: /missing"
    assert lines[1] == "ERROR django.request Internal Server Error: /fail"
    assert lines[-1] == "ZeroDivisionError: division by zero"


# gunicorn.


APPLICATION = """\
import logging, os, sys

def application(environ, start_response):
    number = environ["PATH_INFO"][1:]
    logging.getLogger("app").info("%s", number)
    start_response("200 OK", [("Content-Length", "0"), ("X-Pid", str(os.getpid()))])
    return []
"""
SETTINGS = """\
import sys
# Of what a worker imports only once it is another user: that one may not be able to
# read the interpreter's files.
import hashlib
sys.path.insert(0, {directory!r})
bind = "unix:{directory}/socket"
workers = 3
worker_class = {worker_class!r}
threads = {threads!r}
control_socket_disable = True
preload_app = {preloads!r}
user = {user!r}
graceful_timeout = 5
logconfig_dict = dict(
    version=1,
    disable_existing_loggers=False,
    formatters=dict(plain=dict(format="%(name)s %(message)s")),
    handlers=dict(
        file={{
            "class": "auditring.handlers.RotatingFileHandler",
            "filename": {directory!r} + "/app.log",
            "maxBytes": 2000,
            "backupCount": 100000,
            "formatter": "plain",
        }},
    ),
    root=dict(handlers=["file"], level="INFO"),
    loggers={{
        "gunicorn.error": dict(handlers=["file"], level="INFO", propagate=False),
        "gunicorn.access": dict(handlers=["file"], level="INFO", propagate=False),
    }},
)
accesslog = "-"
access_log_format = "%(r)s"
"""
STORM_S = 3.0


class Server:
    """A gunicorn that serves APPLICATION on a Unix socket in *directory*."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        (directory / "application.py").write_text(APPLICATION)
        config = directory / "config.py"
        config.write_text(SETTINGS.format(directory=str(directory), **settings))
        self.errors = (directory / "errors").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", config, "application:application"],
            stdout=self.errors,
            stderr=subprocess.STDOUT,
            cwd=directory,
        )

    def get(self, path: str) -> int:
        """Request *path*; return the process that answered.

        Raises:
            OSError, http.client.HTTPException: There was no answer.
        """
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(str(self.directory / "socket"))
            connection.request("GET", path)
            return int(connection.getresponse().headers["X-Pid"])
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get("/first") > 0
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> str:
        """End it as systemd does; return what it printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.errors.close()
        return (self.directory / "errors").read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def request_until(server: Server, end: float, first: int, answered: list[int]) -> None:
    """Count requests up from *first*; note those that were answered."""
    number = first
    while time.monotonic() < end:
        try:
            server.get(f"/{number}")
        except (OSError, http.client.HTTPException):
            pass
        else:
            answered.append(number)
        number += 1


def kill_until(server: Server, end: float) -> int:
    """Kill one worker after the other; return how many."""
    killed = 0
    while time.monotonic() < end - 0.5:
        try:
            os.kill(server.get("/who"), signal.SIGKILL)
            killed += 1
        except (OSError, http.client.HTTPException):
            continue
        wait_until(server.answers)
    return killed


def some_user() -> str | None:
    """Return a user that a server of root may become."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


@pytest.mark.parametrize(
    ("worker_class", "preloads", "changes_user"),
    [("sync", False, False), ("gthread", True, False), ("sync", True, True)],
)
def test_gunicorn_workers_that_are_killed_lose_nothing(
    tmp_path: Path, worker_class: str, preloads: bool, changes_user: bool
) -> None:
    user = some_user() if changes_user else None
    if user is not None:
        tmp_path.chmod(0o777)
        for parent in tmp_path.parents[:2]:
            parent.chmod(0o711)
    answered: list[list[int]] = [[], []]
    with Server(
        tmp_path,
        worker_class=worker_class,
        threads=1 if worker_class == "sync" else 2,
        preloads=preloads,
        user=user,
    ) as server:
        wait_until(server.answers)
        end = time.monotonic() + STORM_S
        threads = [
            threading.Thread(
                target=request_until, args=(server, end, 10**6 * (n + 1), numbers)
            )
            for n, numbers in enumerate(answered)
        ]
        for thread in threads:
            thread.start()
        killed = kill_until(server, end)
        for thread in threads:
            thread.join()
        errors = server.stop()

    lines = [
        line
        for path in tmp_path.glob("app.log*")
        for line in path.read_text().splitlines()
    ]
    for number in (number for numbers in answered for number in numbers):
        assert lines.count(f"app {number}") == 1, errors
    assert killed > 1
    assert sum(map(len, answered)) > 20
    assert "Traceback" not in errors

"""The drop-in handlers with the libraries that programs use them with."""

import http.client
import inspect
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
from concurrent_log_handler import ConcurrentRotatingFileHandler
from eventlog import Json
from pythonjsonlogger.json import JsonFormatter

from auditring import LogWriter
from auditring.handlers import AuditHandler, RotatingFileHandler
from auditring.handlers.install import FastLogger


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def handler(log: Path) -> Iterator[RotatingFileHandler]:
    handler = RotatingFileHandler(log, encoding="utf-8")
    yield handler
    handler.close()


def audit_events(log: Path) -> list[Json]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


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


def test_json_lines_may_be_the_messages_of_audit_events(log: Path) -> None:
    handler = AuditHandler(log)
    handler.setFormatter(JsonFormatter("%(levelname)s %(message)s"))
    logger = logging.Logger("app")
    logger.addHandler(handler)

    log_some(logger)
    handler.close()

    messages = [
        json.loads(event["annotations"]["log.auditring.io/message"])
        for event in audit_events(log)
    ]
    assert [message["levelname"] for message in messages] == [*["INFO"] * 3, "ERROR"]
    assert messages[1]["user"] == "ä"


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


@pytest.mark.usefixtures("structlog_defaults")
def test_structlogs_own_factory_writes_to_a_log(log: Path) -> None:
    with LogWriter(log) as writer:
        structlog.configure(
            processors=[
                structlog.processors.JSONRenderer(
                    lambda event, **_: json.dumps(event).encode()
                )
            ],
            logger_factory=structlog.BytesLoggerFactory(writer),  # type: ignore[arg-type]
        )

        structlog.get_logger().info("hello", user="me")

    assert log.read_bytes() == b'{"user": "me", "event": "hello"}\n'


@pytest.mark.parametrize("way", ["message", "extra"])
@pytest.mark.usefixtures("structlog_defaults")
def test_structlog_makes_audit_events(log: Path, way: str) -> None:
    processors: dict[str, Any] = {
        "message": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        "extra": structlog.stdlib.render_to_log_kwargs,
    }
    structlog.configure(
        processors=[processors[way]], wrapper_class=structlog.stdlib.BoundLogger
    )
    handler = AuditHandler(log)
    logger = logging.Logger("app")
    logger.addHandler(handler)

    structlog.wrap_logger(logger).info("sold", user="alice", order=17)
    handler.close()

    (event,) = audit_events(log)
    assert event["user"] == {"username": "alice"}
    assert event["annotations"] == {
        "log.auditring.io/logger": "app",
        "log.auditring.io/level": "INFO",
        "log.auditring.io/message": "sold",
        "order": "17",
    }


# OpenTelemetry.


TRACING = """\
import logging, sys
from opentelemetry import trace
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from auditring.handlers import AuditHandler

trace.set_tracer_provider(TracerProvider())
LoggingInstrumentor().instrument(inject_trace_context=True)
handler = AuditHandler(sys.argv[1])
logging.getLogger("app").addHandler(handler)
with trace.get_tracer("app").start_as_current_span("sale") as span:
    logging.getLogger("app").warning("inside")
    context = span.get_span_context()
    print(f"{context.trace_id:032x} {context.span_id:016x}")
logging.getLogger("app").warning("outside")
handler.close()
"""


def test_opentelemetrys_ids_are_in_the_event(log: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACING, log], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    inside, outside = (event["annotations"] for event in audit_events(log))
    ids = inside["log.auditring.io/trace-id"], inside["log.auditring.io/span-id"]
    assert list(ids) == done.stdout.split()
    assert "log.auditring.io/trace-id" not in outside


# concurrent-log-handler.


def test_every_keyword_of_concurrent_log_handler_is_taken(log: Path) -> None:
    parameters = inspect.signature(ConcurrentRotatingFileHandler).parameters
    names = set(parameters) - {"filename"}
    values: dict[str, Any] = {name: parameters[name].default for name in names}

    # As its users have it: with and without compression, in the same words.
    for use_gzip in (False, True):
        options = {**values, "use_gzip": use_gzip}
        handler = RotatingFileHandler(log, **options)
        logging.Logger("app").addHandler(handler)
        handler.handle(logging.makeLogRecord({"msg": "hello"}))
        handler.close()

    assert log.read_text() == "hello\nhello\n"


def test_backups_are_called_as_concurrent_log_handler_calls_them(
    tmp_path: Path,
) -> None:
    names: list[set[str]] = []
    for kind in (ConcurrentRotatingFileHandler, RotatingFileHandler):
        folder = tmp_path / kind.__module__
        folder.mkdir()
        handler = kind(folder / "app.log", "a", 100, 3, use_gzip=True)
        for number in range(50):
            handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))
        handler.flush()
        # Ours are compressed in the background.
        wait_until(lambda folder=folder: (folder / "app.log.3.gz").exists())
        wait_until(lambda folder=folder: not (folder / "app.log.1").exists())
        handler.close()
        names.append({path.name for path in folder.glob("app.log*")})

    assert names[0] == names[1]


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
            "audit": {
                "class": "auditring.handlers.AuditHandler",
                "path": sys.argv[1] + ".audit",
                "policy": 2,
            },
        },
        "loggers": {"django": {"handlers": ["file", "audit"], "level": "INFO"}},
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
    missing, failed = audit_events(log.with_name("app.log.audit"))
    assert missing["responseStatus"]["code"] == 404
    assert missing["objectRef"]["subresource"] == "warning"
    assert missing["annotations"]["request"] == "<WSGIRequest: GET '/missing'>"
    assert failed["responseStatus"]["reason"] == "ZeroDivisionError"
    assert failed["responseStatus"]["code"] == 500


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


LOG_CONFIG = """\
[loggers]
keys=root, gunicorn.error, gunicorn.access
[handlers]
keys=file, audit
[formatters]
keys=plain
[logger_root]
level=INFO
handlers=file
[logger_gunicorn.error]
level=INFO
handlers=file
propagate=0
qualname=gunicorn.error
[logger_gunicorn.access]
level=INFO
handlers=file, audit
propagate=0
qualname=gunicorn.access
[handler_file]
class=auditring.handlers.RotatingFileHandler
formatter=plain
args=("app.log", "a", 1000000, 3)
kwargs={"compress": "gzip"}
[handler_audit]
class=auditring.handlers.AuditHandler
args=("audit.log",)
kwargs={"policy": 1}
[formatter_plain]
format=%(name)s %(message)s
"""


def test_gunicorn_is_configured_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    (tmp_path / "logging.ini").write_text(LOG_CONFIG)
    command = [
        *(sys.executable, "-m", "gunicorn", "--log-config", "logging.ini"),
        *("--bind", "unix:socket", "--access-logfile", "-"),
        *("--access-logformat", "%(r)s %(s)s", "--no-control-socket"),
        "application:application",
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        wait_until(lambda: answers_on(tmp_path / "socket", "/17"))
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)

    lines = (tmp_path / "app.log").read_text().splitlines()
    assert "app 17" in lines
    assert "gunicorn.access GET /17 HTTP/1.1 200" in lines
    assert any(line.startswith("gunicorn.error Booting worker") for line in lines)
    (event,) = audit_events(tmp_path / "audit.log")
    assert event["objectRef"]["name"] == "gunicorn.access"
    message = event["annotations"]["log.auditring.io/message"]
    assert message == "GET /17 HTTP/1.1 200"
    assert output == b""


def answers_on(path: Path, target: str) -> bool:
    """Request *target* on a Unix socket; tell whether there was an answer."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(10)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", target)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

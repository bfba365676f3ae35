"""Events through the standard library's own handlers to what receives them."""

import json
import logging
import logging.handlers
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from memory import outgoing

from auditring.backends.handler import AuditRecord, HandlerBackend
from auditring.encode import json_line
from auditring.event import Event
from auditring.event.microtime import MicroTime

LIMIT_S = 10

# What a receiver of pickles does, in a process that has no package of anybody's.
UNPICKLE = """\
import json, logging, pickle, sys
members = pickle.loads(sys.stdin.buffer.read())
record = logging.makeLogRecord(members)
try:
    import auditring
except ModuleNotFoundError:
    print(json.dumps([record.name, record.levelname, record.getMessage()]))
"""


def sent_to(handler: logging.Handler) -> bytes:
    """Send an event to *handler*, and close it; return its line without the newline."""
    sent = outgoing(1, user_agent="<ä>", verb="get")
    backend = HandlerBackend(handler)

    assert backend.process([sent])
    backend.close()
    handler.close()

    assert [losses.events for losses in backend.losses()] == [0]
    return sent.line.rstrip(b"\n")


# Syslog.


def test_syslog_by_udp_gets_the_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(LIMIT_S)
        line = sent_to(logging.handlers.SysLogHandler(server.getsockname()))
        received = server.recv(65536)

    assert received == b"<14>" + line + b"\0"


def test_syslog_by_tcp_gets_the_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_S)
        line = sent_to(
            logging.handlers.SysLogHandler(
                server.getsockname(),
                facility=logging.handlers.SysLogHandler.LOG_AUTHPRIV,
                socktype=socket.SOCK_STREAM,
            )
        )
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            received = stream.read()

    assert received == b"<86>" + line + b"\0"


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=repr)
def test_syslog_on_this_machine_gets_the_line(
    tmp_path: Path, kind: socket.SocketKind
) -> None:
    path = tmp_path / "dev-log"
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(str(path))
        server.settimeout(LIMIT_S)
        if kind == socket.SOCK_STREAM:
            server.listen()
        line = sent_to(logging.handlers.SysLogHandler(str(path), socktype=kind))
        if kind == socket.SOCK_STREAM:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                received = stream.read()
        else:
            received = server.recv(65536)

    assert received == b"<14>" + line + b"\0"


# Pickles.


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_S)
        yield server


def pickle_from(server: socket.socket) -> bytes:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as stream:
        (size,) = struct.unpack(">L", stream.read(4))
        return stream.read(size)


def test_a_pickle_by_tcp_loads_where_this_package_is_not(server: socket.socket) -> None:
    line = sent_to(logging.handlers.SocketHandler(*server.getsockname()))

    # -I and -S: neither this directory nor anything that is installed.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", UNPICKLE],
        input=pickle_from(server),
        capture_output=True,
        timeout=60,
    )

    assert done.stderr == b""
    assert json.loads(done.stdout) == ["auditring.audit", "INFO", line.decode()]


def test_a_pickle_by_udp_is_the_same() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(LIMIT_S)
        line = sent_to(logging.handlers.DatagramHandler(*server.getsockname()))
        received = server.recv(65536)

    members = pickle.loads(received[4:])
    assert members["msg"] == line.decode()


# Records.


def test_a_record_has_the_time_of_its_event() -> None:
    moment = MicroTime(1_700_000_000_250_000)
    event = Event(stage_timestamp=moment)

    record = AuditRecord(event, json_line(event))

    assert record.created == 1_700_000_000.25
    assert record.msecs == 250


def test_a_record_can_be_formatted_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message).7s"))

    sent_to(handler)

    assert path.read_text() == 'INFO auditring.audit {"kind"\n'


def test_a_syslog_that_is_not_there_has_lost_the_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dev-log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        handler = logging.handlers.SysLogHandler(str(path))
    path.unlink()
    backend = HandlerBackend(handler, mode="blocking-strict")

    is_taken = backend.process([outgoing(1)])
    handler.close()

    assert not is_taken
    assert [losses.events for losses in backend.losses()] == [1]
    assert "--- Logging error ---" in capsys.readouterr().err

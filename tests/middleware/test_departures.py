"""Whether the client left is what the server says, never what an exception is called.

Also there: upstreams that drop connections, tasks of the application that it cancels
itself, servers whose `send` isn't written in Python, an answer's end that comes first.
"""

import asyncio
import contextlib
import functools
import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.types import StartResponse

import pytest
from eventlog import EventLog, Json, policy_of
from loopback import LIMIT_S, asgi_server

from auditring.audit.auditor import Auditor
from auditring.middleware import asgi, wsgi
from auditring.middleware.asgi import App, Message, Receive, Scope, Send

LEFT = {
    "metadata": {},
    "status": "Failure",
    "message": "Connection closed early",
    "code": 499,
}
UNANSWERED = {
    "metadata": {},
    "status": "Failure",
    "message": "The handler returned without an answer",
    "reason": "InternalError",
    "code": 500,
}
INCOMPLETE = "auditring.io/response-incomplete"
LEVELS = ("Metadata", "RequestResponse")


class ClientDisconnected(Exception):
    """Of the application: a client of its own is gone."""


class ClientDisconnect(Exception):
    """Another one, called as Starlette's."""


UPSTREAM_ERRORS = (
    http.client.RemoteDisconnected("upstream"),
    ConnectionResetError("the database went away"),
    BrokenPipeError("a child ended"),
    ClientDisconnected("sensor 7"),
    ClientDisconnect("sensor 8"),
    asyncio.CancelledError("a task of mine"),
    TimeoutError("upstream"),
)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


def scope_of(kind: str = "http") -> Scope:
    return {
        "type": kind,
        "method": "POST",
        "path": "/orders",
        "raw_path": b"/orders",
        "query_string": b"",
        "headers": [],
        "client": ("10.0.0.1", 4000),
    }


class Server:
    """Plays an ASGI server: gives messages, takes some, and may fail to."""

    def __init__(self, *messages: Message, takes: int = 100) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)
        self._takes = takes

    async def receive(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Message) -> None:
        if len(self.sent) == self._takes:
            raise OSError("the connection is closed")
        self.sent.append(message)


def last_event(log: EventLog) -> Json:
    return log.events()[-1]


def serve(
    app: App,
    log: EventLog,
    level: str,
    server: Server,
    *,
    kind: str = "http",
    send: Send | None = None,
) -> Json:
    """Serve one request; return its last event."""
    audited = asgi.AuditMiddleware(app, Auditor(policy_of(level), log.writer))
    # A server answers for whatever comes out.
    with contextlib.suppress(Exception, asyncio.CancelledError):
        asyncio.run(audited(scope_of(kind), server.receive, send or server.send))  # type: ignore[arg-type]
    return last_event(log)


async def start(send: Send, code: int = 200) -> None:
    await send({"type": "http.response.start", "status": code, "headers": []})


async def more(send: Send, *, is_last: bool = False) -> None:
    message = {"type": "http.response.body", "body": b"x", "more_body": not is_last}
    await send(message)


@pytest.mark.parametrize(
    "error", UPSTREAM_ERRORS, ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("begins", [False, True], ids=["no answer", "begun"])
def test_an_error_of_the_application_is_a_panic_whatever_its_name(
    log: EventLog, level: str, error: BaseException, begins: bool
) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        if begins:
            await start(send)
        raise error

    event = serve(fail, log, level, Server())

    assert event["stage"] == "Panic"
    assert event["responseStatus"]["code"] == 500


@pytest.mark.parametrize(
    "error", UPSTREAM_ERRORS, ids=lambda error: type(error).__name__
)
def test_so_it_is_under_wsgi(log: EventLog, level: str, error: BaseException) -> None:
    def fail(environ: wsgi.Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise error

    assert serve_wsgi(fail, log, level)["stage"] == "Panic"


def test_a_client_that_leaves_before_an_answer_has_none(
    log: EventLog, level: str
) -> None:
    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    gone = {"type": "http.disconnect"}
    event = serve(wait, log, level, Server({"type": "http.request"}, gone))

    assert event["stage"] == "ResponseComplete"
    assert event["responseStatus"] == LEFT


def test_what_a_handler_raises_once_its_client_left_is_noted(
    log: EventLog, level: str
) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("odd")

    event = serve(fail, log, level, Server({"type": "http.disconnect"}))

    assert event["responseStatus"] == LEFT
    assert event["annotations"] == {
        "auditring.io/handler-error": "ValueError: odd",
        INCOMPLETE: "client-left",
    }


def test_the_end_of_an_answer_is_no_departure(log: EventLog, level: str) -> None:
    async def fail_late(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 500)
        await more(send, is_last=True)
        await receive()
        raise ValueError("odd")

    event = serve(fail_late, log, level, Server({"type": "http.disconnect"}))

    assert event["stage"] == "Panic"


def in_python(send: Send) -> Send:
    return send


def not_in_python(send: Send) -> Send:
    return functools.partial(send)


@pytest.mark.parametrize("made", [in_python, not_in_python])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_send_that_fails_says_that_the_client_left(
    log: EventLog, level: str, made: Callable[[Send], Send], is_wrapped: bool
) -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 201)
        try:
            while True:
                await more(send)
        except OSError as error:
            if not is_wrapped:
                raise
            raise ClientDisconnect from error

    server = Server(takes=3)
    event = serve(stream, log, level, server, send=made(server.send))

    assert event["stage"] == "ResponseComplete"
    assert event["responseStatus"]["code"] == 201
    assert event["annotations"][INCOMPLETE] == "client-left"


def test_a_message_that_a_server_refuses_is_a_fault(log: EventLog, level: str) -> None:
    async def send(message: Message) -> None:
        raise RuntimeError("response content longer than its length")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)

    assert serve(answer, log, level, Server(), send=send)["stage"] == "Panic"


def test_a_task_that_is_told_to_end_is_no_panic(log: EventLog, level: str) -> None:
    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    audited = asgi.AuditMiddleware(wait, Auditor(policy_of(level), log.writer))

    async def cancel() -> None:
        server = Server()
        task = asyncio.create_task(
            audited(scope_of(), server.receive, server.send)  # type: ignore[arg-type]
        )
        while not log.events():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())

    event = last_event(log)
    assert event["stage"] == "ResponseComplete"
    assert event["responseStatus"] == LEFT
    assert event["annotations"] == {INCOMPLETE: "cancelled"}


def test_a_handler_that_returns_without_an_answer_has_failed(
    log: EventLog, level: str
) -> None:
    async def forget(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    assert serve(forget, log, level, Server())["responseStatus"] == UNANSWERED


def test_a_handler_that_returns_in_the_middle_is_told(
    log: EventLog, level: str
) -> None:
    async def stop(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await more(send)

    event = serve(stop, log, level, Server())

    assert event["responseStatus"]["code"] == 200
    assert event["annotations"][INCOMPLETE] == "handler-returned"


# Web sockets.


def test_a_web_socket_that_the_client_leaves_is_complete(log: EventLog) -> None:
    async def chat(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        raise ClientDisconnected

    gone = {"type": "websocket.disconnect"}
    event = serve(chat, log, "Metadata", Server(gone), kind="websocket")

    assert event["stage"] == "ResponseComplete"
    assert event["responseStatus"]["code"] == 101


def test_a_web_socket_whose_upstream_leaves_is_a_panic(log: EventLog) -> None:
    async def chat(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise ConnectionResetError

    event = serve(chat, log, "Metadata", Server(), kind="websocket")

    assert event["stage"] == "Panic"


@pytest.mark.parametrize(("leaves", "code"), [(False, 500), (True, 499)])
def test_a_web_socket_without_an_answer_has_none(
    log: EventLog, leaves: bool, code: int
) -> None:
    async def ignore(scope: Scope, receive: Receive, send: Send) -> None:
        if leaves:
            await receive()

    gone = {"type": "websocket.disconnect"}
    event = serve(ignore, log, "Metadata", Server(gone), kind="websocket")

    assert event["responseStatus"]["code"] == code


# WSGI.


def serve_wsgi(
    app: Any,  # noqa: ANN401
    log: EventLog,
    level: str = "Metadata",
    method: str = "GET",
    output: io.BytesIO | None = None,
) -> Json:
    """Serve one request by the standard library's handler; return its last event."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/x",
        "SERVER_NAME": "a",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    audited = wsgi.AuditMiddleware(app, Auditor(policy_of(level), log.writer))
    streams = io.BytesIO(), output or io.BytesIO(), io.StringIO()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        SimpleHandler(*streams, environ).run(audited)
    return last_event(log)


class ClosedPipe(io.BytesIO):
    """What a server writes to, once the client has left."""

    def write(self, data: object) -> int:
        raise BrokenPipeError


def test_what_a_server_cannot_write_is_incomplete(log: EventLog, level: str) -> None:
    def answer(environ: wsgi.Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"x" * 10
        yield b"y" * 10

    event = serve_wsgi(answer, log, level, output=ClosedPipe())

    assert event["stage"] == "ResponseComplete"
    assert event["annotations"][INCOMPLETE] == "closed-early"


def test_so_is_what_it_cannot_write_the_old_way(log: EventLog, level: str) -> None:
    def answer(environ: wsgi.Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"x" * 10)
        return []

    event = serve_wsgi(answer, log, level, output=ClosedPipe())

    assert event["stage"] == "ResponseComplete"
    assert event["annotations"][INCOMPLETE] == "client-left"


def test_an_application_that_begins_no_answer_has_failed(
    log: EventLog, level: str
) -> None:
    def forget(environ: wsgi.Environ, start_response: StartResponse) -> list[bytes]:
        return []

    assert serve_wsgi(forget, log, level)["responseStatus"] == UNANSWERED


def test_an_answer_to_head_lacks_nothing(log: EventLog) -> None:
    def answer(environ: wsgi.Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"x" * 10]

    environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/", "SERVER_NAME": "a"}
    audited = wsgi.AuditMiddleware(answer, Auditor(policy_of(), log.writer))
    body = audited(environ, lambda *_: lambda _: None)
    body.close()  # type: ignore[attr-defined]

    event = last_event(log)
    assert event["responseStatus"] == {"metadata": {}, "code": 200}
    assert "annotations" not in event


# A real server.


def test_a_client_of_a_real_server_leaves_in_the_middle(log: EventLog) -> None:
    is_over = threading.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
            raise ClientDisconnect
        finally:
            is_over.set()

    app = asgi.AuditMiddleware(wait, Auditor(policy_of(), log.writer))
    with asgi_server(app) as client:
        connection = socket.create_connection(("127.0.0.1", client.port), LIMIT_S)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
        assert is_over.wait(LIMIT_S)

    assert last_event(log)["responseStatus"] == LEFT

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import websockets.sync.client
from eventlog import EventLog, FullLog, policy_of
from loopback import LIMIT_S, asgi_server

from auditring.audit.auditor import AuditedRequest, Auditor
from auditring.backends.log import LogBackend
from auditring.event import UserInfo
from auditring.exchange.body import BodyRules
from auditring.middleware.asgi import (
    App,
    AuditMiddleware,
    Message,
    Receive,
    Scope,
    Send,
    audited,
)
from auditring.policy import Policy
from auditring.request.attributes import Attributes
from auditring.routes import Routes

ORDER = "/apis/shop.example/v1/namespaces/north/orders/7"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def respond(
    send: Send,
    body: bytes = b"",
    code: int = 200,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    start = {"type": "http.response.start", "status": code, "headers": headers or []}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive)
    await respond(send, body, headers=[(b"content-type", b"application/json")])


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, b"hello")


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("odd")


def read_until(connection: socket.socket, wanted: bytes) -> None:
    received = b""
    while wanted not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk


def wrapped(
    app: App, log: EventLog, policy: Policy | None = None, **options: object
) -> AuditMiddleware:
    auditor = Auditor(policy or policy_of(), log.writer)
    return AuditMiddleware(app, auditor, **options)


def call(app: App, scope: Scope, *received: Message) -> list[Message]:
    """Call *app* without a server; return what it sent."""
    messages = list(received)
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


def scope_of(path: str = ORDER, method: str = "GET", **members: object) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("10.0.0.1", 4000),
        **members,
    }


# Over a server.


def test_a_request_has_an_event_a_stage(log: EventLog) -> None:
    app = wrapped(greet, log, user=lambda scope: "alice")

    with asgi_server(app) as client:
        answer = client.send(
            "GET", ORDER + "?pretty", headers={"User-Agent": "test", "Audit-ID": "id-1"}
        )

    assert (answer.code, answer.body) == (200, b"hello")
    assert answer.headers["audit-id"] == "id-1"
    received, complete = log.events()
    assert received["stage"] == "RequestReceived"
    assert complete["stage"] == "ResponseComplete"
    assert complete["auditID"] == "id-1"
    assert complete["requestURI"] == ORDER + "?pretty"
    assert complete["verb"] == "get"
    assert complete["userAgent"] == "test"
    assert complete["sourceIPs"] == ["127.0.0.1"]
    assert complete["user"] == {
        "username": "alice",
        "groups": ["system:authenticated"],
    }
    assert complete["objectRef"] == {
        "resource": "orders",
        "namespace": "north",
        "name": "7",
        "apiGroup": "shop.example",
        "apiVersion": "v1",
    }
    assert complete["responseStatus"] == {"metadata": {}, "code": 200}


def test_the_event_is_there_before_the_client_has_the_answer(log: EventLog) -> None:
    with asgi_server(wrapped(greet, log)) as client:
        client.send("GET", "/")

        assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_events_are_stages_times_requests(log: EventLog) -> None:
    with asgi_server(wrapped(greet, log)) as client:
        client.send_many("GET", "/orders/{}", 100, 4)

    stages = log.stages()
    assert len(stages) == 2 * 100 * 4
    assert stages.count("ResponseComplete") == 100 * 4
    assert len({event["auditID"] for event in log.events()}) == 100 * 4


def test_an_exception_is_a_panic_and_goes_on(log: EventLog) -> None:
    with asgi_server(wrapped(crash, log)) as client:
        answer = client.send("GET", "/")

    assert answer.code == 500
    assert log.stages() == ["RequestReceived", "Panic"]
    assert log.events()[1]["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": "APIServer panic'd: ValueError: odd",
        "reason": "InternalError",
        "code": 500,
    }


def test_an_exception_that_somebody_inside_answered_for_is_a_panic(
    log: EventLog,
) -> None:
    async def answer_and_raise(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"sorry", 500)
        raise ValueError("odd")

    with asgi_server(wrapped(answer_and_raise, log)) as client:
        assert client.send("GET", "/").body == b"sorry"

    assert log.stages() == ["RequestReceived", "Panic"]


def test_a_server_error_without_an_exception_is_complete(log: EventLog) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"sorry", 503)

    with asgi_server(wrapped(fail, log)) as client:
        client.send("GET", "/")

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[1]["responseStatus"]["code"] == 503


def test_what_comes_after_the_answer_does_not_hold_up_its_event(
    log: EventLog,
) -> None:
    goes_on = threading.Event()

    async def work_afterwards(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"done")
        await asyncio.to_thread(goes_on.wait, LIMIT_S)
        raise ValueError("in the background")

    with asgi_server(wrapped(work_afterwards, log)) as client:
        connection = socket.create_connection(("127.0.0.1", client.port), LIMIT_S)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection:
            read_until(connection, b"done")
            stages = log.stages()
            goes_on.set()

    assert stages == log.stages() == ["RequestReceived", "ResponseComplete"]


def test_a_stream_of_events_has_started_and_has_no_bodies(log: EventLog) -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(3):
            body = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})

    with asgi_server(wrapped(stream, log, policy_of("RequestResponse"))) as client:
        assert client.send("GET", ORDER).body.count(b"data") == 3

    stages = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert log.stages() == stages
    assert "responseObject" not in log.events()[2]


def test_a_client_that_leaves_is_no_panic(log: EventLog) -> None:
    is_over = threading.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while (await receive())["type"] != "http.disconnect":
                chunk = {"type": "http.response.body", "body": b"x", "more_body": True}
                await send(chunk)
            raise ConnectionResetError
        finally:
            is_over.set()

    rules = BodyRules(resources_only=False)
    app = wrapped(stream, log, policy_of("RequestResponse"), bodies=rules)
    with asgi_server(app) as client:
        connection = socket.create_connection(("127.0.0.1", client.port), LIMIT_S)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(65536)
        connection.close()
        assert is_over.wait(LIMIT_S)

    complete = log.events()[-1]
    assert complete["stage"] == "ResponseComplete"
    assert complete["annotations"] == {
        "audit.platform.vcluster.com/response-object-omitted": "truncated",
        "auditring.io/handler-error": "ConnectionResetError",
        "auditring.io/response-incomplete": "client-left",
    }


def test_a_web_socket_is_long_running(log: EventLog) -> None:
    async def chat(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.close"})

    with asgi_server(wrapped(chat, log)) as client:
        url = f"ws://127.0.0.1:{client.port}/chat"
        with websockets.sync.client.connect(url) as connection:
            connection.send("hello")
            assert connection.recv(LIMIT_S) == "HELLO"
            assert connection.response is not None
            audit_id = connection.response.headers["Audit-ID"]

    events = log.events()
    assert [(event["stage"], event["auditID"]) for event in events] == [
        ("RequestReceived", audit_id),
        ("ResponseStarted", audit_id),
        ("ResponseComplete", audit_id),
    ]
    assert events[2]["responseStatus"]["code"] == 101


def test_a_web_socket_that_is_refused_says_so(log: EventLog) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})

    with (
        asgi_server(wrapped(refuse, log)) as client,
        pytest.raises(websockets.exceptions.InvalidStatus),
    ):
        websockets.sync.client.connect(f"ws://127.0.0.1:{client.port}/chat")

    assert log.events()[-1]["responseStatus"]["code"] == 403


def test_a_body_is_asked_for_only_when_the_application_wants_it(
    log: EventLog,
) -> None:
    async def refuse_unread(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"no", 413)

    with asgi_server(wrapped(refuse_unread, log, policy_of("Request"))) as client:
        connection = socket.create_connection(("127.0.0.1", client.port), LIMIT_S)
        with connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            assert connection.recv(65536).startswith(b"HTTP/1.1 413")

    assert "requestObject" not in log.events()[-1]


# Bodies.


@pytest.mark.parametrize(
    ("level", "members"),
    [
        ("Metadata", set()),
        ("Request", {"requestObject"}),
        ("RequestResponse", {"requestObject", "responseObject"}),
    ],
)
def test_bodies_are_there_as_the_level_says(
    log: EventLog, level: str, members: set[str]
) -> None:
    with asgi_server(wrapped(echo, log, policy_of(level))) as client:
        client.send("PUT", ORDER, b'{"price": 1.50}')

    complete = log.events()[-1]
    found = {name: complete[name] for name in members}
    assert found == {name: {"price": 1.5} for name in members}
    assert not {"requestObject", "responseObject"} - members & set(complete)


def test_a_body_in_pieces_is_one(log: EventLog) -> None:
    app = wrapped(echo, log, policy_of("RequestResponse"))
    pieces: list[Message] = [
        {"type": "http.request", "body": b'{"a"', "more_body": True},
        {"type": "http.request", "body": b":1}"},
    ]

    call(app, scope_of(method="PATCH"), *pieces)

    assert log.events()[-1]["requestObject"] == {"a": 1}
    assert log.events()[-1]["responseObject"] == {"a": 1}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([{"type": "http.request", "body": b"[1]", "more_body": True}], "truncated"),
        ([{"type": "http.request", "body": b"[" + b"1," * 99 + b"1]"}], "truncated"),
        ([{"type": "http.request", "body": b"\xff\x00"}], "invalid-json"),
    ],
    ids=["not read to its end", "over the limit", "neither JSON nor text"],
)
def test_a_body_that_cannot_be_recorded_has_a_reason(
    log: EventLog, sent: list[Message], reason: str
) -> None:
    app = wrapped(echo, log, policy_of("Request"), bodies=BodyRules(max_bytes=100))

    call(app, scope_of(method="PUT"), *sent)

    complete = log.events()[-1]
    assert "requestObject" not in complete
    note = "audit.platform.vcluster.com/request-object-omitted"
    assert complete["annotations"] == {note: reason}


def test_bodies_may_be_for_resources_only(log: EventLog) -> None:
    rules = BodyRules(resources_only=True)
    app = wrapped(echo, log, policy_of("RequestResponse"), bodies=rules)
    body = {"type": "http.request", "body": b"[1]"}

    call(app, scope_of("/orders", "POST"), body)
    call(app, scope_of(ORDER, "PUT"), body)

    assert ["requestObject" in event for event in log.events()] == [
        False,
        False,
        False,
        True,
    ]


def test_the_status_of_a_kubernetes_answer_is_read_at_every_level(
    log: EventLog,
) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}

    async def miss(scope: Scope, receive: Receive, send: Send) -> None:
        body = json.dumps(status, separators=(",", ":")).encode()
        await respond(send, body, 404)

    call(wrapped(miss, log), scope_of())

    assert log.events()[-1]["responseStatus"] == {
        "metadata": {},
        "reason": "NotFound",
        "code": 404,
    }


# Scopes.


def test_the_outermost_of_two_audits(log: EventLog) -> None:
    inner = wrapped(greet, log)

    call(wrapped(inner, log), scope_of())

    assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_the_application_finds_its_audited_request(log: EventLog) -> None:
    async def annotate(scope: Scope, receive: Receive, send: Send) -> None:
        audited(scope).annotate("shop.example/basket", "7")
        await respond(send)

    call(wrapped(annotate, log), scope_of())

    assert log.events()[1]["annotations"] == {"shop.example/basket": "7"}


def test_a_lifespan_passes_through(log: EventLog) -> None:
    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    sent = call(wrapped(live, log), {"type": "lifespan"})

    assert sent == [{"type": "lifespan.startup.complete"}]
    assert log.events() == []


def test_an_answers_own_audit_id_stays(log: EventLog) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, headers=[(b"Audit-Id", b"mine")])

    start, _ = call(wrapped(answer, log), scope_of())

    assert start["headers"] == [(b"Audit-Id", b"mine")]


def test_a_body_without_a_beginning_is_no_answer(log: EventLog) -> None:
    async def begin_late(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"x"})
        raise RuntimeError("as a server does")

    with pytest.raises(RuntimeError):
        call(wrapped(begin_late, log), scope_of())

    assert log.stages() == ["RequestReceived", "Panic"]


def test_an_audit_id_is_given_even_where_nothing_is_recorded(log: EventLog) -> None:
    headers = [(b"audit-id", "id-\u00e9".encode())]

    start, _ = call(wrapped(greet, log, policy_of("None")), scope_of(headers=headers))

    assert start["headers"] == [(b"audit-id", "id-\u00e9".encode())]
    assert log.events() == []


@pytest.mark.parametrize(
    ("path", "query", "uri", "verb"),
    [
        ("/caf%C3%A9/%2F", b"a=%20&b", "/caf%C3%A9/%2F?a=%20&b", "get"),
        ("/api/v1/watch", b"", "/api/v1/watch", "get"),
        ("/a b", b"", "/a b", "get"),
        ("/\xff", b"", "/%FF", "get"),
        ("//x//", b"", "//x//", "get"),
    ],
)
def test_no_request_is_refused_for_its_path(
    log: EventLog, path: str, query: bytes, uri: str, verb: str
) -> None:
    scope = scope_of("/", raw_path=path.encode("latin-1"), query_string=query)

    start, _ = call(wrapped(greet, log), scope)

    assert start["status"] == 200
    assert log.events()[0]["requestURI"] == uri
    assert log.events()[0]["verb"] == verb


def test_a_server_need_not_know_the_raw_path(log: EventLog) -> None:
    scope = scope_of("/caf\u00e9")
    del scope["raw_path"], scope["client"]

    call(wrapped(greet, log), scope)

    assert log.events()[0]["requestURI"] == "/caf%C3%A9"
    assert "sourceIPs" not in log.events()[0]


def test_headers_are_read_as_kubernetes_does(log: EventLog) -> None:
    headers = [
        (b"x-forwarded-for", b"192.0.2.1, bad, 2001:db8::0001"),
        (b"x-forwarded-for", b"192.0.2.9"),
        (b"x-real-ip", b"192.0.2.2"),
        (b"user-agent", b"\xff" + b"a" * 2000),
        (b"audit-id", b"first"),
        (b"audit-id", b"second"),
    ]

    call(wrapped(greet, log), scope_of(headers=headers))

    event = log.events()[0]
    assert event["sourceIPs"] == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "10.0.0.1"]
    assert event["userAgent"] == "\ufffd" + "a" * 1023 + "...TRUNCATED"
    assert event["auditID"] == "first"


def test_a_table_of_routes_says_what_a_path_stands_for(log: EventLog) -> None:
    routes = Routes(
        {"/shops/{s}/orders/{o}": ORDER.replace("north", "{s}")[:-1] + "{o}"}
    )
    app = wrapped(greet, log, routes=routes)

    call(app, scope_of("/shops/south/orders/8/", "DELETE"))

    event = log.events()[0]
    assert event["verb"] == "delete"
    assert event["requestURI"] == "/shops/south/orders/8/"
    assert event["objectRef"]["namespace"] == "south"
    assert event["objectRef"]["name"] == "8"


def test_a_user_may_have_groups(log: EventLog) -> None:
    user = UserInfo("bob", groups=("staff",))
    app = wrapped(greet, log, policy_of(userGroups=["staff"]), user=lambda scope: user)

    call(app, scope_of())

    assert log.events()[0]["user"] == {"username": "bob", "groups": ["staff"]}


def test_who_is_not_known_is_anonymous(log: EventLog) -> None:
    call(wrapped(greet, log, user=lambda scope: None), scope_of())

    assert log.events()[0]["user"] == {
        "username": "system:anonymous",
        "groups": ["system:unauthenticated"],
    }


# Refusals.


@pytest.mark.parametrize("level", ["Metadata", "Request", "RequestResponse"])
def test_a_request_that_cannot_be_recorded_is_not_carried_out(level: str) -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    app = AuditMiddleware(crash, Auditor(policy_of(level), strict))
    headers = [(b"audit-id", b"id-1")]

    start, body = call(app, scope_of(headers=headers))
    socket_messages = call(app, scope_of(type="websocket"))

    assert start["status"] == 500
    assert (b"audit-id", b"id-1") in start["headers"]
    assert b"failed to store audit event" in body["body"]
    assert socket_messages == [{"type": "websocket.close", "code": 1011}]


def test_an_auditor_that_begins_requests_itself_is_asked_to(log: EventLog) -> None:
    class CountingAuditor(Auditor):
        begun = 0

        def begin(
            self, attributes: Attributes, received_ns: int | None = None
        ) -> AuditedRequest:
            self.begun += 1
            return super().begin(attributes, received_ns)

    auditor = CountingAuditor(policy_of(), log.writer)
    app = AuditMiddleware(greet, auditor)

    call(app, scope_of())
    call(app, scope_of())

    assert auditor.begun == 2


def test_a_request_takes_the_policy_and_the_backends_of_its_time(
    log: EventLog, tmp_path: Path
) -> None:
    auditor = Auditor(policy_of(), log.writer)
    app = AuditMiddleware(greet, auditor)
    call(app, scope_of())
    (tmp_path / "second").mkdir()

    auditor.reload(policy_of("None"))
    call(app, scope_of())
    with EventLog(tmp_path / "second") as second:
        auditor.replace(policy_of(omitStages=["RequestReceived"]), second.writer)
        call(app, scope_of())

        assert second.stages() == ["ResponseComplete"]
    assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_the_kind_of_a_message_may_be_a_string_of_a_class(log: EventLog) -> None:
    class Kind(StrEnum):
        START = "http.response.start"
        BODY = "http.response.body"

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": Kind.START, "status": 201, "headers": []})
        await send({"type": Kind.BODY, "body": b""})

    call(wrapped(answer, log), scope_of())

    assert log.events()[-1]["responseStatus"] == {"metadata": {}, "code": 201}


@pytest.mark.parametrize(
    "kind", ["http.response.start2", "http.response.body2", "http.response", "é" * 19]
)
def test_a_message_of_another_kind_passes_through(log: EventLog, kind: str) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": kind})
        await respond(send)

    first, *_ = call(wrapped(answer, log), scope_of())

    assert first == {"type": kind}
    assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_an_applications_list_of_headers_stays_its_own(log: EventLog) -> None:
    headers = [(b"a", b"1"), (b"b", b"2")]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, headers=headers)

    start, _ = call(wrapped(answer, log), scope_of(headers=[(b"audit-id", b"id-1")]))

    assert headers == [(b"a", b"1"), (b"b", b"2")]
    assert start["headers"] == [*headers, (b"audit-id", b"id-1")]


def test_losing_a_later_event_changes_nothing_for_the_client() -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    policy = policy_of(omitStages=["RequestReceived"])

    start, body = call(AuditMiddleware(greet, Auditor(policy, strict)), scope_of())

    assert (start["status"], body["body"]) == (200, b"hello")

"""Who the user is may turn out late, and asking may fail: the request never does.

Also there: frameworks that know the user in a view only, functions of the application
that raise or return something odd, requests of which nothing is recorded.
"""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse

import flask
import pytest
from eventlog import EventLog, Json, policy_of
from starlette.authentication import AuthCredentials, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware

from auditring.audit.auditor import Auditor
from auditring.event import UserInfo
from auditring.exchange import identification
from auditring.middleware import asgi, fastapi, wsgi
from auditring.middleware import flask as audited_flask
from auditring.middleware.asgi import App, Message, Receive, Scope, Send

USER_ERROR = "auditring.io/user-error"
ANONYMOUS = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
ALICE = {"username": "alice", "groups": ["system:authenticated"]}


class Odd:
    """Has nothing that a user has, not even a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


async def _later(scope: Scope) -> str:
    return "alice"


def _fails(scope: object) -> str:
    raise LookupError("no such session")


def _fails_oddly(scope: object) -> str:
    raise type("OddError", (Exception,), {"__str__": lambda self: 7})()


ODD: dict[str, Callable[..., object]] = {
    "raises": _fails,
    "raises what has no text": _fails_oddly,
    "has to be awaited": _later,
    "number": lambda scope: 7,
    "bytes": lambda scope: b"alice",
    "object": lambda scope: Odd(),
    "user of a number": lambda scope: UserInfo(7),  # type: ignore[arg-type]
    "user without a name": lambda scope: UserInfo(None),  # type: ignore[arg-type]
    "groups of one text": lambda scope: UserInfo("alice", groups="staff"),  # type: ignore[arg-type]
    "groups of numbers": lambda scope: UserInfo("alice", groups=(1,)),  # type: ignore[arg-type]
    "extra of texts": lambda scope: UserInfo("alice", extra={"a": "b"}),  # type: ignore[dict-item]
    "extra of numbers": lambda scope: UserInfo("alice", extra={1: ("b",)}),  # type: ignore[dict-item]
    "extra that is no mapping": lambda scope: UserInfo("alice", extra=7),  # type: ignore[arg-type]
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


@pytest.fixture(autouse=True)
def complaints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test complain anew."""
    monkeypatch.setattr(identification, "_complaints", identification.Complaints())


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def call(app: App, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        "client": ("10.0.0.1", 4000),
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


def users(log: EventLog) -> list[Json]:
    return [event["user"] for event in log.events()]


@pytest.mark.parametrize("user", ODD.values(), ids=ODD)
@pytest.mark.parametrize("level", ["Metadata", "RequestResponse"])
def test_a_user_function_that_is_odd_fails_the_event_only(
    log: EventLog, level: str, user: Callable[..., object]
) -> None:
    auditor = Auditor(policy_of(level), log.writer)
    app = asgi.AuditMiddleware(greet, auditor, user=user)  # type: ignore[arg-type]

    start, _ = call(app)

    assert start["status"] == 200
    assert users(log) == [ANONYMOUS] * 2
    assert all(event["annotations"][USER_ERROR] for event in log.events())


@pytest.mark.parametrize("user", ODD.values(), ids=ODD)
def test_so_it_is_for_web_sockets(log: EventLog, user: Callable[..., object]) -> None:
    async def chat(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    auditor = Auditor(policy_of(), log.writer)
    call(asgi.AuditMiddleware(chat, auditor, user=user), "websocket")  # type: ignore[arg-type]

    assert all(event["annotations"][USER_ERROR] for event in log.events())


@pytest.mark.parametrize("user", ODD.values(), ids=ODD)
def test_so_it_is_under_wsgi(log: EventLog, user: Callable[..., object]) -> None:
    auditor = Auditor(policy_of(), log.writer)

    assert call_wsgi(wsgi.AuditMiddleware(greet_wsgi, auditor, user=user)) == [b"hello"]  # type: ignore[arg-type]

    assert users(log) == [ANONYMOUS] * 2
    assert all(event["annotations"][USER_ERROR] for event in log.events())


def test_a_reason_says_what_failed(log: EventLog) -> None:
    auditor = Auditor(policy_of(), log.writer)

    call(asgi.AuditMiddleware(greet, auditor, user=_fails))

    annotation = log.events()[0]["annotations"][USER_ERROR]
    assert annotation == "LookupError: no such session"


def test_a_value_that_is_odd_is_not_shown(log: EventLog) -> None:
    auditor = Auditor(policy_of(), log.writer)

    call(asgi.AuditMiddleware(greet, auditor, user=lambda scope: b"secret"))  # type: ignore[arg-type, return-value]

    assert "secret" not in log.path.read_text()


@pytest.mark.parametrize("level", ["None", "Metadata"])
def test_it_is_complained_of_once_in_a_while(
    log: EventLog, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = asgi.AuditMiddleware(
        greet, Auditor(policy_of(level), log.writer), user=_fails
    )

    with caplog.at_level(logging.ERROR):
        call(app)
        call(app)

    complaints = [each for each in caplog.records if "user= failed" in each.message]
    assert len(complaints) == 1


def test_lists_of_groups_are_taken(log: EventLog) -> None:
    user = UserInfo("bob", groups=["staff"], extra={"a": ["b"]})  # type: ignore[arg-type, dict-item]
    auditor = Auditor(policy_of(), log.writer)

    call(asgi.AuditMiddleware(greet, auditor, user=lambda scope: user))

    assert users(log)[0] == {
        "username": "bob",
        "groups": ["staff"],
        "extra": {"a": ["b"]},
    }


# Known late.


def test_a_user_that_turns_out_inside_is_in_the_later_events(log: EventLog) -> None:
    async def know(scope: Scope, receive: Receive, send: Send) -> None:
        scope["shop.user"] = "alice"
        await greet(scope, receive, send)

    app = asgi.AuditMiddleware(
        know, Auditor(policy_of(), log.writer), user=lambda scope: scope["shop.user"]
    )

    call(app)

    received, complete = log.events()
    assert received["user"] == ANONYMOUS
    assert received["annotations"][USER_ERROR] == "KeyError: 'shop.user'"
    assert complete["user"] == ALICE
    assert "annotations" not in complete


def test_a_user_of_a_request_that_panics_is_known(log: EventLog) -> None:
    async def know(scope: Scope, receive: Receive, send: Send) -> None:
        scope["shop.user"] = "alice"
        raise ValueError

    app = asgi.AuditMiddleware(
        know,
        Auditor(policy_of(), log.writer),
        user=lambda scope: scope.get("shop.user"),
    )

    with pytest.raises(ValueError):  # noqa: PT011
        call(app)

    assert users(log) == [ANONYMOUS, ALICE]


def test_who_is_known_is_not_asked_again(log: EventLog) -> None:
    asked: list[Scope] = []

    def user(scope: Scope) -> str:
        asked.append(scope)
        return "alice"

    call(asgi.AuditMiddleware(greet, Auditor(policy_of(), log.writer), user=user))

    assert len(asked) == 1


def test_what_a_handler_says_counts_more(log: EventLog) -> None:
    async def know(scope: Scope, receive: Receive, send: Send) -> None:
        asgi.identify(scope, "alice")
        await greet(scope, receive, send)

    auditor = Auditor(policy_of(), log.writer)
    call(asgi.AuditMiddleware(know, auditor, user=_fails))

    assert log.events()[1]["user"] == ALICE
    assert "annotations" not in log.events()[1]


def test_a_handler_is_told_what_it_said_wrong(log: EventLog) -> None:
    async def know(scope: Scope, receive: Receive, send: Send) -> None:
        asgi.identify(scope, 7)  # type: ignore[arg-type]

    auditor = Auditor(policy_of(), log.writer)
    with pytest.raises(TypeError, match="expected a UserInfo, a name or None"):
        call(asgi.AuditMiddleware(know, auditor))


class Everybody:
    """Authenticates as Starlette wants it."""

    async def authenticate(self, connection: object) -> tuple[object, object]:
        return AuthCredentials(["shop"]), SimpleUser("alice")


def test_starlettes_authentication_may_be_inside(log: EventLog) -> None:
    inner = AuthenticationMiddleware(greet, backend=Everybody())  # type: ignore[arg-type]
    app = fastapi.AuditMiddleware(inner, Auditor(policy_of(), log.writer))  # type: ignore[arg-type]

    call(app)

    assert users(log) == [ANONYMOUS, {**ALICE, "extra": {"scopes": ["shop"]}}]


def greet_wsgi(environ: wsgi.Environ, start_response: StartResponse) -> list[bytes]:
    environ.setdefault("REMOTE_USER", "alice")
    start_response("200 OK", [])
    return [b"hello"]


def call_wsgi(app: object) -> list[bytes]:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "a",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    body = app(environ, lambda *_: lambda _: None)  # type: ignore[operator]
    try:
        return list(body)
    finally:
        body.close()


def test_a_wsgi_application_may_know_late(log: EventLog) -> None:
    call_wsgi(wsgi.AuditMiddleware(greet_wsgi, Auditor(policy_of(), log.writer)))

    assert users(log) == [ANONYMOUS, ALICE]


@pytest.mark.parametrize("fails", [False, True])
def test_a_decorator_of_flask_may_know_late(log: EventLog, fails: bool) -> None:
    app = flask.Flask(__name__)
    audited_flask.init_app(
        app, Auditor(policy_of(), log.writer), user=lambda: flask.g.user_name
    )

    @app.get("/")
    def view() -> str:
        flask.g.user_name = "alice"
        if fails:
            raise ValueError
        return "hello"

    app.test_client().get("/")

    received, last = log.events()
    assert received["user"] == ANONYMOUS
    assert last["stage"] == ("Panic" if fails else "ResponseComplete")
    assert last["user"] == ALICE
    assert "annotations" not in last


def test_a_view_of_flask_may_say_who_it_is(log: EventLog) -> None:
    app = flask.Flask(__name__)
    audited_flask.init_app(app, Auditor(policy_of(), log.writer))

    @app.get("/")
    def view() -> str:
        audited_flask.identify("alice")
        return "hello"

    app.test_client().get("/")

    assert users(log) == [ANONYMOUS, ALICE]

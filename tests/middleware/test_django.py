from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import django_shop
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from eventlog import EventLog, FullLog, policy_of
from loopback import asgi_server, wsgi_server

from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.middleware.django import AuditMiddleware, user_of
from auditring.policy import Policy

if not settings.configured:
    settings.configure(
        **django_shop.settings_of("auditring.middleware.django.AuditMiddleware")
    )
    django.setup()

SERVERS = {
    "wsgi": (wsgi_server, get_wsgi_application),
    "asgi": (asgi_server, get_asgi_application),
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


@pytest.fixture(params=SERVERS)
def interface(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def served(interface: str, log: EventLog, policy: Policy | None = None) -> Any:  # noqa: ANN401
    """Serve the shop; the auditor writes to *log*."""
    auditor = Auditor(policy or policy_of("RequestResponse"), log.writer)
    server, application = SERVERS[interface]
    with override_settings(AUDITRING={**settings.AUDITRING, "auditor": auditor}):
        return server(application())  # type: ignore[operator]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_view_may_know_the_user_late(
    interface: str, log: EventLog, method: str
) -> None:
    with served(interface, log) as client:
        client.send(method, "/late")

    names = [event["user"]["username"] for event in log.events()]
    assert names == ["system:anonymous", "dora"]


def test_the_settings_say_who_the_user_is(interface: str, log: EventLog) -> None:
    with served(interface, log) as client:
        answer = client.send(
            "GET", "/orders/7?x=%20", headers={"X-User": "alice", "Audit-ID": "id-1"}
        )

    assert (answer.code, answer.body) == (200, b'{"order": "7"}')
    assert answer.headers["audit-id"] == "id-1"
    received, complete = log.events()
    assert received["stage"] == "RequestReceived"
    assert complete["stage"] == "ResponseComplete"
    assert complete["user"]["username"] == "alice"
    assert complete["requestURI"] == "/orders/7?x=%20"
    assert complete["objectRef"]["name"] == "7"
    assert complete["sourceIPs"] == ["127.0.0.1"]
    assert complete["annotations"] == {"shop.example/read": "7"}
    assert complete["responseObject"] == {"order": "7"}


def test_bodies_are_recorded(interface: str, log: EventLog) -> None:
    with served(interface, log) as client:
        client.send(
            "POST", "/orders", b'{"a": 1}', {"Content-Type": "application/json"}
        )

    complete = log.events()[-1]
    assert complete["verb"] == "create"
    assert complete["requestObject"] == {"a": 1}
    assert complete["responseObject"] == {"size": 8}
    assert complete["responseStatus"]["code"] == 201


def test_a_form_is_recorded_as_text(interface: str, log: EventLog) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    with served(interface, log) as client:
        assert client.send("POST", "/form", b"a=1&b=2", kind).code == 200

    assert log.events()[-1]["requestObject"] == "a=1&b=2"


@pytest.mark.parametrize(
    ("method", "path", "code", "stage"),
    [
        ("DELETE", "/orders/odd", 500, "Panic"),
        ("DELETE", "/orders/missing", 404, "ResponseComplete"),
        ("GET", "/nowhere", 404, "ResponseComplete"),
        ("GET", "/async/orders/odd", 500, "Panic"),
        ("GET", "/async/orders/7", 200, "ResponseComplete"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_is_a_panic_unless_it_is_an_answer(
    interface: str, log: EventLog, method: str, path: str, code: int, stage: str
) -> None:
    with served(interface, log) as client:
        assert client.send(method, path).code == code

    assert log.stages() == ["RequestReceived", stage]
    assert log.events()[-1]["responseStatus"]["code"] == code


@pytest.mark.parametrize(
    ("interface", "path"),
    [("wsgi", "/stream"), ("asgi", "/async/stream")],
    indirect=["interface"],
)
def test_a_stream_is_complete_at_its_end(
    interface: str, log: EventLog, path: str
) -> None:
    with served(interface, log) as client:
        assert client.send("GET", path).body == b"<0><1><2>"

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[-1]["responseObject"] == "<0><1><2>"


@pytest.mark.parametrize("interface", ["wsgi"], indirect=True)
def test_a_stream_that_breaks_is_a_panic(interface: str, log: EventLog) -> None:
    with served(interface, log) as client:
        client.send("GET", "/broken")

    assert log.stages() == ["RequestReceived", "Panic"]


def test_events_are_stages_times_requests(interface: str, log: EventLog) -> None:
    with served(interface, log, policy_of()) as client:
        client.send_many("GET", "/orders/{}", 50, 4)

    stages = log.stages()
    assert len(stages) == 2 * 50 * 4
    assert stages.count("ResponseComplete") == 50 * 4


def test_a_request_that_cannot_be_recorded_is_not_carried_out(
    interface: str,
) -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    auditor = Auditor(policy_of(), strict)
    server, application = SERVERS[interface]
    with (
        override_settings(AUDITRING={"auditor": auditor}),
        server(application()) as client,  # type: ignore[operator]
    ):
        answer = client.send("DELETE", "/orders/odd", headers={"Audit-ID": "id-1"})

    assert answer.code == 500
    assert b"failed to store audit event" in answer.body
    assert answer.headers["audit-id"] == "id-1"


def test_a_user_that_is_logged_in_has_its_groups() -> None:
    class Groups:
        def values_list(self, name: str, *, flat: bool) -> list[str]:
            assert (name, flat) == ("name", True)
            return ["staff"]

    class User:
        is_authenticated = True
        pk = 7
        groups = Groups()

        def get_username(self) -> str:
            return "alice"

    class Request:
        user = User()

    user = user_of(Request())  # type: ignore[arg-type]

    assert user is not None
    assert not isinstance(user, str)
    assert (user.username, user.uid) == ("alice", "7")
    assert user.groups == ("staff", "system:authenticated")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "AUDITRING: expected a mapping, got None"),
        ({"auditor": Auditor(None), "usr": "x"}, "no such key: 'usr'"),
        ({"auditor": "django_shop.orders"}, "expected an Auditor, got <function"),
        ({}, "expected an Auditor, got None"),
    ],
)
def test_a_mistake_in_the_settings_is_named(given: object, message: str) -> None:
    with (
        override_settings(AUDITRING=given),
        pytest.raises(ImproperlyConfigured, match=message),
    ):
        AuditMiddleware(lambda request: None)  # type: ignore[arg-type,return-value]

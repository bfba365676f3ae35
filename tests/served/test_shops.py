"""Real applications, served by real servers in processes of their own, are audited.

The applications answer the same requests, each with its framework's means. Expected is
what Kubernetes' audit would have: the stages, and bodies as the level says.
"""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until
from shop_load import KINDS, LEVELS, LoadOptions, judge, put_load
from shops import LIMIT_S, SHOPS, Shop, open_shop
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

OMITTED = "audit.platform.vcluster.com/{}-object-omitted"
INCOMPLETE = "auditring.io/response-incomplete"
# How the server of each says that the client left.
DEPARTURES = {
    "fastapi": "client-left",
    "flask": "closed-early",
    "django": "closed-early",
    "django-asgi": "cancelled",
}
BODY = b'{"price":1}'


@pytest.fixture(scope="module", params=SHOPS)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Keep a shop open for all tests; each looks at the events of its own requests."""
    with open_shop(request.param, tmp_path_factory.mktemp("shop")) as shop:
        yield shop


def only(*names: str) -> pytest.MarkDecorator:
    """Have a test in these shops only."""
    return pytest.mark.parametrize("shop", names, indirect=True)


class Connection:
    """A connection on which a test says every byte."""

    def __init__(self, shop: Shop) -> None:
        address = ("127.0.0.1", shop.port)
        self._socket = socket.create_connection(address, LIMIT_S)
        self.received = b""

    def send(self, head: str, body: bytes = b"") -> None:
        lines = [head.splitlines()[0], "Host: shop", *head.splitlines()[1:], "", ""]
        self._socket.sendall("\r\n".join(lines).encode() + body)

    def send_body(self, body: bytes) -> None:
        self._socket.sendall(body)

    def read_until(self, wanted: bytes) -> None:
        while wanted not in self.received:
            chunk = self._socket.recv(65536)
            assert chunk, self.received
            self.received += chunk

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Go away without a word, as a client does that crashes."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()


@pytest.fixture
def connection(shop: Shop) -> Iterator[Connection]:
    connection = Connection(shop)
    yield connection
    connection.close()


def final_events(shop: Shop, audit_id: str) -> list[dict[str, Any]]:
    """Wait for the last stage of a request; return its events."""

    def is_over() -> bool:
        stages = [event["stage"] for event in shop.events_of(audit_id)]
        return bool({"ResponseComplete", "Panic"} & set(stages))

    wait_until(is_over)
    return shop.events_of(audit_id)


def stages_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["stage"] for event in events]


# Load.


@pytest.mark.parametrize("name", SHOPS)
def test_under_load_events_are_stages_times_requests(tmp_path: Path, name: str) -> None:
    with open_shop(name, tmp_path) as shop:
        outcome, asks = put_load(shop, LoadOptions(requests=2))
    judge(shop.events(), asks, outcome)

    assert outcome.problems == []
    kinds = [kind for kind in KINDS.values() if name not in kind.not_for]
    assert outcome.requests == 2 * len(kinds) * len(LEVELS)
    stages = sum(len(kind.stages) for kind in kinds)
    # Nobody's event for nora, one stage less for olga.
    assert outcome.events == 2 * (4 * stages - len(kinds))


def test_a_log_that_is_not_right_is_not_taken_for_right(tmp_path: Path) -> None:
    with open_shop("flask", tmp_path) as shop:
        outcome, asks = put_load(shop, LoadOptions(requests=1, clients=2))
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: events.pop(),
        lambda: events.append(events[0]),
        lambda: events.reverse(),
        lambda: events[0].update(level="None"),
        lambda: created.pop("requestObject"),
        lambda: created.update(responseObject={"size": 1}),
        lambda: created["user"].update(username="nora"),
        lambda: created.update(auditID="nobody's"),
    ]

    problems = []
    for change in changes:
        events = shop.events()
        created = next(event for event in events if "requestObject" in event)
        change()
        outcome.problems = []
        judge(events, asks, outcome)
        problems.append(bool(outcome.problems))

    assert problems == [False, *[True] * 8]


# Clients that behave oddly.


@pytest.mark.parametrize("leave", [Connection.close, Connection.reset])
def test_a_client_that_leaves_in_the_middle_of_an_answer_is_no_panic(
    shop: Shop, connection: Connection, leave: Callable[[Connection], None]
) -> None:
    audit_id = f"left-{leave.__name__}"
    connection.send(
        f"GET /endless?kind=text/plain HTTP/1.1\nX-User: rita\nAudit-ID: {audit_id}"
    )
    connection.read_until(b"xxxx")

    leave(connection)

    events = final_events(shop, audit_id)
    assert stages_of(events) == ["RequestReceived", "ResponseComplete"]
    assert events[-1]["responseStatus"]["code"] == 200
    assert "responseObject" not in events[-1]
    assert events[-1]["annotations"] == {
        OMITTED.format("response"): "truncated",
        INCOMPLETE: DEPARTURES[shop.name],
    }


def test_a_client_that_leaves_a_stream_of_events_ends_it(
    shop: Shop, connection: Connection
) -> None:
    connection.send(
        "GET /endless?kind=text/event-stream HTTP/1.1\nX-User: rita\nAudit-ID: watched"
    )
    connection.read_until(b"xxxx")
    wait_until(lambda: "ResponseStarted" in stages_of(shop.events_of("watched")))
    early = stages_of(shop.events_of("watched"))

    connection.close()

    events = final_events(shop, "watched")
    assert early == ["RequestReceived", "ResponseStarted"]
    assert stages_of(events) == [*early, "ResponseComplete"]
    assert events[-1]["annotations"] == {INCOMPLETE: DEPARTURES[shop.name]}


# Where Django has ASGI, no request is handled before its body is there.
@only("fastapi", "flask", "django")
def test_a_client_that_leaves_in_the_middle_of_its_body_has_no_request_object(
    shop: Shop, connection: Connection
) -> None:
    connection.send(
        "PUT /orders/7 HTTP/1.1\nX-User: ron\nAudit-ID: half\n"
        "Content-Type: application/json\nContent-Length: 100",
        b'{"price"',
    )
    wait_until(lambda: shop.events_of("half"))

    connection.close()

    events = final_events(shop, "half")
    assert events[0]["stage"] == "RequestReceived"
    assert len(events) == 2
    assert "requestObject" not in events[-1]
    notes = events[-1]["annotations"]
    assert notes[OMITTED.format("request")] == "truncated"
    if shop.name == "fastapi":
        assert events[-1]["responseStatus"]["code"] == 499
        assert notes[INCOMPLETE] == "client-left"


def test_a_client_that_waits_for_100_continue_sends_its_body_then(
    shop: Shop, connection: Connection
) -> None:
    connection.send(
        "PUT /orders/7 HTTP/1.1\nX-User: rita\nAudit-ID: expects\n"
        "Content-Type: application/json\nContent-Length: 11\nExpect: 100-continue"
    )
    connection.read_until(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.send_body(BODY)
    connection.read_until(BODY)

    events = final_events(shop, "expects")
    assert stages_of(events) == ["RequestReceived", "ResponseComplete"]
    assert events[-1]["requestObject"] == {"price": 1}
    assert events[-1]["responseObject"] == {"price": 1}
    assert events[-1]["responseStatus"]["code"] == 200


@only("fastapi", "flask", "django-asgi")
def test_requests_in_a_row_on_one_connection_are_told_apart(
    shop: Shop, connection: Connection
) -> None:
    for number in range(3):
        body = b"[%d]" % number
        connection.send(
            f"PUT /orders/{number} HTTP/1.1\nX-User: rita\nAudit-ID: row-{number}\n"
            "Content-Type: application/json\nContent-Length: 3",
            body,
        )
    connection.read_until(b"[2]")

    for number in range(3):
        events = final_events(shop, f"row-{number}")
        assert stages_of(events) == ["RequestReceived", "ResponseComplete"]
        assert events[-1]["objectRef"]["name"] == str(number)
        assert events[-1]["requestObject"] == events[-1]["responseObject"] == [number]


def test_what_is_no_http_has_no_event(shop: Shop, connection: Connection) -> None:
    before = len(shop.events())
    connection.send("ODD\x00 HTTP/9\nAudit-ID: odd")
    connection.read_until(b"400 Bad Request")

    assert len(shop.events()) == before


def test_a_stream_that_breaks_is_a_panic(shop: Shop, connection: Connection) -> None:
    connection.send("GET /broken HTTP/1.1\nX-User: rita\nAudit-ID: broken")
    connection.read_until(b"<0>")

    events = final_events(shop, "broken")
    assert stages_of(events) == ["RequestReceived", "Panic"]
    message = "APIServer panic'd: ValueError: odd"
    assert events[-1]["responseStatus"]["message"] == message


# What only ASGI has.


@only("fastapi")
def test_an_answer_that_nobody_waits_for_is_complete(
    shop: Shop, connection: Connection
) -> None:
    connection.send("GET /patient HTTP/1.1\nX-User: rita\nAudit-ID: patient")
    wait_until(lambda: shop.events_of("patient"))

    connection.close()

    events = final_events(shop, "patient")
    assert stages_of(events) == ["RequestReceived", "ResponseComplete"]
    assert events[-1]["responseStatus"]["code"] == 200


def socket_url(shop: Shop) -> str:
    return f"ws://127.0.0.1:{shop.port}/chat"


@only("fastapi")
def test_a_web_socket_has_started_until_it_is_closed(shop: Shop) -> None:
    headers = {"X-User": "rita", "Audit-ID": "chat"}
    with connect(socket_url(shop), additional_headers=headers) as chat:
        chat.send("hello")
        assert chat.recv(LIMIT_S) == "HELLO"
        assert chat.response is not None
        assert chat.response.headers["Audit-ID"] == "chat"
        wait_until(lambda: len(shop.events_of("chat")) > 1)
        early = stages_of(shop.events_of("chat"))

    events = final_events(shop, "chat")
    assert early == ["RequestReceived", "ResponseStarted"]
    assert stages_of(events) == [*early, "ResponseComplete"]
    assert events[-1]["responseStatus"]["code"] == 101


@only("fastapi")
def test_a_web_socket_whose_client_crashes_is_complete(shop: Shop) -> None:
    headers = {"X-User": "rita", "Audit-ID": "crashed-chat"}
    with connect(socket_url(shop), additional_headers=headers) as chat:
        chat.send("hello")
        assert chat.recv(LIMIT_S) == "HELLO"
        chat.socket.shutdown(socket.SHUT_RDWR)

    stages = stages_of(final_events(shop, "crashed-chat"))
    assert stages == ["RequestReceived", "ResponseStarted", "ResponseComplete"]


@only("fastapi")
def test_a_web_socket_whose_handler_raises_is_a_panic(shop: Shop) -> None:
    headers = {"X-User": "rita", "Audit-ID": "odd-chat"}
    with connect(socket_url(shop), additional_headers=headers) as chat:
        chat.send("odd")
        with pytest.raises(ConnectionClosed):
            chat.recv(LIMIT_S)

    stages = stages_of(final_events(shop, "odd-chat"))
    assert stages == ["RequestReceived", "ResponseStarted", "Panic"]


@only("fastapi")
def test_a_web_socket_that_is_refused_says_so(shop: Shop) -> None:
    before = len(shop.events())

    with pytest.raises(InvalidStatus) as refused:
        connect(socket_url(shop))

    assert refused.value.response.status_code == 403
    # For nobody: no rule of the policy is for them.
    assert len(shop.events()) == before


@only("fastapi")
def test_a_task_in_the_background_has_no_part_in_it(
    shop: Shop, connection: Connection
) -> None:
    connection.send("GET /background HTTP/1.1\nX-User: rita\nAudit-ID: behind")
    connection.read_until(b'"done"')

    events = final_events(shop, "behind")
    assert stages_of(events) == ["RequestReceived", "ResponseComplete"]
    assert events[-1]["responseObject"] == "done"
    assert json.dumps(events[-1]["responseStatus"]) == '{"metadata": {}, "code": 200}'

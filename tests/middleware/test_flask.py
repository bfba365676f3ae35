from collections.abc import Iterator
from pathlib import Path

import pytest
from eventlog import EventLog, FullLog, policy_of
from flask import Flask, Response, abort, g, jsonify, request
from loopback import wsgi_server

from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.exchange.body import BodyRules
from auditring.middleware.flask import audited, init_app
from auditring.policy import Policy
from auditring.routes import Routes

ROUTES = Routes(
    {
        "/orders": "/apis/shop.example/v1/orders",
        "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
    }
)


class Missing(Exception):
    pass


def shop(auditor: Auditor) -> Flask:
    app = Flask("shop")

    @app.before_request
    def log_in() -> None:
        g.user = request.headers.get("X-User")

    @app.get("/orders/<order>")
    def read(order: str) -> Response:
        audited().annotate("shop.example/read", order)
        return jsonify(order=order)

    @app.post("/orders")
    def create() -> tuple[Response, int]:
        return jsonify(request.get_json()), 201

    @app.delete("/orders/<order>")
    def delete(order: str) -> Response:
        if order == "missing":
            raise Missing(order)
        if order == "other":
            abort(403)
        raise ValueError("odd")

    @app.get("/stream")
    def stream() -> Response:
        return Response((str(number) for number in range(3)), mimetype="text/plain")

    @app.errorhandler(Missing)
    def answer_missing(error: Missing) -> tuple[str, int]:
        return "missing", 404

    init_app(
        app,
        auditor,
        user=lambda: request.headers.get("X-User"),
        routes=ROUTES,
        bodies=BodyRules(resources_only=False),
    )
    return app


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


def auditor_of(log: EventLog, policy: Policy | None = None) -> Auditor:
    return Auditor(policy or policy_of("RequestResponse"), log.writer)


def test_the_user_is_known_from_the_start(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        answer = client.send("GET", "/orders/7", headers={"X-User": "alice"})

    assert answer.headers["audit-id"]
    received, complete = log.events()
    assert received["user"]["username"] == "alice"
    assert received["objectRef"]["name"] == "7"
    assert complete["annotations"] == {"shop.example/read": "7"}
    assert complete["responseObject"] == {"order": "7"}


def test_bodies_are_recorded(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        client.send(
            "POST", "/orders", b'{"a": 1}', {"Content-Type": "application/json"}
        )

    complete = log.events()[-1]
    assert complete["verb"] == "create"
    assert complete["requestObject"] == complete["responseObject"] == {"a": 1}
    assert complete["responseStatus"]["code"] == 201


@pytest.mark.parametrize(
    ("order", "code", "stage"),
    [
        ("odd", 500, "Panic"),
        ("missing", 404, "ResponseComplete"),
        ("other", 403, "ResponseComplete"),
    ],
)
def test_an_exception_is_a_panic_unless_it_is_answered_for(
    log: EventLog, order: str, code: int, stage: str
) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        answer = client.send("DELETE", f"/orders/{order}")

    assert answer.code == code
    assert log.stages() == ["RequestReceived", stage]
    assert log.events()[-1]["responseStatus"]["code"] == code


def test_what_flask_answers_itself_is_audited(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        assert client.send("GET", "/nowhere").code == 404
        assert client.send("PATCH", "/orders").code == 405

    assert log.stages() == ["RequestReceived", "ResponseComplete"] * 2


def test_a_head_is_complete_without_a_body(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        answer = client.send("HEAD", "/orders/7")

    assert answer.body == b""
    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    complete = log.events()[-1]
    assert complete["verb"] == "get"
    assert "responseObject" not in complete


def test_a_stream_is_complete_at_its_end(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log))) as client:
        assert client.send("GET", "/stream").body == b"012"

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[-1]["responseObject"] == "012"  # no number of JSON


def test_events_are_stages_times_requests(log: EventLog) -> None:
    with wsgi_server(shop(auditor_of(log, policy_of()))) as client:
        client.send_many("GET", "/orders/{}", 50, 4)

    stages = log.stages()
    assert len(stages) == 2 * 50 * 4
    assert stages.count("ResponseComplete") == 50 * 4


def test_a_request_that_cannot_be_recorded_is_not_carried_out() -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    with wsgi_server(shop(Auditor(policy_of(), strict))) as client:
        answer = client.send("DELETE", "/orders/odd", headers={"Audit-ID": "id-1"})

    assert answer.code == 500
    assert answer.body.endswith(b"failed to store audit event\n")
    assert answer.headers["audit-id"] == "id-1"

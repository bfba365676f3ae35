from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from eventlog import EventLog, policy_of
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, WebSocket
from loopback import asgi_server
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from websockets.sync.client import connect

from auditring.audit.auditor import AuditedRequest, Auditor
from auditring.exchange.body import BodyRules
from auditring.middleware.fastapi import AuditMiddleware, audited, identify
from auditring.policy import Policy
from auditring.routes import Routes

ROUTES = Routes(
    {
        "/orders": "/apis/shop.example/v1/orders",
        "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
    }
)

Audited = Annotated[AuditedRequest, Depends(audited)]


class ByHeader(AuthenticationBackend):
    async def authenticate(
        self, conn: HTTPConnection
    ) -> tuple[AuthCredentials, BaseUser] | None:
        name = conn.headers.get("x-user")
        if name is None:
            return None
        return AuthCredentials(["authenticated", "orders"]), SimpleUser(name)


def token_user(request: Request, x_token: Annotated[str, Header()] = "") -> None:
    if x_token:
        identify(request, x_token)


def shop(auditor: Auditor) -> FastAPI:
    app = FastAPI(dependencies=[])

    @app.head("/orders/{order}")
    @app.get("/orders/{order}")
    def read(order: str, request: Audited) -> dict[str, str]:
        request.annotate("shop.example/read", order)
        return {"order": order}

    @app.post("/orders", status_code=201)
    async def create(order: dict[str, int]) -> dict[str, int]:
        return order

    @app.delete("/orders/{order}")
    async def delete(order: str) -> None:
        if order == "missing":
            raise HTTPException(404)
        raise ValueError("odd")

    @app.get("/late", dependencies=[Depends(token_user)])
    async def late() -> str:
        return "late"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield f"[{number}]"

        return StreamingResponse(numbers(), media_type="text/plain")

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        def fail() -> None:
            raise ValueError("in the background")

        tasks.add_task(fail)
        return "done"

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.receive_text()

    async def inside(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    app.mount("/sub", Starlette(routes=[Mount("/a", routes=[Route("/b", inside)])]))
    app.add_middleware(
        AuditMiddleware,  # type: ignore[arg-type]
        auditor=auditor,
        routes=ROUTES,
        bodies=BodyRules(resources_only=False),
    )
    app.add_middleware(AuthenticationMiddleware, backend=ByHeader())
    return app


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


def auditor_of(log: EventLog, policy: Policy | None = None) -> Auditor:
    return Auditor(policy or policy_of("RequestResponse"), log.writer)


def test_starlettes_user_is_the_events(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        answer = client.send("GET", "/orders/7", headers={"X-User": "alice"})

    assert answer.headers["audit-id"]
    received, complete = log.events()
    assert received["user"] == {
        "username": "alice",
        "groups": ["system:authenticated"],
        "extra": {"scopes": ["authenticated", "orders"]},
    }
    assert complete["objectRef"]["name"] == "7"
    assert complete["annotations"] == {"shop.example/read": "7"}
    assert complete["responseObject"] == {"order": "7"}


def test_who_is_not_logged_in_is_anonymous(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        client.send("GET", "/orders/7")

    assert log.events()[0]["user"]["username"] == "system:anonymous"


def test_a_dependency_can_say_who_it_is(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        client.send("GET", "/late", headers={"X-Token": "carol"})

    names = [event["user"]["username"] for event in log.events()]
    assert names == ["system:anonymous", "carol"]


def test_bodies_are_recorded(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        client.send(
            "POST", "/orders", b'{"a": 1}', {"Content-Type": "application/json"}
        )

    complete = log.events()[-1]
    assert complete["verb"] == "create"
    assert complete["requestObject"] == complete["responseObject"] == {"a": 1}
    assert complete["responseStatus"]["code"] == 201


def test_a_body_that_the_application_refuses_is_recorded(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        answer = client.send(
            "POST", "/orders", b'{"a": "x"}', {"Content-Type": "application/json"}
        )

    assert answer.code == 422
    assert log.events()[-1]["requestObject"] == {"a": "x"}
    assert "detail" in log.events()[-1]["responseObject"]


@pytest.mark.parametrize(
    ("order", "code", "stage"),
    [("odd", 500, "Panic"), ("missing", 404, "ResponseComplete")],
)
def test_an_exception_is_a_panic_unless_it_is_an_answer(
    log: EventLog, order: str, code: int, stage: str
) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        assert client.send("DELETE", f"/orders/{order}").code == code

    assert log.stages() == ["RequestReceived", stage]
    assert log.events()[-1]["responseStatus"]["code"] == code


def test_a_task_in_the_background_has_no_part_in_it(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        assert client.send("GET", "/background").code == 200

    assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_a_head_is_a_get(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        assert client.send("HEAD", "/orders/7").body == b""

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[-1]["verb"] == "get"


def test_a_stream_is_one_body(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        assert client.send("GET", "/stream").body == b"[0][1][2]"

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[-1]["responseObject"] == "[0][1][2]"


def test_a_mounted_application_is_part_of_the_whole(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log))) as client:
        assert client.send("GET", "/sub/a/b?x").body == b"/sub/a/b"

    assert [event["requestURI"] for event in log.events()] == ["/sub/a/b?x"] * 2


def test_a_client_that_leaves_a_web_socket_is_no_panic(log: EventLog) -> None:
    with (
        asgi_server(shop(auditor_of(log))) as client,
        connect(f"ws://127.0.0.1:{client.port}/chat") as connection,
    ):
        connection.send("hello")
        assert connection.recv() == "HELLO"

    stages = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert log.stages() == stages


def test_events_are_stages_times_requests(log: EventLog) -> None:
    with asgi_server(shop(auditor_of(log, policy_of()))) as client:
        client.send_many("GET", "/orders/{}", 50, 4)

    stages = log.stages()
    assert len(stages) == 2 * 50 * 4
    assert stages.count("ResponseComplete") == 50 * 4

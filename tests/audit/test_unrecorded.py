"""What a policy never records of an application is said when it starts, and once.

Who else may be there: a framework whose routes come later, one that nobody knows, an
application of Kubernetes' own paths, a table of routes, a rule for some users only, and
an application that must start whatever is wrong with this.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import flask
import pytest
from django.urls import include, path, re_path
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute

from auditring.audit.auditor import Auditor
from auditring.exchange.approutes import (
    AppRoute,
    routes_of,
    routes_of_django,
    routes_of_flask,
)
from auditring.exchange.reader import RequestReader
from auditring.exchange.unrecorded import StartCheck
from auditring.middleware.asgi import AuditMiddleware, Message, Receive, Scope, Send
from auditring.middleware.fastapi import AuditMiddleware as FastApiMiddleware
from auditring.middleware.flask import init_app
from auditring.middleware.wsgi import AuditMiddleware as WsgiMiddleware
from auditring.policy import Policy
from auditring.request.gateway import Role
from auditring.routes import Routes

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

RESOURCES_ONLY = "rules: [{level: Metadata, resources: [{group: '*'}]}]"
ROUTES = [
    AppRoute("/login", "/login", ("POST",)),
    AppRoute("/orders", "/orders", ("GET",)),
    AppRoute("/orders/x", "/orders/", ("DELETE", "GET")),
]


class Handler(logging.Handler):
    """Somewhere for events to go."""

    def emit(self, record: logging.LogRecord) -> None:
        pass


def auditor_of(policy: str) -> Auditor:
    loaded = Policy.from_yaml(policy) if ":" in policy else Policy.preset(policy)
    return Auditor(loaded, Handler())


def told(
    policy: str,
    caplog: pytest.LogCaptureFixture,
    *,
    table: dict[str, str] | None = None,
    role: Role | None = None,
    routes: list[AppRoute] = ROUTES,
) -> str:
    """Return what is said of an application with these routes."""
    caplog.clear()
    reader = RequestReader(None if table is None else Routes(table), role)
    check = StartCheck(auditor_of(policy), reader, has_role=role is not None)
    check.finish(lambda: routes)
    check.finish(lambda: routes)
    assert len(caplog.records) <= 1
    return caplog.text


@pytest.mark.parametrize(
    "policy",
    [
        *(f"loft-level-{level}" for level in (2, 3, 4)),
        RESOURCES_ONLY,
        "rules: [{level: Metadata, nonResourceURLs: [/log, '/other*']}]",
        "rules: [{level: Metadata, verbs: [create]}]",
        "rules: [{level: Metadata, clusters: [a]}]",
    ],
)
def test_a_policy_that_has_no_rule_for_any_route_is_told(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = told(policy, caplog)

    assert "NO REQUEST for any of the 3 routes (POST /login, GET /orders," in said
    assert "application-1" in said


@pytest.mark.parametrize(
    "policy",
    [
        "application-1",
        "application-4",
        "loft-strict",
        "classic",
        "rules: [{level: Metadata, users: [alice]}]",
        "rules: [{level: Metadata, userGroups: [staff]}]",
        "rules: [{level: None, users: [bob]}, {level: Metadata}]",
        "rules: [{level: Metadata, nonResourceURLs: [/login, /orders, '/orders/*']}]",
        "rules: [{level: Metadata, nonResourceURLs: [/login, /orders, /orders/7]}]",
        # Reads are left out on purpose, by a rule.
        "loft-level-1",
        "rules: [{level: None, verbs: [get]}, {level: Request}]",
        "rules: [{level: None, nonResourceURLs: [/orders]}, {level: Request}]",
    ],
)
def test_a_policy_that_may_record_every_route_is_fine(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(policy, caplog) == ""


def test_routes_that_no_rule_is_for_are_named(caplog: pytest.LogCaptureFixture) -> None:
    said = told("rules: [{level: Metadata, nonResourceURLs: ['/orders*']}]", caplog)

    assert "1 of the 3 routes are never recorded, as no rule is for them" in said
    assert "POST /login" in said


def test_a_policy_that_says_none_to_all_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = told("rules: [{level: None}]", caplog)

    assert "NO REQUEST for any of the 3 routes" in said
    assert "its rules say None" in said


def test_a_policy_whose_stages_are_all_left_out_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stages = "[RequestReceived, ResponseStarted, ResponseComplete, Panic]"

    assert "NO REQUEST" in told(
        f"omitStages: {stages}\nrules: [{{level: Request}}]", caplog
    )


def test_a_table_of_routes_makes_resources_of_paths(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = {
        "/orders": "/apis/shop.example/v1/orders",
        "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
    }

    said = told(RESOURCES_ONLY, caplog, table=table)

    assert "1 of the 3 routes are never recorded" in said
    assert "POST /login" in said
    assert told(RESOURCES_ONLY, caplog, table=table, routes=ROUTES[1:]) == ""


def test_kubernetes_own_paths_are_resources(caplog: pytest.LogCaptureFixture) -> None:
    routes = [AppRoute("/api/v1/pods/x", "/api/v1/pods/", ("GET",))]

    assert told(RESOURCES_ONLY, caplog, routes=routes) == ""


def test_a_gateway_may_have_targets(caplog: pytest.LogCaptureFixture) -> None:
    policy = "rules: [{level: Metadata, requestTargets: [Cluster]}]"

    assert told(policy, caplog, role=Role.GATEWAY) == ""


# Where the routes come from.


def view(*_: object, **__: object) -> str:
    return ""


def test_routes_of_fastapi_and_starlette_are_found() -> None:
    app = FastAPI(openapi_url=None)
    app.post("/login")(view)
    router = APIRouter(prefix="/orders")
    router.delete("/{order_id}")(view)
    app.include_router(router)
    app.mount("/old", Starlette(routes=[Route("/{a:path}", view), Mount("/s", plain)]))
    app.router.routes.append(WebSocketRoute("/ws", view))

    class Wrapper:
        def __init__(self, app: object) -> None:
            self.app = app

    expected = [
        AppRoute("/login", "/login", ("POST",)),
        AppRoute("/orders/x", "/orders/", ("DELETE",)),
        AppRoute("/old/x", "/old/", ("GET",)),
        AppRoute("/ws", "/ws", ("GET",)),
    ]
    assert routes_of(app) == expected
    assert routes_of(Wrapper(Wrapper(app))) == expected


def test_routes_of_flask_are_found() -> None:
    app = flask.Flask(__name__)
    app.add_url_rule("/orders/<int:order>", "a", view, methods=["GET", "DELETE"])

    assert list(routes_of_flask(app)) == [
        AppRoute("/orders/x", "/orders/", ("DELETE", "GET"))
    ]


def test_routes_of_django_are_found() -> None:
    patterns = [
        path("login", view),
        path("shops/<slug:shop>/", include([path("orders/<int:order>", view)])),
        re_path(r"^old/(?P<year>[0-9]{4})/(a|b)\.html$", view),
        re_path(r"^files/.*$", view),
    ]

    found = [(route.path, route.prefix) for route in routes_of_django(patterns)]

    assert found == [
        ("/login", "/login"),
        ("/shops/x/orders/x", "/shops/"),
        ("/old/x/x.html", "/old/"),
        ("/files/x", "/files/"),
    ]


@pytest.mark.parametrize("app", [None, 7, object(), lambda: None, [], {"app": 1}])
def test_what_has_no_routes_has_none(app: object) -> None:
    assert routes_of(app) == []


def test_an_application_that_wraps_itself_ends() -> None:
    class Loop:
        app: object = None

    loop = Loop()
    loop.app = loop

    assert routes_of(loop) == []


class Strange:
    """An application whose routes can't be read."""

    @property
    def routes(self) -> list[object]:
        raise RuntimeError("not now")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


def test_what_is_wrong_with_routes_keeps_nobody_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    AuditMiddleware(Strange(), auditor_of("application-1"))

    assert caplog.text == ""


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    pass


def plain_wsgi(
    environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    return []


def start(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
    """Start an application as a server does, and end it."""
    messages = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> Message:
        return {"type": messages.pop(0)}

    async def send(message: Message) -> None:
        pass

    async def run() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(run())


@pytest.mark.parametrize("wrap", [AuditMiddleware, WsgiMiddleware])
def test_an_application_without_known_routes_is_told_at_once(
    wrap: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    app = plain if wrap is AuditMiddleware else plain_wsgi

    wrap(app, auditor_of("loft-level-2"))

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("auditring", "WARNING")
    assert "NO REQUEST for a path that isn't Kubernetes'" in caplog.text
    caplog.clear()
    wrap(app, auditor_of("application-2"))
    wrap(app, auditor_of("loft-level-2"), routes=Routes({"/a": "/api/v1/a"}))
    wrap(app, auditor_of("loft-level-2"), role=Role.GATEWAY)
    assert caplog.text == ""


def test_fastapi_is_told_when_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    app.add_middleware(FastApiMiddleware, auditor=auditor_of(RESOURCES_ONLY))
    app.post("/login")(view)

    start(app)

    assert len(caplog.records) == 1
    assert "POST /login" in caplog.text


def test_routes_that_come_after_the_middleware_are_seen_at_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = "rules: [{level: Metadata, nonResourceURLs: [/health]}]"
    app = Starlette(routes=[Route("/health", view)])
    audited = AuditMiddleware(app, auditor_of(policy))
    app.router.routes.append(Route("/orders", view))
    assert caplog.text == ""

    start(audited)

    assert "1 of the 2 routes are never recorded" in caplog.text
    assert "GET /orders" in caplog.text


def test_middleware_of_starlette_is_told(caplog: pytest.LogCaptureFixture) -> None:
    auditor = auditor_of(RESOURCES_ONLY)
    app = Starlette(
        routes=[Route("/orders", view)],
        middleware=[Middleware(AuditMiddleware, auditor=auditor)],
    )

    start(app)

    assert "NO REQUEST for any of the 1 routes (GET /orders)" in caplog.text


def test_flask_is_told_once_its_routes_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = "rules: [{level: Metadata, nonResourceURLs: ['/orders*']}]"
    app = flask.Flask(__name__)
    init_app(app, auditor_of(policy))
    app.add_url_rule("/orders", "orders", view)
    app.add_url_rule("/login", "login", view, methods=["POST"])
    assert caplog.text == ""

    for _ in range(2):
        app.test_client().get("/orders")

    assert len(caplog.records) == 1
    assert "POST /login" in caplog.text


def test_flask_without_any_rule_for_it_is_told_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    init_app(flask.Flask(__name__), auditor_of("loft-level-3"))

    assert "NO REQUEST" in caplog.text

"""Audit an ASGI application: HTTP and WebSocket requests.

Put it as far outside as the user is known: what it wraps is audited, and what raises
inside of it is a panic.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from .._exchange import SCOPE_KEY, HttpOpener
from ..approutes import routes_of
from ..attributes import Attributes
from ..auditor import AuditedRequest, Auditor
from ..bodies import BodyRules
from ..disconnects import is_disconnect
from ..exchange import Exchange
from ..identity import Identity, as_user
from ..rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..requestreader import RequestReader
from ..routes import Routes
from ..targets import Role
from ..unrecorded import StartCheck

__all__ = ["AuditMiddleware", "audited"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = Iterable[tuple[bytes, bytes]]

FORBIDDEN = 403
SWITCHING_PROTOCOLS = 101
INTERNAL_ERROR = 1011  # of a WebSocket; source: RFC 6455


def audited(scope: Scope) -> AuditedRequest:
    """Return the audited request of *scope*, for annotations and the like.

    Raises:
        KeyError: No `AuditMiddleware` is around the application.
    """
    request: AuditedRequest = scope[SCOPE_KEY]
    return request


class AuditMiddleware:
    """Audits the requests that pass through it.

    The response gets a header ``Audit-ID``. An event of ResponseComplete is there
    before the last piece of the response goes out; what the application does after it
    (background tasks) has no part in it. That of a server error is there once the
    application returned or raised, as it may have been a panic. Only the outermost
    counts, where one is inside of another.

    Backends are called in the event loop. A log takes an event without waiting for the
    disk, until its ring is full: see `LogWriter`'s ``on_full``. Put slow ones into
    a `backends.batch.Batch`.
    """

    def __init__(
        self,
        app: App,
        auditor: Auditor,
        *,
        user: Callable[[Scope], Identity] | None = None,
        routes: Routes | None = None,
        role: Role | None = None,
        bodies: BodyRules | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: The application.
            auditor: Who decides what is recorded.
            user: Says who sent the request of a scope; None for nobody ever.
            routes: Which paths stand for which resources.
            role: Whether paths have the prefixes of Loft's gateway, or of an agent.
            bodies: Which bodies are recorded; None for `BodyRules`' defaults.
        """
        self._app = app
        self._auditor = auditor
        self._auditor.mask_by_default()
        self._user = user
        self._reader = RequestReader(routes, role)
        self._check = StartCheck(auditor, self._reader, has_role=role is not None)
        self._check.look_at(app)
        self._open = HttpOpener(
            auditor,
            user,
            None if routes is None else routes.table,
            bodies or BodyRules(),
            self._read,
            # A gateway's prefixes are for the reader.
            is_plain=role is None,
        ).open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI wants it."""
        # Few steps: each is taken for every request.
        if scope["type"] != "http" or SCOPE_KEY in scope:
            await self._serve_other(scope, receive, send)
            return
        exchange = self._open(scope, send)
        if exchange.bodies is not None:
            receive = _watched(receive, exchange.bodies, scope["headers"])
            exchange.receive()
        if exchange.is_refused:
            await _reject("http", scope[SCOPE_KEY], send)
            return
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.finish()

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._check.finish(lambda: routes_of(self._app))
        if scope["type"] != "websocket" or SCOPE_KEY in scope:
            await self._app(scope, receive, send)
            return
        exchange = self._open_websocket(scope, send)
        if not exchange.receive():
            await _reject("websocket", scope[SCOPE_KEY], send)
            return
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.finish()

    def _open_websocket(self, scope: Scope, send: Send) -> "_WebSocketExchange":
        identity = None if self._user is None else self._user(scope)
        request = self._auditor.begin(self._read(scope, identity))
        scope[SCOPE_KEY] = request
        request.long_running = True
        return _WebSocketExchange(request, send)

    def _read(self, scope: Scope, identity: Identity) -> Attributes:
        client = scope.get("client")
        return self._reader.read(
            scope.get("method", "GET"),
            _target(scope),
            [(_text(name), _text(value)) for name, value in scope["headers"]],
            user=as_user(identity),
            peer=client[0] if client else "",
        )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _target(scope: Scope) -> str:
    """Return what stood on the request line, as near as the server tells."""
    raw_path = scope.get("raw_path")
    path = _text(raw_path) if raw_path else quote(scope["path"])
    query = scope["query_string"]
    return f"{path}?{_text(query)}" if query else path


def _with_audit_id(headers: RawHeaders, audit_id: str) -> list[tuple[bytes, bytes]]:
    pairs = [(name, value) for name, value in headers]
    if not any(name.lower() == b"audit-id" for name, _ in pairs):
        pairs.append((b"audit-id", audit_id.encode("utf-8", "surrogateescape")))
    return pairs


def _value(headers: RawHeaders, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")


def _watched(receive: Receive, bodies: Exchange, headers: RawHeaders) -> Receive:
    """Return what the application receives by: another only to keep the body."""
    body = bodies.watch(
        _value(headers, b"content-type").decode("latin-1"),
        _value(headers, b"content-encoding").decode("latin-1"),
    )
    if body is None:
        return receive

    async def receive_and_keep() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            body.add(message.get("body", b""))
            if not message.get("more_body", False):
                body.end()
        return message

    return receive_and_keep


async def _reject(kind: str, request: AuditedRequest, send: Send) -> None:
    """Answer in the application's stead."""
    if kind == "websocket":
        await send({"type": "websocket.close", "code": INTERNAL_ERROR})
        return
    start = {
        "type": "http.response.start",
        "status": REJECTION_CODE,
        "headers": _with_audit_id(REJECTION_HEADERS, request.audit_id),
    }
    await send(start)
    await send({"type": "http.response.body", "body": REJECTION_BODY})


class _WebSocketExchange:
    """A WebSocket: long-running, and without bodies."""

    __slots__ = ("_request", "_send")

    def __init__(self, request: AuditedRequest, send: Send) -> None:
        self._request = request
        self._send = send

    def receive(self) -> bool:
        """Record that the request is there; False if it must be refused."""
        return self._request.receive()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on a message of the application, having recorded what it means."""
        request = self._request
        kind = message["type"]
        if kind == "websocket.accept":
            request.start_response(SWITCHING_PROTOCOLS)
        elif kind == "websocket.close":
            # Before it was accepted, the server answers so; later this does nothing.
            request.start_response(FORBIDDEN)
        elif kind == "websocket.http.response.start":
            request.start_response(message["status"])
        else:
            return self._send(message)
        if kind != "websocket.close":
            headers = _with_audit_id(message.get("headers", ()), request.audit_id)
            message = {**message, "headers": headers}
        return self._send(message)

    def finish(self) -> None:
        """Record that the connection is closed."""
        self._request.complete()

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the application."""
        if is_disconnect(error):
            self._request.complete()
        else:
            self._request.panic(error)

"""Audit an ASGI application: HTTP and WebSocket requests.

Put it as far outside as the user is known: what it wraps is audited, and what raises
inside of it is a panic.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import MethodType
from typing import Any
from urllib.parse import quote

from ..audit.auditor import AuditedRequest, Auditor
from ..event.event import UserInfo
from ..exchange._asgi import SCOPE_KEY, HttpExchange, HttpOpener
from ..exchange.approutes import routes_of
from ..exchange.arguments import check_arguments
from ..exchange.body import BodyRules
from ..exchange.disconnects import code_of, is_cancelled, is_raised_in
from ..exchange.identification import ask_later, ask_user
from ..exchange.incompleteness import CLIENT_LEFT, HANDLER_ERROR, UNANSWERED, error_text
from ..exchange.reader import RequestReader
from ..exchange.rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..exchange.routes import Routes
from ..exchange.unrecorded import StartCheck
from ..request.attributes import Attributes
from ..request.gateway import Role
from ..request.identity import ANONYMOUS_USER, Identity, as_user

__all__ = ["AuditMiddleware", "audited", "identify"]

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


def identify(scope: Scope, identity: Identity) -> UserInfo:
    """Record who the user of *scope* is, as a handler found out.

    Events of stages to come show it. The decision stays what it was, so a policy that
    asks for users or groups needs them earlier.

    Raises:
        KeyError: No `AuditMiddleware` is around the application.
        TypeError: *identity* is something else.
    """
    user = as_user(identity)
    audited(scope).identify(user)
    return user


class AuditMiddleware:
    """Audits the requests that pass through it.

    The response gets a header ``Audit-ID``. An event of ResponseComplete is there
    before the last piece of the response goes out; what the application does after it
    (background tasks) has no part in it. That of a server error is there once the
    application returned or raised, as it may have been a panic. Only the outermost
    counts, where one is inside of another.

    Whether the client left is what the server says: by ``http.disconnect``, by a `send`
    that fails, by cancelling the task. An answer without an end gets the annotation
    ``auditring.io/response-incomplete``; where none began, the code is 499 if the
    client left and 500 if not. If *user* fails, the event is recorded without a user,
    and with the annotation ``auditring.io/user-error``.

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
            user: Says who sent the request of a scope; asked again before each later
                event while nobody is known. None for nobody ever.
            routes: Which paths stand for which resources.
            role: Whether paths have the prefixes of Loft's gateway, or of an agent.
            bodies: Which bodies are recorded; None for `BodyRules`' defaults.
        """
        check_arguments(auditor, user, routes, bodies)
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
        if type(send) is not MethodType and code_of(send) is None:
            send = _in_python(send)
        exchange = self._open(scope, receive, send)
        if exchange.bodies is not None:
            _watch(exchange, scope["headers"])
            exchange.begin()
        if exchange.is_refused:
            await _reject("http", scope[SCOPE_KEY], send)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
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
        if code_of(send) is None:
            send = _in_python(send)
        exchange = self._open_websocket(scope, receive, send)
        if not exchange.begin():
            await _reject("websocket", scope[SCOPE_KEY], send)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.finish()

    def _open_websocket(
        self, scope: Scope, receive: Receive, send: Send
    ) -> "_WebSocketExchange":
        user, failure = ask_user(self._user, scope)
        request = self._auditor.begin(self._read(scope, user))
        if user is ANONYMOUS_USER:
            ask_later(request, failure, self._user, scope)
        scope[SCOPE_KEY] = request
        request.long_running = True
        return _WebSocketExchange(request, receive, send)

    def _read(self, scope: Scope, user: UserInfo) -> Attributes:
        client = scope.get("client")
        return self._reader.read(
            scope.get("method", "GET"),
            _target(scope),
            [(_text(name), _text(value)) for name, value in scope["headers"]],
            user=user,
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


def _watch(exchange: HttpExchange, headers: RawHeaders) -> None:
    """Keep the request's body as the application receives it, if it's wanted."""
    exchange.watch(
        _value(headers, b"content-type").decode("latin-1"),
        _value(headers, b"content-encoding").decode("latin-1"),
    )


def _in_python(send: Send) -> Send:
    """Return *send* as a function that leaves a trace in what it raises."""

    async def pass_on(message: Message) -> None:
        await send(message)

    return pass_on


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

    __slots__ = ("_has_left", "_receive", "_request", "_send")

    def __init__(self, request: AuditedRequest, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._has_left = False

    def begin(self) -> bool:
        """Record that the request is there; False if it must be refused."""
        return self._request.receive()

    async def receive(self) -> Message:
        """Receive a message for the application."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._has_left = True
        return message

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
        self._request.complete(CLIENT_LEFT if self._has_left else UNANSWERED)

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the application."""
        if is_cancelled(error) or is_raised_in(error, code_of(self._send)):
            self._request.complete(CLIENT_LEFT)
        elif self._has_left:
            # It may be the framework's own word for that, or a fault behind it.
            self._request.annotate(HANDLER_ERROR, error_text(error))
            self._request.complete(CLIENT_LEFT)
        else:
            self._request.panic(error)

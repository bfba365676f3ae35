"""Audit an ASGI application: HTTP and WebSocket requests.

Put it as far outside as the user is known: what it wraps is audited, and what raises
inside of it is a panic.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from ..attributes import Attributes
from ..auditor import AuditedRequest, Auditor
from ..bodies import BodyRules
from ..disconnects import is_disconnect
from ..exchange import STATUS_START, Exchange
from ..identity import Identity, as_user
from ..rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..requestreader import RequestReader
from ..routes import Routes
from ..targets import Role

__all__ = ["AuditMiddleware", "audited"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = Iterable[tuple[bytes, bytes]]

SCOPE_KEY = "auditring.request"

SERVER_ERROR = 500
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
    (background tasks) has no part in it. Only the outermost counts, where one is inside
    of another.
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
        self._user = user
        self._reader = RequestReader(routes, role)
        self._rules = bodies or BodyRules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI wants it."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or SCOPE_KEY in scope:
            await self._app(scope, receive, send)
            return
        request = self._auditor.begin(self._attributes(scope))
        scope[SCOPE_KEY] = request
        exchange: _HttpExchange | _WebSocketExchange
        if kind == "http":
            exchange = _HttpExchange(request, self._rules, send)
            receive = exchange.watch_receive(scope["headers"], receive)
        else:
            exchange = _WebSocketExchange(request, send)
            request.long_running = True
        if not request.receive():
            await exchange.reject()
            return
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.finish()

    def _attributes(self, scope: Scope) -> Attributes:
        client = scope.get("client")
        return self._reader.read(
            scope.get("method", "GET"),
            _target(scope),
            [(_text(name), _text(value)) for name, value in scope["headers"]],
            user=as_user(self._user(scope) if self._user is not None else None),
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


class _HttpExchange(Exchange):
    """A request and its answer, as ASGI has them."""

    __slots__ = ("_code", "_send")

    def __init__(self, request: AuditedRequest, rules: BodyRules, send: Send) -> None:
        super().__init__(request, rules)
        self._send = send
        self._code = 0

    def watch_receive(self, headers: RawHeaders, receive: Receive) -> Receive:
        """Return what the application receives by: another only to keep the body."""
        if not self.request.wants_request_object:
            return receive
        body = self.watch(*_kind_of_body(headers))
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

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on a message of the application, having recorded what it means."""
        kind = message["type"]
        if kind == "http.response.start":
            headers = _with_audit_id(message.get("headers", ()), self.request.audit_id)
            self._code = message["status"]
            self.start(self._code, *_kind_of_body(headers))
            message = {**message, "headers": headers}
        elif kind == "http.response.body":
            body = message.get("body", b"")
            self.pass_on(body)
            if not message.get("more_body", False):
                self._end(body)
        elif kind == "http.response.pathsend":
            self._end(b"")
        return self._send(message)

    def _end(self, last_chunk: bytes) -> None:
        if last_chunk.startswith(STATUS_START):
            self.request.record_response_object(last_chunk)
        # Who answers for an exception of the application does it before that gets here.
        if self._code < SERVER_ERROR:
            self.finish()

    async def reject(self) -> None:
        """Answer in the application's stead."""
        headers = _with_audit_id(REJECTION_HEADERS, self.request.audit_id)
        start = {
            "type": "http.response.start",
            "status": REJECTION_CODE,
            "headers": headers,
        }
        await self._send(start)
        await self._send({"type": "http.response.body", "body": REJECTION_BODY})


class _WebSocketExchange:
    """A WebSocket: long-running, and without bodies."""

    __slots__ = ("_request", "_send")

    def __init__(self, request: AuditedRequest, send: Send) -> None:
        self._request = request
        self._send = send

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

    async def reject(self) -> None:
        """Answer in the application's stead."""
        await self._send({"type": "websocket.close", "code": INTERNAL_ERROR})

    def finish(self) -> None:
        """Record that the connection is closed."""
        self._request.complete()

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the application."""
        if is_disconnect(error):
            self._request.complete()
        else:
            self._request.panic(error)


def _kind_of_body(headers: RawHeaders) -> tuple[str, str]:
    """Return what Content-Type and Content-Encoding say."""
    return (
        _value(headers, b"content-type").decode("latin-1"),
        _value(headers, b"content-encoding").decode("latin-1"),
    )

"""Audit an ASGI application: HTTP and WebSocket requests.

Put it as far outside as the user is known: what it wraps is audited, and what raises
inside of it is a panic.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from ..attributes import Attributes
from ..auditor import AuditedRequest, Auditor
from ..bodies import Body, BodyRules, record_request_body, record_response_body
from ..disconnects import is_disconnect
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

_EVENT_STREAM = b"text/event-stream"
# A Status of Kubernetes says more than the code, and is short.
_STATUS_START = b'{"kind":"Status",'


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
        self._bodies = bodies or BodyRules()

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
            exchange = _HttpExchange(request, scope["headers"], send, self._bodies)
            receive = exchange.watch(receive)
        else:
            exchange = _WebSocketExchange(request, send)
            request.long_running = True
        if not request.receive():
            await exchange.refuse()
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


class _HttpExchange:
    """An HTTP request and its answer."""

    __slots__ = (
        "_code",
        "_request",
        "_request_body",
        "_request_headers",
        "_response_body",
        "_response_headers",
        "_rules",
        "_send",
    )

    def __init__(
        self,
        request: AuditedRequest,
        headers: RawHeaders,
        send: Send,
        rules: BodyRules,
    ) -> None:
        self._request = request
        self._send = send
        self._rules = rules
        self._code = 0
        self._request_headers = headers
        self._request_body: Body | None = None
        self._response_headers: RawHeaders = ()
        self._response_body: Body | None = None

    def watch(self, receive: Receive) -> Receive:
        """Return what the application receives by: another only to keep the body.

        A server answers ``Expect: 100-continue`` when the body is first asked for, so
        nothing is asked for here that the application doesn't want.
        """
        request = self._request
        if not request.wants_request_object or not self._rules.allow(request):
            return receive
        body = self._request_body = Body(self._rules.max_bytes)

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
            message = self._start(message)
        elif kind == "http.response.body":
            if self._response_body is not None:
                self._response_body.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._end(message)
        elif kind == "http.response.pathsend":
            self._end(message)
        return self._send(message)

    def _start(self, message: Message) -> Message:
        request = self._request
        headers = _with_audit_id(message.get("headers", ()), request.audit_id)
        self._code = message["status"]
        if request.is_enabled:
            self._response_headers = headers
            if _value(headers, b"content-type").startswith(_EVENT_STREAM):
                request.long_running = True
            request.start_response(self._code)
            if request.wants_response_object and self._rules.allow(request):
                self._response_body = Body(self._rules.max_bytes)
        return {**message, "headers": headers}

    def _end(self, message: Message) -> None:
        if self._response_body is not None:
            self._response_body.end()
        elif message.get("body", b"").startswith(_STATUS_START):
            self._request.record_response_object(message["body"])
        # Who answers for an exception in the application does it before it gets here.
        if self._code < SERVER_ERROR:
            self.finish()

    async def refuse(self) -> None:
        """Answer in the application's stead."""
        headers = _with_audit_id(REJECTION_HEADERS, self._request.audit_id)
        start = {
            "type": "http.response.start",
            "status": REJECTION_CODE,
            "headers": headers,
        }
        await self._send(start)
        await self._send({"type": "http.response.body", "body": REJECTION_BODY})

    def finish(self) -> None:
        """Record that the answer is given, if that isn't done by now."""
        if not self._request.is_over:
            self._record_bodies()
            self._request.complete()

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the application."""
        if self._request.is_over:
            return
        self._record_bodies()
        if is_disconnect(error):
            self._request.complete()
        else:
            self._request.panic(error)

    def _record_bodies(self) -> None:
        request = self._request
        if self._request_body is not None and not request.long_running:
            kind = _kind_of_body(self._request_headers)
            record_request_body(request, self._request_body, *kind)
        if self._response_body is not None:
            kind = _kind_of_body(self._response_headers)
            record_response_body(request, self._response_body, *kind)


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

    async def refuse(self) -> None:
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

"""Audit a WSGI application.

Put it as far outside as the user is known: what it wraps is audited, and what raises
inside of it is a panic.
"""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..audit.auditor import AuditedRequest, Auditor
from ..event.event import UserInfo
from ..exchange.arguments import check_arguments
from ..exchange.body import BodyRules
from ..exchange.environ import headers_of, peer_of, target_of
from ..exchange.exchange import Exchange
from ..exchange.identification import Ask, ask_later, ask_user
from ..exchange.reader import RequestReader
from ..exchange.rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..exchange.routes import Routes
from ..exchange.stream import WatchedStream
from ..exchange.unrecorded import StartCheck
from ..request.attributes import Attributes
from ..request.gateway import Role
from ..request.identity import ANONYMOUS_USER, Identity, as_user

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

__all__ = ["AuditMiddleware", "WsgiExchange", "audited", "identify"]

Environ = dict[str, Any]
HeaderList = list[tuple[str, str]]
ErrorInfo = (
    tuple[type[BaseException], BaseException, TracebackType]
    | tuple[None, None, None]
    | None
)
Write = Callable[[bytes], object]

ENVIRON_KEY = "auditring.exchange"


def audited(environ: Environ) -> AuditedRequest:
    """Return the audited request of *environ*, for annotations and the like.

    Raises:
        KeyError: No `AuditMiddleware` is around the application.
    """
    exchange: WsgiExchange = environ[ENVIRON_KEY]
    return exchange.request


def identify(environ: Environ, identity: Identity) -> UserInfo:
    """Record who the user of *environ* is, as a handler found out.

    Events of stages to come show it. The decision stays what it was, so a policy that
    asks for users or groups needs them earlier.

    Raises:
        KeyError: No `AuditMiddleware` is around the application.
        TypeError: *identity* is something else.
    """
    user = as_user(identity)
    audited(environ).identify(user)
    return user


def _remote_user(environ: Environ) -> Identity:
    """Say who sent the request, by what the server says."""
    user: str | None = environ.get("REMOTE_USER")
    return user


class AuditMiddleware:
    """Audits the requests that pass through it.

    The response gets a header ``Audit-ID``. Where it has a Content-Length, an event of
    ResponseComplete is there before its last bytes go out. Only the outermost counts,
    where one is inside of another. A ``wsgi.file_wrapper`` of the server is read like
    any other body.

    That the client left shows where the server's `write` fails, or where it closes the
    body before its end. An answer that has no end gets the annotation
    ``auditring.io/response-incomplete``; where none began, the code is 499 then, and
    else 500. If *user* fails, the event is recorded without a user, and with the
    annotation ``auditring.io/user-error``.

    Attributes:
        start_check: Says once what can't be recorded.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        auditor: Auditor,
        *,
        user: Callable[[Environ], Identity] | None = _remote_user,
        routes: Routes | None = None,
        role: Role | None = None,
        bodies: BodyRules | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: The application.
            auditor: Who decides what is recorded.
            user: Says who sent the request of an environ; asked again before each
                later event while nobody is known. By default its ``REMOTE_USER``.
                None leaves it to the application, which calls `WsgiExchange.begin`.
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
        self.start_check = StartCheck(auditor, self._reader, has_role=role is not None)
        self.start_check.look_at(app)
        self._rules = bodies or BodyRules()

    def __call__(
        self, environ: Environ, start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Serve one request, as WSGI wants it."""
        if ENVIRON_KEY in environ:
            return self._app(environ, start_response)
        exchange = WsgiExchange(
            self._auditor, self._reader, self._rules, environ, start_response
        )
        environ[ENVIRON_KEY] = exchange
        if self._user is not None and not exchange.begin_for(self._user, environ):
            return exchange.reject()
        try:
            body = self._app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        return _AnswerBody(exchange, body)


class WsgiExchange:
    """A request and its answer, as WSGI has them; one thread at a time."""

    def __init__(
        self,
        auditor: Auditor,
        reader: RequestReader,
        rules: BodyRules,
        environ: Environ,
        start_response: "StartResponse",
    ) -> None:
        """Take a request of which nothing is decided yet."""
        self._auditor = auditor
        self._reader = reader
        self._rules = rules
        self._environ = environ
        self._start_response = start_response
        self._exchange: Exchange | None = None
        self._code = 0
        self._said: dict[str, str] = {}
        self._bytes_left: int | None = None
        self._has_left = False

    def begin(self, identity: Identity) -> bool:
        """Decide on the request, now that its user is known; once.

        Returns:
            False: It must be refused.
        """
        return self.begin_for(lambda: identity)

    def begin_for(self, ask: Ask, *source: object) -> bool:
        """Decide on the request of whom *ask* names; once.

        It is asked again before each later event while it names nobody.

        Args:
            ask: Says who sent the request.
            source: What *ask* is called with.

        Returns:
            False: It must be refused.
        """
        if self._exchange is None:
            user, failure = ask_user(ask, *source)
            request = self._auditor.begin(self._read(user))
            if user is ANONYMOUS_USER:
                ask_later(request, failure, ask, *source)
            self._exchange = Exchange(request, self._rules)
            request.receive()
            self._watch(self._exchange)
        return not self.request.is_refused

    def _read(self, user: UserInfo) -> Attributes:
        environ = self._environ
        return self._reader.read(
            environ["REQUEST_METHOD"],
            target_of(environ),
            headers_of(environ),
            user=user,
            peer=peer_of(environ),
        )

    def _watch(self, exchange: Exchange) -> None:
        """Keep the body as the application reads it, if it's wanted."""
        environ = self._environ
        body = exchange.watch(
            environ.get("CONTENT_TYPE") or "",
            environ.get("HTTP_CONTENT_ENCODING") or "",
        )
        if body is not None:
            length = _number(environ.get("CONTENT_LENGTH") or "")
            environ["wsgi.input"] = WatchedStream(environ["wsgi.input"], body, length)

    @property
    def exchange(self) -> Exchange:
        """What is recorded; begun for nobody, if nobody said who it is."""
        if self._exchange is None:
            self.begin(None)
            assert self._exchange is not None
        return self._exchange

    @property
    def request(self) -> AuditedRequest:
        """The audited request; begun for nobody, if nobody said who it is."""
        return self.exchange.request

    def reject(self) -> Iterable[bytes]:
        """Answer in the application's stead."""
        headers = [(name.decode(), value.decode()) for name, value in REJECTION_HEADERS]
        self._start_response(
            f"{REJECTION_CODE} Internal Server Error", self._with_audit_id(headers)
        )
        return [REJECTION_BODY]

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ErrorInfo = None, /
    ) -> Write:
        """Begin the response, as the application wants it."""
        said = _said(headers)
        if "audit-id" not in said:
            headers = self._with_audit_id(headers)
        write = self._start_response(status, headers, exc_info)
        self._code = int(status[:3])
        self._said = said
        self._bytes_left = _number(said.get("content-length", ""))

        def write_and_note(data: bytes) -> object:
            self.pass_on(data)
            try:
                return write(data)
            except OSError:
                self._has_left = True
                raise

        return write_and_note

    def _with_audit_id(self, headers: HeaderList) -> HeaderList:
        octets = self.request.audit_id.encode("utf-8", "surrogateescape")
        return [*headers, ("Audit-ID", octets.decode("latin-1"))]

    def pass_on(self, chunk: bytes) -> None:
        """Take note of bytes of the answer that go out now."""
        exchange = self.exchange
        if not exchange.request.has_started:
            self._start()
        exchange.pass_on(chunk)
        if self._bytes_left is not None:
            self._bytes_left -= len(chunk)
            if self._bytes_left <= 0:
                exchange.finish()

    def _start(self) -> None:
        """Take note that headers go out; not before, since an error changes them."""
        if self._code:
            self.exchange.start(
                self._code,
                self._said.get("content-type", ""),
                self._said.get("content-encoding", ""),
            )

    def finish(self, *, is_whole: bool = True) -> None:
        """Record that the answer is given, if that isn't done by now.

        Args:
            is_whole: Whether the server took all of it.
        """
        if not self.request.is_over:
            self._start()
            self.exchange.finish(is_whole=is_whole or self._has_no_body())

    def _has_no_body(self) -> bool:
        """Tell whether a server may not even ask for the body of the answer."""
        return self._code != 0 and self._environ["REQUEST_METHOD"] == "HEAD"

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the application."""
        if self._has_left:
            self.exchange.leave(error)
        else:
            self.exchange.fail(error)


class _AnswerBody:
    """The body of an answer, on its way to the server."""

    def __init__(self, exchange: WsgiExchange, body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._is_exhausted = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            chunk = next(self._chunks)
        except StopIteration:
            self._is_exhausted = True
            self._exchange.finish()
            raise
        except BaseException as error:
            self._exchange.fail(error)
            raise
        if chunk:
            self._exchange.pass_on(chunk)
        return chunk

    def close(self) -> None:
        """Close what the application returned; a server always calls this."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._exchange.fail(error)
            raise
        finally:
            self._exchange.finish(is_whole=self._is_exhausted)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _said(headers: HeaderList) -> dict[str, str]:
    """Return the headers by their names in lower case; the first of a name counts."""
    said: dict[str, str] = {}
    for name, value in headers:
        said.setdefault(name.lower(), value)
    return said

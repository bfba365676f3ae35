"""Audit a Django application, which says who its users are.

In the settings, behind what finds out the user::

    MIDDLEWARE = [
        ...
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "auditring.middleware.django.AuditMiddleware",
        ...
    ]
    AUDITRING = {"auditor": "shop.audit.auditor"}

Under WSGI and ASGI alike, with handlers of either kind.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver
from django.utils.module_loading import import_string

from ..audit.auditor import AuditedRequest, Auditor
from ..documents.suggestion import did_you_mean
from ..event.event import UserInfo
from ..exchange.approutes import routes_of_django
from ..exchange.arguments import check_arguments
from ..exchange.body import BodyRules
from ..exchange.environ import headers_of, peer_of, target_of
from ..exchange.exchange import Exchange
from ..exchange.identification import ask_later, ask_user
from ..exchange.reader import RequestReader
from ..exchange.rejection import REJECTION_BODY, REJECTION_CODE
from ..exchange.routes import Routes
from ..exchange.stream import WatchedStream
from ..exchange.unrecorded import StartCheck
from ..request.identity import ANONYMOUS_USER, Identity, as_user, authenticated

__all__ = ["AuditMiddleware", "audited", "identify", "user_of"]

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

_KEYS = ("auditor", "user", "routes", "role", "bodies")
_ATTRIBUTE = "auditring_exchange"


def audited(request: HttpRequest) -> AuditedRequest:
    """Return the audited request of *request*, for annotations and the like.

    Raises:
        AttributeError: `AuditMiddleware` isn't around the view.
    """
    exchange: _DjangoExchange = getattr(request, _ATTRIBUTE)
    return exchange.request


def identify(request: HttpRequest, identity: Identity) -> UserInfo:
    """Record who the user of *request* is, as a view or its authentication found out.

    Events of stages to come show it. The decision stays what it was, so a policy that
    asks for users or groups needs them earlier.

    Raises:
        AttributeError: `AuditMiddleware` isn't around the view.
        TypeError: *identity* is something else.
    """
    user = as_user(identity)
    audited(request).identify(user)
    return user


def user_of(request: HttpRequest) -> Identity:
    """Return the user that is logged in, with the names of its groups.

    That of a REST framework is there once its view has begun.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    uid = getattr(user, "pk", None)
    return authenticated(
        user.get_username(),
        uid="" if uid is None else str(uid),
        groups=_group_names(getattr(user, "groups", None)),
    )


def _group_names(groups: Any) -> list[str]:  # noqa: ANN401
    """Return the names of *groups*, which a user without a database has otherwise."""
    if groups is None:
        return []
    if hasattr(groups, "values_list"):
        return [str(name) for name in groups.values_list("name", flat=True)]
    return [str(getattr(group, "name", group)) for group in groups]


class AuditMiddleware:
    """Audits the requests that reach it.

    Under ASGI that is once their body is there: a client that leaves before has none.

    The settings `AUDITRING` are a mapping: `auditor` is an `Auditor` or the dotted name
    of one; `user` a function of the request, or its dotted name, instead of `user_of`;
    `routes` a mapping as for `Routes`; `role` and `bodies` as for other middleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        """Take the next middleware.

        Raises:
            ImproperlyConfigured: `AUDITRING` in the settings isn't right.
        """
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        given = _settings()
        self._auditor: Auditor = given["auditor"]
        self._auditor.mask_by_default()
        self._user: Callable[[HttpRequest], Identity] = given["user"]
        self._reader = RequestReader(given["routes"], given["role"])
        self._check = StartCheck(
            self._auditor, self._reader, has_role=given["role"] is not None
        )
        self._check.look_at(None)
        self._rules: BodyRules = given["bodies"]
        got_request_exception.connect(_note_error, dispatch_uid=__name__)

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        if self._is_async:
            return self._serve_async(request)
        if hasattr(request, _ATTRIBUTE):
            return self._get_response(request)
        exchange = self._begin(request, *ask_user(self._user, request))
        if exchange.request.is_refused:
            return exchange.reject()
        try:
            response = cast(HttpResponseBase, self._get_response(request))
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.request.ask_now()
        return exchange.answer(response)

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        from asgiref.sync import sync_to_async

        get_response = cast(
            Callable[[HttpRequest], Awaitable[HttpResponseBase]], self._get_response
        )
        if hasattr(request, _ATTRIBUTE):
            return await get_response(request)
        # Who it is may be in the database, which is for threads only.
        user, failure = await sync_to_async(ask_user)(self._user, request)
        exchange = self._begin(request, user, failure)
        if exchange.request.is_refused:
            return exchange.reject()
        try:
            response = await get_response(request)
        except BaseException as error:
            exchange.request.ask_later(None)  # a task that was told to end can't wait
            exchange.fail(error)
            raise
        if exchange.request.asks_user:
            await sync_to_async(exchange.request.ask_now)()
        return exchange.answer(response)

    def _begin(
        self, request: HttpRequest, user: UserInfo, failure: str
    ) -> "_DjangoExchange":
        if not self._check.is_over:  # by now the views are imported
            self._check.finish(lambda: routes_of_django(get_resolver().url_patterns))
        attributes = self._reader.read(
            request.method or "GET",
            _target(request),
            headers_of(request.META),
            user=user,
            peer=peer_of(request.META),
        )
        audited_request = self._auditor.begin(attributes)
        if user is ANONYMOUS_USER:
            ask_later(audited_request, failure, self._user, request)
        exchange = _DjangoExchange(audited_request, self._rules)
        setattr(request, _ATTRIBUTE, exchange)
        audited_request.receive()
        exchange.watch_stream(request)
        return exchange


def _settings() -> dict[str, Any]:
    """Return the settings, with their defaults and what their names stand for."""
    given = getattr(settings, "AUDITRING", None)
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"AUDITRING: expected a mapping, got {given!r}")
    unknown = set(given) - set(_KEYS)
    if unknown:
        name = min(map(str, unknown))
        hint = did_you_mean(name, _KEYS)
        raise ImproperlyConfigured(f"AUDITRING: no such key: {name!r}{hint}")
    found = {key: given.get(key) for key in _KEYS}
    for key in ("auditor", "user"):
        value = found[key]
        if isinstance(value, str):
            found[key] = import_string(value)
    if isinstance(found["routes"], Mapping):
        found["routes"] = Routes(found["routes"])
    try:
        check_arguments(
            found["auditor"], found["user"], found["routes"], found["bodies"]
        )
    except TypeError as error:
        key, _, told = str(error).partition(": ")
        raise ImproperlyConfigured(f"AUDITRING[{key!r}]: {told}") from None
    found["user"] = found["user"] or user_of
    found["bodies"] = found["bodies"] or BodyRules()
    return found


def _target(request: HttpRequest) -> str:
    """Return what stood on the request line, as near as the server tells."""
    if "RAW_URI" in request.META or "REQUEST_URI" in request.META:
        return target_of(request.META)
    return request.get_full_path()


def _note_error(
    sender: object, request: HttpRequest | None = None, **_: object
) -> None:
    """Hear that Django answers for an exception that nobody caught."""
    exchange: _DjangoExchange | None = getattr(request, _ATTRIBUTE, None)
    error = sys.exc_info()[1]
    if exchange is not None and error is not None:
        exchange.request.note_error(error)


class _DjangoExchange(Exchange):
    """A request and its answer, as Django has them."""

    __slots__ = ()

    def watch_stream(self, request: HttpRequest) -> None:
        """Keep the body as the view reads it, if it's wanted."""
        meta = request.META
        body = self.watch(
            meta.get("CONTENT_TYPE") or "", meta.get("HTTP_CONTENT_ENCODING") or ""
        )
        stream = getattr(request, "_stream", None)
        if body is not None and stream is not None:
            # Django has no other place that all who read a body come through.
            length = meta.get("CONTENT_LENGTH") or ""
            watched = WatchedStream(
                stream, body, int(length) if length.isdecimal() else None
            )
            setattr(request, "_stream", watched)  # noqa: B010

    def reject(self) -> HttpResponse:
        """Answer in the view's stead."""
        response = HttpResponse(
            REJECTION_BODY, status=REJECTION_CODE, content_type="text/plain"
        )
        self._add_audit_id(response)
        return response

    def _add_audit_id(self, response: HttpResponseBase) -> None:
        if "Audit-ID" not in response:
            octets = self.request.audit_id.encode("utf-8", "surrogateescape")
            response["Audit-ID"] = octets.decode("latin-1")

    def answer(self, response: HttpResponseBase) -> HttpResponseBase:
        """Record what the view answered; a stream once it is through."""
        self._add_audit_id(response)
        if not self.request.is_enabled:
            return response
        self.start(
            response.status_code,
            response.get("Content-Type", ""),
            response.get("Content-Encoding", ""),
        )
        if isinstance(response, StreamingHttpResponse):
            self._watch_answer(response)
        else:
            self.pass_on(cast(HttpResponse, response).content)
            self.finish()
        return response

    def _watch_answer(self, response: StreamingHttpResponse) -> None:
        if response.is_async:
            chunks = cast(AsyncIterator[bytes], response.streaming_content)
            response.streaming_content = _AsyncChunks(self, chunks)
        else:
            chunks_now = cast(Iterator[bytes], response.streaming_content)
            response.streaming_content = _Chunks(self, chunks_now)


class _Chunks:
    """A stream on its way out. `close` is called by Django, whatever happens."""

    def __init__(self, exchange: _DjangoExchange, chunks: Iterator[bytes]) -> None:
        self._exchange = exchange
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._exchange.finish()
            raise
        except BaseException as error:
            self._exchange.fail(error)
            raise
        self._exchange.pass_on(chunk)
        return chunk

    def close(self) -> None:
        self._exchange.finish(is_whole=False)


class _AsyncChunks:
    """The same of an asynchronous stream."""

    def __init__(self, exchange: _DjangoExchange, chunks: AsyncIterator[bytes]) -> None:
        self._exchange = exchange
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._exchange.finish()
            raise
        except BaseException as error:
            self._exchange.fail(error)
            raise
        self._exchange.pass_on(chunk)
        return chunk

    def close(self) -> None:
        self._exchange.finish(is_whole=False)

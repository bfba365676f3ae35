from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self, final

from ..audit.auditor import AuditedRequest, Auditor
from ..event.event import UserInfo
from ..request.attributes import Attributes
from ..request.identity import Identity
from ._routetable import RouteTable
from .body import BodyRules
from .exchange import Exchange

SCOPE_KEY: str

@final
class HttpExchange:
    bodies: Exchange | None
    is_refused: bool
    def __new__(
        cls,
        request: AuditedRequest,
        rules: BodyRules,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> Self: ...
    def begin(self) -> bool: ...
    def watch(self, content_type: str, content_encoding: str) -> None: ...
    def receive(self) -> Awaitable[MutableMapping[str, Any]]: ...
    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]: ...
    def finish(self) -> None: ...
    def fail(self, error: BaseException) -> None: ...

@final
class HttpOpener:
    def __new__(
        cls,
        auditor: Auditor,
        user: Callable[[MutableMapping[str, Any]], Identity] | None,
        routes: RouteTable | None,
        rules: BodyRules,
        read: Callable[[MutableMapping[str, Any], UserInfo], Attributes],
        is_plain: bool,
    ) -> Self: ...
    def open(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> HttpExchange: ...

def read_scope(
    scope: dict[str, Any], user: UserInfo, routes: RouteTable | None
) -> Attributes | None: ...

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self, final

from .attributes import Attributes
from .auditor import AuditedRequest
from .event import UserInfo
from .exchange import Exchange
from .routes import Routes

def random_uuid() -> str: ...
def read_scope(
    scope: dict[str, Any], user: UserInfo | None, routes: Routes | None
) -> Attributes | None: ...

@final
class HttpExchange:
    def __new__(
        cls,
        request: AuditedRequest,
        bodies: Exchange | None,
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> Self: ...
    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]: ...
    def finish(self) -> None: ...
    def fail(self, error: BaseException) -> None: ...

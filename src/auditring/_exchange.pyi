from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self, final

from .auditor import AuditedRequest
from .bodies import BodyRules
from .exchange import Exchange

@final
class HttpExchange:
    bodies: Exchange | None
    def __new__(
        cls,
        request: AuditedRequest,
        rules: BodyRules,
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> Self: ...
    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]: ...
    def finish(self) -> None: ...
    def fail(self, error: BaseException) -> None: ...

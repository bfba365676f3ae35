from collections.abc import Iterable
from typing import TypeVar

from .user import UserInfo

_A = TypeVar("_A")

def is_plain_user(identity: object) -> bool: ...
def read_request(
    kind: type[_A],
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    user: UserInfo | None,
    peer: str,
    request_uri: str | None,
) -> _A | None: ...
def set_class(kind: type[object]) -> None: ...

__pyx_capi__: dict[str, object]

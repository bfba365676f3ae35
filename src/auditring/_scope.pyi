from typing import Any

from ._routetable import RouteTable
from .attributes import Attributes
from .event import UserInfo

def read_scope(
    scope: dict[str, Any], user: UserInfo, routes: RouteTable | None
) -> Attributes | None: ...

__pyx_capi__: dict[str, object]

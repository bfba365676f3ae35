from typing import Any

from ..event.event import UserInfo
from ..request.attributes import Attributes
from ._routetable import RouteTable

def read_scope(
    scope: dict[str, Any], user: UserInfo, routes: RouteTable | None
) -> Attributes | None: ...

__pyx_capi__: dict[str, object]

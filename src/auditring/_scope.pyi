from typing import Any

from ._routetable import RouteTable
from .attributes import Attributes
from .identity import Identity

def read_scope(
    scope: dict[str, Any], identity: Identity, routes: RouteTable | None
) -> Attributes | None: ...

__pyx_capi__: dict[str, object]

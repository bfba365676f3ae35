from typing import Any

from .attributes import Attributes
from .identity import Identity
from ._routetable import RouteTable

def read_scope(
    scope: dict[str, Any], identity: Identity, routes: RouteTable | None
) -> Attributes | None: ...

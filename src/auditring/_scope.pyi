from typing import Any

from .attributes import Attributes
from .identity import Identity
from .routes import Routes

def read_scope(
    scope: dict[str, Any], identity: Identity, routes: Routes | None
) -> Attributes | None: ...

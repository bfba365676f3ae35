from typing import Any

from typing_extensions import disjoint_base

from ..request.attributes import Attributes

@disjoint_base
class DecisionTable:
    of_resource: dict[tuple[str, str, str, str], Any]
    of_path: dict[str, Any]
    def decide(self, attributes: Attributes) -> Any: ...

from typing import Any

from .attributes import Attributes

class DecisionTable:
    of_resource: dict[tuple[str, str, str, str], Any]
    of_path: dict[str, Any]
    def decide(self, attributes: Attributes) -> Any: ...

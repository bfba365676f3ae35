from collections.abc import Sequence
from typing import final

@final
class RouteTable:
    def add(
        self, literals: Sequence[str], pieces: Sequence[str], names: Sequence[int]
    ) -> None: ...
    def find(self, path: str) -> str | None: ...

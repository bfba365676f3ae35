from collections.abc import Callable
from typing import Final, final

STEPS_MAX: Final[int]

@final
class EchoTable:
    def __init__(self, shown: dict[bytes, bytes]) -> None: ...
    def replace(self, text: bytes, steps_max: int = ...) -> bytes | None: ...
    def replace_in_json(
        self,
        text: bytes,
        change: Callable[[bytes], bytes | None],
        steps_max: int = ...,
    ) -> bytes | None: ...

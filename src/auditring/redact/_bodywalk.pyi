from typing import Final, Protocol, final

SECRETS_MAX: Final[int]

class _Door(Protocol):
    def is_secret_key(self, key: bytes) -> bool: ...
    def changed_key(self, key: bytes) -> bytes | None: ...
    def changed_string(
        self, text: bytes, key: bytes | None, depth: int
    ) -> bytes | None: ...
    def changed_container(
        self, text: bytes, key: bytes | None, depth: int
    ) -> bytes: ...
    def mask_text(self, text: bytes) -> bytes: ...
    def whole(self, text: bytes) -> bytes: ...

@final
class BodyWalk:
    secrets: set[bytes]
    def __init__(
        self,
        door: _Door,
        names: dict[bytes, bool],
        kinds: set[bytes],
        has_key: bool,
        has_pairs: bool,
    ) -> None: ...
    def walk(self, text: bytes, depth: int = 0) -> bytes: ...

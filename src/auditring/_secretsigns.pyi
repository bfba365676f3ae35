from typing import Final

KEY_WORDS: Final[tuple[str, ...]]
JOINTS: Final[tuple[str, ...]]
SIGNS: Final[tuple[str, ...]]

def has_sign(text: bytes | str) -> bool: ...

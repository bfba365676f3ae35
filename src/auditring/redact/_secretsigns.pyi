from typing import Final

KEY_WORDS: Final[tuple[str, ...]]
CODE_WORDS: Final[tuple[str, ...]]
JOINTS: Final[tuple[str, ...]]
WORD_SIGNS: Final[tuple[str, ...]]
WHOLE_WORDS: Final[tuple[str, ...]]
SELF_SIGNS: Final[tuple[str, ...]]
OTHER_SIGNS: Final[tuple[str, ...]]
SIGNS: Final[tuple[str, ...]]
PLACE_BITS: Final[int]
WORD: Final[int]
SELF: Final[int]
USER_INFO: Final[int]
SCHEME: Final[int]
VALUE: Final[int]
SIGNATURE: Final[int]

def has_sign(text: bytes | str) -> bool: ...
def sign_places(text: str, limit: int) -> list[int]: ...

__pyx_capi__: dict[str, object]

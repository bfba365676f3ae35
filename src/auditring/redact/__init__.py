"""What is masked: `Redactor`.

`rules` say where, `body` walks a body, `secrettext`, `secretarguments` and
`scrubbedquery` find secrets in text, `masks` are what stands in their place.
"""

from typing import TYPE_CHECKING

__all__ = [
    "DEFAULT_RULES",
    "MASKED_WHOLE",
    "RedactionRule",
    "Redactor",
]

if TYPE_CHECKING:
    from .redactor import (
        DEFAULT_RULES,
        MASKED_WHOLE,
        RedactionRule,
        Redactor,
    )


def __getattr__(name: str) -> object:
    """Import it when it is asked for: who uses one module needn't load all."""
    if name in __all__:
        from . import redactor

        return getattr(redactor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what may be used, loaded or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})

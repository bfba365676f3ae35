"""Which requests are recorded: `Policy`, and its `Decision`.

`text` reads a policy, `validation` judges it, `decisions` finds the rule that counts,
`explanation` says why. `inspection`, `lint` and `reachability` tell its author what it
leaves out; `simulation` what it would have recorded.
"""

from typing import TYPE_CHECKING

__all__ = [
    "PRESETS",
    "Decision",
    "Policy",
    "preset_text",
]

if TYPE_CHECKING:
    from .policy import (
        PRESETS,
        Decision,
        Policy,
        preset_text,
    )


def __getattr__(name: str) -> object:
    """Import it when it is asked for: who uses one module needn't load all."""
    if name in __all__:
        from . import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what may be used, loaded or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})

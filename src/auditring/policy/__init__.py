"""Which requests are recorded: `Policy`, and its `Decision`.

`text` reads a policy, `validation` judges it, `decisions` finds the rule that counts,
`explanation` says why. `inspection`, `lint` and `reachability` tell its author what it
leaves out; `simulation` what it would have recorded.
"""

from typing import TYPE_CHECKING

from .._native.door import open_late

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

_LATER = dict.fromkeys(__all__, ".policy")
__getattr__, __dir__ = open_late(__name__, _LATER)

"""What is masked: `Redactor`.

`rules` say where, `body` walks a body, `secrettext`, `secretarguments` and
`scrubbedquery` find secrets in text, `masks` are what stands in their place.
"""

from typing import TYPE_CHECKING

from .._native.door import open_late

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

_LATER = dict.fromkeys(__all__, ".redactor")
__getattr__, __dir__ = open_late(__name__, _LATER)

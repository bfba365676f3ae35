"""What is recorded, and its line: `Event`.

`event` has the values, `stage` makes an event of a stage, `encode` its line, `decode`
reads one back. `payload`, `managedfields` and `truncation` keep bodies in bounds;
`recordedevents` finds events in what others recorded.
"""

from typing import TYPE_CHECKING

__all__ = [
    "MEMBER_NAMES",
    "AuthenticationMetadata",
    "Event",
    "Level",
    "ObjectReference",
    "Stage",
    "UserInfo",
]

if TYPE_CHECKING:
    from .event import (
        MEMBER_NAMES,
        AuthenticationMetadata,
        Event,
        Level,
        ObjectReference,
        Stage,
        UserInfo,
    )


def __getattr__(name: str) -> object:
    """Import it when it is asked for: who uses one module needn't load all."""
    if name in __all__:
        from . import event

        return getattr(event, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what may be used, loaded or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})

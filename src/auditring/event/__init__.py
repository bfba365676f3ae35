"""What is recorded, and its line: `Event`.

`event` has the values, `stage` makes an event of a stage, `encode` its line, `decode`
reads one back. `payload`, `managedfields` and `truncation` keep bodies in bounds;
`recordedevents` finds events in what others recorded.
"""

from typing import TYPE_CHECKING

from .._native.door import open_late

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

_LATER = dict.fromkeys(__all__, ".event")
__getattr__, __dir__ = open_late(__name__, _LATER)

"""What an audit event is made of: `Level`, `Stage`, `UserInfo`.

Values without behaviour beyond their own: immutable, cheap to compare, safe to share
between threads. Names and spellings are those of audit.k8s.io/v1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Level", "Stage", "UserInfo"]


class Level(StrEnum):
    """How much of a request is recorded; in the order from nothing to everything."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    def at_least(self, other: "Level") -> bool:
        """Tell whether this level records all that *other* does."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Stage(StrEnum):
    """Where in its life a request is when an event is recorded; in that order."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who sent a request, as the authenticator says.

    Attributes:
        username: The name, unique among all users that are active at the time.
        uid: Tells users of the same name apart over time.
        groups: What the user is a member of, in the authenticator's order.
        extra: Anything else it knows: lists of values by key.
    """

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

"""Who sent a request: `UserInfo`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["UserInfo"]


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who sent a request, as the authenticator says.

    Attributes:
        username: The name, unique among all users that are active at the time.
        uid: Tells users of the same name apart over time.
        groups: What the user is a member of, in the authenticator's order.
        extra: Anything else it knows: lists of values by key. None for a list is
            read from, and written as, null.
        lists_groups: Whether there was a list of groups, if only an empty one. The
            legacy text of an impersonated user is all that shows it.
    """

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    lists_groups: bool = field(default=False, compare=False, repr=False, kw_only=True)

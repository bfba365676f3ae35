"""Who sent a request, in Kubernetes' manner: everybody is in one of two groups.

What an application knows of its users becomes a `UserInfo` here.
"""

import functools
from collections.abc import Iterable, Mapping

from .event import UserInfo
from .impersonation import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED

__all__ = ["ANONYMOUS_USER", "Identity", "as_user", "authenticated"]

REMEMBERED_MAX = 4096

ANONYMOUS_USER = UserInfo(ANONYMOUS, groups=(UNAUTHENTICATED,))
"""Who isn't known."""

Identity = UserInfo | str | None
"""What an application says of who sent a request: all, a name, or that it's unknown."""


def authenticated(
    name: str,
    *,
    uid: str = "",
    groups: Iterable[str] = (),
    extra: Mapping[str, tuple[str, ...]] | None = None,
) -> UserInfo:
    """Return a user that is logged in: the last of its groups says so."""
    known = tuple(group for group in groups if group != AUTHENTICATED)
    return UserInfo(name, uid, (*known, AUTHENTICATED), extra or {})


def as_user(identity: Identity) -> UserInfo:
    """Return the user that *identity* stands for; a `UserInfo` as it is."""
    if isinstance(identity, UserInfo):
        return identity
    return _by_name(identity) if identity else ANONYMOUS_USER


# Most requests are of users that sent others before.
@functools.lru_cache(REMEMBERED_MAX)
def _by_name(name: str) -> UserInfo:
    return authenticated(name)

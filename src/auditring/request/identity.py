"""Who sent a request, in Kubernetes' manner: everybody is in one of two groups.

What an application knows of its users becomes a `UserInfo` here.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ._plain import is_plain_user
from .impersonation import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from .user import UserInfo

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
    """Return the user that *identity* stands for; a `UserInfo` as it is.

    Lists in it become tuples.

    Raises:
        TypeError: It's something else, or a member of the `UserInfo` is.
    """
    if isinstance(identity, UserInfo):
        return identity if is_plain_user(identity) else _checked(identity)
    if identity is None:
        return ANONYMOUS_USER
    if not isinstance(identity, str):
        raise TypeError(f"expected a UserInfo, a name or None, {_got(identity)}")
    return _by_name(str(identity)) if identity else ANONYMOUS_USER


# Most requests are of users that sent others before.
@functools.lru_cache(REMEMBERED_MAX)
def _by_name(name: str) -> UserInfo:
    return authenticated(name)


def _checked(user: UserInfo) -> UserInfo:
    """Return *user* with members of the types that it's declared with."""
    for name in ("username", "uid"):
        value = getattr(user, name)
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected a str, {_got(value)}")
    groups = _texts("groups", user.groups)
    if not isinstance(user.extra, Mapping):
        raise TypeError(f"extra: expected a mapping, {_got(user.extra)}")
    extra: dict[str, tuple[str, ...] | None] = {}
    for key, values in user.extra.items():
        if not isinstance(key, str):
            raise TypeError(f"extra: expected keys of str, {_got(key)}")
        extra[key] = None if values is None else _texts(f"extra[{key!r}]", values)
    if groups == user.groups and extra == user.extra:
        return user
    return replace(user, groups=groups, extra=extra)


def _texts(name: str, values: object) -> tuple[str, ...]:
    # A text is a sequence of texts, too, and not what anybody means.
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: expected a tuple of str, {_got(values)}")
    texts = tuple(values)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{name}: expected str, {_got(text)}")
    return texts


def _got(value: object) -> str:
    # Not the value: who knows what an application puts there.
    return f"got a value of {type(value).__name__}"

"""Tell from a request's headers whom its sender asks to act as.

Whether it may is for others to decide; nothing here is granted.

Source: Kubernetes v1.36, impersonation.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from .dnsname import is_dns_label, is_dns_subdomain
from .user import UserInfo

__all__ = ["impersonated_user"]

EXTRA_PREFIX = "impersonate-extra-"

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
SERVICE_ACCOUNTS = "system:serviceaccounts"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def impersonated_user(headers: Iterable[tuple[str, str]]) -> UserInfo | None:
    """Return the user that an event shows once the impersonation is granted.

    Args:
        headers: Names in lower case and values of the request's headers, in order;
            other headers than those of impersonation don't matter.

    Returns:
        The user with the groups that Kubernetes adds to those asked for; None if no
        user name is given, even if something else is.
    """
    names: list[str] = []
    uids: list[str] = []
    groups: list[str] = []
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers:
        if header == "impersonate-user":
            names.append(value)
        elif header == "impersonate-uid":
            uids.append(value)
        elif header == "impersonate-group":
            groups.append(value)
        elif header.startswith(EXTRA_PREFIX):
            key = _unescape(header.removeprefix(EXTRA_PREFIX))
            extra[key] = (*extra.get(key, ()), value)
    if not names or not names[0]:
        return None
    uid = uids[0] if uids else ""
    if not groups:
        groups = _own_groups(names[0], is_alone=not uid and not extra)
    return UserInfo(names[0], uid, _with_everybody(names[0], groups), extra)


def _unescape(key: str) -> str:
    """Decode the percent escapes of *key*; if one of them is bad, none."""
    if _BAD_ESCAPE.search(key):
        return key
    octets = unquote_to_bytes(key.encode("utf-8", "surrogateescape"))
    return octets.decode("utf-8", "surrogateescape")


def _own_groups(name: str, *, is_alone: bool) -> list[str]:
    """Return the groups that follow from a user's name.

    A node has one only if nothing but its name is asked for.
    """
    if name.startswith(SERVICE_ACCOUNT_PREFIX):
        full = name.removeprefix(SERVICE_ACCOUNT_PREFIX)
        namespace, _, account = full.partition(":")
        if is_dns_label(namespace) and is_dns_subdomain(account):
            return [SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"]
    if is_alone and name.startswith(NODE_PREFIX):
        is_node = is_dns_subdomain(name.removeprefix(NODE_PREFIX))
        return [NODES] if is_node else []
    return []


def _with_everybody(name: str, groups: Sequence[str]) -> tuple[str, ...]:
    """Return *groups* with the one that everybody with or without a login is in."""
    everybody = UNAUTHENTICATED if name == ANONYMOUS else AUTHENTICATED
    if everybody in groups or UNAUTHENTICATED in groups:
        return tuple(groups)
    return (*groups, everybody)

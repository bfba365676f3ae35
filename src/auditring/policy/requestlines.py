"""Requests as JSON lines, to ask a policy about.

A line is an object: ``method``, ``url`` as on the request line, and ``user`` with
``name`` and ``groups``, or null. Loft's ``requestTarget`` and ``cluster`` may stand
there, too; where they don't, they follow from a gateway's URL if that is asked for.
"""

from typing import Any

import orjson

from ..event.event import UserInfo
from ..request.attributes import Attributes
from ..request.gateway import RequestTarget, find_route

__all__ = ["read_request"]

_MEMBERS = ("method", "url", "user", "requestTarget", "cluster")
_OF_USER = ("name", "groups")


def read_request(line: bytes | str, *, is_behind_gateway: bool = False) -> Attributes:
    """Return what the request on a line means.

    Args:
        line: One JSON object.
        is_behind_gateway: Whether the prefix of a gateway of Loft is taken off the URL.

    Raises:
        RequestError: It is one that Kubernetes answers before it audits.
        ValueError: The line is no such object; the message names the member.
    """
    request = _read_object(line)
    _refuse_others(request, _MEMBERS, "")
    method, url = _string(request, "method"), _string(request, "url")
    target, cluster, project = "", "", ""
    if is_behind_gateway:
        route = find_route(method, url)
        url, target = route.rest, route.request_target or ""
        cluster, project = route.cluster, route.project
    return Attributes.from_request(
        method,
        url,
        user=_read_user(request.get("user")),
        request_target=_target(request, target),
        cluster=_string(request, "cluster", cluster),
        project=project,
    )


def _read_object(line: bytes | str) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(request, dict):
        raise ValueError("expected an object")
    return request


def _read_user(user: object) -> UserInfo | None:
    if user is None:
        return None
    if not isinstance(user, dict):
        raise ValueError(f"user: expected an object or null, got {user!r}")
    _refuse_others(user, _OF_USER, "user.")
    groups = user.get("groups") or []
    if not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
        raise ValueError(f"user.groups: expected a list of strings, got {groups!r}")
    name = user.get("name", "")
    if not isinstance(name, str):
        raise ValueError(f"user.name: expected a string, got {name!r}")
    return UserInfo(name, groups=tuple(groups))


def _target(members: dict[str, Any], default: str) -> str:
    target = _string(members, "requestTarget", default)
    if target and target not in set(RequestTarget):
        names = ", ".join(RequestTarget)
        raise ValueError(f"requestTarget: expected one of {names}, got {target!r}")
    return target


def _refuse_others(
    members: dict[str, Any], known: tuple[str, ...], prefix: str
) -> None:
    """Raise for a member that nobody would look at."""
    if "auditID" in members:
        raise ValueError("it is an event and no request; `policy simulate` takes those")
    for name in members:
        if name not in known:
            import difflib  # Here, as most lines have no such member.

            near = difflib.get_close_matches(name, known, n=1)
            meant = f"is it {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"{prefix}{name}: no such member; {meant}")


def _string(members: dict[str, Any], name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        there = "nothing" if value is None else repr(value)
        raise ValueError(f"{name}: expected a string, got {there}")
    return value

"""Read from a request's method, path and query which API object is meant, and what for.

Nothing is cleaned and nothing looked up: the path alone says it.

Source: Kubernetes v1.36, the request parser as kube-apiserver sets it up: prefixes
``api`` (without groups) and ``apis``; its check for long-running requests.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import RequestInfoError
from .listoptions import list_options
from .url import first_values

__all__ = ["LONG_RUNNING_SUBRESOURCES", "VERBS", "RequestInfo", "read_request_info"]

# What the methods are for a resource.
VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
# Deprecated: a verb as a segment of the path.
_PATH_VERBS = ("proxy", "watch")
_NAMESPACE_SUBRESOURCES = ("status", "finalize")

_LONG_RUNNING_VERBS = ("watch", "proxy")
LONG_RUNNING_SUBRESOURCES = ("attach", "exec", "proxy", "log", "portforward")
_PROFILES = "/debug/pprof/"


class RequestInfo(NamedTuple):
    """What a request is about; each member as the one of `Attributes` of that name."""

    path: str
    verb: str
    is_resource_request: bool = False
    api_prefix: str = ""
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()
    field_selector: str = ""
    label_selector: str = ""
    long_running: bool = False


def read_request_info(method: str, path: str, query: str) -> RequestInfo:
    """Tell what a request is about, by its decoded *path* and its *query* as sent.

    Raises:
        RequestInfoError: The path ends in ``proxy`` or ``watch`` where a resource has
            to follow.
    """
    segments = path.strip("/").split("/")
    prefix = segments[0]
    if len(segments) < 3 or prefix not in ("api", "apis"):
        return _non_resource(method, path)
    if prefix == "api":
        group, version, parts = "", segments[1], segments[2:]
    elif len(segments) > 3:
        group, version, parts = segments[1], segments[2], segments[3:]
    else:
        return _non_resource(method, path, prefix)

    if parts[0] in _PATH_VERBS:
        verb = parts.pop(0)
        if not parts:
            raise _no_resource(method, path, prefix, group, version)
    else:
        verb = VERBS.get(method, "")

    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            del parts[:2]

    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 and verb != "proxy" else ""
    field_selector = label_selector = ""
    if not name and verb in ("get", "delete"):
        values = first_values(query) if query else {}
        field_selector = values.get("fieldSelector", "")
        label_selector = values.get("labelSelector", "")
        if verb == "get":
            verb, name = _read_list(values)
        else:
            verb = "deletecollection"
    return RequestInfo(
        path,
        verb,
        True,
        prefix,
        group,
        version,
        namespace,
        parts[0],
        subresource,
        name,
        tuple(parts),
        field_selector,
        label_selector,
        verb in _LONG_RUNNING_VERBS or subresource in LONG_RUNNING_SUBRESOURCES,
    )


def _read_list(values: Mapping[str, str]) -> tuple[str, str]:
    """Return the verb of a get without a name, and the name that its query gives it."""
    if not values:
        return "list", ""
    options = list_options(values)
    return "watch" if options.watch else "list", options.name


def _non_resource(method: str, path: str, prefix: str = "") -> RequestInfo:
    verb = method.lower()
    # By its verb even here: WATCH is a method like any other.
    is_long = verb in _LONG_RUNNING_VERBS or path.startswith(_PROFILES)
    return RequestInfo(path, verb, api_prefix=prefix, long_running=is_long)


def _no_resource(
    method: str, path: str, prefix: str, group: str, version: str
) -> RequestInfoError:
    verb = method.lower()
    known = RequestInfo(
        path,
        verb,
        is_resource_request=True,
        api_prefix=prefix,
        api_group=group,
        api_version=version,
        long_running=verb in _LONG_RUNNING_VERBS,
    )
    message = f"unable to determine kind and namespace from url, {path}"
    return RequestInfoError(message, known._asdict())

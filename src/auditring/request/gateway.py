"""Tell from a path of Loft's gateway, or of an agent of it, where a request leads.

A path is split before it's decoded and never cleaned, so that neither an escaped slash
nor ``..`` nor an empty segment makes one target of another. Whether the server behind
is as strict, `Route.is_ambiguous` helps to find out.

Source: the paths that Loft's documentation and clients show; its own parser isn't
public.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from .url import parse_request_url

__all__ = ["RequestTarget", "Role", "Route", "find_route"]


class RequestTarget(StrEnum):
    """What a request is for, as in a rule's ``requestTargets``."""

    MANAGEMENT = "Management"
    CLUSTER = "Cluster"
    VCLUSTER = "VCluster"
    PROJECT_SPACE = "ProjectSpace"
    PROJECT_VCLUSTER = "ProjectVCluster"


class Role(StrEnum):
    """Who serves the paths; an agent has but one cluster and doesn't name it."""

    GATEWAY = "gateway"
    AGENT = "agent"


# A word in braces stands for any name, and for the member of `Route` that gets it.
_PREFIXES: Mapping[Role, Mapping[RequestTarget, str]] = {
    Role.GATEWAY: {
        RequestTarget.MANAGEMENT: "management",
        RequestTarget.CLUSTER: "cluster/{cluster}",
        RequestTarget.VCLUSTER: "virtualcluster/{cluster}/{namespace}/{name}",
        RequestTarget.PROJECT_SPACE: "project/{project}/space/{name}",
        RequestTarget.PROJECT_VCLUSTER: "project/{project}/virtualcluster/{name}",
    },
    Role.AGENT: {
        RequestTarget.CLUSTER: "cluster",
        RequestTarget.VCLUSTER: "virtualcluster/{namespace}/{name}",
    },
}
_WORDS = {
    role: {target: ("kubernetes", *words.split("/")) for target, words in row.items()}
    for role, row in _PREFIXES.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request leads, and what it asks for there.

    Attributes:
        request_target: None if the path has no prefix of a gateway.
        rest: The request target without the prefix, as `Attributes.from_request` takes
            it: still percent-encoded, with the query. Without prefix the whole of it.
        request_uri: The whole, as an event shows it.
        cluster: The connected cluster, of Cluster and VCluster; of a virtual cluster
            the one that it runs in. Empty if nobody says.
        project: Of ProjectSpace and ProjectVCluster.
        namespace: Where the virtual cluster runs, of VCluster.
        name: Of the virtual cluster or the space.
        is_ambiguous: Whether a server that decodes and cleans the path before it looks
            for the prefix would lead the request elsewhere. A gateway that isn't sure
            of the servers behind it should refuse such a request.
    """

    request_target: RequestTarget | None
    rest: str
    request_uri: str
    cluster: str = ""
    project: str = ""
    namespace: str = ""
    name: str = ""
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The prefix that a path has, how many segments it is and the names in it."""

    request_target: RequestTarget | None = None
    length: int = 0
    names: tuple[tuple[str, str], ...] = ()


def find_route(
    method: str, target: str, *, role: Role = Role.GATEWAY, cluster: str = ""
) -> Route:
    """Tell where a request with this request line leads.

    Args:
        method: As sent.
        target: What stands between method and version on the request line.
        role: Who serves the request.
        cluster: The agent's own, in the role of one; a gateway reads it in the path.

    Raises:
        BadRequestError: An HTTP server refuses this method or target with 400.
    """
    url = parse_request_url(method, target)
    path, mark, query = url.request_uri.partition("?")
    # An absolute URL like http:kubernetes/management has no path at all.
    encoded = path[1:].split("/") if url.path.startswith("/") else []
    prefix = _find_prefix([_decode(segment) for segment in encoded], role)
    cleaned = posixpath.normpath(url.path).lstrip("/").split("/")
    # As a server might take it that has no idea of a segment with a slash in it.
    is_ambiguous = _find_prefix(cleaned, role) != prefix
    if prefix.request_target is None:
        return Route(
            request_target=None,
            rest=target,
            request_uri=url.request_uri,
            is_ambiguous=is_ambiguous,
        )
    names = dict(prefix.names)
    return Route(
        request_target=prefix.request_target,
        rest="/" + "/".join(encoded[prefix.length :]) + mark + query,
        request_uri=url.request_uri,
        cluster=names.get("cluster", cluster if role is Role.AGENT else ""),
        project=names.get("project", ""),
        namespace=names.get("namespace", ""),
        name=names.get("name", ""),
        is_ambiguous=is_ambiguous,
    )


def _decode(segment: str) -> str:
    octets = segment.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(octets).decode("utf-8", "surrogateescape")


def _find_prefix(segments: Sequence[str], role: Role) -> _Prefix:
    for request_target, words in _WORDS[role].items():
        names = _match(segments, words)
        if names is not None:
            return _Prefix(request_target, len(words), names)
    return _Prefix()


def _match(
    segments: Sequence[str], words: Sequence[str]
) -> tuple[tuple[str, str], ...] | None:
    """Return the names in *segments* if they begin with *words*, else None."""
    if len(segments) < len(words):
        return None
    names = []
    for word, segment in zip(words, segments, strict=False):
        if word.startswith("{"):
            if not _is_name(segment):
                return None
            names.append((word.strip("{}"), segment))
        elif word != segment:
            return None
    return tuple(names)


def _is_name(segment: str) -> bool:
    """Tell whether anything could be called so, as far as paths go."""
    return segment not in ("", ".", "..") and "/" not in segment

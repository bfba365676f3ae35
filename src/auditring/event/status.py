"""How a request was answered, as meta/v1 Status says it: `Status`."""

from dataclasses import dataclass

from .decode import (
    ArrayDecoder,
    ObjectDecoder,
    OptionalDecoder,
    string,
    whole_32,
    whole_64,
)

__all__ = [
    "STATUS",
    "ListMeta",
    "ShardInfo",
    "Status",
    "StatusCause",
    "StatusDetails",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardInfo:
    """Which part of a list this is.

    Attributes:
        selector: What its items have in common.
    """

    selector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMeta:
    """The metadata of a list, which a Status has as well and hardly ever uses.

    Attributes:
        self_link: Legacy.
        resource_version: Of the list.
        continue_token: Where a paged list goes on.
        remaining_item_count: How many items follow, if known.
        shard_info: Which shard of a list this is; None for a whole one.
    """

    self_link: str = ""
    resource_version: str = ""
    continue_token: str = ""
    remaining_item_count: int | None = None
    shard_info: ShardInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCause:
    """One of the reasons for a failure.

    Attributes:
        reason: For machines.
        message: For people.
        field: The path of the member that caused it.
    """

    reason: str = ""
    message: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDetails:
    """What a Status says beyond its reason.

    Attributes:
        name: Of the object.
        group: Of its API.
        kind: The resource, in most cases.
        uid: Of the object.
        causes: Why, one by one.
        retry_after_seconds: 0 if there is no use in it.
    """

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: tuple[StatusCause, ...] = ()
    retry_after_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a request was answered: meta/v1 Status.

    Attributes:
        code: The HTTP status; 0 if none is known.
        status: ``Success`` or ``Failure``; empty for an ordinary success.
        message: For people.
        reason: For machines, as ``NotFound``.
        details: None if there are none; empty ones are written.
        metadata: Always written, even empty.
        kind: Empty in Kubernetes' own events.
        api_version: Likewise.
    """

    code: int = 0
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    metadata: ListMeta = ListMeta()
    kind: str = ""
    api_version: str = ""


_SHARD_INFO = ObjectDecoder(ShardInfo, ("selector", "selector", string))
_LIST_META = ObjectDecoder(
    ListMeta,
    ("selfLink", "self_link", string),
    ("resourceVersion", "resource_version", string),
    ("continue", "continue_token", string),
    ("remainingItemCount", "remaining_item_count", whole_64),
    ("shardInfo", "shard_info", OptionalDecoder(_SHARD_INFO)),
)
_CAUSE = ObjectDecoder(
    StatusCause,
    ("reason", "reason", string),
    ("message", "message", string),
    ("field", "field", string),
)
_DETAILS = ObjectDecoder(
    StatusDetails,
    ("name", "name", string),
    ("group", "group", string),
    ("kind", "kind", string),
    ("uid", "uid", string),
    ("causes", "causes", ArrayDecoder(_CAUSE, _CAUSE.zero)),
    ("retryAfterSeconds", "retry_after_seconds", whole_32),
)
STATUS = ObjectDecoder(
    Status,
    ("kind", "kind", string),
    ("apiVersion", "api_version", string),
    ("metadata", "metadata", _LIST_META),
    ("status", "status", string),
    ("message", "message", string),
    ("reason", "reason", string),
    ("details", "details", OptionalDecoder(_DETAILS)),
    ("code", "code", whole_32),
)
"""Reads a Status."""

"""What an audit event is made of: `Event` and the values in it.

Values without behaviour beyond their own: immutable, cheap to compare, safe to share
between threads. Names and spellings are those of audit.k8s.io/v1, in Python's manner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .microtime import MicroTime

__all__ = [
    "AuthenticationMetadata",
    "Event",
    "Level",
    "ListMeta",
    "ObjectReference",
    "Stage",
    "Status",
    "StatusCause",
    "StatusDetails",
    "UserInfo",
]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationMetadata:
    """How a user came to be impersonated.

    Attributes:
        impersonation_constraint: What allowed it, as ``impersonate:user-info``.
    """

    impersonation_constraint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReference:
    """Which object, or which collection of them, a request was for.

    Attributes:
        resource: Plural name, as in the path.
        namespace: Empty for what is in none, and for all at once.
        name: Empty for collections.
        uid: Of the object, if its body told.
        api_group: Empty for the core group.
        api_version: Without the group: ``v1``.
        resource_version: Of the object, if its body told.
        subresource: As ``status`` or ``log``.
    """

    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_group: str = ""
    api_version: str = ""
    resource_version: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMeta:
    """The metadata of a list, which a Status has as well and hardly ever uses.

    Attributes:
        self_link: Legacy.
        resource_version: Of the list.
        continue_token: Where a paged list goes on.
        remaining_item_count: How many items follow, if known.
        shard_selector: Which shard of a list this is; None for a whole one.
    """

    self_link: str = ""
    resource_version: str = ""
    continue_token: str = ""
    remaining_item_count: int | None = None
    shard_selector: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One stage of one request, as it is recorded.

    A string that stands for bytes which aren't UTF-8 holds them as surrogate escapes.

    Attributes:
        level: How much was recorded: a `Level`, or any text that an event was read
            with.
        audit_id: The same for all stages of a request.
        stage: A `Stage`, or any text that an event was read with.
        request_uri: Path and query, still percent-encoded.
        verb: As ``get`` or ``deletecollection``; of a non-resource request the
            lower-case method.
        user: Who is authenticated; empty if authentication failed.
        impersonated_user: As whom the request was carried out, if as another.
        authentication_metadata: How that was decided.
        source_ips: Addresses that the request came through, the peer last.
        user_agent: As the client says.
        object_ref: Of resource requests only.
        response_status: Absent before the answer.
        request_object: The request's body as JSON text, not decoded.
        response_object: The answer's body, likewise.
        request_received_timestamp: None is written as null.
        stage_timestamp: When this event came about.
        annotations: Whatever else was noted, by key.
    """

    level: str = ""
    audit_id: str = ""
    stage: str = ""
    request_uri: str = ""
    verb: str = ""
    user: UserInfo = UserInfo()
    impersonated_user: UserInfo | None = None
    authentication_metadata: AuthenticationMetadata | None = None
    source_ips: tuple[str, ...] = ()
    user_agent: str = ""
    object_ref: ObjectReference | None = None
    response_status: Status | None = None
    request_object: bytes | None = None
    response_object: bytes | None = None
    request_received_timestamp: MicroTime | None = None
    stage_timestamp: MicroTime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

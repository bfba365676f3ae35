"""What an audit event is made of: `Event` and the values in it.

Values without behaviour beyond their own: immutable, cheap to compare, safe to share
between threads. Names and spellings are those of audit.k8s.io/v1, in Python's manner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..errors import EventError
from ..request.user import UserInfo
from . import rawjson
from .decode import (
    ArrayDecoder,
    MapDecoder,
    MismatchError,
    ObjectDecoder,
    OptionalDecoder,
    is_given,
    micro_time,
    raw,
    rfc3339_time,
    string,
)
from .microtime import MicroTime
from .status import STATUS, Status

__all__ = [
    "MEMBER_NAMES",
    "AuthenticationMetadata",
    "Event",
    "Level",
    "ObjectReference",
    "Stage",
    "UserInfo",
]

_NOBODY = UserInfo()


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
    user: UserInfo = _NOBODY
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

    @classmethod
    def from_json(cls, text: bytes | str, *, strict: bool = False) -> "Event":
        """Read an event as Kubernetes' own decoder does.

        Beyond it, events are read that it doesn't know: those of v1beta1 and v1alpha1,
        and those without `apiVersion`, the bare shape that Loft writes.

        Args:
            text: One JSON object, with or without a newline after it.
            strict: Do as Kubernetes v1.36 does: refuse old versions, and find nothing
                in an event without `apiVersion`.

        Raises:
            EventError: It is no event; the message names member and value.
        """
        try:
            if isinstance(text, str):
                text = text.encode(errors="surrogateescape")
            return _read(rawjson.compact(text), strict)
        except ValueError as error:
            raise EventError(f"the event: {error}") from error
        except MismatchError as error:
            raise EventError(f"{error.path or 'the event'}: {error}") from error


def _read(text: bytes, strict: bool) -> Event:
    version = _version_of(text)
    if version == _CURRENT:
        return _EVENT(text, _EVENT.zero)
    if strict:
        if version in _INTERNAL:
            return _EVENT.zero
        raise _wrong_version(version)
    if version in _OLD:
        return _OLD_EVENT(text, _OLD_EVENT.zero).upgraded(version)
    if version in _LIKE_CURRENT:
        return _EVENT(text, _EVENT.zero)
    raise _wrong_version(version)


def _wrong_version(version: str) -> MismatchError:
    error = MismatchError(f"expected {_CURRENT}, got {version!r}")
    error.prepend("apiVersion")
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldMetadata:
    creation_timestamp: MicroTime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldEvent(Event):
    """An event of v1beta1 or v1alpha1: its times may stand in other members."""

    metadata: _OldMetadata = _OldMetadata()
    timestamp: MicroTime | None = None

    def upgraded(self, version: str) -> Event:
        """Return what v1 would have made of it."""
        reference = self.object_ref
        if reference is not None and version == _V1ALPHA1:
            # A group is part of the version here.
            group, _, api_version = reference.api_version.rpartition("/")
            reference = replace(reference, api_group=group, api_version=api_version)
        values = {name: getattr(self, name) for name in Event.__slots__}
        values["object_ref"] = reference
        values["stage_timestamp"] = (
            self.stage_timestamp or self.metadata.creation_timestamp
        )
        values["request_received_timestamp"] = (
            self.request_received_timestamp or self.timestamp
        )
        return Event(**values)


_CURRENT = "audit.k8s.io/v1"
_V1ALPHA1 = "audit.k8s.io/v1alpha1"
_OLD = {"audit.k8s.io/v1beta1", _V1ALPHA1}
# The decoder takes these for the version that it works with inside, whose members have
# other names.
_INTERNAL = {"", "/", "audit.k8s.io/", "audit.k8s.io/__internal"}
_LIKE_CURRENT = {*_INTERNAL, "audit.loft.sh/v1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _TypeMeta:
    kind: str = ""
    api_version: str = ""


def _version_of(text: bytes) -> str:
    """Return what an event's `apiVersion` is, having checked its `kind`.

    These two members alone are found whatever the case of their names.
    """
    folded = [
        (rawjson.quote(rawjson.unquote(key).casefold()), value)
        for key, value in rawjson.members(text)
        if key.lower() in _TYPE_KEYS or b"\\" in key or not key.isascii()
    ]
    meta = _TYPE_META(rawjson.object_of(folded), _TYPE_META.zero)
    if meta.kind not in ("", "Event"):
        error = MismatchError(f"expected Event, got {meta.kind!r}")
        error.prepend("kind")
        raise error
    return meta.api_version


_TYPE_KEYS = {b'"kind"', b'"apiversion"'}
_TYPE_META = ObjectDecoder(
    _TypeMeta, ("kind", "kind", string), ("apiversion", "api_version", string)
)
_USER = ObjectDecoder(
    UserInfo,
    ("username", "username", string),
    ("uid", "uid", string),
    ("groups", "groups", ArrayDecoder(string, "")),
    ("groups", "lists_groups", is_given),
    ("extra", "extra", MapDecoder(ArrayDecoder(string, "", nullable=True), None)),
)
_OBJECT_REF = ObjectDecoder(
    ObjectReference,
    ("resource", "resource", string),
    ("namespace", "namespace", string),
    ("name", "name", string),
    ("uid", "uid", string),
    ("apiGroup", "api_group", string),
    ("apiVersion", "api_version", string),
    ("resourceVersion", "resource_version", string),
    ("subresource", "subresource", string),
)
_AUTHENTICATION = OptionalDecoder(
    ObjectDecoder(
        AuthenticationMetadata,
        ("impersonationConstraint", "impersonation_constraint", string),
    )
)
_EVENT_FIELDS = (
    ("level", "level", string),
    ("auditID", "audit_id", string),
    ("stage", "stage", string),
    ("requestURI", "request_uri", string),
    ("verb", "verb", string),
    ("user", "user", _USER),
    ("impersonatedUser", "impersonated_user", OptionalDecoder(_USER)),
    (
        "authenticationMetadata",
        "authentication_metadata",
        _AUTHENTICATION,
    ),
    ("sourceIPs", "source_ips", ArrayDecoder(string, "")),
    ("userAgent", "user_agent", string),
    ("objectRef", "object_ref", OptionalDecoder(_OBJECT_REF)),
    ("responseStatus", "response_status", OptionalDecoder(STATUS)),
    ("requestObject", "request_object", raw),
    ("responseObject", "response_object", raw),
    ("requestReceivedTimestamp", "request_received_timestamp", micro_time),
    ("stageTimestamp", "stage_timestamp", micro_time),
    ("annotations", "annotations", MapDecoder(string, "")),
)
MEMBER_NAMES = {attribute: name for name, attribute, _ in _EVENT_FIELDS}
"""What the attributes of an `Event` are called in JSON."""
_EVENT = ObjectDecoder(Event, *_EVENT_FIELDS)
_OLD_METADATA = ObjectDecoder(
    _OldMetadata, ("creationTimestamp", "creation_timestamp", rfc3339_time)
)
_OLD_EVENT = ObjectDecoder(
    _OldEvent,
    *_EVENT_FIELDS,
    ("metadata", "metadata", _OLD_METADATA),
    ("timestamp", "timestamp", rfc3339_time),
)

"""What a record of the logging module says, as an audit event says it: `RecordReading`.

The mapping is the table at `audithandler.AuditHandler`. A value that doesn't fit where
its name belongs is kept as an annotation, and nothing odd costs the record.
"""

import functools
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import orjson

from ..event.event import MEMBER_NAMES, Event, Level, ObjectReference, Stage, UserInfo
from ..event.managedfields import without_managed_fields
from ..event.microtime import MicroTime
from ..event.stage import reference_of
from ..event.status import Status
from ..policy.decisions import Decision
from ..request._headers import random_uuid
from ..request.attributes import Attributes
from ..request.info import read_request_info
from ..request.url import parse_request_url
from ..ring.coerce import coerce

__all__ = ["ANNOTATION_PREFIX", "FIELD_NAMES", "STAGE", "RecordReading"]

ANNOTATION_PREFIX = "log.auditring.io/"
"""What the names of annotations begin with that no field of a record gave its name."""

STAGE = Stage.RESPONSE_COMPLETE
# What a record is, unless it says otherwise: the creation of an entry at its logger.
VERB = "create"
LOG_GROUP = ANNOTATION_PREFIX.rstrip("/")

# What a record has without anybody's `extra`. The last comes with Python 3.12.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
# Of a message that is a mapping: where the text is, and what structlog leaves in it.
_TEXT_KEYS = ("event", "message")
_PROCESSOR_KEYS = ("_logger", "_name", "_record", "_from_structlog")
# OpenTelemetry says "0" where there is no span.
_OTEL_IDS = {"otelTraceID": "trace-id", "otelSpanID": "span-id"}
# Source: W3C Trace Context, version 00 and what later ones must look like.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
    r"(?:-.*)?"
)
_REF_FIELDS = {
    "resource": "resource",
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "apiGroup": "api_group",
    "apiVersion": "api_version",
    "resourceVersion": "resource_version",
    "subresource": "subresource",
}
# How many pairs of a logger and a level are remembered, and how many objects.
LOGGERS_MAX = 4096
_CODE_MAX = 2**31 - 1


class RecordReading:
    """A record, taken apart: enough of it to ask a policy, and then the event.

    Attributes:
        attributes: What a policy decides by; without an `audit_id` if none was given.
        coerced_values: Values that JSON has no form for, and that became text.
    """

    def __init__(self, record: logging.LogRecord) -> None:
        """Read *record*; its message isn't made yet."""
        self.coerced_values = 0
        self._record = record
        self._members: dict[str, Any] = {}
        self._rest: dict[Any, object] = {}
        for key, value in _fields_of(record).items():
            self._sort_in(key, value)
        self.attributes, self._reference = self._target()

    def event(self, decision: Decision, message: str, traceback: str = "") -> Event:
        """Return the event, with as much in it as *decision* lets through.

        Args:
            decision: A policy's, on `attributes`.
            message: The record's text.
            traceback: That of its exception, if *message* doesn't have it.
        """
        attributes = self.attributes
        moment = MicroTime(round(self._record.created * 1e6))
        return Event(
            level=decision.level,
            audit_id=attributes.audit_id or random_uuid(),
            stage=STAGE,
            request_uri=attributes.request_uri,
            verb=attributes.verb,
            user=attributes.user or UserInfo(),
            impersonated_user=attributes.impersonated_user,
            source_ips=attributes.source_ips,
            user_agent=attributes.user_agent,
            object_ref=self._reference,
            response_status=self._status(),
            request_object=self._body("request_object", Level.REQUEST, decision),
            response_object=self._body(
                "response_object", Level.REQUEST_RESPONSE, decision
            ),
            request_received_timestamp=moment,
            stage_timestamp=moment,
            annotations=self._annotations(message, traceback),
        )

    def message(self) -> str:
        """Return the record's text, of a mapping the part that is one.

        Raises:
            Exception: What the arguments or their text raise.
        """
        message = self._record.msg
        if not isinstance(message, Mapping) or self._record.args:
            return self._record.getMessage()
        for key in _TEXT_KEYS:
            if key in message:
                return self._text(message[key])
        return ""

    # Fields.

    def _sort_in(self, key: object, value: object) -> None:
        """Keep a field where it belongs, or with the rest."""
        member = _MEMBERS.get(key) if isinstance(key, str) else None
        if member is None:
            self._rest[key] = value
        elif value is not None:
            fitting = _READERS[member](self, value)
            if fitting is None or member in self._members:
                self._rest[key] = value
            else:
                self._members[member] = fitting

    def _read_text(self, value: object) -> str | None:
        return self._text(value) if isinstance(value, str) else None

    def _read_user(self, value: object) -> UserInfo | None:
        if isinstance(value, UserInfo):
            return value
        if not isinstance(value, Mapping):
            return UserInfo(self._text(value))
        username = value.get("username", value.get("name", ""))
        groups, extra = value.get("groups", ()), value.get("extra", {})
        if set(value) - {"username", "name", "uid", "groups", "extra"}:
            return None
        if not _is_list(groups) or not isinstance(extra, Mapping):
            return None
        return UserInfo(
            username=self._text(username),
            uid=self._text(value.get("uid", "")),
            groups=self._texts(groups),
            extra={self._text(key): self._texts(item) for key, item in extra.items()},
        )

    def _read_addresses(self, value: object) -> tuple[str, ...] | None:
        return self._texts(value) if isinstance(value, str) or _is_list(value) else None

    def _read_reference(self, value: object) -> ObjectReference | None:
        if isinstance(value, ObjectReference):
            return value
        if not isinstance(value, Mapping):
            return None
        fields: dict[str, str] = {}
        for key, item in value.items():
            name = _REF_FIELDS.get(key, key) if isinstance(key, str) else ""
            if name not in _REF_FIELDS.values() or item is None:
                return None
            fields[name] = self._text(item)
        return ObjectReference(**fields)

    def _read_status(self, value: object) -> Status | None:
        if isinstance(value, Status):
            return value
        if not isinstance(value, Mapping):
            return self._read_code(value)
        code = self._read_code(value.get("code", 0))
        if code is None or set(value) - {"code", "status", "message", "reason"}:
            return None
        return Status(
            code=code.code,
            status=self._text(value.get("status", "")),
            message=self._text(value.get("message", "")),
            reason=self._text(value.get("reason", "")),
        )

    def _read_code(self, value: object) -> Status | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return Status(code=int(value)) if 0 <= value <= _CODE_MAX else None

    def _read_body(self, value: object) -> bytes | None:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        return orjson.dumps(self._coerced(value))

    def _read_annotations(self, value: object) -> Mapping[Any, object] | None:
        return value if isinstance(value, Mapping) else None

    # Text of anything.

    def _text(self, value: object) -> str:
        """Return a text as it is, and JSON of everything else."""
        if type(value) is str and value.isascii():
            return value
        made = self._coerced(value)
        if isinstance(made, str):
            return made
        text = orjson.dumps(made).decode()
        # What orjson writes as a string: dates, UUIDs.
        return str(orjson.loads(text)) if text.startswith('"') else text

    def _texts(self, value: Any) -> tuple[str, ...]:  # noqa: ANN401
        if not _is_list(value):
            return (self._text(value),)
        return tuple(map(self._text, value))

    def _coerced(self, value: object) -> object:
        made, count = coerce(value)
        self.coerced_values += count
        return made

    # The event.

    def _target(self) -> tuple[Attributes, ObjectReference | None]:
        """Return what a policy decides by, and the object of it."""
        members, record = self._members, self._record
        level = self._text(record.levelname).lower()
        logger = _logger_target(self._text(record.name), level)
        if not members:
            return logger
        given: str | None = members.get("request_uri")
        reference: ObjectReference | None = members.get("object_ref")
        if given is not None:
            target = _target_at(given)
        elif reference is not None:
            target = _target_of(reference)
        else:
            target = _target_of(logger[1])
        reference = reference or target.reference
        known = reference or ObjectReference()
        attributes = Attributes(
            is_resource_request=reference is not None,
            path=target.path,
            verb=members.get("verb", VERB),
            api_prefix=target.api_prefix,
            api_group=known.api_group,
            api_version=known.api_version,
            namespace=known.namespace,
            resource=known.resource,
            subresource=known.subresource,
            name=known.name,
            user=members.get("user"),
            impersonated_user=members.get("impersonated_user"),
            request_uri=target.request_uri,
            source_ips=members.get("source_ips", ()),
            user_agent=members.get("user_agent", ""),
            audit_id=members.get("audit_id", ""),
        )
        return attributes, reference

    def _status(self) -> Status | None:
        given: Status | None = self._members.get("response_status")
        coded: Status | None = self._members.get("status_code")
        exc_info = self._record.exc_info
        if given is not None or not exc_info or exc_info[1] is None:
            return given or coded
        return Status(
            code=coded.code if coded else 500,
            status="Failure",
            reason=type(exc_info[1]).__name__,
            message=self._text(_text_of_error(exc_info[1])),
        )

    def _body(self, name: str, least: Level, decision: Decision) -> bytes | None:
        body: bytes | None = self._members.get(name)
        if body is None or not decision.level.at_least(least):
            return None
        return without_managed_fields(body) if decision.omit_managed_fields else body

    def _annotations(self, message: str, traceback: str) -> dict[str, str]:
        record = self._record
        own = {
            "logger": self._text(record.name),
            "level": self._text(record.levelname),
            "message": self._text(message),
            "traceback": self._text(traceback),
            "stack": self._text(record.stack_info or ""),
        }
        rest = dict(self._rest)
        own |= self._trace_ids(rest)
        said = {ANNOTATION_PREFIX + key: text for key, text in own.items() if text}
        for fields in (self._members.get("annotations", {}), rest):
            for key, value in fields.items():
                name = self._text(key)
                while name in said:
                    name += "_"
                said[name] = self._text(value)
        return said

    def _trace_ids(self, rest: dict[Any, object]) -> dict[str, str]:
        """Take the ids of trace and span out of *rest*."""
        ids: dict[str, str] = {}
        if "traceparent" in rest:
            match = _TRACEPARENT.fullmatch(self._text(rest["traceparent"]))
            if match:
                del rest["traceparent"]
                ids = {"trace-id": match[1], "span-id": match[2]}
        for field, name in _OTEL_IDS.items():
            text = self._text(rest.pop(field, "0"))
            if text.strip("0"):
                ids[name] = text
        return ids


_READERS: dict[str, Callable[[RecordReading, object], object]] = {
    "audit_id": RecordReading._read_text,
    "request_uri": RecordReading._read_text,
    "verb": RecordReading._read_text,
    "user": RecordReading._read_user,
    "impersonated_user": RecordReading._read_user,
    "source_ips": RecordReading._read_addresses,
    "user_agent": RecordReading._read_text,
    "object_ref": RecordReading._read_reference,
    "response_status": RecordReading._read_status,
    "status_code": RecordReading._read_code,
    "request_object": RecordReading._read_body,
    "response_object": RecordReading._read_body,
    "annotations": RecordReading._read_annotations,
}
FIELD_NAMES = tuple(_READERS)
"""Fields of a record that aren't annotations, or not as they are."""

# Both spellings of a field: Python's, and that of the event's JSON.
_MEMBERS = {name: name for name in _READERS} | {
    MEMBER_NAMES[name]: name for name in _READERS if name in MEMBER_NAMES
}


def _fields_of(record: logging.LogRecord) -> dict[Any, object]:
    """Return what somebody added to a record, or logged instead of a text."""
    fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if isinstance(record.msg, Mapping) and not record.args:
        for key in _PROCESSOR_KEYS:
            fields.pop(key, None)
        said = {key: item for key, item in record.msg.items() if key not in _TEXT_KEYS}
        fields |= {
            key: item for key, item in said.items() if key not in _PROCESSOR_KEYS
        }
    return fields


def _text_of_error(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # foreign code, and it may be why there is a record at all
        return ""


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


@functools.lru_cache(maxsize=LOGGERS_MAX)
def _logger_target(name: str, level: str) -> tuple[Attributes, ObjectReference]:
    """Return where a record without a target of its own goes: to its logger."""
    reference = ObjectReference(
        resource="loggers",
        namespace=name.partition(".")[0],
        name=name,
        api_group=LOG_GROUP,
        api_version="v1",
        subresource=level,
    )
    target = _target_of(reference)
    attributes = Attributes(
        is_resource_request=True,
        path=target.path,
        verb=VERB,
        api_prefix=target.api_prefix,
        api_group=reference.api_group,
        api_version=reference.api_version,
        namespace=reference.namespace,
        resource=reference.resource,
        subresource=reference.subresource,
        name=reference.name,
        request_uri=target.request_uri,
    )
    return attributes, reference


class _Target(NamedTuple):
    """Where a record goes, as members of `Attributes` of these names."""

    path: str
    request_uri: str
    api_prefix: str
    reference: ObjectReference | None


def _target_at(uri: str) -> _Target:
    """Read what is at *uri*; one that Kubernetes refuses is only a path."""
    try:
        url = parse_request_url("GET", uri)
        info = read_request_info("GET", url.path, url.query)
    except ValueError:
        return _Target(uri, uri, "", None)
    return _Target(
        info.path,
        url.request_uri,
        info.api_prefix,
        reference_of(info) if info.is_resource_request else None,
    )


@functools.lru_cache(maxsize=LOGGERS_MAX)
def _target_of(reference: ObjectReference) -> _Target:
    """Return where Kubernetes would have the object."""
    prefix = ["apis", reference.api_group] if reference.api_group else ["api"]
    parts = [*prefix, reference.api_version or "v1"]
    if reference.namespace:
        parts += ["namespaces", reference.namespace]
    parts += [reference.resource, reference.name, reference.subresource]
    uri = "/" + "/".join(quote(part, safe="") for part in parts if part)
    return _Target(unquote(uri), uri, prefix[0], reference)

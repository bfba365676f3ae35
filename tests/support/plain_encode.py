"""What `auditring.event._encode` does, in plain Python: slow, and easy to believe."""

import json
import re
from collections.abc import Iterable, Mapping

from auditring.event import Event, ObjectReference, UserInfo
from auditring.event.microtime import MicroTime
from auditring.event.status import ListMeta, Status, StatusDetails

START = '"kind":"Event","apiVersion":"audit.k8s.io/v1",'
ESCAPED = re.compile("[<>&\u2028\u2029]")
SURROGATE = re.compile("[\ud800-\udfff]")

Members = list[tuple[str, str | None]]


def event_line(event: Event, *, bare: bool = False) -> bytes:
    """Write an event whose bodies are compact JSON, if it has any."""
    authentication = event.authentication_metadata
    members: Members = [
        ("level", quoted(event.level)),
        ("auditID", quoted(event.audit_id)),
        ("stage", quoted(event.stage)),
        ("requestURI", quoted(event.request_uri)),
        ("verb", quoted(event.verb)),
        ("user", user(event.user)),
        ("impersonatedUser", user(event.impersonated_user)),
        (
            "authenticationMetadata",
            authentication
            and object_of(
                [
                    (
                        "impersonationConstraint",
                        if_any(authentication.impersonation_constraint),
                    )
                ]
            ),
        ),
        ("sourceIPs", strings(event.source_ips) if event.source_ips else None),
        ("userAgent", if_any(event.user_agent)),
        ("objectRef", reference(event.object_ref)),
        ("responseStatus", status(event.response_status)),
        ("requestObject", body(event.request_object)),
        ("responseObject", body(event.response_object)),
        ("requestReceivedTimestamp", time(event.request_received_timestamp)),
        ("stageTimestamp", time(event.stage_timestamp)),
        ("annotations", string_map(event.annotations) if event.annotations else None),
    ]
    text = object_of(members)
    return (text if bare else "{" + START + text[1:]).encode() + b"\n"


def quoted(string: str) -> str:
    text = json.dumps(string, ensure_ascii=False)
    return escaped(SURROGATE.sub(r"\\ufffd", text))


def escaped(text: str) -> str:
    return ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def body(text: bytes | None) -> str | None:
    return None if text is None else escaped(text.decode())


def if_any(string: str) -> str | None:
    return quoted(string) if string else None


def object_of(members: Members) -> str:
    parts = [f"{quoted(name)}:{text}" for name, text in members if text is not None]
    return "{" + ",".join(parts) + "}"


def strings(values: Iterable[str] | None) -> str:
    return "null" if values is None else "[" + ",".join(map(quoted, values)) + "]"


def in_order(mapping: Mapping[str, object]) -> list[str]:
    def key_bytes(key: str) -> bytes:
        try:
            return key.encode(errors="surrogateescape")
        except UnicodeEncodeError:
            return key.encode(errors="surrogatepass")

    return sorted(mapping, key=key_bytes)


def string_map(mapping: Mapping[str, str]) -> str:
    return object_of([(key, quoted(mapping[key])) for key in in_order(mapping)])


def user(info: UserInfo | None) -> str | None:
    if info is None:
        return None
    extra = [(key, strings(info.extra[key])) for key in in_order(info.extra)]
    return object_of(
        [
            ("username", if_any(info.username)),
            ("uid", if_any(info.uid)),
            ("groups", strings(info.groups) if info.groups else None),
            ("extra", object_of([*extra]) if extra else None),
        ]
    )


def reference(ref: ObjectReference | None) -> str | None:
    return ref and object_of(
        [
            ("resource", if_any(ref.resource)),
            ("namespace", if_any(ref.namespace)),
            ("name", if_any(ref.name)),
            ("uid", if_any(ref.uid)),
            ("apiGroup", if_any(ref.api_group)),
            ("apiVersion", if_any(ref.api_version)),
            ("resourceVersion", if_any(ref.resource_version)),
            ("subresource", if_any(ref.subresource)),
        ]
    )


def list_meta(meta: ListMeta) -> str:
    count, shard = meta.remaining_item_count, meta.shard_info
    return object_of(
        [
            ("selfLink", if_any(meta.self_link)),
            ("resourceVersion", if_any(meta.resource_version)),
            ("continue", if_any(meta.continue_token)),
            ("remainingItemCount", None if count is None else str(count)),
            ("shardInfo", shard and object_of([("selector", quoted(shard.selector))])),
        ]
    )


def details(value: StatusDetails | None) -> str | None:
    if value is None:
        return None
    causes = [
        object_of(
            [
                ("reason", if_any(cause.reason)),
                ("message", if_any(cause.message)),
                ("field", if_any(cause.field)),
            ]
        )
        for cause in value.causes
    ]
    seconds = value.retry_after_seconds
    return object_of(
        [
            ("name", if_any(value.name)),
            ("group", if_any(value.group)),
            ("kind", if_any(value.kind)),
            ("uid", if_any(value.uid)),
            ("causes", f"[{','.join(causes)}]" if causes else None),
            ("retryAfterSeconds", str(seconds) if seconds else None),
        ]
    )


def status(value: Status | None) -> str | None:
    return value and object_of(
        [
            ("kind", if_any(value.kind)),
            ("apiVersion", if_any(value.api_version)),
            ("metadata", list_meta(value.metadata)),
            ("status", if_any(value.status)),
            ("message", if_any(value.message)),
            ("reason", if_any(value.reason)),
            ("details", details(value.details)),
            ("code", str(value.code) if value.code else None),
        ]
    )


def time(value: MicroTime | None) -> str:
    return "null" if value is None else f'"{value}"'

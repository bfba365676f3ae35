"""Forms that audit logs are carried about in: how they are called, by how they look."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["form_of", "reason_of"]

_CRI = re.compile(rb"\S+ (?:stdout|stderr) [PF]")
_LEGACY = re.compile(rb"\S+ AUDIT: id=")


def form_of(text: bytes) -> str:
    """Return what people call the wrapping of *text*."""
    stripped = text.strip()
    if not stripped.startswith((b"{", b"[")):
        is_cri = _CRI.match(stripped) is not None
        return "lines of CRI" if is_cri else "lines with a prefix"
    try:
        document = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return "lines of several objects"
    return _form(document)


def _form(document: object) -> str:
    if isinstance(document, list):
        return "an array"
    if not isinstance(document, Mapping):
        return "a text"
    if document.get("kind") == "EventList" or isinstance(document.get("items"), list):
        return "an EventList"
    names = document.keys()
    if {"logStreamName", "logEvents", "@message"} & names or "events" in names:
        return "CloudWatch's log events"
    if {"records", "properties", "log_s"} & names:
        return "Azure's diagnostic logs"
    if "log" in names and "stream" in names:
        return "Docker's json-file"
    if {"kubernetes", "_source", "hits"} & names:
        return "Elastic's documents"
    if {"jsonPayload", "textPayload", "protoPayload"} & names:
        return "Google's log entries"
    if document.get("kind") == "Event" or "auditID" in names:
        return "several lines"
    return "another object around it"


def reason_of(text: bytes) -> str:
    """Say what *text* is that can't be unwrapped; nothing if nobody knows."""
    stripped = text.strip()
    if b"\0" in stripped[:4] or stripped.startswith((b"\xff\xfe", b"\xfe\xff")):
        return (
            "no JSON: UTF-16, as PowerShell writes files; iconv -f UTF-16 -t UTF-8"
            " makes lines of it"
        )
    if _LEGACY.match(stripped):
        return (
            "no event: a line of kube-apiserver's legacy format, which can't be read"
            " back; --audit-log-format=json writes events"
        )
    if not stripped.startswith(b"{"):
        return ""
    try:
        document: dict[str, Any] = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return ""
    if isinstance(document.get("protoPayload"), Mapping):
        return (
            "no event: Google's audit log (GKE) keeps who did what in a form of its"
            " own, not Kubernetes' events"
        )
    if isinstance(document.get("awslogs"), Mapping):
        return (
            "no event: a subscription of CloudWatch, packed; unwrap it with jq -r"
            " .awslogs.data | base64 -d | gunzip"
        )
    if {"AuditId", "Stage", "Level"} <= document.keys():
        return (
            "no event: a row of Azure's table AKSAudit, whose columns are no event;"
            " the diagnostic logs (properties.log) have them"
        )
    if document.get("kind") in ("Policy", "ConfigMap", "Pod"):
        return f"no event: it is a {document['kind']}"
    return ""

"""Events as one line of text: the legacy format of kube-apiserver's log backend."""

import re
from collections.abc import Sequence

from .event import Event
from .microtime import ZERO_TIME, MicroTime

__all__ = ["legacy_line"]

_QUOTED = re.compile(r'["\\]')
_SHORT_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}


def legacy_line(event: Event) -> bytes:
    """Write *event* as a line of text, its newline included.

    Times are in UTC; kube-apiserver takes its local zone. Source: Kubernetes v1.36,
    the audit log's legacy format.
    """
    user, impersonated = event.user, event.impersonated_user
    as_user, as_groups = "<self>", "<lookup>"
    if impersonated is not None:
        as_user = impersonated.username
        if impersonated.groups or impersonated.lists_groups:
            as_groups = _quote_all(impersonated.groups)
    has_groups = user.username and user.groups
    reference, status = event.object_ref, event.response_status
    values = {
        "id": event.audit_id,
        "stage": event.stage,
        "ip": event.source_ips[0] if event.source_ips else "<unknown>",
        "method": event.verb,
        "user": user.username or "<none>",
        "groups": _quote_all(user.groups) if has_groups else "<none>",
        "as": as_user,
        "asgroups": as_groups,
        "user-agent": event.user_agent,
        "namespace": (reference and reference.namespace) or "<none>",
        "uri": event.request_uri,
    }
    texts = [f"{name}={_quote(value)}" for name, value in values.items()]
    response = "<deferred>" if status is None else status.code
    time = _rfc3339(event.request_received_timestamp or ZERO_TIME)
    line = f'{time} AUDIT: {" ".join(texts)} response="{response}"\n'
    return line.encode()


def _rfc3339(time: MicroTime) -> str:
    fraction = f"{time.microseconds % 1_000_000:06}".rstrip("0")
    return f"{time.seconds_text()}{fraction and '.'}{fraction}Z"


def _quote_all(strings: Sequence[str]) -> str:
    return ",".join(map(_quote, strings))


def _quote(string: str) -> str:
    """Quote as Go's %q; what is printable depends on the Unicode version of Python."""
    if string.isprintable() and not _QUOTED.search(string):
        return f'"{string}"'
    return f'"{"".join(map(_escape, string))}"'


def _escape(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that isn't UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

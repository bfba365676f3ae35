"""Pick from a request's headers what an audit wants to know.

Source: Kubernetes v1.36, audit of requests and `Audit-ID`.
"""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import BadRequestError
from .impersonation import impersonated_user
from .user import UserInfo

__all__ = ["Headers", "RequestHeaders", "read_headers"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

USER_AGENT_MAX_BYTES = 1024
USER_AGENT_CUT = "...TRUNCATED"
# What a message quotes of a name that may have any length.
QUOTED_CHARS = 200

_WANTED = frozenset(["x-forwarded-for", "x-real-ip", "user-agent", "audit-id"])
_IMPERSONATION = "impersonate-"


class RequestHeaders(NamedTuple):
    """What the headers say; the first line counts where a header has several.

    Attributes:
        forwarded_for: X-Forwarded-For, as sent.
        real_ip: X-Real-Ip, as sent.
        user_agent: User-Agent; its first 1024 bytes and a mark if it's longer.
        audit_id: Audit-ID, unchecked; a random version-4 UUID without one.
        impersonated_user: Whom the sender asks to act as.
    """

    forwarded_for: str
    real_ip: str
    user_agent: str
    audit_id: str
    impersonated_user: UserInfo | None


def read_headers(headers: Headers) -> RequestHeaders:
    """Read *headers*, whose names may be in any case.

    Raises:
        BadRequestError: A header of interest has a code point that no bytes stand for.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    first: dict[str, str] = {}
    impersonation: list[tuple[str, str]] = []
    for name, value in pairs:
        lower = name.lower()
        if lower in _WANTED:
            first.setdefault(lower, _clean(lower, value))
        elif lower.startswith(_IMPERSONATION):
            impersonation.append((_clean(lower, lower), _clean(lower, value)))
    return RequestHeaders(
        first.get("x-forwarded-for", ""),
        first.get("x-real-ip", ""),
        _cut(first.get("user-agent", "")),
        first.get("audit-id") or _random_uuid(),
        impersonated_user(impersonation) if impersonation else None,
    )


def _clean(name: str, text: str) -> str:
    """Return *text* without the space around it that is no part of a header."""
    stripped = text.strip(" \t")
    if stripped.isascii():
        return stripped
    try:
        octets = stripped.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadRequestError(f"header {name!r:.{QUOTED_CHARS}}: {error}") from None
    return octets.decode("utf-8", "surrogateescape")


def _cut(user_agent: str) -> str:
    # Most are so short that they can't be too long in whatever characters.
    if len(user_agent) * 4 <= USER_AGENT_MAX_BYTES:
        return user_agent
    octets = user_agent.encode("utf-8", "surrogateescape")
    if len(octets) <= USER_AGENT_MAX_BYTES:
        return user_agent
    kept = octets[:USER_AGENT_MAX_BYTES].decode("utf-8", "surrogateescape")
    return kept + USER_AGENT_CUT


def _random_uuid() -> str:
    """Return a random version-4 UUID, in half the time that uuid.uuid4 takes."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{variant}{digits[17:20]}-{digits[20:]}"
    )

"""Keep a line below what its reader takes, without ever dropping the event.

Kubernetes' own way is `truncation`, which drops what it can't make small enough.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import TypeVar, cast

from . import rawjson
from .encode import json_line
from .event import MEMBER_NAMES, Event
from .managedfields import without_managed_fields
from .payload import REQUEST_OMITTED, RESPONSE_OMITTED, Omission
from .truncation import TRUNCATED

__all__ = ["MAX_EVENT_BYTES", "MIN_EVENT_BYTES", "SHORTENED", "sized_line"]

MAX_EVENT_BYTES: Mapping[str, int | None] = MappingProxyType(
    {
        "none": None,
        "fluent-bit": 32_000,  # of a 32 KiB buffer; else it stops reading the file
        "vector": 102_000,  # of 100 KiB; else it discards the line
        "falco": 262_000,  # of 256 KiB; else it drops the line
    }
)
"""The longest line by profile, each named by what reads the log."""

MIN_EVENT_BYTES = 16_384
"""Every event can be made as short as this."""

SHORTENED = "auditring.io/shortened"
"""The annotation that names what was shortened beside the bodies, with commas."""

_CUT = "...TRUNCATED"
# Strings keep so many bytes, and lists and maps so many items: tried in this order.
_CUTS = ((4096, 1000), (1024, 100), (256, 20), (64, 5))
# Of a string's JSON: not half an escape at its end.
_WHOLE_CHARACTERS = re.compile(rb"(?:[^\\]|\\[^u]|\\u[0-9a-f]{4})*+")

T = TypeVar("T")


def sized_line(event: Event, max_bytes: int | None, *, bare: bool = False) -> bytes:
    """Write *event* as a line of at most *max_bytes*, its newline included.

    What is too long loses, one after the other until it fits: the managed fields in
    its bodies, the answer's body, the request's body, the ends of long strings and
    maps, the middles of long lists. A sender may write what stands first or in the
    middle of a list; what stands last is the server's own: the peer among
    `Event.source_ips`, of which the last ones are kept, and ``system:authenticated``
    among groups. The annotation ``audit.k8s.io/truncated``, those of `payload` and
    ``auditring.io/shortened`` say so.

    Args:
        event: What to write.
        max_bytes: None for no limit; `MAX_EVENT_BYTES` has values for readers of logs.
        bare: As for `encode.json_line`.

    Raises:
        ValueError: *max_bytes* is below 16,384.
        TypeError: A value in the event isn't of the type that it's declared with.
    """
    line = json_line(event, bare=bare)
    if max_bytes is None or len(line) <= max_bytes:
        return line
    if max_bytes < MIN_EVENT_BYTES:
        raise ValueError(
            f"max_bytes: expected at least {MIN_EVENT_BYTES} or None, got {max_bytes}"
        )
    for shorter in _ever_shorter(event):
        line = json_line(shorter, bare=bare)
        if len(line) <= max_bytes:
            break
    return line


def _ever_shorter(event: Event) -> Iterator[Event]:
    notes: dict[str, str] = {}
    bare = _without_managed_fields(event)
    if bare is not event:
        event = bare
        notes[SHORTENED] = "managedFields"
        yield _noted(event, notes)
    if event.response_object is not None:
        event = replace(event, response_object=None)
        notes |= {TRUNCATED: "true", RESPONSE_OMITTED: Omission.TOO_LARGE}
        yield _noted(event, notes)
    if event.request_object is not None:
        event = replace(event, request_object=None)
        notes |= {TRUNCATED: "true", REQUEST_OMITTED: Omission.TOO_LARGE}
        yield _noted(event, notes)
    for string_bytes, item_count in _CUTS:
        # Of addresses the nearest say the most: each is named by the one behind it.
        near = replace(event, source_ips=event.source_ips[-item_count:])
        cut = _cut(near, string_bytes, item_count)
        names = [notes[SHORTENED]] if SHORTENED in notes else []
        names += _differing_members(cut, event)
        yield _noted(cut, notes | {SHORTENED: ",".join(names)})


def _without_managed_fields(event: Event) -> Event:
    """Return *event* without managed fields, in a patch too."""
    request, response = event.request_object, event.response_object
    bare_request = request and without_managed_fields(request)
    bare_response = response and without_managed_fields(response)
    if bare_request is request and bare_response is response:
        return event
    return replace(event, request_object=bare_request, response_object=bare_response)


def _differing_members(event: Event, other: Event) -> list[str]:
    return [
        name
        for attribute, name in MEMBER_NAMES.items()
        if getattr(event, attribute) != getattr(other, attribute)
    ]


def _noted(event: Event, notes: Mapping[str, str]) -> Event:
    return replace(event, annotations={**event.annotations, **notes})


def _cut(value: T, string_bytes: int, item_count: int) -> T:
    """Return *value* with strings and items cut, at any depth of it."""
    result: object = value
    if isinstance(value, str):
        result = _cut_string(value, string_bytes)
    elif isinstance(value, tuple):
        kept = _without_middle(value, item_count)
        result = tuple(_cut(item, string_bytes, item_count) for item in kept)
    elif isinstance(value, Mapping):
        result = {
            _cut_string(key, string_bytes): _cut(value[key], string_bytes, item_count)
            for key in sorted(value)[:item_count]
        }
    elif is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: _cut(getattr(value, field.name), string_bytes, item_count)
            for field in fields(value)
        }
        result = replace(value, **changes)
    return cast(T, result)


def _without_middle(items: tuple[T, ...], count: int) -> tuple[T, ...]:
    """Return the first and the last of *items*, *count* at most."""
    if len(items) <= count:
        return items
    first = count // 2
    return items[:first] + items[first - count :]


def _cut_string(string: str, max_bytes: int) -> str:
    """Cut *string* to so many bytes of JSON, quotes and the note aside."""
    quoted = rawjson.quote(string)[1:-1]
    if len(quoted) <= max_bytes:
        return string
    start = quoted[:max_bytes].decode(errors="ignore").encode()
    whole = _WHOLE_CHARACTERS.match(start)
    kept = whole.group() if whole else b""
    return rawjson.unquote(b'"' + kept + b'"') + _CUT

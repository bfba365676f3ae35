"""Take `metadata.managedFields` out of recorded objects.

They are long, and hardly ever what somebody looks for in an audit log. Source:
Kubernetes v1.36, omitManagedFields.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from . import rawjson
from .event import Event

__all__ = ["event_without_managed_fields", "without_managed_fields"]

Change = Callable[[bytes], bytes]


def event_without_managed_fields(event: Event) -> Event:
    """Return *event* with the managed fields of both objects taken out.

    A patch is recorded as it was sent.
    """
    request, response = event.request_object, event.response_object
    if request is not None and event.verb != "patch":
        request = without_managed_fields(request)
    if response is not None:
        response = without_managed_fields(response)
    if request is event.request_object and response is event.response_object:
        return event
    return replace(event, request_object=request, response_object=response)


def without_managed_fields(body: bytes) -> bytes:
    """Return *body* without the managed fields of its object.

    Of a list those of every item, of a Table those of every row's object. All else
    stays as it is; so does a body that holds none, or isn't JSON.
    """
    # Only text with escapes can hold the name otherwise spelled.
    if b"managedFields" not in body and b"\\u" not in body:
        return body
    try:
        text = rawjson.compact(body)
    except ValueError:
        return body
    changed = _without(text)
    return body if changed == text else changed


def _without(text: bytes) -> bytes:
    changes: dict[str, Change] = {"metadata": _strip_metadata, "items": _strip_items}
    if _is_table(text):
        changes["rows"] = _strip_rows
    return _change_members(text, changes)


def _is_table(text: bytes) -> bool:
    return text.startswith(b"{") and any(
        value == b'"Table"' and rawjson.unquote(key) == "kind"
        for key, value in rawjson.members(text)
    )


def _strip_items(text: bytes) -> bytes:
    return _change_elements(text, _strip_object)


def _strip_rows(text: bytes) -> bytes:
    return _change_elements(text, _strip_row)


def _strip_row(text: bytes) -> bytes:
    return _change_members(text, {"object": _strip_object})


def _strip_object(text: bytes) -> bytes:
    return _change_members(text, {"metadata": _strip_metadata})


def _strip_metadata(text: bytes) -> bytes:
    if not text.startswith(b"{"):
        return text
    return rawjson.object_of(
        (key, value)
        for key, value in rawjson.members(text)
        if rawjson.unquote(key) != "managedFields"
    )


def _change_members(text: bytes, changes: Mapping[str, Change]) -> bytes:
    """Return the object *text* with the members that are named there changed."""
    if not text.startswith(b"{"):
        return text
    pairs = []
    for key, value in rawjson.members(text):
        change = changes.get(rawjson.unquote(key))
        pairs.append((key, change(value) if change else value))
    return rawjson.object_of(pairs)


def _change_elements(text: bytes, change: Change) -> bytes:
    if not text.startswith(b"["):
        return text
    return rawjson.array_of(map(change, rawjson.elements(text)))

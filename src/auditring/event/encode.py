"""Events as JSON, byte for byte as Kubernetes writes them.

One event is one line, whatever bytes are in it. A body goes in as the text that it is:
blanks between its tokens go, ``< > &`` and U+2028/9 are escaped, and all else stays.
Source: Kubernetes v1.36, the audit log's json format.
"""

import re
from collections.abc import Iterable

from ..errors import EventError
from . import rawjson
from ._encode import event_line
from .event import Event
from .legacytext import legacy_line

__all__ = [
    "REQUEST_NOTE",
    "RESPONSE_NOTE",
    "event_list",
    "json_line",
    "legacy_line",
    "list_of_lines",
]

REQUEST_NOTE = "auditring.io/request-object"
"""The annotation that says what became of a request body that wasn't JSON."""
RESPONSE_NOTE = "auditring.io/response-object"
"""The same of an answer's body."""

_KEPT_AS_TEXT = "kept-as-text"
_BYTES_REPLACED = "invalid-utf8-replaced"

_TYPED_START = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1",'
_BARE_START = b"{"
_LIST_START = (
    b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":'
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def json_line(event: Event, *, bare: bool = False, strict: bool = False) -> bytes:
    """Write *event* as one line, its newline included.

    Kubernetes loses an event whose body isn't JSON. Here such a body is kept as a JSON
    string, and bytes that aren't UTF-8 in a body that is JSON are replaced; the
    annotation ``auditring.io/request-object`` or ``auditring.io/response-object`` says
    so: ``kept-as-text`` or ``invalid-utf8-replaced``.

    Args:
        event: What to write.
        bare: Leave out `kind` and `apiVersion`, as Loft does.
        strict: Do as Kubernetes does, with bodies too.

    Raises:
        EventError: With *strict*, a body isn't JSON.
        TypeError: A value in the event isn't of the type that it's declared with.
    """
    start = _BARE_START if bare else _TYPED_START
    request, response = event.request_object, event.response_object
    annotations = event.annotations
    if request is None and response is None:
        return event_line(event, start, None, None, annotations)
    if strict:
        request = _strict_body(request, "requestObject")
        response = _strict_body(response, "responseObject")
        return event_line(event, start, request, response, annotations)
    request, request_note = _body(request)
    response, response_note = _body(response)
    notes = {REQUEST_NOTE: request_note, RESPONSE_NOTE: response_note}
    if request_note or response_note:
        said = {key: note for key, note in notes.items() if note}
        annotations = {**annotations, **said}
    return event_line(event, start, request, response, annotations)


def event_list(events: Iterable[Event], *, strict: bool = False) -> bytes:
    """Write *events* as the EventList that a webhook gets, with a newline at its end.

    Raises:
        EventError: With *strict*, a body isn't JSON.
        TypeError: A value in an event isn't of the type that it's declared with.
    """
    return _list_of([json_line(event, bare=True, strict=strict) for event in events])


def list_of_lines(lines: Iterable[bytes]) -> bytes:
    """Put *lines* of a log together to an EventList, without reading them.

    Each is one event, as `json_line` writes it.
    """
    return _list_of(
        [
            _BARE_START + line[len(_TYPED_START) :]
            if line.startswith(_TYPED_START)
            else line
            for line in lines
        ]
    )


def _list_of(lines: list[bytes]) -> bytes:
    # Go writes a list that was never appended to as null.
    items = rawjson.array_of(line.rstrip(b"\n") for line in lines) if lines else b"null"
    return _LIST_START + items + b"}\n"


def _strict_body(body: bytes | None, member: str) -> bytes | None:
    if body is None:
        return None
    try:
        return rawjson.compact(body)
    except ValueError as error:
        raise EventError(f"{member}: {error}") from error


def _body(body: bytes | None) -> tuple[bytes | None, str]:
    """Return *body* as JSON text, and what had to be done for it."""
    if body is None:
        return None, ""
    try:
        text = rawjson.compact(body)
    except ValueError:
        return rawjson.quote(body.decode(errors="surrogateescape")), _KEPT_AS_TEXT
    if text.isascii():
        return text, ""
    try:
        text.decode()
    except UnicodeDecodeError:
        string = text.decode(errors="surrogateescape")
        return _SURROGATES.sub(r"\\ufffd", string).encode(), _BYTES_REPLACED
    return text, ""

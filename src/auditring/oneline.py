"""An audit event as one line for people: when, how it ended, who did what to what."""

from collections.abc import Callable
from typing import Any, Final

import orjson

__all__ = ["one_line"]

_RED: Final = 31
_GREEN: Final = 32
_YELLOW: Final = 33
_MAGENTA: Final = 35
_CYAN: Final = 36
_GREY: Final = 90
_BOLD: Final = 1

_CODE_COLORS: Final = {2: _GREEN, 3: _CYAN, 4: _YELLOW, 5: _RED}

_Paint = Callable[[str, int], str]


def one_line(line: bytes, has_colors: bool, is_terminal: bool) -> bytes:
    """Return an event in short, or the line itself if it is no event.

    What an event says comes from whoever made the request: nothing in it reaches a
    terminal as a control character.

    Args:
        line: Without its newline.
        has_colors: Mark parts of it by colour, with the sequences of ANSI.
        is_terminal: A line that is no event is shown with its control characters made
            visible; else it stays as it is.
    """
    event = _event(line)
    if event is not None:
        text = _describe(event, _colored if has_colors else _plain)
        return text.encode("utf-8", "backslashreplace")
    if is_terminal:
        text = line.decode("utf-8", "backslashreplace")
        return _visible(text).encode("utf-8", "backslashreplace")
    return line


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    # Loft's events have no kind.
    is_event = isinstance(event, dict) and "auditID" in event and "stage" in event
    return event if is_event else None


def _describe(event: dict[str, Any], paint: _Paint) -> str:
    time = _text(event.get("stageTimestamp"))
    if event.get("verb") == "gap":
        return f"{paint(time, _GREY)} {paint(_gap(event), _MAGENTA)}"
    parts = [
        paint(time, _GREY),
        _outcome(event, paint),
        paint(f"{_text(event.get('verb')):<7}", _BOLD),
        paint(_user(event), _CYAN),
        _subject(event),
    ]
    return " ".join(parts)


def _gap(event: dict[str, Any]) -> str:
    notes = _mapping(event.get("annotations"))
    reason, count, size = (
        _text(notes.get(f"auditring.io/{name}"))
        for name in ("reason", "count", "bytes")
    )
    return f"gap: {reason}, count {count}, {size} bytes"


def _outcome(event: dict[str, Any], paint: _Paint) -> str:
    """Return the status code, or the stage of a request that has none."""
    code = _mapping(event.get("responseStatus")).get("code")
    stage = event.get("stage")
    if stage == "Panic":
        return paint("Panic", _RED)
    if isinstance(code, int):
        return paint(str(code), _CODE_COLORS.get(code // 100, _GREY))
    return paint(_text(stage), _GREY)


def _user(event: dict[str, Any]) -> str:
    name = _text(_mapping(event.get("user")).get("username"))
    other = _mapping(event.get("impersonatedUser")).get("username")
    return name if other is None else f"{name} as {_text(other)}"


def _subject(event: dict[str, Any]) -> str:
    reference = _mapping(event.get("objectRef"))
    if "resource" not in reference:
        return _text(event.get("requestURI"))
    kind = _joined("/", reference, "resource", "subresource")
    return f"{kind} {_joined('/', reference, 'namespace', 'name')}".rstrip()


def _joined(separator: str, fields: dict[str, Any], *names: str) -> str:
    return separator.join(_text(fields[name]) for name in names if fields.get(name))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return "-"
    return _visible(value if isinstance(value, str) else str(value))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else ascii(char)[1:-1]
        for char in text
    )


def _colored(text: str, color: int) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _plain(text: str, color: int) -> str:
    return text

"""Audit events as lines for people: when, how it ended, who did what to what."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

__all__ = ["InShort", "one_line"]

_RED: Final = 31
_GREEN: Final = 32
_YELLOW: Final = 33
_MAGENTA: Final = 35
_CYAN: Final = 36
_GREY: Final = 90
_BOLD: Final = 1

_CODE_COLORS: Final = {2: _GREEN, 3: _CYAN, 4: _YELLOW, 5: _RED}

# Time, outcome, verb, user: what they take at least, and what others are moved for.
_WIDTHS_MIN: Final = (0, 3, 7, 0)
_WIDTHS_MAX: Final = (27, 16, 16, 40)

_Paint = Callable[[str, int], str]
_Cell = tuple[str, int]


class InShort:
    """Shows events in columns, which grow with what comes.

    What an event says comes from whoever made the request: nothing in it reaches a
    terminal as a control character.
    """

    def __init__(self, *, has_colors: bool, is_terminal: bool) -> None:
        """Begin.

        Args:
            has_colors: Mark parts of events by colour, with the sequences of ANSI.
            is_terminal: A line that is no event is shown with its control characters
                made visible; else it stays as it is.
        """
        self._paint: _Paint = _colored if has_colors else _plain
        self._is_terminal = is_terminal
        self._widths = list(_WIDTHS_MIN)

    def show(self, lines: Iterable[bytes]) -> list[bytes]:
        """Return *lines* in short, columns below each other; none has a newline."""
        rows = [_row(line) for line in lines]
        for row in rows:
            if isinstance(row, list):
                for column, (text, _) in enumerate(row[:-1]):
                    width = min(len(text), _WIDTHS_MAX[column])
                    self._widths[column] = max(self._widths[column], width)
        return [self._shown(row) for row in rows]

    def _shown(self, row: "list[_Cell] | bytes") -> bytes:
        if isinstance(row, list):
            text = " ".join(self._cells(row))
        elif not self._is_terminal:
            return row
        else:
            text = _visible(row.decode("utf-8", "backslashreplace"))
        return text.encode("utf-8", "backslashreplace")

    def _cells(self, row: list[_Cell]) -> Iterable[str]:
        *cells, (subject, color) = row
        for (text, its_color), width in zip(cells, self._widths, strict=False):
            yield self._paint(text, its_color) + " " * (width - len(text))
        yield self._paint(subject, color) if color else subject


def one_line(line: bytes, has_colors: bool, is_terminal: bool) -> bytes:
    """Return an event in short, or the line itself if it is no event; see `InShort`."""
    (shown,) = InShort(has_colors=has_colors, is_terminal=is_terminal).show([line])
    return shown


def _row(line: bytes) -> "list[_Cell] | bytes":
    """Return the cells of an event, or a line as it is."""
    event = _event(line)
    if event is None:
        return line
    time = _time(event)
    if event.get("verb") == "gap":
        return [(time, _GREY), (_gap(event), _MAGENTA)]
    return [
        (time, _GREY),
        _outcome(event),
        (_text(event.get("verb")), _BOLD),
        (_user(event), _CYAN),
        (_subject(event), 0),
    ]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    # Loft's events have no kind.
    is_event = isinstance(event, dict) and "auditID" in event and "stage" in event
    return event if is_event else None


def _time(event: dict[str, Any]) -> str:
    """Return when it was; events of v1beta1 and before have it in other members."""
    times = (
        event.get("stageTimestamp"),
        _mapping(event.get("metadata")).get("creationTimestamp"),
        event.get("timestamp"),
    )
    return _text(next(filter(None, times), None))


def _gap(event: dict[str, Any]) -> str:
    notes = _mapping(event.get("annotations"))
    reason, count, size = (
        _text(notes.get(f"auditring.io/{name}"))
        for name in ("reason", "count", "bytes")
    )
    return f"gap: {reason}, count {count}, {size} bytes"


def _outcome(event: dict[str, Any]) -> _Cell:
    """Return the status code, or the stage of a request that has none."""
    code = _mapping(event.get("responseStatus")).get("code")
    stage = event.get("stage")
    if stage == "Panic":
        return "Panic", _RED
    if isinstance(code, int):
        return str(code), _CODE_COLORS.get(code // 100, _GREY)
    return _text(stage), _GREY


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

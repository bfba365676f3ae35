"""The events in a log that somebody recorded, however others wrapped them since.

Whoever carries a log on puts its lines into objects of their own: as a text
(CloudWatch, Docker, Azure), as an object (Elastic, Azure), several at once (EventLists,
exports, ``jq -s``), or behind a word or two (CRI, ``oc adm node-logs``, ``kubectl logs
--timestamps``). All that is JSON is searched for events, so that a form needn't be
known; its name is for people. What holds no event is told with its line and a reason.

An event is an object that has auditID, level and stage. Others may be in it: bodies of
requests aren't looked into.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import orjson

from ..documents.linesplitter import EVENT_MAX_BYTES, LINE_MAX_BYTES, too_long
from ..errors import EventError
from . import rawjson
from .event import Event, Level, Stage
from .forms import form_of, reason_of

__all__ = ["RecordedEvents"]

# How deep an event may be in what others put around it: hits, a hit, its source, a
# text, a list, an item of it, and some more.
_DEPTH_MAX = 8
_REQUIRED = (b'"auditID"', b'"level"', b'"stage"')
_OPENING, _CLOSING = re.compile(rb"[{\[]"), re.compile(rb"[}\]]")
# One without an end goes to the end, so that none is looked through twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)
_STRING_OR_BRACE = re.compile(_STRING.pattern + rb"|[{}]", re.DOTALL)
# What the first line of a document of several may be, as they are printed.
_FIRST_LINE = re.compile(rb'\s*(?:\{\s*(?:".*)?|\[\s*(?:[{\["].*)?)', re.DOTALL)
_BOM = b"\xef\xbb\xbf"
# CRI says whether a line goes on in the next: P or F.
_CRI = re.compile(rb"\S+ (?:stdout|stderr) ([PF])(?::\S*)? (.*)", re.DOTALL)

_Found = tuple[bytes, Event]


class RecordedEvents:
    """Finds the events in lines, one after the other.

    Thread-safety: one thread at a time.

    Attributes:
        forms: How many events each kind of wrapping had in it, by its name.
        unreadable: How many lines held no event.
    """

    def __init__(
        self, on_problem: Callable[[int, str], object] = lambda number, reason: None
    ) -> None:
        """Begin.

        Args:
            on_problem: Called with the number, from 1, of each line that holds no
                event, and the reason.
        """
        self.forms: Counter[str] = Counter()
        self.unreadable = 0
        self._on_problem = on_problem
        self._number = 0
        self._pieces = _Pieces()
        self._document: list[bytes] = []  # lines of one that isn't over
        self._depth = 0
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether lines that came may be part of an event that isn't complete."""
        return bool(self._document or self._pieces)

    def skip(self, size: int) -> None:
        """Take note of a line of *size* bytes that nobody could read."""
        self._number += 1
        self._blame(too_long(size, EVENT_MAX_BYTES))

    def events_of(self, lines: Iterable[bytes]) -> Iterator[_Found]:
        """Yield the events in *lines*, and the text of each."""
        for line in lines:
            yield from self.take(line)
        yield from self.end()

    def take(self, line: bytes) -> Iterator[_Found]:
        """Yield the events that are complete with *line*."""
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(_BOM)
        if self._document:
            yield from self._go_on(line)
            return
        event = _event_of(line)
        if isinstance(event, Event):
            yield line, event
        elif line.strip():
            yield from self._take_other(line, event)

    def end(self) -> Iterator[_Found]:
        """Yield what is left when there are no more lines."""
        if rest := self._pieces.rest():
            yield from self._take_text(*rest)
        yield from self._give_up()

    def _take_other(self, line: bytes, reason: str) -> Iterator[_Found]:
        """Look for events in what is none itself."""
        whole = self._pieces.add(line, self._number)
        if whole is None:
            return
        text, number = whole
        if text is line and _is_opening(line):
            self._document, self._size = [line], len(line)
            self._depth = _depth_of(line)
            return
        yield from self._take_text(text, number, reason)

    def _take_text(
        self, text: bytes, number: int, reason: str = ""
    ) -> Iterator[_Found]:
        found = list(_events_in(text))
        for each in found:
            self.forms[form_of(text)] += 1
            yield each
        if not found:
            self._blame(_reason(text, reason), number)

    # Documents of many lines.

    def _go_on(self, line: bytes) -> Iterator[_Found]:
        """Take the next line of a document that began before."""
        is_apart = self._document[-1].strip()[-1:] not in (b"[", b",", b":")
        if is_apart and line.startswith(b'{"') and isinstance(_event_of(line), Event):
            # What looked like the beginning of a document was a line cut off.
            self._number -= 1
            yield from self._give_up()
            yield from self.take(line)
            return
        self._document.append(line)
        self._size += len(line)
        self._depth += _depth_of(line)
        if self._depth > 0 and self._size <= LINE_MAX_BYTES:
            return
        text = b"\n".join(self._document)
        found = list(_events_in(text)) if self._depth <= 0 else []
        if not found:
            yield from self._give_up()
            return
        self._document = []
        for each in found:
            self.forms[form_of(text)] += 1
            yield each

    def _give_up(self) -> Iterator[_Found]:
        """Take the lines of a document that came to no end one by one."""
        lines, self._document = self._document, []
        first = self._number - len(lines) + 1
        if len(lines) > 1 and self._depth <= 0:
            text = b"\n".join(lines)
            self._blame(_reason(text), first)
            return
        for number, line in enumerate(lines, first):
            event = _event_of(line)
            if isinstance(event, Event):
                yield line, event
            elif line.strip():
                yield from self._take_text(line, number, event)

    def _blame(self, reason: str, number: int | None = None) -> None:
        self.unreadable += 1
        self._on_problem(self._number if number is None else number, reason)


class _Pieces:
    """Lines that a container runtime cut into pieces, as both known ones do."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, line: bytes, number: int) -> tuple[bytes, int] | None:
        """Return what *line* completes, and the number of its first line."""
        text, is_part = _piece(line)
        if not self._pieces:
            if not is_part:
                return line, number
            self._number = number
        self._pieces.append(text)
        self._size += len(text)
        if is_part and self._size <= EVENT_MAX_BYTES:
            return None
        return self.rest()

    def rest(self) -> tuple[bytes, int] | None:
        """Return what there is, complete or not."""
        if not self._pieces:
            return None
        whole, self._pieces, self._size = b"".join(self._pieces), [], 0
        return whole, self._number


def _piece(line: bytes) -> tuple[bytes, bool]:
    """Return what a line of a container's log holds, and whether more of it follows."""
    if match := _CRI.fullmatch(line):
        return match[2], match[1] == b"P"
    if not line.startswith(b'{"'):
        return line, False
    try:
        wrapped = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line, False
    text = wrapped.get("log") if isinstance(wrapped, dict) else None
    if not isinstance(text, str) or "stream" not in wrapped:
        return line, False
    return text.encode(), not text.endswith("\n")


def _is_opening(line: bytes) -> bool:
    """Tell whether *line* may be the first of a document that has more."""
    if line.strip()[-1:] not in b"{[," or not _FIRST_LINE.fullmatch(line):
        return False
    return _depth_of(line) > 0


def _depth_of(line: bytes) -> int:
    """Return how many brackets *line* opens more than it closes."""
    bare = _STRING.sub(b"", line)
    return len(_OPENING.findall(bare)) - len(_CLOSING.findall(bare))


def _event_of(line: bytes) -> "Event | str":
    """Return the event that *line* is, or why it is none."""
    try:
        event = Event.from_json(line)
    except EventError as error:
        return str(error)
    return _check(event) or event


def _check(event: Event) -> str:
    """Say what keeps *event* from being one; nothing if it is one."""
    values = {"auditID": event.audit_id, "level": event.level, "stage": event.stage}
    missing = [name for name, value in values.items() if not value]
    if missing:
        return f"no event: it has no {' and no '.join(missing)}"
    if event.level not in set(Level):
        return f"no event: level: expected {', '.join(Level)}, got {event.level!r}"
    if event.stage not in set(Stage):
        return f"no event: stage: expected {', '.join(Stage)}, got {event.stage!r}"
    return ""


def _events_in(text: bytes) -> Iterator[_Found]:
    """Yield the events anywhere in *text*, behind its first words, too."""
    text = text.strip()
    try:
        yield from _search(rawjson.compact(text), 0)
        return
    except ValueError:
        pass
    start = text.find(b"{")
    if start > 0:
        try:
            yield from _search(rawjson.compact(text[start:]), 0)
        except ValueError:
            pass
        else:
            return
    for each in _documents(text):
        yield from _search(each, 0)


def _documents(text: bytes) -> Iterator[bytes]:
    """Yield objects that stand one behind the other, with nothing between."""
    if b"}{" not in text and b"} {" not in text:
        return
    start = depth = end = 0
    for match in _STRING_OR_BRACE.finditer(text):
        if match[0] == b"{":
            start = match.start() if depth == 0 else start
            depth += 1
        elif match[0] == b"}":
            depth -= 1
            end = match.end()
            if depth == 0:
                try:
                    yield rawjson.compact(text[start:end])
                except ValueError:
                    return


def _search(text: bytes, depth: int) -> Iterator[_Found]:
    """Yield the events in a JSON *text*, which is compact."""
    if depth > _DEPTH_MAX:
        return
    if text.startswith(b"["):
        for element in rawjson.elements(text):
            yield from _search(element, depth + 1)
    elif text.startswith(b'"'):
        inside = rawjson.unquote(text).strip()
        if inside.startswith(("{", "[")):
            try:
                compact = rawjson.compact(inside.encode(errors="surrogateescape"))
            except ValueError:
                return
            yield from _search(compact, depth + 1)
    elif text.startswith(b"{"):
        event = _event_of(text)
        if isinstance(event, Event):
            yield text, event
            return
        members = rawjson.members(text)
        if _is_meant_as_event(members):
            return
        yield from _search_members(members, depth)


def _search_members(members: list[tuple[bytes, bytes]], depth: int) -> Iterator[_Found]:
    """Yield the events in members of an object, one that two of them hold once.

    Whoever takes a line apart may keep the whole of it as well.
    """
    seen: set[tuple[str, str]] = set()
    for _, value in members:
        found = [
            (text, event)
            for text, event in _search(value, depth + 1)
            if (event.audit_id, event.stage) not in seen
        ]
        seen.update((event.audit_id, event.stage) for _, event in found)
        yield from found


def _is_meant_as_event(members: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether an object is an event with something wrong about it."""
    names = {name for name, _ in members}
    return sum(each in names for each in _REQUIRED) > 1


def _reason(text: bytes, of_event: str = "") -> str:
    """Say why *text* is no event; *of_event* if it isn't known better."""
    if told := reason_of(text):
        return told
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        is_cut = text.lstrip().startswith((b"{", b"[")) and _depth_of(text) > 0
        return "no JSON: it ends in the middle" if is_cut else "no JSON"
    if not isinstance(document, dict):
        return "no event: JSON that holds none"
    return of_event or "no event: it has no auditID and no level and no stage"

"""YAML text to nodes, as Kubernetes reads it: what JSON can say, of one document.

* Merged keys are set in the order they stand in, so that a later one wins either way.
* Keys become strings; null can't be one.
* What the text holds after its first document isn't looked at.

Source: sigs.k8s.io/yaml v1.6 and go.yaml.in/yaml/v2, decode.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from .tree import DEPTH_MAX, Mapping, Node, Number, Scalar, Sequence, TextError
from .yamlevents import YamlEvents
from .yamlscalar import INT64_MAX, Value, resolve
from .yamlwords import in_words

__all__ = ["line_of_second_document", "read_yaml"]


def read_yaml(text: str) -> Node:
    """Return what the first document of *text* says; null if there is none.

    Raises:
        TextError: It isn't YAML, holds what JSON has no form for, or is nested too
            deeply.
    """
    try:
        content = _compose(YamlEvents(text.removeprefix("\ufeff")))
    except MarkedYAMLError as error:
        raise _text_error(error) from None
    except YAMLError as error:
        raise TextError(f"YAML: {str(error).splitlines()[0]}", None) from None
    except ValueError as error:  # an escape beyond U+10FFFF
        raise TextError(f"YAML: {error}", None) from None
    node = _Conversion().node(content)
    _refuse_unspeakable(node)
    return node


def line_of_second_document(text: str) -> int | None:
    """Return where a second document begins in *text*, which nobody reads.

    None if there is none, or nothing in it.
    """
    events = YamlEvents(text.removeprefix("\ufeff"))
    documents, line = 0, 1
    try:
        while not events.is_at(StreamEndEvent):
            event = events.next()
            if isinstance(event, DocumentStartEvent):
                documents += 1
                line = event.start_mark.line + 1 if event.start_mark else 1
            elif documents > 1 and not _is_nothing(event):
                return line
    except YAMLError:
        return line if documents > 1 else None
    return None


def _is_nothing(event: Event) -> bool:
    if isinstance(event, ScalarEvent):
        return not event.value and event.implicit[0]
    return isinstance(event, DocumentEndEvent)


def _text_error(error: MarkedYAMLError) -> TextError:
    mark = error.problem_mark or error.context_mark
    told = in_words(error.problem or "")
    return TextError(f"YAML: {told}", mark.line + 1 if mark else None)


@dataclass(slots=True, eq=False)
class _Leaf:
    line: int
    tag: str
    value: str
    is_implicit: bool


@dataclass(slots=True, eq=False)
class _List:
    line: int
    items: list["_Part"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Pairs:
    line: int
    pairs: list[tuple["_Part", "_Part"]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Alias:
    line: int
    target: "_Target"


_Target = _Leaf | _List | _Pairs
_Part = _Target | _Alias
_T = TypeVar("_T", _Leaf, _List, _Pairs)


def _compose(events: YamlEvents) -> _Part:
    """Put the first document together."""
    events.next()  # the stream's start
    if events.is_at(StreamEndEvent):
        return _Leaf(1, "", "", is_implicit=True)
    events.next()  # the document's start
    content = _Composition(events).part(0)
    end = events.next()
    assert isinstance(end, DocumentEndEvent)
    return content


class _Composition:
    def __init__(self, events: YamlEvents) -> None:
        self._events = events
        self._anchors: dict[str | None, _Target] = {}

    def part(self, depth: int) -> _Part:
        event = self._events.next()
        assert isinstance(event, NodeEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > DEPTH_MAX:
            raise TextError(f"YAML: nested deeper than {DEPTH_MAX} levels", line)
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise TextError(f"YAML: unknown anchor {event.anchor!r}", line)
            return _Alias(line, self._anchors[event.anchor])
        if isinstance(event, ScalarEvent):
            leaf = _Leaf(line, event.tag or "", event.value, event.implicit[0])
            return self._anchored(event, leaf)
        if isinstance(event, SequenceStartEvent):
            sequence = self._anchored(event, _List(line))
            while not self._events.is_at(SequenceEndEvent):
                sequence.items.append(self.part(depth + 1))
            self._events.next()
            return sequence
        assert isinstance(event, MappingStartEvent)
        mapping = self._anchored(event, _Pairs(line))
        while not self._events.is_at(MappingEndEvent):
            mapping.pairs.append((self.part(depth + 1), self.part(depth + 1)))
        self._events.next()
        return mapping

    def _anchored(self, event: NodeEvent, part: _T) -> _T:
        if event.anchor is not None:
            self._anchors[event.anchor] = part
        return part


class _Conversion:
    """Follows aliases, merges and resolves, with the limits that Go's decoder has."""

    def __init__(self) -> None:
        self._visited = 0
        self._visited_by_alias = 0
        self._open_aliases: set[int] = set()

    def node(self, part: _Part) -> Node:
        self._count(part)
        if isinstance(part, _Alias):
            return self._follow(part)
        if isinstance(part, _Leaf):
            return Scalar(part.line, _json_value(part))
        if isinstance(part, _List):
            return Sequence(part.line, tuple(self.node(item) for item in part.items))
        entries = _Entries()
        self._fill(part, entries)
        return entries.mapping(part.line)

    def _count(self, part: _Part) -> None:
        self._visited += 1
        self._visited_by_alias += bool(self._open_aliases)
        if self._visited_by_alias <= 100 or self._visited <= 1000:
            return
        if self._visited_by_alias > _allowed_ratio(self._visited) * self._visited:
            raise TextError("YAML: aliases make too much of the document", part.line)

    def _follow(self, alias: _Alias) -> Node:
        self._enter(alias)
        node = self.node(alias.target)
        self._open_aliases.discard(id(alias))
        return node

    def _enter(self, alias: _Alias) -> None:
        if id(alias) in self._open_aliases or len(self._open_aliases) > DEPTH_MAX:
            raise TextError("YAML: an anchor's value contains itself", alias.line)
        self._open_aliases.add(id(alias))

    def _fill(self, pairs: _Pairs, entries: "_Entries") -> None:
        for key, value in pairs.pairs:
            if _is_merge(key):
                for source in _merged(value):
                    self._merge(source, entries)
            else:
                entries.add(self._key(key), key.line, self.node(value))

    def _merge(self, source: _Part, entries: "_Entries") -> None:
        self._count(source)
        target = source
        if isinstance(source, _Alias):
            self._enter(source)
            target = source.target
            self._count(target)
        if not isinstance(target, _Pairs):
            raise TextError("YAML: only mappings can be merged", source.line)
        self._fill(target, entries)
        self._open_aliases.discard(id(source))

    def _key(self, part: _Part) -> Value:
        self._count(part)
        target = part.target if isinstance(part, _Alias) else part
        if target is not part:
            self._count(target)
        if not isinstance(target, _Leaf):
            raise TextError("YAML: a key can't be a list or a mapping", part.line)
        value = _value(target)
        if value is None or (isinstance(value, int) and value > INT64_MAX):
            raise TextError(f"YAML: {target.value!r} can't be a key", part.line)
        return value


def _allowed_ratio(visited: int) -> float:
    """Return how much of a document aliases may make; source: yaml.v2, decode.go."""
    beyond = (visited - 400_000) / (4_000_000 - 400_000)
    return 0.99 - 0.89 * min(max(beyond, 0), 1)


def _is_merge(key: _Part) -> bool:
    if not isinstance(key, _Leaf) or key.value != "<<":
        return False
    return key.is_implicit or key.tag == "tag:yaml.org,2002:merge"


def _merged(value: _Part) -> Iterator[_Part]:
    """Yield what a merge key brings in; of a list, the first to have a key wins."""
    if isinstance(value, _List):
        yield from reversed(value.items)
    else:
        yield value


class _Entries:
    """The keys of a mapping while they are set, one after the other."""

    def __init__(self) -> None:
        self._set: dict[tuple[type, Value], tuple[str, int, Node]] = {}
        self._repeated: list[tuple[str, int]] = []

    def add(self, key: Value, line: int, value: Node) -> None:
        text = _key_text(key)
        # The type is told apart, as 1 and true are one key to Python.
        identity = (type(key), key)
        if identity in self._set:
            self._repeated.append((text, line))
        self._set[identity] = (text, line, value)

    def mapping(self, line: int) -> Mapping:
        """Return them by name, the order that Go hands them on in."""
        entries = sorted(self._set.values(), key=lambda entry: entry[0])
        return Mapping(line, tuple(entries), tuple(self._repeated))


def _key_text(key: Value) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _value(leaf: _Leaf) -> Value:
    try:
        return resolve(leaf.value, leaf.tag, is_implicit=leaf.is_implicit)
    except ValueError as error:
        raise TextError(f"YAML: {error}", leaf.line) from None


def _json_value(leaf: _Leaf) -> bool | Number | str | None:
    value = _value(leaf)
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, int):
        return Number(value)
    # Go writes floats without an exponent in this range; source: encoding/json.
    is_whole = abs(value) < 1e21 and value.is_integer()
    return Number(int(value) if is_whole else repr(value))


def _refuse_unspeakable(node: Node) -> None:
    """Raise for what JSON has no form for, now that later keys have replaced some."""
    if isinstance(node, Sequence):
        for item in node.items:
            _refuse_unspeakable(item)
    elif isinstance(node, Mapping):
        for _, _, value in node.entries:
            _refuse_unspeakable(value)
    elif isinstance(node.value, Number) and node.value in _UNSPEAKABLE:
        raise TextError(f"YAML: JSON has no form for {node.value}", node.line)


_UNSPEAKABLE = {"nan", "inf", "-inf"}

"""Types that a document is read into, with the habits of Go's JSON decoder.

Policies and configurations are read by these alone. A value is read *onto* an earlier
one, which matters where a JSON text has a key twice: null leaves a string or a truth
value as it is, the items of a list are laid over those of the list before, a map gains
keys. Field names are matched to the letter. Everything wrong is collected, not only the
first. Source: sigs.k8s.io/json. Types of scalars stand in values.py.
"""

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any

from .tree import Mapping, Node, Sequence, is_null, plain, shown

__all__ = [
    "RAW",
    "Findings",
    "MapOf",
    "Mismatch",
    "Nullable",
    "SliceOf",
    "Struct",
    "Type",
    "Value",
    "read_as",
]


class Mismatch(Exception):
    """A node isn't what a type takes; the message says so, with its value."""

    @classmethod
    def of(cls, expected: str, node: Node) -> "Mismatch":
        """Say that *node* isn't what was *expected*."""
        return cls(f"expected {expected}, got {shown(node)}")


@dataclass(slots=True)
class Findings:
    """What turned up while a document was read, in the document's order.

    Attributes:
        wrong: Path, line and what is wrong with a value.
        unknown: Path, line and value of fields that the type doesn't have, and those
            that it has.
        repeated: Path and line of keys that were there before.
        lines: The line of every path that was read.
    """

    wrong: list[tuple[str, int, str]] = field(default_factory=list)
    unknown: list[tuple[str, int, Node, tuple[str, ...]]] = field(default_factory=list)
    repeated: list[tuple[str, int]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many things aren't as they should be."""
        return len(self.wrong) + len(self.unknown) + len(self.repeated)

    def expect(self, what: str, node: Node, path: str) -> None:
        """Note that *node* isn't *what* it should be."""
        self.wrong.append((path, node.line, str(Mismatch.of(what, node))))


class Type:
    """What a node can be read into.

    Attributes:
        what: What it takes, for messages and references.
        is_text: Whether the text of a variable or flag is taken as it is, not as YAML.
    """

    __slots__ = ()

    what: str
    is_text = False

    def zero(self) -> Any:  # noqa: ANN401  # each its own type, here and below
        """Return what an absent value is."""
        return None

    def read(self, node: Node, onto: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401
        """Return *node* read onto an earlier value."""
        raise NotImplementedError

    def finish(self, value: Any) -> Any:  # noqa: ANN401
        """Turn what `read` returned into what is kept."""
        return value

    def dump(self, value: Any) -> object:  # noqa: ANN401
        """Return how what is kept is written in a file, in JSON's types."""
        return value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of what is taken."""
        return {}


class Value(Type):
    """A node that is taken as a whole, or not at all; null is none."""

    __slots__ = ()

    def read(self, node: Node, onto: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401
        """See `Type`."""
        findings.lines[path] = node.line
        try:
            return self.convert(node)
        except Mismatch as error:
            findings.wrong.append((path, node.line, str(error)))
            return onto

    def convert(self, node: Node) -> Any:  # noqa: ANN401
        """Return the value.

        Raises:
            Mismatch: It is none of this type.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Nullable(Type):
    """A value as Go has it: null leaves what is there, or makes a pointer absent."""

    value: Value
    empty: object = None
    is_pointer: bool = False

    def zero(self) -> object:
        """See `Type`."""
        return None if self.is_pointer else self.empty

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        if not is_null(node):
            return self.value.read(node, onto, path, findings)
        findings.lines[path] = node.line
        return None if self.is_pointer else onto


class _Raw(Type):
    """Anything, kept as plain Python values."""

    __slots__ = ()

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        findings.lines[path] = node.line
        _note_repeated(node, path, findings)
        return plain(node)


RAW: Type = _Raw()


class _Items:
    """A Go slice: items beyond its length are still there and can come back."""

    __slots__ = ("backing", "length")

    def __init__(self) -> None:
        self.backing: list[object] = []
        self.length = 0


@dataclass(frozen=True, slots=True)
class SliceOf(Type):
    """A list of one type; becomes a tuple, None if it is absent."""

    item: Type
    what = "a list"

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines[path] = node.line
        if is_null(node):
            return None
        if not isinstance(node, Sequence):
            findings.expect(self.what, node, path)
            return onto
        items = onto if isinstance(onto, _Items) and node.items else _Items()
        backing = items.backing
        for index, each in enumerate(node.items):
            if index == len(backing):
                backing.append(self.item.zero())
            at = f"{path}[{index}]"
            backing[index] = self.item.read(each, backing[index], at, findings)
        items.length = len(node.items)
        return items

    def finish(self, value: object) -> tuple[Any, ...] | None:
        """See `Type`."""
        if not isinstance(value, _Items):
            return None
        return tuple(self.item.finish(each) for each in value.backing[: value.length])

    def dump(self, value: tuple[Any, ...]) -> object:
        """See `Type`."""
        return [self.item.dump(each) for each in value]

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True, slots=True)
class MapOf(Type):
    """An object of any keys with values of one type; None if it is absent."""

    value: Type
    what = "an object"

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines[path] = node.line
        if is_null(node):
            return None
        if not isinstance(node, Mapping):
            findings.expect(self.what, node, path)
            return onto
        _note_own_repeated(node, path, findings)
        read = onto if isinstance(onto, dict) else {}
        for key, _, value in node.entries:
            # The value of a map never meets the one before.
            each = self.value.read(value, self.value.zero(), f"{path}.{key}", findings)
            read[key] = each
        return read

    def finish(self, value: object) -> dict[str, object] | None:
        """See `Type`."""
        if not isinstance(value, dict):
            return None
        return {key: self.value.finish(each) for key, each in value.items()}


@dataclass(frozen=True, slots=True)
class Struct(Type):
    """An object of known fields; becomes a dict of them, all there."""

    fields: AnyMapping[str, Type]
    what: str = "an object"

    def zero(self) -> object:
        """See `Type`."""
        return {}

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines.setdefault(path, node.line)
        if is_null(node):
            return onto
        if not isinstance(node, Mapping):
            findings.expect(self.what, node, path)
            return onto
        _note_own_repeated(node, path, findings)
        members = onto if isinstance(onto, dict) else {}
        for key, line, value in node.entries:
            at = f"{path}.{key}" if path else key
            type_ = self.fields.get(key)
            if type_ is None:
                findings.unknown.append((at, line, value, tuple(self.fields)))
                _note_repeated(value, at, findings)
                continue
            before = members.get(key, type_.zero())
            members[key] = type_.read(value, before, at, findings)
            findings.lines[at] = line
        return members

    def finish(self, value: object) -> Any:  # noqa: ANN401  # a heir makes another
        """Return every field, those that weren't read as well."""
        members = value if isinstance(value, dict) else {}
        return {
            name: type_.finish(members.get(name, type_.zero()))
            for name, type_ in self.fields.items()
        }

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        members = {name: type_.schema() for name, type_ in self.fields.items()}
        return {"type": "object", "properties": members, "additionalProperties": False}


def read_as(type_: Type, node: Node, findings: Findings) -> Any:  # noqa: ANN401
    """Return *node* as one of *type_*; what is wrong with it is in *findings*."""
    return type_.finish(type_.read(node, type_.zero(), "", findings))


def _note_own_repeated(node: Mapping, path: str, findings: Findings) -> None:
    """Note the keys that *node* itself has twice."""
    prefix = f"{path}." if path else ""
    findings.repeated += [(prefix + key, line) for key, line in node.repeated]
    seen: set[str] = set()
    for key, line, _ in node.entries:
        if key in seen:
            findings.repeated.append((prefix + key, line))
        seen.add(key)


def _note_repeated(node: Node, path: str, findings: Findings) -> None:
    """Note the keys that are there twice in a part of a YAML text nobody reads."""
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            _note_repeated(item, f"{path}[{index}]", findings)
    elif isinstance(node, Mapping):
        prefix = f"{path}." if path else ""
        findings.repeated += [(prefix + key, line) for key, line in node.repeated]
        for key, _, value in node.entries:
            _note_repeated(value, prefix + key, findings)

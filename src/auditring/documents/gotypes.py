"""Types that a document is read into, with the habits of Go's JSON decoder.

A value is read *onto* an earlier one, which matters where a JSON text has a key twice:
null leaves a string or a truth value as it is, the items of a list are laid over those
of the list before, a map gains keys. Field names are matched to the letter. Everything
wrong is collected, not only the first. Source: sigs.k8s.io/json.
"""

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from .tree import Mapping, Node, Number, Scalar, Sequence

__all__ = [
    "BOOLEAN",
    "INT64",
    "POINTER_TO_BOOLEAN",
    "POINTER_TO_INT64",
    "POINTER_TO_TIME",
    "RAW",
    "STRING",
    "TIME",
    "Findings",
    "ListOf",
    "MapOf",
    "Struct",
    "Type",
    "name_of_kind",
    "shown",
]


@dataclass(slots=True)
class Findings:
    """What turned up while a document was read, in the document's order.

    Attributes:
        wrong: Path, line and what is wrong with a value's type.
        unknown: Path and line of fields that the type doesn't have.
        repeated: Path and line of keys that were there before.
        lines: The line of every path that was read.
    """

    wrong: list[tuple[str, int, str]] = field(default_factory=list)
    unknown: list[tuple[str, int]] = field(default_factory=list)
    repeated: list[tuple[str, int]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def expect(self, what: str, node: Node, path: str) -> None:
        """Note that *node* isn't *what* it should be."""
        self.wrong.append((path, node.line, f"expected {what}, got {shown(node)}"))


class Type(Protocol):
    """What a node can be read into."""

    def zero(self) -> object:
        """Return what an absent value is."""
        ...

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """Return *node* read onto an earlier value."""
        ...

    def finish(self, value: object) -> object:
        """Turn what `read` returned into what is kept."""
        ...


def name_of_kind(node: Node) -> str:
    """Say what *node* is, with an article."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "an object"
    if node.value is None:
        return "null"
    if isinstance(node.value, bool):
        return "a truth value"
    return "a number" if isinstance(node.value, Number) else "a string"


def shown(node: Node) -> str:
    """Say what *node* is, with its value if it has a short one."""
    if not isinstance(node, Scalar) or node.value is None:
        return name_of_kind(node)
    if isinstance(node.value, bool):
        return f"the truth value {str(node.value).lower()}"
    if isinstance(node.value, Number):
        return f"the number {node.value}"
    return f"the string {node.value!r}"


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


@dataclass(frozen=True, slots=True)
class _Value:
    """A scalar: null leaves what is there; `is_pointer`: null makes it absent."""

    what: str
    empty: object
    is_pointer: bool = False

    def zero(self) -> object:
        return None if self.is_pointer else self.empty

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        findings.lines[path] = node.line
        if _is_null(node):
            return None if self.is_pointer else onto
        value = self._convert(node)
        if value is None:
            findings.expect(self.what, node, path)
            return onto
        return value

    def finish(self, value: object) -> object:
        return value

    def _convert(self, node: Node) -> object:
        """Return the value, None if it is none of this type."""
        raise NotImplementedError


class _String(_Value):
    __slots__ = ()

    def _convert(self, node: Node) -> str | None:
        value = node.value if isinstance(node, Scalar) else None
        return value if type(value) is str else None  # and no number


class _Boolean(_Value):
    __slots__ = ()

    def _convert(self, node: Node) -> bool | None:
        value = node.value if isinstance(node, Scalar) else None
        return value if isinstance(value, bool) else None


class _Int64(_Value):
    __slots__ = ()

    def _convert(self, node: Node) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, Number) or not re.fullmatch(r"-?\d{1,19}", value):
            return None
        return int(value) if -(2**63) <= int(value) < 2**63 else None


class _Time(_Value):
    """A moment; kept as RFC 3339 in UTC without a fraction, absent as None."""

    __slots__ = ()

    _RFC_3339 = re.compile(
        r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[-+]\d\d:[0-5]\d)",
        re.ASCII,
    )

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        return None if _is_null(node) else super().read(node, onto, path, findings)

    def _convert(self, node: Node) -> str | None:
        text = node.value if isinstance(node, Scalar) else None
        found = self._RFC_3339.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        zone = "+00:00" if found[3] == "Z" else found[3]
        try:
            moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
            return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
        except (ValueError, OverflowError):
            return None


STRING: Type = _String("a string", "")
BOOLEAN: Type = _Boolean("true or false", False)
POINTER_TO_BOOLEAN: Type = _Boolean("true or false", False, is_pointer=True)
INT64: Type = _Int64("an integer of 64 bits", 0)
POINTER_TO_INT64: Type = _Int64("an integer of 64 bits", 0, is_pointer=True)
TIME: Type = _Time("a time as in RFC 3339", None)
POINTER_TO_TIME: Type = _Time("a time as in RFC 3339", None, is_pointer=True)


class _Raw:
    """Anything, kept as plain Python values."""

    __slots__ = ()

    def zero(self) -> object:
        return None

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        findings.lines[path] = node.line
        _note_repeated(node, path, findings)
        return _plain(node)

    def finish(self, value: object) -> object:
        return value


RAW: Type = _Raw()


def _plain(node: Node) -> object:
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, _, value in node.entries}
    if isinstance(node.value, Number):
        is_integer = re.fullmatch(r"-?\d{1,19}", node.value)
        return int(node.value) if is_integer else float(node.value)
    return node.value


class _Items:
    """A Go slice: items beyond its length are still there and can come back."""

    __slots__ = ("backing", "length")

    def __init__(self) -> None:
        self.backing: list[object] = []
        self.length = 0


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one type; becomes a tuple, None if it is absent."""

    item: Type

    def zero(self) -> object:
        """See `Type`."""
        return None

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines[path] = node.line
        if _is_null(node):
            return None
        if not isinstance(node, Sequence):
            findings.expect("a list", node, path)
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

    def finish(self, value: object) -> object:
        """See `Type`."""
        if not isinstance(value, _Items):
            return None
        return tuple(self.item.finish(each) for each in value.backing[: value.length])


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object of any keys with values of one type; None if it is absent."""

    value: Type

    def zero(self) -> object:
        """See `Type`."""
        return None

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines[path] = node.line
        if _is_null(node):
            return None
        if not isinstance(node, Mapping):
            findings.expect("an object", node, path)
            return onto
        _note_own_repeated(node, path, findings)
        read = onto if isinstance(onto, dict) else {}
        for key, _, value in node.entries:
            # The value of a map never meets the one before.
            each = self.value.read(value, self.value.zero(), f"{path}.{key}", findings)
            read[key] = each
        return read

    def finish(self, value: object) -> object:
        """See `Type`."""
        if not isinstance(value, dict):
            return None
        return {key: self.value.finish(each) for key, each in value.items()}


@dataclass(frozen=True, slots=True)
class Struct:
    """An object of known fields; becomes a dict of them, all there."""

    fields: AnyMapping[str, Type]

    def zero(self) -> object:
        """See `Type`."""
        return {}

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        """See `Type`."""
        findings.lines.setdefault(path, node.line)
        if _is_null(node):
            return onto
        if not isinstance(node, Mapping):
            findings.expect("an object", node, path)
            return onto
        _note_own_repeated(node, path, findings)
        members = onto if isinstance(onto, dict) else {}
        for key, line, value in node.entries:
            at = f"{path}.{key}" if path else key
            type_ = self.fields.get(key)
            if type_ is None:
                findings.unknown.append((at, line))
                _note_repeated(value, at, findings)
                continue
            before = members.get(key, type_.zero())
            members[key] = type_.read(value, before, at, findings)
            findings.lines[at] = line
        return members

    def finish(self, value: object) -> dict[str, object]:
        """Return every field, those that weren't read as well."""
        members = value if isinstance(value, dict) else {}
        return {
            name: type_.finish(members.get(name, type_.zero()))
            for name, type_ in self.fields.items()
        }


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

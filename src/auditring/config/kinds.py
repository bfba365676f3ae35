"""Kinds of values that a configuration has: how each is read, shown and described.

Those with units stand in configsizes.py and configtimes.py, names in confignames.py.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..documents.gotypes import shown
from ..documents.tree import Mapping, Node, Number, Scalar
from ..documents.tree import Sequence as NodeList

__all__ = [
    "BOOLEAN",
    "COMPRESSION",
    "LEVEL",
    "POLICY",
    "Choice",
    "Integer",
    "Kind",
    "ListOf",
    "Mismatch",
    "Rate",
    "collect",
    "integer",
    "plain",
    "raise_all",
    "string",
    "told",
    "unexpected",
]

_INTEGER_MAX = 2**62
# Of a value in a message.
_TOLD_CHARS = 120


class Mismatch(Exception):
    """Something isn't what a kind takes.

    Attributes:
        message: What is wrong, with the value.
        line: Where; an item of a list has a line of its own. 0 where there are none.
        at: Where it is below the key, such as ``[2]``.
        every: This one, and others in the same value.
    """

    def __init__(self, message: str, line: int, at: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.at = at
        self.every = [self]


def unexpected(expected: str, node: Node) -> Mismatch:
    """Say that *node* isn't what was *expected*."""
    return Mismatch(f"expected {expected}, got {told(node)}", node.line)


def told(node: Node) -> str:
    """Say what *node* is, with its value, cut if it is long."""
    if isinstance(node, Scalar):
        text = shown(node)
    else:
        value = json.dumps(plain(node), ensure_ascii=False)
        # An address somewhere in it may have a password.
        text = shown(node) if "://" in value else f"{shown(node)} {value}"
    return text if len(text) <= _TOLD_CHARS else f"{text[:_TOLD_CHARS]}..."


def collect(found: Sequence[Mismatch], at: str, error: Mismatch) -> list[Mismatch]:
    """Return the mismatches *found* and those of *error*, which are *at* a place."""
    for each in error.every:
        each.at = at + each.at
    return [*found, *error.every]


def raise_all(found: Sequence[Mismatch]) -> None:
    """Raise the mismatches *found* as one, if there are any."""
    if found:
        found[0].every = list(found)
        raise found[0]


class Kind(Protocol):
    """A kind of values.

    Attributes:
        what: What it takes, for messages and the reference.
        is_text: Whether a variable's or flag's text is taken as it is, not as YAML.
    """

    @property
    def what(self) -> str: ...  # noqa: D102  # described above

    @property
    def is_text(self) -> bool: ...  # noqa: D102  # described above

    def read(self, node: Node) -> Any:  # noqa: ANN401  # each its own type
        """Return the value.

        Raises:
            Mismatch: It is none of this kind.
        """
        ...

    def dump(self, value: Any) -> object:  # noqa: ANN401  # likewise
        """Return how a value is written in a file, in JSON's types."""
        ...

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of what is taken."""
        ...


def integer(node: Node) -> int | None:
    """Return what *node* says if it is a whole number of 64 bits, else None."""
    if not isinstance(node, Scalar) or not isinstance(node.value, Number):
        return None
    return int(node.value) if re.fullmatch(r"-?\d{1,19}", node.value) else None


def string(node: Node) -> str | None:
    """Return what *node* says if it is a text, else None."""
    value = node.value if isinstance(node, Scalar) else None
    return value if type(value) is str else None


@dataclass(frozen=True, slots=True)
class _Boolean:
    what: str = "true or false"
    is_text: bool = False

    def read(self, node: Node) -> bool:
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            raise unexpected(self.what, node)
        return node.value

    def dump(self, value: bool) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within limits, both included; `high` None is none."""

    low: int
    high: int | None = None
    is_text: bool = False

    @property
    def what(self) -> str:
        """See `Kind`."""
        if self.high is None:
            return f"an integer of at least {self.low}"
        return f"an integer from {self.low} to {self.high}"

    def read(self, node: Node) -> int:
        """See `Kind`."""
        value = integer(node)
        high = _INTEGER_MAX if self.high is None else self.high
        if value is None or not self.low <= value <= high:
            raise unexpected(self.what, node)
        return value

    def dump(self, value: int) -> object:
        """See `Kind`."""
        return value

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        limits = {"minimum": self.low, "maximum": self.high}
        kept = {name: value for name, value in limits.items() if value is not None}
        return {"type": "integer", **kept}


@dataclass(frozen=True, slots=True)
class Rate:
    """A number above zero, or zero for no limit, which is None."""

    what: str = "a number of at least 0"
    is_text: bool = False

    def read(self, node: Node) -> float | None:
        """See `Kind`."""
        if isinstance(node, Scalar) and isinstance(node.value, Number):
            value = float(node.value)
            if 0 <= value < 1e9:
                return value or None
        raise unexpected(self.what, node)

    def dump(self, value: float | None) -> object:
        """See `Kind`."""
        if value is None:
            return 0
        return int(value) if value == int(value) else value

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        return {"type": "number", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]
    is_text: bool = False

    @property
    def what(self) -> str:
        """See `Kind`."""
        return f"one of {', '.join(self.words)}"

    def read(self, node: Node) -> str:
        """See `Kind`."""
        value = string(node)
        if value not in self.words:
            raise unexpected(self.what, node)
        return value

    def dump(self, value: str | None) -> object:
        """See `Kind`."""
        return value

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class _Compression:
    """Loft's truth value, which is gzip, or the name of a format."""

    what: str = "true, false, or one of none, gzip, zstd, lz4"
    is_text: bool = False

    _FORMATS = ("gzip", "zstd", "lz4")

    def read(self, node: Node) -> str | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool):
            return "gzip" if value else None
        if value == "none":
            return None
        if type(value) is not str or value not in self._FORMATS:
            raise unexpected(self.what, node)
        return value

    def dump(self, value: str | None) -> object:
        return value or False

    def schema(self) -> dict[str, object]:
        return {"enum": [True, False, "none", *self._FORMATS]}


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy as it stands there; its members are policyfile's to read."""

    what: str = "a policy: an object with rules"
    is_text: bool = False

    def read(self, node: Node) -> Mapping:
        if not isinstance(node, Mapping):
            raise unexpected(self.what, node)
        return node

    def dump(self, value: Mapping | None) -> object:
        return None if value is None else plain(value)

    def schema(self) -> dict[str, object]:
        return {"$ref": "#/$defs/policy"}


def plain(node: Node) -> object:
    """Return a node in JSON's types."""
    if isinstance(node, NodeList):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(value) for key, _, value in node.entries}
    if isinstance(node.value, Number):
        number = integer(node)
        return float(node.value) if number is None else number
    return node.value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind, which becomes a tuple."""

    item: Kind
    is_text: bool = False

    @property
    def what(self) -> str:
        """See `Kind`."""
        return "a list"

    def read(self, node: Node) -> tuple[Any, ...]:
        """See `Kind`."""
        if not isinstance(node, NodeList):
            raise unexpected(self.what, node)
        found: list[Mismatch] = []
        values = []
        for index, item in enumerate(node.items):
            try:
                values.append(self.item.read(item))
            except Mismatch as error:
                found = collect(found, f"[{index}]", error)
        raise_all(found)
        return tuple(values)

    def dump(self, value: tuple[Any, ...]) -> object:
        """See `Kind`."""
        return [self.item.dump(each) for each in value]

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        return {"type": "array", "items": self.item.schema()}


BOOLEAN: Kind = _Boolean()
COMPRESSION: Kind = _Compression()
LEVEL: Kind = Integer(1, 4)
POLICY: Kind = _Policy()

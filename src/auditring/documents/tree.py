"""A YAML or JSON text as a tree whose parts know their lines.

Both formats come to the same kinds of node, so that what is done with a text needn't
ask how it was written. A mapping keeps its keys in the order they count in, one that
is there twice included: the later one wins.
"""

import json
import re
from dataclasses import dataclass

__all__ = [
    "DEPTH_MAX",
    "Mapping",
    "Node",
    "Number",
    "Scalar",
    "Sequence",
    "TextError",
    "integer",
    "is_null",
    "name_of_kind",
    "plain",
    "shown",
    "string",
]

# A policy is 5 levels deep. Go's readers stop at 10,000, Python's stack before.
DEPTH_MAX = 200
# Of a value in a message.
_SHOWN_CHARS = 120


class TextError(Exception):
    """A text isn't what it should be.

    Attributes:
        reason: What is wrong, without where.
        line: Where, from 1; None where no line can be named.
    """

    def __init__(self, reason: str, line: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Number(str):
    """A number as JSON spells it, such as ``1e3``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A null, a truth value, a number or a string; `line` counts from 1."""

    line: int
    value: bool | Number | str | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """An object.

    Attributes:
        line: Where it begins.
        entries: Key, line of the key, value; the last of equal keys counts.
        repeated: Keys of a YAML text that were there before, with their lines. A JSON
            text has them in `entries`: there, each is read, one onto the other.
    """

    line: int
    entries: tuple[tuple[str, int, "Node"], ...]
    repeated: tuple[tuple[str, int], ...] = ()


Node = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Tell whether *node* says that there is nothing."""
    return isinstance(node, Scalar) and node.value is None


def integer(node: Node) -> int | None:
    """Return what *node* says if it is a whole number of 64 bits, else None."""
    if not isinstance(node, Scalar) or not isinstance(node.value, Number):
        return None
    value = int(node.value) if re.fullmatch(r"-?\d{1,19}", node.value) else 2**63
    return value if -(2**63) <= value < 2**63 else None


def string(node: Node) -> str | None:
    """Return what *node* says if it is a text, else None."""
    value = node.value if isinstance(node, Scalar) else None
    return value if type(value) is str else None  # and no number


def plain(node: Node) -> object:
    """Return what *node* says in JSON's types."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(value) for key, _, value in node.entries}
    if isinstance(node.value, Number):
        number = integer(node)
        return float(node.value) if number is None else number
    return node.value


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
    """Say what *node* is, with its value, cut if it is long."""
    kind = name_of_kind(node)
    if not isinstance(node, Scalar):
        value = json.dumps(plain(node), ensure_ascii=False)
        # An address somewhere in it may have a password.
        text = kind if "://" in value else f"{kind} {value}"
    elif node.value is None:
        text = kind
    elif isinstance(node.value, bool):
        text = f"the truth value {str(node.value).lower()}"
    elif isinstance(node.value, Number):
        text = f"the number {node.value}"
    else:
        text = f"the string {node.value!r}"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."

"""A YAML or JSON text as a tree whose parts know their lines.

Both formats come to the same kinds of node, so that what is done with a text needn't
ask how it was written. A mapping keeps its keys in the order they count in, one that
is there twice included: the later one wins.
"""

from dataclasses import dataclass

__all__ = [
    "DEPTH_MAX",
    "Mapping",
    "Node",
    "Number",
    "Scalar",
    "Sequence",
    "TextError",
]

# A policy is 5 levels deep. Go's readers stop at 10,000, Python's stack before.
DEPTH_MAX = 200


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

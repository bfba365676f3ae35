"""Kinds of values that a configuration has: how each is read, shown and described.

Sizes, ages and durations are written as Loft and Kubernetes write them: whole
megabytes, days and hours, and with a unit where that isn't enough.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from .nodes import Mapping, Node, Number, Scalar
from .nodes import Sequence as NodeList
from .schema import shown

__all__ = [
    "BOOLEAN",
    "COMPRESSION",
    "DAYS",
    "DURATION",
    "ENDPOINT",
    "FILE_MODE",
    "GROUP",
    "HOURS",
    "LEVEL",
    "MIB",
    "PATH",
    "POLICY",
    "TEXT",
    "ByteSize",
    "Choice",
    "Integer",
    "Kind",
    "ListOf",
    "Megabytes",
    "Mismatch",
    "Rate",
    "collect",
    "plain",
    "raise_all",
    "size_text",
]

MIB = 1024**2  # what Loft and Kubernetes call a megabyte
_SECONDS_MAX = 2**31
_DAYS_MAX = 100_000
_SIZE_MAX = 2**62

_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BYTES |= {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_QUANTITY = re.compile(r"(\d{1,18})(Ki|Mi|Gi|Ti|k|M|G|T)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"(\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})(ns|us|µs|ms|s|m|h)", re.ASCII)


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


def _unexpected(expected: str, node: Node) -> Mismatch:
    return Mismatch(f"expected {expected}, got {shown(node)}", node.line)


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


def _integer(node: Node) -> int | None:
    if not isinstance(node, Scalar) or not isinstance(node.value, Number):
        return None
    return int(node.value) if re.fullmatch(r"-?\d{1,19}", node.value) else None


def _string(node: Node) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    return value if type(value) is str else None


def _quantity(node: Node) -> int | None:
    """Read a size with its unit, as Kubernetes writes it."""
    found = _QUANTITY.fullmatch(_string(node) or "")
    return int(found[1]) * _BYTES[found[2]] if found else None


def _seconds(node: Node) -> float | None:
    """Read a duration with its units, as Go writes it."""
    text = _string(node)
    if not text or not _PART.match(text):
        return None
    seconds, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        seconds += float(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return seconds


def _duration_text(seconds: float) -> str:
    if seconds == 0:
        return "0s"
    for unit in ("h", "m", "s", "ms"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and math.isclose(count, round(count), rel_tol=1e-12):
            return f"{round(count)}{unit}"
    return f"{seconds:.9f}".rstrip("0") + "s"


@dataclass(frozen=True, slots=True)
class _Boolean:
    what: str = "true or false"
    is_text: bool = False

    def read(self, node: Node) -> bool:
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            raise _unexpected(self.what, node)
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
        value = _integer(node)
        high = _SIZE_MAX if self.high is None else self.high
        if value is None or not self.low <= value <= high:
            raise _unexpected(self.what, node)
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
        raise _unexpected(self.what, node)

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
        value = _string(node)
        if value not in self.words:
            raise _unexpected(self.what, node)
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
            raise _unexpected(self.what, node)
        return value

    def dump(self, value: str | None) -> object:
        return value or False

    def schema(self) -> dict[str, object]:
        return {"enum": [True, False, "none", *self._FORMATS]}


@dataclass(frozen=True, slots=True)
class Megabytes:
    """A size in bytes, written as whole megabytes of 1,048,576 bytes or with a unit.

    Attributes:
        low: The smallest one, in bytes.
        zero: What a zero is: a size in bytes, or None where there is no such thing.
        none: What the word ``none`` is; -1 where it isn't taken.
    """

    low: int = 0
    high: int = _SIZE_MAX
    zero: int | None = 0
    none: int = -1
    is_text: bool = False

    @property
    def what(self) -> str:
        """See `Kind`."""
        return "megabytes or a size such as 512Ki, 100Mi" + (
            ", or none" if self.none >= 0 else ""
        )

    def read(self, node: Node) -> int:
        """See `Kind`."""
        if self.none >= 0 and _string(node) == "none":
            return self.none
        megabytes = _integer(node)
        size = _quantity(node) if megabytes is None else megabytes * MIB
        if size == 0 and self.zero is not None:
            return self.zero
        if size is None or size < 0 or size > _SIZE_MAX:
            raise _unexpected(self.what, node)
        if not self.low <= size <= self.high:
            low, high = size_text(self.low), size_text(self.high)
            limits = f"from {low} to {high}" if self.high < _SIZE_MAX else f"of {low}"
            raise _unexpected(f"a size {limits}", node)
        return size

    def dump(self, value: int | None) -> object:
        """See `Kind`."""
        if value is None:
            return None
        if value == self.none:
            return "none"
        return value // MIB if value % MIB == 0 else size_text(value)

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        number: dict[str, object] = {
            "type": "integer",
            "minimum": int(self.zero is None),
        }
        if self.high < _SIZE_MAX:
            number["maximum"] = self.high // MIB
        taken = [number, {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"}]
        return {"anyOf": taken + [{"const": "none"}] * (self.none >= 0)}


def size_text(size: int) -> str:
    """Return *size* bytes with the largest unit that shows it exactly."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


@dataclass(frozen=True, slots=True)
class ByteSize:
    """A size in bytes, written as such, with a unit, or as one of some words.

    Attributes:
        low: The smallest one.
        words: What words stand for; None for no limit.
    """

    low: int
    words: tuple[tuple[str, int | None], ...] = ()
    is_text: bool = False

    @property
    def what(self) -> str:
        """See `Kind`."""
        names = "".join(f", {word}" for word, _ in self.words)
        return f"at least {self.low} bytes, or a size such as 100Ki{names}"

    def read(self, node: Node) -> int | None:
        """See `Kind`."""
        for word, meant in self.words:
            if _string(node) == word:
                return meant
        plain = _integer(node)
        size = _quantity(node) if plain is None else plain
        if size is None or not self.low <= size <= _SIZE_MAX:
            raise _unexpected(self.what, node)
        return size

    def dump(self, value: int | None) -> object:
        """See `Kind`."""
        for word, meant in self.words:
            if value == meant:
                return word
        return value

    def schema(self) -> dict[str, object]:
        """See `Kind`."""
        taken: list[dict[str, object]] = [
            {"type": "integer", "minimum": self.low},
            {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"},
        ]
        words = [word for word, _ in self.words]
        return {"anyOf": taken + ([{"enum": words}] if words else [])}


@dataclass(frozen=True, slots=True)
class _Duration:
    """Seconds, written with units as Go does; 0 needs none."""

    what: str = "a duration such as 500ms, 30s, 1h30m"
    is_text: bool = False

    def read(self, node: Node) -> float:
        seconds = 0.0 if _integer(node) == 0 else _seconds(node)
        if seconds is None or not 0 <= seconds < _SECONDS_MAX:
            raise _unexpected(self.what, node)
        return seconds

    def dump(self, value: float | None) -> object:
        return None if value is None else _duration_text(value)

    def schema(self) -> dict[str, object]:
        pattern = rf"^(({_PART.pattern})+)$"
        return {"anyOf": [{"const": 0}, {"type": "string", "pattern": pattern}]}


@dataclass(frozen=True, slots=True)
class _Age:
    """A time of whole days or hours, or a duration with units; zero is its own."""

    what: str
    unit: timedelta
    low: int
    is_text: bool = False

    def read(self, node: Node) -> timedelta | None:
        count = _integer(node)
        days_max = timedelta(days=_DAYS_MAX)
        if count is None:
            seconds = _seconds(node)
            if seconds is None or seconds > days_max.total_seconds():
                raise _unexpected(self.what, node)
            age = timedelta(seconds=seconds)
        elif 0 <= count <= days_max // self.unit:
            age = count * self.unit
        else:
            raise _unexpected(self.what, node)
        if not age and self.low:
            raise _unexpected(self.what, node)
        return age or None

    def dump(self, value: timedelta | None) -> object:
        if value is None:
            return None if self.low else 0
        if value % self.unit == timedelta():
            return value // self.unit
        return _duration_text(value.total_seconds())

    def schema(self) -> dict[str, object]:
        pattern = rf"^(({_PART.pattern})+)$"
        return {
            "anyOf": [
                {"type": "integer", "minimum": self.low},
                {"type": "string", "pattern": pattern},
            ]
        }


def _is_speakable(text: str) -> bool:
    """Tell whether the system's calls take it as a name; others raise for it."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class _Text:
    """A text; an empty one is as none, which Go writes for none."""

    what: str = "a text"
    is_text: bool = True

    def read(self, node: Node) -> str | None:
        value = _string(node)
        if value is None or not _is_speakable(value):
            raise _unexpected(self.what, node)
        return value or None

    def dump(self, value: str | None) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "string"}


_ENDPOINT = re.compile(r"(sqlite|mysql|postgres|postgresql)://.+", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The address of a database; who may see it may not see its password."""

    what: str = (
        "sqlite://path, mysql://user:password@tcp(host:port)/name"
        " or postgres://user:password@host:port/name"
    )
    is_text: bool = True

    def read(self, node: Node) -> str | None:
        value = _string(node)
        if value == "":
            return None
        if value is None:
            raise _unexpected(self.what, node)
        if not _ENDPOINT.fullmatch(value) or not _is_speakable(value):
            told = f"expected {self.what}, got {str(self.dump(value))!r}"
            raise Mismatch(told, node.line)
        return value

    def dump(self, value: str | None) -> object:
        return None if value is None else _CREDENTIALS.sub("***@", value)

    def schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({_ENDPOINT.pattern})?$"}


@dataclass(frozen=True, slots=True)
class _Group:
    what: str = "the name or number of a group"
    is_text: bool = False

    def read(self, node: Node) -> str | int:
        number = _integer(node)
        name = _string(node)
        if number is not None and 0 <= number < 2**32 - 1:
            return number
        if not name or not _is_speakable(name):
            raise _unexpected(self.what, node)
        return name

    def dump(self, value: str | int | None) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": ["integer", "string"]}


@dataclass(frozen=True, slots=True)
class _FileMode:
    """Permission bits; a YAML number with a leading zero is octal, as is a string."""

    what: str = "octal permissions such as 0640"
    is_text: bool = False

    def read(self, node: Node) -> int:
        text = _string(node)
        bits = _integer(node)
        if text is not None and re.fullmatch(r"(0o?)?[0-7]{1,3}", text):
            bits = int(text.replace("o", ""), 8)
        # 640 without its zero is more than all the bits, and so found out.
        if bits is None or not 0 <= bits <= 0o777:
            raise _unexpected(self.what, node)
        return bits

    def dump(self, value: int) -> object:
        return f"{value:04o}"

    def schema(self) -> dict[str, object]:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 0o777},
                {"type": "string", "pattern": "^(0o?)?[0-7]{1,3}$"},
            ]
        }


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy as it stands there; its members are policyfile's to read."""

    what: str = "a policy: an object with rules"
    is_text: bool = False

    def read(self, node: Node) -> Mapping:
        if not isinstance(node, Mapping):
            raise _unexpected(self.what, node)
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
        number = _integer(node)
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
            raise _unexpected(self.what, node)
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
DURATION: Kind = _Duration()
DAYS: Kind = _Age("days or a duration such as 36h", timedelta(days=1), 0)
HOURS: Kind = _Age("hours, 1 or more (null for unlimited)", timedelta(hours=1), 1)
ENDPOINT: Kind = _Endpoint()
FILE_MODE: Kind = _FileMode()
GROUP: Kind = _Group()
LEVEL: Kind = Integer(1, 4)
PATH: Kind = _Text("the name of a file or directory")
TEXT: Kind = _Text()
POLICY: Kind = _Policy()

"""Sizes in a configuration, as Loft and Kubernetes write them."""

import re
from dataclasses import dataclass

from ..documents.tree import Node, integer, string
from ..documents.types import Mismatch, Value

__all__ = ["MIB", "ByteSize", "Megabytes"]

MIB = 1024**2  # what Loft and Kubernetes call a megabyte
_SIZE_MAX = 2**62
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BYTES |= {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_QUANTITY = re.compile(r"(\d{1,18})(Ki|Mi|Gi|Ti|k|M|G|T)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Megabytes(Value):
    """A size in bytes, written as whole megabytes of 1,048,576 bytes or with a unit.

    Attributes:
        low: The smallest one, in bytes.
        of_zero: What a zero is: a size in bytes, or None where there is no such thing.
        none: What the word ``none`` is; -1 where it isn't taken.
    """

    low: int = 0
    high: int = _SIZE_MAX
    of_zero: int | None = 0
    none: int = -1

    @property
    def what(self) -> str:  # type: ignore[override]  # made when it is asked for
        """See `Type`."""
        return "megabytes or a size such as 512Ki, 100Mi" + (
            ", or none" if self.none >= 0 else ""
        )

    def convert(self, node: Node) -> int:
        """See `Value`."""
        if self.none >= 0 and string(node) == "none":
            return self.none
        megabytes = integer(node)
        size = _quantity(node) if megabytes is None else megabytes * MIB
        if size == 0 and self.of_zero is not None:
            return self.of_zero
        if size is None or size < 0 or size > _SIZE_MAX:
            raise Mismatch.of(self.what, node)
        if not self.low <= size <= self.high:
            low, high = _size_text(self.low), _size_text(self.high)
            limits = f"from {low} to {high}" if self.high < _SIZE_MAX else f"of {low}"
            raise Mismatch.of(f"a size {limits}", node)
        return size

    def dump(self, value: int | None) -> object:
        """See `Type`."""
        if value is None:
            return None
        if value == self.none:
            return "none"
        return value // MIB if value % MIB == 0 else _size_text(value)

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        number: dict[str, object] = {
            "type": "integer",
            "minimum": int(self.of_zero is None),
        }
        if self.high < _SIZE_MAX:
            number["maximum"] = self.high // MIB
        taken = [number, {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"}]
        return {"anyOf": taken + [{"const": "none"}] * (self.none >= 0)}


@dataclass(frozen=True, slots=True)
class ByteSize(Value):
    """A size in bytes, written as such, with a unit, or as one of some words.

    Attributes:
        low: The smallest one.
        words: What words stand for; None for no limit.
    """

    low: int
    words: tuple[tuple[str, int | None], ...] = ()

    @property
    def what(self) -> str:  # type: ignore[override]  # made when it is asked for
        """See `Type`."""
        names = "".join(f", {word}" for word, _ in self.words)
        return f"at least {self.low} bytes, or a size such as 100Ki{names}"

    def convert(self, node: Node) -> int | None:
        """See `Value`."""
        for word, meant in self.words:
            if string(node) == word:
                return meant
        plain = integer(node)
        size = _quantity(node) if plain is None else plain
        if size is None or not self.low <= size <= _SIZE_MAX:
            raise Mismatch.of(self.what, node)
        return size

    def dump(self, value: int | None) -> object:
        """See `Type`."""
        for word, meant in self.words:
            if value == meant:
                return word
        return value

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        taken: list[dict[str, object]] = [
            {"type": "integer", "minimum": self.low},
            {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"},
        ]
        words = [word for word, _ in self.words]
        return {"anyOf": taken + ([{"enum": words}] if words else [])}


def _quantity(node: Node) -> int | None:
    """Read a size with its unit, as Kubernetes writes it."""
    found = _QUANTITY.fullmatch(string(node) or "")
    return int(found[1]) * _BYTES[found[2]] if found else None


def _size_text(size: int) -> str:
    """Return *size* bytes with the largest unit that shows it exactly."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)

"""Types of scalars that policies and configurations share; see types.py.

Those with units stand in config/sizes.py and config/times.py, names in config/names.py.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from .tree import Node, Number, Scalar, integer, string
from .types import Mismatch, Value

__all__ = ["BOOLEAN", "INT64", "STRING", "TIME", "Choice", "Integer", "Rate"]

# Where none is said: what can be added to and doubled within 64 bits.
_HIGH_MAX = 2**62


class _String(Value):
    """A text of any characters."""

    __slots__ = ()
    what = "a string"

    def convert(self, node: Node) -> str:
        value = string(node)
        if value is None:
            raise Mismatch.of(self.what, node)
        return value


class _Boolean(Value):
    __slots__ = ()
    what = "true or false"

    def convert(self, node: Node) -> bool:
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            raise Mismatch.of(self.what, node)
        return node.value

    def schema(self) -> dict[str, object]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Integer(Value):
    """A whole number within limits, both included."""

    low: int
    high: int = _HIGH_MAX

    @property
    def what(self) -> str:  # type: ignore[override]  # made when it is asked for
        """See `Type`."""
        if self.high > _HIGH_MAX:
            return "an integer of 64 bits"
        if self.high == _HIGH_MAX:
            return f"an integer of at least {self.low}"
        return f"an integer from {self.low} to {self.high}"

    def convert(self, node: Node) -> int:
        """See `Value`."""
        value = integer(node)
        if value is None or not self.low <= value <= self.high:
            raise Mismatch.of(self.what, node)
        return value

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        limits: dict[str, object] = {"type": "integer", "minimum": self.low}
        return limits if self.high >= _HIGH_MAX else {**limits, "maximum": self.high}


class Rate(Value):
    """A number above zero, or zero for no limit, which is None."""

    __slots__ = ()
    what = "a number of at least 0"

    def convert(self, node: Node) -> float | None:
        """See `Value`."""
        if isinstance(node, Scalar) and isinstance(node.value, Number):
            value = float(node.value)
            if 0 <= value < 1e9:
                return value or None
        raise Mismatch.of(self.what, node)

    def dump(self, value: float | None) -> object:
        """See `Type`."""
        if value is None:
            return 0
        return int(value) if value == int(value) else value

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        return {"type": "number", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Choice(Value):
    """One of some words."""

    words: tuple[str, ...]

    @property
    def what(self) -> str:  # type: ignore[override]  # made when it is asked for
        """See `Type`."""
        return f"one of {', '.join(self.words)}"

    def convert(self, node: Node) -> str:
        """See `Value`."""
        value = string(node)
        if value not in self.words:
            raise Mismatch.of(self.what, node)
        return value

    def schema(self) -> dict[str, object]:
        """See `Type`."""
        return {"enum": list(self.words)}


class _Time(Value):
    """A moment; kept as RFC 3339 in UTC without a fraction."""

    __slots__ = ()
    what = "a time as in RFC 3339"

    _FORM = re.compile(
        r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[-+]\d\d:[0-5]\d)",
        re.ASCII,
    )

    def convert(self, node: Node) -> str:
        found = self._FORM.fullmatch(string(node) or "")
        if found is None:
            raise Mismatch.of(self.what, node)
        zone = "+00:00" if found[3] == "Z" else found[3]
        try:
            moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
            return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
        except (ValueError, OverflowError):
            raise Mismatch.of(self.what, node) from None


BOOLEAN = _Boolean()
INT64 = Integer(-(2**63), 2**63 - 1)
STRING = _String()
TIME = _Time()

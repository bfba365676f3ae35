"""Durations and ages in a configuration, as Loft and Kubernetes write them."""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from ..documents.tree import Node, integer, string
from ..documents.types import Mismatch, Type, Value

__all__ = ["DAYS", "DURATION", "HOURS"]

_SECONDS_MAX = 2**31
_DAYS_MAX = 100_000
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"(\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})(ns|us|µs|ms|s|m|h)", re.ASCII)


class _Duration(Value):
    """Seconds, written with units as Go does; 0 needs none."""

    __slots__ = ()
    what = "a duration such as 500ms, 30s, 1h30m"

    def convert(self, node: Node) -> float:
        seconds = 0.0 if integer(node) == 0 else _seconds(node)
        if seconds is None or not 0 <= seconds < _SECONDS_MAX:
            raise Mismatch.of(self.what, node)
        return seconds

    def dump(self, value: float | None) -> object:
        return None if value is None else _duration_text(value)

    def schema(self) -> dict[str, object]:
        pattern = rf"^(({_PART.pattern})+)$"
        return {"anyOf": [{"const": 0}, {"type": "string", "pattern": pattern}]}


@dataclass(frozen=True, slots=True)
class _Age(Value):
    """A time of whole days or hours, or a duration with units; zero is its own."""

    what: str
    unit: timedelta
    low: int

    def convert(self, node: Node) -> timedelta | None:
        count = integer(node)
        days_max = timedelta(days=_DAYS_MAX)
        if count is None:
            seconds = _seconds(node)
            if seconds is None or seconds > days_max.total_seconds():
                raise Mismatch.of(self.what, node)
            age = timedelta(seconds=seconds)
        elif 0 <= count <= days_max // self.unit:
            age = count * self.unit
        else:
            raise Mismatch.of(self.what, node)
        if not age and self.low:
            raise Mismatch.of(self.what, node)
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


def _seconds(node: Node) -> float | None:
    """Read a duration with its units, as Go writes it."""
    text = string(node)
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


DURATION: Type = _Duration()
DAYS: Type = _Age("days or a duration such as 36h", timedelta(days=1), 0)
HOURS: Type = _Age("hours, 1 or more (null for unlimited)", timedelta(hours=1), 1)

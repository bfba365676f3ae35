"""Make values that JSON has no form for into ones that it has.

The slow way of `LogWriter.write_json`: an odd value must never lose an event. What can
be said of it is kept as text.
"""

import math
from collections.abc import Mapping

import orjson

__all__ = ["coerce"]

DEPTH_MAX = 200  # orjson refuses 254 levels
TEXT_MAX = 10_000

_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1


def coerce(value: object) -> tuple[object, int]:
    """Return *value* with everything odd replaced, and how much was.

    Text that is not valid Unicode gets replacement characters; bytes are read as
    UTF-8; keys become text; integers beyond 64 bits, sets, numbers that are none and
    unknown objects become text (`str`, or the type's name if that fails); what is
    nested deeper than 200 levels, or in itself, becomes "…".
    """
    coercion = _Coercion()
    return coercion.convert(value, 0), coercion.count


class _Coercion:
    def __init__(self) -> None:
        self.count = 0

    def convert(self, value: object, depth: int) -> object:
        if depth > DEPTH_MAX:
            return self._odd("…")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else self._odd(str(value))
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple)):
            return [self.convert(item, depth + 1) for item in value]
        return self._unknown(value, depth)

    def _odd(self, replacement: str) -> str:
        self.count += 1
        return replacement

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return self._odd(value.encode(errors="replace").decode())
        return str(value)

    def _integer(self, value: int) -> int | str:
        if _INT_MIN <= value <= _INT_MAX:
            return int(value)
        return self._odd(f"{value:#x}")

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        try:
            items = list(value.items())
        except Exception:  # Foreign code: whatever it raises, the event stays.
            return {"": self._odd(type(value).__name__)}
        return {self._key(key): self.convert(item, depth + 1) for key, item in items}

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return self._text(key)
        text = self.convert(key, DEPTH_MAX)
        return self._odd(text if isinstance(text, str) else str(text))

    def _unknown(self, value: object, depth: int) -> object:
        try:
            # Dates, UUIDs, enums, dataclasses: forms that orjson has by itself.
            return orjson.Fragment(orjson.dumps(value))
        except TypeError:
            self.count += 1
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value).decode(errors="replace")
        if isinstance(value, (set, frozenset)):
            return [self.convert(item, depth + 1) for item in value]
        try:
            text = str(value)
        except Exception:  # Foreign code: whatever it raises, the event stays.
            text = type(value).__name__
        return self._text(text[:TEXT_MAX])

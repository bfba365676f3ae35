"""Make values that JSON has no form for into ones that it has.

The slow way of `LogWriter.write_json`: an odd value must never lose an event. What can
be said of it is kept as text. Nothing that foreign objects raise gets out of here but
what is to end the program, KeyboardInterrupt and the like.
"""

import math
from collections.abc import Mapping

import orjson

__all__ = ["coerce"]

DEPTH_MAX = 100  # a level takes 4 of the 1,000 frames that a thread has
TEXT_MAX = 10_000

_CUT = "…"
_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1


def coerce(value: object) -> tuple[object, int]:
    """Return *value* with everything odd replaced, and how much was.

    Text that is not valid Unicode gets question marks where it isn't; bytes are read
    as UTF-8; keys become text, with underscores after it if there is such a key
    already; sets become lists; NaN and infinities become null; integers beyond 64 bits
    and unknown objects become text (`str` up to 10,000 characters, or the type's name
    if that fails); what is nested deeper than 100 levels, or in itself, becomes "…".
    """
    coercion = _Coercion()
    return coercion.convert(value, 0), coercion.count


class _Coercion:
    def __init__(self) -> None:
        self.count = 0
        self._entered: set[int] = set()  # ids of the containers that we are inside of

    def convert(self, value: object, depth: int) -> object:
        try:
            return self._convert(value, depth)
        except RecursionError:
            text = _CUT  # the caller stands deep in the stack already
        except Exception:  # Foreign code: whatever it raises, the event stays.
            text = type(value).__name__
        self.count += 1
        return text

    def _convert(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        # What a subclass overrides is passed by, as orjson does.
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return self._integer(int.__int__(value))
        if isinstance(value, float):
            return self._number(float.__float__(value))
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._container(value, depth)
        return self._unknown(value)

    def _text(self, value: str) -> str:
        text = _valid(value)
        self.count += text != value
        return text

    def _integer(self, value: int) -> int | str:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        self.count += 1
        try:
            return str(value)
        except ValueError:  # more digits than Python writes
            return f"{value:#x}"

    def _number(self, value: float) -> float | None:
        if math.isfinite(value):
            return value
        self.count += 1
        return None

    def _container(
        self,
        value: Mapping[object, object]
        | list[object]
        | tuple[object, ...]
        | set[object]
        | frozenset[object],
        depth: int,
    ) -> object:
        if depth >= DEPTH_MAX or id(value) in self._entered:
            self.count += 1
            return _CUT
        self._entered.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._mapping(value, depth + 1)
            self.count += isinstance(value, (set, frozenset))
            return [self.convert(item, depth + 1) for item in value]
        finally:
            self._entered.discard(id(value))

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, item in value.items():
            text = self._key(key)
            while text in result:
                text += "_"
            result[text] = self.convert(item, depth)
        return result

    def _key(self, key: object) -> str:
        if type(key) is str:
            return self._text(key)
        try:
            pair = orjson.dumps({key: None}, option=orjson.OPT_NON_STR_KEYS)
            text = str(*orjson.loads(pair))
        except Exception:  # not a key to orjson; or foreign code, as above
            text = _description(key)
        self.count += 1  # here at last: deep in the stack, each call may raise
        return text

    def _unknown(self, value: object) -> object:
        try:
            # Dates, UUIDs, enums, dataclasses: forms that orjson has by itself.
            return orjson.Fragment(orjson.dumps(value))
        except Exception:  # Foreign code may run in it, as above.
            text = _description(value)
        self.count += 1
        return text


def _description(value: object) -> str:
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value).decode(errors="replace")
        return _valid(str(value)[:TEXT_MAX])
    except Exception:  # Foreign code, as above.
        return type(value).__name__


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text

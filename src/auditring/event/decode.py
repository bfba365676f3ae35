"""Read JSON into typed values as Go's decoder does.

Names of members are matched exactly and unknown ones passed over. A null leaves a
string, a number or a struct as it was and empties what may be absent. A member that
comes twice is read into what the first one left: a string is replaced, a struct and
a map are added to. Source: Kubernetes v1.36, the JSON serializer.

A reader is called with compact JSON text and the value that is there already, and
returns the new value.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from . import rawjson
from .microtime import ZERO_TIME, MicroTime

__all__ = [
    "ArrayDecoder",
    "Decoder",
    "MapDecoder",
    "MismatchError",
    "ObjectDecoder",
    "OptionalDecoder",
    "is_given",
    "micro_time",
    "raw",
    "rfc3339_time",
    "string",
    "whole_32",
    "whole_64",
]

T = TypeVar("T")

_NULL = b"null"
_SHOWN_BYTES = 60
# More digits fit in no integer here, and Python refuses to read far longer numbers.
_WHOLE_MAX_BYTES = 20


class MismatchError(Exception):
    """Text is of another type than is wanted.

    Each reader that it passes on its way out puts its own step before the path.

    Attributes:
        path: The member, as ``responseStatus.details.causes[0].field``.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path = ""

    def prepend(self, step: str) -> None:
        """Say that the path so far lies inside of *step*."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = step + joint + self.path


class Decoder(Protocol):
    """What turns JSON text into a value."""

    def __call__(self, text: bytes, old: Any, /) -> Any:  # noqa: ANN401  # of any type
        """Read *text* into what is there already.

        Raises:
            MismatchError: *text* is of another type.
        """
        ...


def _mismatch(text: bytes, wanted: str) -> MismatchError:
    shown = text if len(text) <= _SHOWN_BYTES else text[:_SHOWN_BYTES] + b"..."
    value = shown.decode(errors="backslashreplace")
    return MismatchError(f"expected {wanted}, got {value}")


def string(text: bytes, old: str, /) -> str:
    """Read a string."""
    if text[:1] == b'"':
        return rawjson.unquote(text)
    if text == _NULL:
        return old
    raise _mismatch(text, "a string")


def _whole(text: bytes, bits: int) -> int:
    digits = text.removeprefix(b"-")
    if digits.isdigit() and len(digits) < _WHOLE_MAX_BYTES:
        number = int(text)
        if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            return number
    raise _mismatch(text, f"a whole number of {bits} bits")


def whole_32(text: bytes, old: int, /) -> int:
    """Read a whole number of 32 bits, written without a point or an exponent."""
    return old if text == _NULL else _whole(text, 32)


def whole_64(text: bytes, old: int | None, /) -> int | None:
    """Read a whole number of 64 bits that may be absent."""
    return None if text == _NULL else _whole(text, 64)


def raw(text: bytes, old: bytes | None, /) -> bytes | None:
    """Take any JSON as it is; null is absence."""
    return None if text == _NULL else text


def is_given(text: bytes, old: bool, /) -> bool:
    """Tell whether there is anything but null."""
    return text != _NULL


def micro_time(text: bytes, old: object, /) -> MicroTime | None:
    """Read a time with exactly six digits after the point; null is none."""
    return _time(text, MicroTime.parse)


def rfc3339_time(text: bytes, old: object, /) -> MicroTime | None:
    """Read a time of whatever precision; null is none."""
    return _time(text, MicroTime.parse_rfc3339)


def _time(text: bytes, parse: Callable[[str], MicroTime]) -> MicroTime | None:
    if text == _NULL:
        return None
    written = string(text, "")
    try:
        time = parse(written)
    except ValueError as error:
        raise MismatchError(str(error)) from error
    return None if time == ZERO_TIME else time


class ArrayDecoder:
    """Reads an array into a tuple; null is an empty one, or None if *nullable*."""

    def __init__(self, read: Decoder, zero: object, *, nullable: bool = False) -> None:
        self._read = read
        self._zero = zero
        self._null = None if nullable else ()

    def __call__(
        self, text: bytes, old: tuple[Any, ...] | None, /
    ) -> tuple[Any, ...] | None:
        """Read an array, each element into the one that stood in its place."""
        if text == _NULL:
            return self._null
        if text[:1] != b"[":
            raise _mismatch(text, "a list")
        old = old or ()
        result: list[Any] = []
        for i, element in enumerate(rawjson.elements(text)):
            before = old[i] if i < len(old) else self._zero
            try:
                result.append(self._read(element, before))
            except MismatchError as error:
                error.prepend(f"[{i}]")
                raise
        return tuple(result)


class MapDecoder:
    """Reads an object of any keys into a dict; null is an empty one."""

    def __init__(self, read: Decoder, zero: object) -> None:
        self._read = read
        self._zero = zero

    def __call__(self, text: bytes, old: Mapping[str, Any], /) -> dict[str, Any]:
        """Read an object and add it to the old one; its values replace old ones."""
        if text == _NULL:
            return {}
        if text[:1] != b"{":
            raise _mismatch(text, "an object")
        result = dict(old)
        for quoted, value in rawjson.members(text):
            key = rawjson.unquote(quoted)
            try:
                result[key] = self._read(value, self._zero)
            except MismatchError as error:
                error.prepend(f"[{key!r}]")
                raise
        return result


class ObjectDecoder(Generic[T]):
    """Reads an object into a frozen dataclass.

    *fields* are the name of a member, the attribute that it is for, and its reader. A
    name may come more than once.
    """

    def __init__(self, make: type[T], *fields: tuple[str, str, Decoder]) -> None:
        self.zero = make()
        self._make = make
        self._fields: dict[bytes, list[tuple[str, str, Decoder]]] = {}
        for field in fields:
            self._fields.setdefault(rawjson.quote(field[0]), []).append(field)

    def __call__(self, text: bytes, old: T, /) -> T:
        """Read an object; what it doesn't name stays as it was."""
        if text == _NULL:
            return old
        if text[:1] != b"{":
            raise _mismatch(text, "an object")
        values: dict[str, Any] = {}
        for key, value in rawjson.members(text):
            fields = self._fields.get(key) or self._respelled(key)
            for name, attribute, read in fields:
                if attribute in values:
                    before = values[attribute]
                else:
                    before = getattr(old, attribute)
                try:
                    values[attribute] = read(value, before)
                except MismatchError as error:
                    error.prepend(name)
                    raise
        if old == self.zero:
            return self._make(**values)
        return replace(old, **values)  # type: ignore[type-var]  # T is a dataclass

    def _respelled(self, key: bytes) -> list[tuple[str, str, Decoder]]:
        if b"\\" not in key:
            return []
        return self._fields.get(rawjson.quote(rawjson.unquote(key)), [])


class OptionalDecoder(Generic[T]):
    """Reads a struct that may be absent: null is None."""

    def __init__(self, struct: ObjectDecoder[T]) -> None:
        self._struct = struct

    def __call__(self, text: bytes, old: T | None, /) -> T | None:
        """Read the struct, into the old one if there is one."""
        if text == _NULL:
            return None
        return self._struct(text, self._struct.zero if old is None else old)

"""Python's mappings, lists and values as the nodes that a text would come to."""

from collections.abc import Mapping as AnyMapping
from datetime import timedelta
from os import PathLike, fsdecode

from ..documents.tree import DEPTH_MAX, Mapping, Node, Number, Scalar, Sequence

__all__ = ["OddValueError", "node_of"]

# Beyond it Python refuses to write an integer in decimals.
_INTEGER_MAX = 2**128


class OddValueError(ValueError):
    """JSON has no form for a value; `at` is where it is, such as ``a.b[2]``."""

    def __init__(self, message: str, at: str) -> None:
        super().__init__(message)
        self.at = at.lstrip(".")


def node_of(value: object) -> Node:
    """Return a node without line, which is 0.

    Raises:
        OddValueError: JSON has no form for something in it, or it is nested too deeply.
    """
    return _node(value, "", 0)


def _node(value: object, at: str, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise OddValueError(f"nested deeper than {DEPTH_MAX} levels", at)
    if value is None or isinstance(value, bool):
        return Scalar(0, value)
    if isinstance(value, str):
        return Scalar(0, str.__str__(value))
    if isinstance(value, int | float):
        return _number(value, at)
    if isinstance(value, PathLike):
        return Scalar(0, fsdecode(value))
    if isinstance(value, timedelta):
        return Scalar(0, f"{value.total_seconds():.9f}s")
    if isinstance(value, list | tuple):
        items = enumerate(value)
        return Sequence(
            0, tuple(_node(item, f"{at}[{index}]", depth + 1) for index, item in items)
        )
    if isinstance(value, AnyMapping):
        return Mapping(0, tuple(_entry(item, at, depth) for item in value.items()))
    raise OddValueError(f"expected a value of JSON, got {_name_of(value)}", at)


def _entry(item: tuple[object, object], at: str, depth: int) -> tuple[str, int, Node]:
    key, value = item
    if not isinstance(key, str):
        raise OddValueError(f"expected keys that are text, got {_name_of(key)}", at)
    return key, 0, _node(value, f"{at}.{key}", depth + 1)


def _number(value: float, at: str) -> Node:
    if isinstance(value, int):
        if abs(value) > _INTEGER_MAX:
            raise OddValueError("expected an integer of 64 bits, got a larger one", at)
        return Scalar(0, Number(int(value)))
    if value != value or abs(value) == float("inf"):
        raise OddValueError(f"expected a number of JSON, got {value}", at)
    return Scalar(0, Number(int(value) if value.is_integer() else repr(value)))


def _name_of(value: object) -> str:
    # Others may raise when they are asked, or say a great deal.
    is_short = isinstance(value, bytes | int | float)
    return f"{type(value).__name__} {value!r:.60}" if is_short else type(value).__name__

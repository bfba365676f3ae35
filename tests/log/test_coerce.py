"""Odd values become something that JSON has a form for, whatever they do."""

import dataclasses
import datetime
import decimal
import enum
import json
import types
import uuid
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditring.ring.coerce import DEPTH_MAX, TEXT_MAX, coerce

ODD = object()  # makes the slow way necessary wherever it stands


def written(value: object) -> tuple[Any, int]:
    """Return *value* as a reader of the JSON sees it, and how much was coerced."""
    coerced, count = coerce({"value": value})
    line = orjson.dumps(coerced)
    assert b"\n" not in line
    return json.loads(line)["value"], count


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    def __str__(self) -> str:
        raise ValueError


class Integer(int):
    def __int__(self) -> int:
        raise ValueError

    def __index__(self) -> int:
        raise ValueError


class Real(float):
    def __float__(self) -> float:
        raise ValueError


class Silent:
    def __str__(self) -> str:
        raise ValueError


class Unbound:
    """A proxy without an object, as web frameworks have them outside of a request."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("working outside of the context")

    def __str__(self) -> str:
        raise RuntimeError("working outside of the context")


class Broken(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise ValueError

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class BrokenList(list[object]):
    def __iter__(self) -> Iterator[object]:
        raise ValueError


@dataclasses.dataclass
class Point:
    x: object


Pair = namedtuple("Pair", "one two")

released = memoryview(b"gone")
released.release()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text", "text"),
        (bytearray(b"caf\xc3\xa9"), "café"),
        (memoryview(b"\xff\0"), "\ufffd\0"),
        ({1}, [1]),
        (frozenset(["a"]), ["a"]),
        (set(), []),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (Integer(2**64), "18446744073709551616"),
        (float("nan"), None),
        (float("inf"), None),
        (Real("-inf"), None),
        ("\ud800", "?"),
        ("a\udcffb", "a?b"),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.timedelta(days=1), "1 day, 0:00:00"),
        (1j, "1j"),
        (range(3), "range(0, 3)"),
        (types.SimpleNamespace(a=1), "namespace(a=1)"),
        (ValueError("what"), "what"),
        (int, "<class 'int'>"),
        (Point(b"x"), "Point(x=b'x')"),
        (Silent(), "Silent"),
        (Unbound(), "Unbound"),
        (Broken(), "Broken"),
        (BrokenList([1]), "BrokenList"),
        (released, "memoryview"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_odd_value_becomes_what_can_be_said_of_it(
    value: object, expected: object
) -> None:
    assert written(value) == (expected, 1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        0.1,
        1e300,
        "",
        "żółw\0\n",
        [],
        [1, [2, []]],
        (1, "2"),
        {},
        {"a": {"b": [None]}},
        datetime.datetime(2026, 11, 22, 1, 2, 3, 4, tzinfo=datetime.UTC),
        datetime.date(2026, 11, 22),
        datetime.time(1, 2, 3),
        uuid.UUID(int=1),
        Colour.RED,
        Word.RED,
        Number.ONE,
        Point([1]),
        OrderedDict(a=1),
    ],
    ids=repr,
)
def test_a_value_with_a_form_of_its_own_has_it_beside_odd_ones_too(
    value: object,
) -> None:
    alone = json.loads(orjson.dumps(value))

    (beside, odd), count = written([value, ODD])

    assert beside == alone
    assert type(beside) is type(alone)
    assert odd == str(ODD)
    assert count == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("text"), "text"),
        (Integer(5), 5),
        (Real(1.5), 1.5),
        (Pair(1, "b"), [1, "b"]),
        (UserDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_a_kind_that_json_knows_is_not_odd(
    value: object, expected: object
) -> None:
    assert written(value) == (expected, 0)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (None, "null"),
        (True, "true"),
        (b"bytes", "bytes"),
        (b"\xff", "\ufffd"),
        ("\ud800", "?"),
        ((1, 2), "(1, 2)"),
        (2**64, "18446744073709551616"),
        (datetime.date(2026, 11, 22), "2026-11-22"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Silent(), "Silent"),
        (Unbound(), "Unbound"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_key_becomes_text(key: object, text: str) -> None:
    assert written({key: "item"}) == ({text: "item"}, 1)


def test_keys_that_become_the_same_text_keep_their_items() -> None:
    value = {1: "a", "1": "b", b"1": "c", "\ud800": "d", "?": "e"}

    result, count = written(value)

    assert result == {"1": "a", "1_": "b", "1__": "c", "?": "d", "?_": "e"}
    assert count == 3


def test_order_is_kept() -> None:
    result, _ = written({"z": 1, "a": 2, 5: ODD})

    assert list(result) == ["z", "a", "5"]


def test_text_of_unknown_objects_is_cut_at_a_limit() -> None:
    class Long:
        def __str__(self) -> str:
            return "x" * (TEXT_MAX + 1)

    assert written(Long()) == ("x" * TEXT_MAX, 1)


def test_an_integer_of_more_digits_than_python_writes_is_hexadecimal() -> None:
    assert written(16**10_000) == ("0x1" + "0" * 10_000, 1)


def test_a_container_in_itself_is_cut() -> None:
    circle: dict[str, Any] = {"name": "circle"}
    circle["self"] = circle
    circle["list"] = [circle, [circle]]

    assert written(circle) == (
        {"name": "circle", "self": "…", "list": ["…", ["…"]]},
        3,
    )


def test_a_container_that_stands_in_two_places_is_in_both() -> None:
    twin = {"a": 1}

    assert written([twin, twin, {1}]) == ([twin, twin, [1]], 1)


def test_circles_of_many_branches_are_no_endless_work() -> None:
    nodes: list[list[Any]] = [[] for _ in range(6)]
    for node in nodes:
        node.extend(nodes)

    _, count = written(nodes[0])

    assert count > 6


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}])
def test_what_is_nested_too_deep_is_cut(wrap: Any) -> None:  # noqa: ANN401
    value: object = "bottom"
    for _ in range(100_000):
        value = wrap(value)

    result, count = written(value)

    depth = 0
    while not isinstance(result, str):
        result = result["a"] if isinstance(result, dict) else result[0]
        depth += 1
    assert (result, depth, count) == ("…", DEPTH_MAX - 1, 1)


def test_a_caller_deep_in_the_stack_loses_no_more_than_the_depths() -> None:
    def sink(levels: int) -> list[tuple[object, int]]:
        try:
            below = sink(levels + 1)
        except RecursionError:
            below = []
        if len(below) < 50:
            try:
                below.append(coerce({"a": {"b": {"c": ODD}}}))
            except RecursionError:
                assert below == []  # there was no room for the call itself
        return below

    results = sink(0)

    assert results[-1] == ({"a": {"b": {"c": str(ODD)}}}, 1)
    for value, count in results:
        # Where there is no room for `str` only, the type's name stands for it.
        nearly = {"a": {"b": {"c": "object"}}}
        assert "…" in str(value) or value in (nearly, results[-1][0])
        assert count == 1


def test_an_end_of_the_program_is_not_held_up() -> None:
    class Stop:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        coerce(Stop())


keys = st.one_of(
    st.text(), st.integers(), st.none(), st.binary(), st.floats(), st.just("\ud800")
)
anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(categories=["L", "Cs", "Cc"])),
        st.binary(),
        st.sets(st.integers()),
        st.dates(),
        st.decimals(),
        st.complex_numbers(),
        st.builds(Silent),
        st.builds(Broken),
        st.sampled_from(Colour),
    ),
    lambda children: st.one_of(
        st.lists(children),
        st.tuples(children, children),
        st.dictionaries(keys, children),
    ),
)


@settings(deadline=None)
@given(anything)
def test_whatever_comes_is_valid_json_on_one_line(value: object) -> None:
    written(value)


plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda children: st.one_of(
        st.lists(children), st.dictionaries(st.text(), children)
    ),
)


@settings(deadline=None)
@given(plain)
def test_what_json_has_a_form_for_stays_as_it_is(value: object) -> None:
    assert coerce(value) == (value, 0)

"""What `write_json` writes by itself is what orjson would, and it knows what isn't."""

import dataclasses
import datetime
import enum
import math
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditring import LogWriter

LENGTHS = range(71)
# Those with escapes, their neighbours, and what differs from them in a bit or the sign.
KINDS = [
    *map(chr, range(0x24)),
    *"[\\]^|~\x7f\x80\xa0\xa2\xdc\xff",
    *("\u07ff", "\u0800", "\u2028", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff"),
]


class Name(str):
    __slots__ = ()


class Kind(enum.Enum):
    TEXT = "text"
    LIST = ("a", 1)


class Zone(datetime.tzinfo):
    """A class of somebody's own: orjson asks it for the offset."""

    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=5)


@dataclasses.dataclass
class Pair:
    left: int
    right: str


class Table(dict[str, Any]):
    pass


def written(folder: Path, values: Sequence[object]) -> tuple[list[bytes], int]:
    """Return the lines that *values* become, and how many values were coerced."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "audit.log"
    with LogWriter(path) as log:
        for value in values:
            assert log.write_json(value)
        assert log.flush()
        coerced = log.stats().coerced_values
    return path.read_bytes().splitlines(keepends=True), coerced


def dumped(values: Sequence[object]) -> list[bytes]:
    return [orjson.dumps(value) + b"\n" for value in values]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_string_is_written_whatever_stands_where_in_it(
    tmp_path: Path, length: int
) -> None:
    strings = ["x" * length]
    for place in range(length):
        before, behind = "x" * place, "y" * (length - place - 1)
        strings += [before + kind + behind for kind in KINDS]
    values = [{"values": strings}, dict.fromkeys(strings)]

    lines, coerced = written(tmp_path, values)

    assert lines == dumped(values)
    assert coerced == 0


def test_a_string_is_written_wherever_in_a_page_it_begins(tmp_path: Path) -> None:
    # So many that some begin shortly before the end of a page.
    strings = [f"{number:0{1 + number % 15}}" for number in range(20_000)]
    values = [strings[at : at + 1000] for at in range(0, len(strings), 1000)]

    lines, _ = written(tmp_path, values)

    assert lines == dumped(values)


@pytest.mark.parametrize("size", [1990, 2040, 2048, 5000, 70_000, 1_000_000])
def test_a_line_longer_than_any_buffer_is_whole(tmp_path: Path, size: int) -> None:
    values: list[object] = []
    for less in range(70):
        start = "x" * (size - less)
        values += [start, [start, "y", 1, "\n"], {start: {start: [[], {}]}}]
    values = values[:9] if size > 10_000 else values

    lines, _ = written(tmp_path, values)

    assert lines == dumped(values)


@pytest.mark.parametrize("value", [[], {}, (), "", 0, None, True])
def test_many_small_values_are_whole(tmp_path: Path, value: object) -> None:
    values = [[value] * count for count in range(1, 3000, 7)]

    lines, _ = written(tmp_path, values)

    assert lines == dumped(values)


@pytest.mark.parametrize("depth", [1, 2, 48, 49, 50, 51, 52, 99])
def test_containers_are_nested_as_deep_as_orjson_nests_them(
    tmp_path: Path, depth: int
) -> None:
    lists: object = []
    dicts: object = {}
    tuples: object = ()
    for _ in range(depth):
        lists, dicts, tuples = [lists], {"a": dicts}, (tuples,)
    values = [lists, dicts, tuples]

    lines, coerced = written(tmp_path, values)

    assert lines == dumped(values)
    assert coerced == 0


@pytest.mark.parametrize("number", [0, 9, 10, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_integers_of_64_bits_are_written(tmp_path: Path, number: int) -> None:
    values = [number, -min(number, 2**63)]

    lines, coerced = written(tmp_path, values)

    assert lines == dumped(values)
    assert coerced == 0


def test_numbers_that_json_has_not_are_null_and_counted(tmp_path: Path) -> None:
    odd = [math.nan, -math.inf, 0.5, {"a": (math.inf, None, -0.0)}]

    lines, coerced = written(tmp_path, [odd, None, [None]])

    assert lines == [
        b'[null,null,0.5,{"a":[null,null,-0.0]}]\n',
        b"null\n",
        b"[null]\n",
    ]
    assert coerced == 3


UTC = datetime.UTC
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678)
OFFSET = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.replace(microsecond=0, tzinfo=UTC),
        MOMENT.replace(tzinfo=OFFSET),
        MOMENT.replace(tzinfo=Zone()),
        MOMENT.date(),
        MOMENT.time(),
        uuid.UUID(int=5),
        Name("name"),
        Name("\ud7ff"),
        Kind.TEXT,
        Kind.LIST,
        Pair(1, "b"),
        Table(a=1),
        orjson.Fragment(b"[1, 2]"),
    ],
)
def test_values_with_forms_of_their_own_are_written(
    tmp_path: Path, value: object
) -> None:
    values = [value, {"a": "before", "b": value, "c": [1, value, "after"]}]

    lines, coerced = written(tmp_path, values)

    assert lines == dumped(values)
    assert coerced == 0


@pytest.mark.parametrize(
    ("value", "line", "count"),
    [
        (["a", "b\ud800"], b'["a","b?"]\n', 1),
        ({"a\ud800": 1}, b'{"a?":1}\n', 1),
        ({Name("a"): 1, "b": 2}, b'{"a":1,"b":2}\n', 1),
        ({"a": 1, 2: 2}, b'{"a":1,"2":2}\n', 1),
        (
            [2**64, -(2**63) - 1],
            b'["18446744073709551616","-9223372036854775809"]\n',
            2,
        ),
        ((1, {2}), b"[1,[2]]\n", 1),
        ({"a": {"b": b"c"}}, b'{"a":{"b":"c"}}\n', 1),
    ],
)
def test_what_orjson_refuses_is_coerced_and_counted(
    tmp_path: Path, value: object, line: bytes, count: int
) -> None:
    lines, coerced = written(tmp_path, [value])

    assert lines == [line]
    assert coerced == count


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(st.sampled_from(KINDS), max_size=40),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.sampled_from([Kind.TEXT, Pair(1, "b"), MOMENT.replace(tzinfo=Zone())]),
)
VALUES = st.recursive(
    PLAIN,
    lambda values: st.one_of(
        st.lists(values),
        st.lists(values).map(tuple),
        st.dictionaries(st.text(max_size=20), values),
        st.dictionaries(st.text(max_size=20), values).map(Table),
    ),
)


@given(st.lists(VALUES, min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_is_written_as_orjson_writes_it(
    tmp_path: Path, values: list[object]
) -> None:
    lines, _ = written(tmp_path, values)

    assert lines == dumped(values)

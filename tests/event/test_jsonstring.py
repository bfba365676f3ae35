"""Strings of every length, with an escape in every place, against plain Python."""

import plain_encode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring import encode
from auditring.event import Event

LENGTHS = range(71)
# Of each kind that a scanner may take for another: their neighbours, and what differs
# from them in one bit or in the sign.
KINDS = [
    *map(chr, range(0x24)),
    *"&'%;<=>?:/\\[]^|~A\x7f",
    *("\x80", "\xa2", "\xa6", "\xbc", "\xdc", "\xe2", "\xff"),
    *("\u2027", "\u2028", "\u2029", "\u202a", "\u28a8", "\ud7ff", "\ud800", "\udfff"),
    *("\ue000", "\U0001f600"),
]


def written(strings: list[str]) -> list[bytes]:
    """Return *strings* as a line has them, one after the other."""
    line = encode.json_line(Event(source_ips=tuple(strings)), bare=True)
    between = line.partition(b'"sourceIPs":[')[2].partition(b'],"requestReceived')[0]
    return between.split(b",")


def expected(strings: list[str]) -> list[bytes]:
    return [plain_encode.quoted(string).encode() for string in strings]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_string_is_quoted_whatever_stands_where_in_it(length: int) -> None:
    strings = ["x" * length]
    for place in range(length):
        before, behind = "x" * place, "y" * (length - place - 1)
        strings += [before + kind + behind for kind in KINDS]

    assert written(strings) == expected(strings)


@given(st.lists(st.text(st.sampled_from([*KINDS, "x"]), max_size=70), min_size=1))
def test_strings_of_many_kinds_are_quoted(strings: list[str]) -> None:
    assert written(strings) == expected(strings)


def test_a_string_longer_than_any_buffer_is_whole() -> None:
    strings = [
        "x" * size + end for size in (2000, 2047, 5000, 70_000) for end in ("", "<")
    ]

    assert written(strings) == expected(strings)


def test_a_string_of_a_class_of_its_own_is_a_string() -> None:
    class Name(str):
        __slots__ = ()

    strings = ["x" * 20, "<", "é"]

    assert written([Name(string) for string in strings]) == expected(strings)

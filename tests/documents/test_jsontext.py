"""JSON is read as Go's decoder reads it, with lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.documents.jsontext import read_json
from auditring.documents.tree import DEPTH_MAX, Mapping, Node, Number, Scalar, TextError

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def plain(node: Node) -> object:
    """Return what json.loads would."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, _, value in node.entries}
    if isinstance(node, Scalar):
        is_number = isinstance(node.value, Number)
        return json.loads(node.value) if is_number else node.value  # type: ignore[arg-type]
    return [plain(item) for item in node.items]


@given(JSON_VALUES)
def test_it_reads_what_json_writes(value: object) -> None:
    assert plain(read_json(json.dumps(value))) == value


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=lambda word: json.loads("no number"))
    except ValueError:
        return False
    return True


def is_read(text: str) -> bool:
    try:
        read_json(text)
    except TextError:
        return False
    return True


@given(st.text(alphabet='{}[]",:trufalsn01.eE+-\\/ \t\n\x85aN'))
def test_it_takes_what_json_takes(text: str) -> None:
    assert is_read(text) == is_json(text)


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "expected a value, found the end", 1),
        ("{} x", "more after the value", 1),
        ('{"a": 1,}', "expected a key in double quotes, found '}'", 1),
        ('{"a": 1,\n # c\n "b": 2}', "expected a key in double quotes, found '#'", 2),
        ('{\n"a"\n1}', "expected ':', found '1'", 3),
        ("[1,\n2", "expected ',', found the end", 2),
        ("[1,]", "expected a value, found ']'", 1),
        ("[NaN]", "expected a value, found 'N'", 1),
        ("[01]", "expected ',', found '1'", 1),
        ("['a']", 'expected a value, found "\'"', 1),
        ('["a', "unterminated string", 1),
        ('[\n"\\x"]', "invalid \\escape", 2),
        ('["a\nb"]', "invalid control character", 1),
        ("[" * (DEPTH_MAX + 2), f"nested deeper than {DEPTH_MAX} levels", 1),
    ],
)
def test_an_error_names_reason_and_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(TextError) as caught:
        read_json(text)

    assert caught.value.reason.startswith(f"JSON: {reason}")
    assert caught.value.line == line


def test_every_part_knows_its_line() -> None:
    node = read_json('{\n "a":\n  [1,\n   null]}')

    assert isinstance(node, Mapping)
    ((key, key_line, value),) = node.entries
    assert (node.line, key, key_line, value.line) == (1, "a", 2, 3)
    assert not isinstance(value, Scalar | Mapping)
    assert [item.line for item in value.items] == [3, 4]


def test_a_key_that_is_there_twice_is_kept_twice() -> None:
    node = read_json('{"a": 1, "a": 2}')

    assert isinstance(node, Mapping)
    assert [key for key, _, _ in node.entries] == ["a", "a"]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert plain(read_json('["\\ud800x", "\\ud83d\\ude00"]')) == [
        "\ufffdx",
        "\U0001f600",
    ]

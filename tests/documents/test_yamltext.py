"""YAML is read as Kubernetes reads it, with lines.

What the cases expect was compared with sigs.k8s.io/yaml v1.6.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.documents.tree import DEPTH_MAX, Mapping, Node, Number, Scalar, TextError
from auditring.documents.yamltext import read_yaml


def plain(node: Node) -> object:
    """Return plain values, numbers as JSON spells them in a tuple of one."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, _, value in node.entries}
    if isinstance(node, Scalar):
        return (str(node.value),) if isinstance(node.value, Number) else node.value
    return [plain(item) for item in node.items]


@pytest.mark.parametrize(
    "text", ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]
)
def test_words_that_are_true(text: str) -> None:
    assert plain(read_yaml(f"[{text}]")) == [True]


@pytest.mark.parametrize(
    "text", ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]
)
def test_words_that_are_false(text: str) -> None:
    assert plain(read_yaml(f"[{text}]")) == [False]


@pytest.mark.parametrize("text", ["~", "null", "Null", "NULL", "", "!!null ''"])
def test_words_that_are_null(text: str) -> None:
    assert plain(read_yaml(f"a: {text}")) == {"a": None}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("+12", "12"),
        ("010", "8"),
        ("0o17", "15"),
        ("08", "8"),
        ("0x1F", "31"),
        ("-0x1f", "-31"),
        ("0b101", "5"),
        ("0b-1", "-1"),
        ("1_000", "1000"),
        ("18446744073709551615", "18446744073709551615"),
        ("99999999999999999999", "100000000000000000000"),
        ("1e30", "1e+30"),
        ("1.0", "1"),
        ("1.", "1"),
        (".5", "0.5"),
        ("-.5e1", "-5"),
        ("!!int '7'", "7"),
        ("!!float 1", "1"),
    ],
)
def test_numbers(text: str, number: str) -> None:
    assert plain(read_yaml(f"[{text}]")) == [(number,)]


@pytest.mark.parametrize(
    "text",
    [
        "1:30",
        "2020-01-01",
        "2020-01-01T00:00:00Z",
        "=",
        "+",
        "._5",
        ".1_0",
        "0x",
        "1e999",
        "nULL",
        "tRUE",
        "<<",
        "a:b",
        "a#b",
        "a\tb",
        "-a",
        "?a",
        "--1",
        "9" * 5000 + "x",
    ],
)
def test_words_that_stay_what_they_are(text: str) -> None:
    assert plain(read_yaml(f"- {text}")) == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'y'", "y"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!\t1", "1"),
        ("!!str\t1", "1"),
        ("!<tag:yaml.org,2002:str> 1", "1"),
        ("!odd 1", "1"),
        ("!!binary aGk=", "hi"),
        ("!!timestamp 2020-01-01", "2020-01-01"),
        ('"\\x41\\u00e9\\U0001F600\\\'"', "Aé\U0001f600'"),
        ("'it''s'", "it's"),
        ('"a\n  b\n\n  c"', "a b\nc"),
        ('"a\\\n  b"', "ab"),
        ("a\n   b\n\n   c # d", "a b\nc"),
    ],
)
def test_strings(text: str, value: str) -> None:
    assert plain(read_yaml(f"- {text}")) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("|\n  a\n   b\n", "a\n b\n"),
        ("|-\n  a\n", "a"),
        ("|+\n  a\n\n", "a\n\n"),
        (">\n  a\n  b\n\n  c\n", "a b\nc\n"),
        ("|1\n   a\n", "  a\n"),
        ("|2-\t# c\n   a\n", " a"),
    ],
)
def test_block_scalars(text: str, value: str) -> None:
    assert plain(read_yaml(f"a: {text}")) == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a:, -, b]", ["a:", "-", "b"]),
        ("{a:b}", {"a:b": None}),
        ("{a: b, c}", {"a": "b", "c": None}),
        ("[a: b]", [{"a": "b"}]),
        ("[a,]", ["a"]),
        ("{ a: [1:30,\n  x] }", {"a": ["1:30", "x"]}),
        ("a:\tb", {"a": "b"}),
        ("a: [\n\t[b]\n\t]", {"a": [["b"]]}),
        ("? a\n: b", {"a": "b"}),
        ("1: a\n1.5: b\ny: c", {"1": "a", "1.5": "b", "true": "c"}),
        ("%YAML 1.1\n---\na: b", {"a": "b"}),
        ("\ufeffa: b", {"a": "b"}),
        ("a: b\r\nc: d\r\n", {"a": "b", "c": "d"}),
    ],
)
def test_collections(text: str, value: object) -> None:
    assert plain(read_yaml(text)) == value


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "--- \n...\nx", "~"])
def test_nothing_is_null(text: str) -> None:
    assert plain(read_yaml(text)) is None


@pytest.mark.parametrize("rest", ["---\nb: 1", "---\n}{", "...\n\x7f".strip("\x7f")])
def test_only_the_first_document_counts(rest: str) -> None:
    assert plain(read_yaml(f"a: b\n{rest}")) == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: 1}\nc: *x", {"a": {"b": ("1",)}, "c": {"b": ("1",)}}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": ("1",), "b": ("2",), "c": ("2",)}),
        ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3", "own"),
        ("a: &x {b: 1, c: 2}\nd:\n  b: 3\n  <<: *x", "merged"),
    ],
)
def test_anchors_and_merges(text: str, value: object) -> None:
    found = plain(read_yaml(text))

    if isinstance(value, str):
        assert isinstance(found, dict)
        b = "3" if value == "own" else "1"
        assert found["d"] == {"b": (b,), "c": ("2",)}
    else:
        assert found == value


def test_of_several_merged_mappings_the_first_wins() -> None:
    found = plain(read_yaml("- &x {a: 1}\n- &y {a: 2, b: 2}\n- <<: [*x, *y]"))

    assert isinstance(found, list)
    assert found[2] == {"a": ("1",), "b": ("2",)}


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("a: 1\na: 2", [("a", 2)]),
        ("y: 1\nyes: 2", [("true", 2)]),
        ("1: a\n'1': b", []),
        ("- &x {a: 1}\n-\n  <<: *x\n  a: 2", [("a", 4)]),
    ],
)
def test_keys_that_are_there_twice_are_noted(
    text: str, repeated: list[tuple[str, int]]
) -> None:
    node = read_yaml(text)
    if not isinstance(node, Mapping):
        assert not isinstance(node, Scalar)
        node = node.items[1]

    assert isinstance(node, Mapping)
    assert [*node.repeated] == repeated


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", 2),
        ("a:\n- b\n c: d", 3),
        ("a:\n-\tb: c", 2),
        ("a: b\n\tc: d", 2),
        ("a: [\n\tb\n\t]", 3),
        ("a: |\n \tb\n", 2),
        ("a: |3\n \tb\n", 2),
        ("a: |x\n", 1),
        ("a: *x", 1),
        ("a: &x [*x]", 1),
        ("<<: 1", 1),
        ("- &x [a]\n- <<: *x", 2),
        ("~: a", 1),
        ("[a]: b", 1),
        ("a: !!int b", 1),
        ("a: !!binary '?'", 1),
        ("a: !!timestamp b", 1),
        ("a: .inf", 1),
        ('a: "\\/"', 1),
        ('a: "\\ud800"', 1),
        ("a: @b", 1),
        ("%YAML 1.2\n---\na: b", 1),
        ("%FOO\n---\na: b", 1),
        ("a: !x!y b", 1),
        ("a: !! b", 1),
        ("a: !<x b", 1),
        ("a: !x{} b", 1),
        ("{a: b", 1),
        ("a: 'b", 1),
        ("a: " + "[" * (DEPTH_MAX + 1), 1),
        ("18446744073709551615: a", 1),
    ],
)
def test_an_error_names_its_line(text: str, line: int) -> None:
    with pytest.raises(TextError) as caught:
        read_yaml(text)

    assert caught.value.reason.startswith("YAML: ")
    assert caught.value.line is not None
    assert abs(caught.value.line - line) <= 1


@pytest.mark.parametrize("text", ["a: \x01", 'a: "\\U00110000"', "a: \ud800"])
def test_characters_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(TextError):
        read_yaml(text)


def test_a_value_that_json_cannot_say_may_be_replaced() -> None:
    assert plain(read_yaml("a: .nan\na: b")) == {"a": "b"}


def test_aliases_cannot_blow_a_document_up() -> None:
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(TextError, match="aliases"):
        read_yaml("\n".join(lines))


def test_every_part_knows_its_line() -> None:
    node = read_yaml("# c\na:\n- b\n-\n  - 1\n")

    assert isinstance(node, Mapping)
    ((_, key_line, value),) = node.entries
    assert (node.line, key_line, value.line) == (2, 2, 3)
    assert not isinstance(value, Scalar | Mapping)
    assert [item.line for item in value.items] == [3, 5]


@given(st.text(alphabet="ab:-,?[]{}#&*!|>'\"%@`\\~<= \t\n\r01.y\u2028\x85\ufeff"))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        read_yaml(text)
    except TextError as error:
        assert error.reason  # noqa: PT017  # nothing else may come

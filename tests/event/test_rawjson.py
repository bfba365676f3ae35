"""JSON text is taken as Go takes it, and stays as it is where it may."""

import contextlib
import json

import plain_rawjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditring.event import rawjson

# Pieces that make a JSON text, or something near it, when put together.
PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b" ", b"\n", b"\t", b"\r", b"\x0b"),
        *(b"true", b"false", b"null", b"nul", b"0", b"-0", b"01", b"1.50", b"1e+5"),
        *(b"1.", b"-", b"1e", b"12345678901234567890123", b"1E400"),
        *(b'"a"', b'""', b'"<&>"', b'"\\u003c\\/"', b'"\\ud800"', b'"\\x"', b'"\\u12"'),
        *(b'"\xe2\x80\xa8"', b'"\xe2\x80\xa9x"', b'"\xe2\x80"', b'"\xff\xe2"', b'"'),
        *(b'"\n"', b'"\x7f"', b'"\\', b'"\\"', b"\xe2\x80\xa8", b"\xef\xbb\xbf"),
    ]
)
NEARLY_JSON = st.lists(PIECES, max_size=12).map(b"".join)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
TEXTS = st.builds(
    lambda value, indent, ascii: json.dumps(
        value, indent=indent, ensure_ascii=ascii
    ).encode(errors="surrogatepass"),
    VALUES,
    st.sampled_from([None, 0, 3, "\t"]),
    st.booleans(),
)


@given(NEARLY_JSON | TEXTS)
@example(b"[" * 10_000 + b"]" * 10_000)
@example(b"[" * 10_001 + b"]" * 10_001)
def test_text_is_compacted_or_refused_as_by_the_plain_one(text: bytes) -> None:
    try:
        expected = plain_rawjson.compact(text)
    except ValueError:
        with pytest.raises(ValueError, match="not JSON"):
            rawjson.compact(text)
        return

    compacted = rawjson.compact(text)

    assert compacted == expected
    assert rawjson.compact(compacted) == compacted


@given(TEXTS)
def test_text_is_taken_apart_as_by_the_plain_one(text: bytes) -> None:
    text = rawjson.compact(text)

    if text.startswith(b"{"):
        assert rawjson.members(text) == plain_rawjson.members(text)
        assert rawjson.object_of(rawjson.members(text)) == text
    if text.startswith(b"["):
        assert rawjson.elements(text) == plain_rawjson.elements(text)
        assert rawjson.array_of(rawjson.elements(text)) == text


@given(st.binary(max_size=40) | NEARLY_JSON)
def test_taking_apart_what_is_no_json_is_an_error_or_nonsense(text: bytes) -> None:
    for take_apart in (rawjson.members, rawjson.elements):
        with contextlib.suppress(ValueError):
            take_apart(text)


def test_members_keep_duplicates_order_and_spelling() -> None:
    text = b'{"z":1.0,"\\u0061":{"b":[1E5,{}]},"z":"]"}'

    pairs = rawjson.members(text)

    assert pairs == [
        (b'"z"', b"1.0"),
        (b'"\\u0061"', b'{"b":[1E5,{}]}'),
        (b'"z"', b'"]"'),
    ]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b'"{}"'])
def test_what_is_no_object_has_no_members(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a compact JSON object"):
        rawjson.members(text)


@given(st.text())
def test_a_string_comes_back_from_its_json(string: str) -> None:
    text = rawjson.quote(string)

    assert rawjson.unquote(text) == string
    assert json.loads(text) == string
    assert not set(text) & set(b"<>&\n")


@pytest.mark.parametrize(
    ("string", "text"),
    [
        ('"\\/', rb'"\"\\/"'),
        ("\b\f\n\r\t\x00\x1f\x7f", b'"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
        ("<>&\u2028\u2029", rb'"\u003c\u003e\u0026\u2028\u2029"'),
        ("é😀\ufffd", '"é😀\ufffd"'.encode()),
        ("a\udcff<\udc80", rb'"a\ufffd\u003c\ufffd"'),
    ],
)
def test_strings_are_escaped_as_go_does(string: str, text: bytes) -> None:
    assert rawjson.quote(string) == text


@pytest.mark.parametrize(
    ("text", "string"),
    [
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\ud800"', "\ufffd"),
        (rb'"\ud800\ud83d\ude00"', "\ufffd😀"),
        (rb'"\udc00x"', "\ufffdx"),
        (b'"\xe2\x80"', "\ufffd\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'"\xff\\n"', "\ufffd\n"),
    ],
)
def test_what_is_no_character_is_read_as_go_does(text: bytes, string: str) -> None:
    assert rawjson.unquote(text) == string

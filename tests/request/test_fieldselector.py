import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.request.fieldselector import required_value


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", None),
        (",,", None),
        ("n=x", "x"),
        ("n==x", "x"),
        ("n!=x", None),
        ("m=x", None),
        (" n=x", None),
        ("n=", ""),
        ("a=1,n=x,z=2", "x"),
        ("n=b,n=a", "a"),
        ("n==b,n=a", "b"),
        (r"n=a\,b\=c\\", r"a,b=c" + "\\"),
        ("n=é\udcff", "é\udcff"),
        ("n=\\,\udcff", ",\ufffd"),
    ],
)
def test_a_selector_requires_what_its_first_exact_term_says(
    selector: str, expected: str | None
) -> None:
    assert required_value(selector, "n") == expected


def test_terms_sort_by_their_bytes() -> None:
    assert required_value("n=\U0001f600,n=\uffff", "n") == "\uffff"
    assert required_value("n=\udcff,n=\U0001f600", "n") == "\U0001f600"


@pytest.mark.parametrize(
    "selector", ["x", "n=a,x", "n=a=b", "n===a", r"n=\a", "n=a\\", "n=\\", "a=1,n!!"]
)
def test_a_bad_term_makes_the_selector_bad(selector: str) -> None:
    with pytest.raises(ValueError, match="field selector"):
        required_value(selector, "n")


@given(st.text())
def test_an_escaped_value_comes_back(value: str) -> None:
    escaped = value
    for special in "\\,=":
        escaped = escaped.replace(special, "\\" + special)

    assert required_value(f"n={escaped}", "n") == value


@given(st.text("n=!,\\a\n\udcff"))
def test_any_selector_is_read_or_refused(selector: str) -> None:
    with contextlib.suppress(ValueError):
        value = required_value(selector, "n")
        assert value is None or "n" in selector

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.request.labelselector import is_label_selector


@pytest.mark.parametrize(
    "selector",
    [
        *("", " ", "a", "!a", "! a", "a=b", "a==b", "a!=b", "a = b", "a=", "a=,b"),
        *("a in (b)", "a notin (b,c)", "a in ()", "a in (,)", "a in (,,b,)", "a in(b)"),
        *("a>5", "a<007", "a>9223372036854775807"),
        *("in", "notin", "in in (in)", "in=notin", "!in", "a=in"),
        *("example.com/a=b", "1/a", "A_b.c-D=E", "a" * 63, "a=" + "b" * 63),
        *("\t\r\na\n", "a\0", "a=\0b", "a \0,,,("),
    ],
)
def test_kubernetes_takes(selector: str) -> None:
    assert is_label_selector(selector)


@pytest.mark.parametrize(
    "selector",
    [
        *(",", "a,", ",a", "a,,b", "a b", "=b", "!", "!!a", "!a=b", "a=b=c", "a===b"),
        *("a in", "a in b", "a in (b", "a in (b c)", "a in (b))", "a in b)", "a (b)"),
        *("a>", "a>b", "a>-5", "a>+5", "a>1.5", "a>9223372036854775808", "a<(5)"),
        *("/a", "a/", "a/b/c", "Example.com/a", "a..b/c", "-a", "a-", "a=-b", "a=b_"),
        *("é", "a=é", "a=b/c", "a" * 64, "a=" + "b" * 64, "a" * 254 + "/b"),
        *("a\x0b", "a\xa0=b", "a=(b)", "a=)", "\udcff"),
    ],
)
def test_kubernetes_refuses(selector: str) -> None:
    assert not is_label_selector(selector)


@given(st.text("ab/.-_=!<>(), \0") | st.text())
def test_a_selector_that_is_joined_to_a_good_one_stays_what_it_is(text: str) -> None:
    # A NUL may end the text before the comma.
    if text.strip(" \t\r\n") and "\0" not in text:
        assert is_label_selector(f"a=b,{text}") == is_label_selector(text)

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.routes import Routes

ROUTES = Routes(
    {
        "/": "/",
        "/orders": "/apis/shop.example/v1/orders",
        "/orders/new": "/new",
        "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
        "/discount": "/50%25",
        "/discount/{x}": "/50%25/{x}",
        "/a+b/{x}/{y}": "/apis/shop.example/v1/namespaces/{y}/things/{x}/status",
    }
)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/"),
        ("/orders", "/apis/shop.example/v1/orders"),
        ("/orders/", "/apis/shop.example/v1/orders"),
        ("/orders/new", "/new"),
        ("/orders/7", "/apis/shop.example/v1/orders/7"),
        ("/orders/a%2Fb", "/apis/shop.example/v1/orders/a%2Fb"),
        ("/orders/..", "/apis/shop.example/v1/orders/.."),
        ("/orders/7/", "/apis/shop.example/v1/orders/7"),
        ("/a+b/1/2", "/apis/shop.example/v1/namespaces/2/things/1/status"),
        ("/discount", "/50%25"),
        ("/discount/%s", "/50%25/%s"),
        ("/orders/7/items", None),
        ("/orders//", None),
        ("/aab/1/2", None),
        ("/ordersx", None),
        ("", "/"),
        ("orders", None),
    ],
)
def test_a_path_stands_for_what_the_table_says(path: str, target: str | None) -> None:
    assert ROUTES.find(path) == target


@given(
    st.lists(st.sampled_from(["a", "b-", "{x}", "{y}", "\u00e9", "/"]), max_size=6),
    st.text(alphabet="ab-/\u00e9", max_size=8),
)
def test_a_name_takes_what_a_greedy_expression_would(
    pieces: list[str], rest: str
) -> None:
    route, path = "/" + "".join(pieces), "/" + rest
    names = re.findall(r"\{(.)\}", route)
    if len(set(names)) < len(names):
        return
    expression = re.sub(r"\\\{(.)\\\}", r"(?P<\1>[^/]+)", re.escape(route.rstrip("/")))
    target = "".join(f"/<{{{name}}}>" for name in names) or "/"

    found = Routes({route: target}).find(path)

    match = re.fullmatch(expression + "/?", path)
    wanted = match and target.format(**match.groupdict())
    assert found == wanted


def test_an_empty_table_has_nothing() -> None:
    assert Routes({}).find("/") is None


@pytest.mark.parametrize(
    ("path", "target", "message"),
    [
        ("orders", "/", "expected a path, got 'orders'"),
        ("/orders?x", "/", "expected a path, got '/orders\\?x'"),
        ("/orders", "apis/x", "expected a path, got 'apis/x'"),
        ("/{a}/{a}", "/", "has a name twice"),
        ("/{a}", "/{b}", "'/\\{b\\}' has a name that '/\\{a\\}' hasn't: 'b'"),
        ("/{a", "/", "a brace that stands for no name"),
        ("/{a-b}", "/", "a brace that stands for no name"),
        ("/x", "/api/v1/watch", "/api/v1/watch'?: unable to determine"),
    ],
)
def test_a_mistake_in_the_table_is_named(path: str, target: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"routes: .*{message}"):
        Routes({path: target})


def test_a_target_may_have_letters_that_the_path_has_not() -> None:
    routes = Routes({"/a/{x}": "/\u00fc/{x}/\u20ac", "/\u20ac/{x}": "/b/{x}"})

    assert routes.find("/a/1") == "/\u00fc/1/\u20ac"
    assert routes.find("/\u20ac/\U0001f600") == "/b/\U0001f600"

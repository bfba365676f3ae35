import pytest

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

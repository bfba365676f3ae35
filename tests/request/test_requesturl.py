import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import BadRequestError
from auditring.request.url import RequestURL, first_values, parse_request_url

ANY_TEXT = st.text(st.characters(codec=None))
URLISH = st.text("/:?#[]@%2F5azAZ.-_*&=;+ \x00\x7fé\udcff\ud800", max_size=30)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/b?c=d", RequestURL("/a/b", "c=d", "/a/b?c=d")),
        ("/%61%2Fb", RequestURL("/a/b", "", "/%61%2Fb")),
        ("/a//b/../c/", RequestURL("/a//b/../c/", "", "/a//b/../c/")),
        ("/a?", RequestURL("/a", "", "/a?")),
        ("/a??", RequestURL("/a", "?", "/a??")),
        ("/a?b#c", RequestURL("/a", "b#c", "/a?b#c")),
        ("/a+b", RequestURL("/a+b", "", "/a+b")),
        ("*", RequestURL("*", "", "*")),
    ],
)
def test_path_and_query_are_as_sent(target: str, expected: RequestURL) -> None:
    assert parse_request_url("GET", target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://h/a?b", RequestURL("/a", "b", "/a?b")),
        ("HTTPS://u:p@h:1/a", RequestURL("/a", "", "/a")),
        ("http://h", RequestURL("", "", "/")),
        ("http://h?b", RequestURL("", "b", "/?b")),
        ("http://[fe80::1%25eth0]:80/a", RequestURL("/a", "", "/a")),
        ("db://h:1:2/a", RequestURL("/a", "", "/a")),
        ("http:/a", RequestURL("/a", "", "/a")),
        ("http:a/b?c", RequestURL("", "c", "a/b?c")),
        ("//h/a", RequestURL("//h/a", "", "//h/a")),
    ],
)
def test_an_absolute_url_loses_what_is_before_its_path(
    target: str, expected: RequestURL
) -> None:
    assert parse_request_url("GET", target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("h:443", RequestURL("", "", "/")),
        ("h/a?b", RequestURL("/a", "b", "/a?b")),
        ("*", RequestURL("", "", "/")),
        ("", RequestURL("", "", "/")),
        ("/api", RequestURL("/api", "", "/api")),
    ],
)
def test_connect_names_a_host_or_a_path(target: str, expected: RequestURL) -> None:
    assert parse_request_url("CONNECT", target) == expected


@pytest.mark.parametrize(
    ("target", "path", "request_uri"),
    [
        ("/<a>/%3c%2f", "/<a>/</", "/%3Ca%3E/%3C/"),
        ("/é", "/é", "/%C3%A9"),
        ("/%ff", "/\udcff", "/%ff"),
        ("/\udcff", "/\udcff", "/%FF"),
        ("/[a]!'()*", "/[a]!'()*", "/[a]!'()*"),
        ('/[a]!"', '/[a]!"', "/%5Ba%5D%21%22"),
        ("/a|?b|é", "/a|", "/a%7C?b|é"),
    ],
)
def test_a_path_that_needs_an_escape_is_escaped_anew(
    target: str, path: str, request_uri: str
) -> None:
    url = parse_request_url("GET", target)

    assert (url.path, url.request_uri) == (path, request_uri)


@pytest.mark.parametrize(
    "target",
    [
        *("", "a", "a/b", "?", "#", "%2Fa", ":", "://h", "1http://h", "-a:b"),
        *("/a b", "/a\tb", "/a\r\nb", "/a\x00", "/a\x7f", "/?a b"),
        *("/%", "/%4", "/%zz", "/a%2", "http://h/%zz"),
        *("http://h:x", "http://h:1:2", "http://%41", "http://h%25%zz", "http://h^"),
        *("http://[::1", "http://::1]", "http://[1.2.3.4]", "http://[::1]x"),
        *("http://[::1]:x", "http://a[::1]", "http://[]", "http://[fe80::1%25]"),
        *("http://[fe80::1%eth0]", "http://[fe80::1%25%2F]", "http://[fe80::%c3%a9]"),
        *("http://u%zz@h", "http://ü@h", "http://u[@h"),
        "/\ud800",
    ],
)
def test_a_target_that_no_server_takes_is_refused(target: str) -> None:
    with pytest.raises(BadRequestError, match="request target"):
        parse_request_url("GET", target)


@pytest.mark.parametrize("method", ["", "G T", "GET\n", "GÉT", "GET,", "{}"])
def test_a_method_that_is_no_token_is_refused(method: str) -> None:
    with pytest.raises(BadRequestError, match="method"):
        parse_request_url(method, "/")


def test_a_message_quotes_only_the_beginning_of_a_long_target() -> None:
    with pytest.raises(BadRequestError) as error:
        parse_request_url("GET", "/%" + "x" * 10_000)

    assert len(str(error.value)) < 300


@given(method=ANY_TEXT | st.just("GET"), target=ANY_TEXT | URLISH)
def test_whatever_is_sent_is_read_or_refused(method: str, target: str) -> None:
    try:
        url = parse_request_url(method, target)
    except BadRequestError:
        return
    assert url.request_uri.partition("?")[2] == url.query


@given(path=st.binary().map(lambda octets: b"/" + octets))
def test_any_path_comes_back_from_its_escapes(path: bytes) -> None:
    escaped = "".join(f"%{octet:02x}" for octet in path[1:])

    url = parse_request_url("GET", "/" + escaped)

    assert url.path.encode("utf-8", "surrogateescape") == path


@given(URLISH.map(lambda text: "/" + text))
def test_the_request_uri_means_the_same_path(target: str) -> None:
    try:
        url = parse_request_url("GET", target)
    except BadRequestError:
        return
    again = parse_request_url("GET", url.request_uri)
    assert again == url


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("a=1&a=2&b", {"a": "1", "b": ""}),
        ("a=1=2&=3", {"a": "1=2", "": "3"}),
        ("a+b=c+d%2B", {"a b": "c d+"}),
        ("%61=%C3%A9%ff", {"a": "é\udcff"}),
        ("a;b=1&c;d&e=1", {"e": "1"}),
        ("a=%zz&%zz=1&a=ok", {"a": "ok"}),
        ("&&a=1&", {"a": "1"}),
    ],
)
def test_a_query_gives_the_first_good_value_of_each_key(
    query: str, expected: dict[str, str]
) -> None:
    assert first_values(query) == expected


def test_a_query_with_too_many_parameters_has_none() -> None:
    assert first_values("a&" * 9_999) == {"a": ""}
    assert first_values("a&" * 10_000) == {}

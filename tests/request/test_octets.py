"""Paths, queries and headers that need no decoding are told from all others."""

import pytest

from auditring.exchange._asgi import read_scope
from auditring.request._plain import read_request
from auditring.request.attributes import Attributes

LENGTHS = range(1, 71)
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
IN_PATH = frozenset(LETTERS + b"-._~!$&'()*+,;=:@[]/")
IN_QUERY = frozenset(range(0x21, 0x7F))
OCTETS = range(256)


def is_plain(target: str, headers: list[tuple[bytes, bytes]] | None = None) -> bool:
    found = read_request(Attributes, "GET", target, headers or [], None, "", None)  # type: ignore[arg-type]
    return found is not None


def with_one(octet: int, place: int, length: int) -> str:
    return "a" * place + chr(octet) + "b" * (length - place - 1)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_path_is_plain_if_all_of_it_is(length: int) -> None:
    for place in range(length):
        for octet in OCTETS:
            # A question mark ends the path.
            wanted = octet in IN_PATH or octet == ord("?")
            assert is_plain("/" + with_one(octet, place, length)) is wanted


@pytest.mark.parametrize("length", LENGTHS)
def test_a_raw_path_is_plain_if_all_of_it_is(length: int) -> None:
    for place in range(length):
        for octet in OCTETS:
            path = "/" + with_one(octet, place, length)
            scope = {
                "method": "GET",
                "path": path,
                "raw_path": path.encode("latin-1"),
                "query_string": b"",
                "headers": [],
            }
            assert (read_scope(scope, None, None) is not None) is (octet in IN_PATH)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("path", ["/", "/a/b"])
def test_a_query_is_plain_if_all_of_it_is(length: int, path: str) -> None:
    for place in range(length):
        for octet in (*range(0x30), *range(0x78, 0x8A), 0xA1, 0xFE, 0xFF):
            target = f"{path}?{with_one(octet, place, length)}"
            assert is_plain(target) is (octet in IN_QUERY)


@pytest.mark.parametrize("length", [*LENGTHS, 1023, 1024])
def test_a_header_is_plain_if_all_of_it_is_ascii(length: int) -> None:
    for place in range(length):
        for octet in (0x41, 0x7F, 0x80, 0xC1, 0xFF):
            value = with_one(octet, place, length).encode("latin-1")
            assert is_plain("/", [(b"user-agent", value)]) is (octet < 0x80)


def test_nothing_is_plain_for_a_path_and_not_for_a_query() -> None:
    assert IN_PATH < IN_QUERY

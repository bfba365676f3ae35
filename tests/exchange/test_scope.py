"""What is read of a scope at once, against the reader that it stands in for."""

import json
import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditring.event import UserInfo
from auditring.exchange._asgi import read_scope
from auditring.request.attributes import Attributes
from auditring.routes import Routes

CASES = Path(__file__).parents[1] / "data" / "conformance" / "requestinfo_cases.jsonl"
USER = UserInfo("alice")
UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
ROUTES = Routes({"/orders/{o}": "/apis/shop/v1/namespaces/n/orders/{o}"})

WORDS = "api apis v1 namespaces watch proxy pods x log status finalize exec debug pprof"
SEGMENTS = st.sampled_from(["", "..", "a%20b", "\u00e9", "orders", *WORDS.split()])
NAMES = st.sampled_from(
    [
        "user-agent",
        "User-Agent",
        "audit-id",
        "x-forwarded-for",
        "x-real-ip",
        "host",
        "impersonate-user",
        "impersonate-group",
        "accept",
    ]
)
VALUES = st.sampled_from(
    ["", "a", "id-1", "10.0.0.1", "10.0.0.1, ::1", " b ", "\u00e9", "x" * 257, "\t"]
)
SCOPES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(
            ["GET", "HEAD", "POST", "PUT", "DELETE", "FOO", "get"]
        ),
        "raw_path": st.lists(SEGMENTS, max_size=8).map(
            lambda segments: ("/" + "/".join(segments)).encode()
        ),
        "query_string": st.sampled_from(
            [b"", b"a=b", b"watch", b"fieldSelector=metadata.name=x", b"\xff", b"a b"]
        ),
        "headers": st.lists(
            st.tuples(NAMES.map(str.encode), VALUES.map(str.encode)), max_size=5
        ),
        "client": st.sampled_from([None, ("127.0.0.1", 5), ("::1", 5), ("", 0)]),
    }
)


def text_of(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


class GeneralAttributes(Attributes):
    """Attributes that are never taken to be plain."""

    __slots__ = ()


def read_slowly(scope: dict[str, Any], routes: Routes | None = None) -> Attributes:
    path, query = text_of(scope["raw_path"]), text_of(scope["query_string"])
    behind = f"?{query}" if query else ""
    found = None if routes is None else routes.find(path)
    return GeneralAttributes.from_request(
        scope["method"],
        (found or path) + behind,
        headers=[(text_of(name), text_of(value)) for name, value in scope["headers"]],
        user=USER,
        peer=scope["client"][0] if scope["client"] else "",
        request_uri=path + behind if found else None,
    )


def assert_same(scope: dict[str, Any], routes: Routes | None = None) -> bool:
    """Compare the two; tell whether the scope was one to be read at once."""
    found = read_scope(scope, USER, routes and routes.table)
    if found is None:
        return False
    wanted = read_slowly(scope, routes)
    audit_ids = [
        value for name, value in scope["headers"] if name.lower() == b"audit-id"
    ]
    if not audit_ids or not audit_ids[0].strip():
        assert UUID4.fullmatch(found.audit_id)
        wanted = replace(wanted, audit_id=found.audit_id)
    assert astuple(found) == astuple(wanted)
    assert type(found) is Attributes
    return True


@given(SCOPES)
def test_a_scope_is_read_as_the_reader_does(scope: dict[str, Any]) -> None:
    assert_same(scope)
    assert_same(scope, ROUTES)


def test_most_requests_of_kubernetes_are_read_at_once() -> None:
    lines = CASES.read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line)["request"] for line in lines]
    read = 0
    for case in cases:
        path, _, query = case["url"].partition("?")
        scope = {
            "method": case["method"],
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [],
            "client": None,
        }
        read += assert_same(scope)

    assert read > len(cases) // 3


def test_what_the_table_of_routes_says_is_read_at_once() -> None:
    scope = {
        "method": "GET",
        "raw_path": b"/orders/7",
        "query_string": b"",
        "headers": [],
        "client": None,
    }

    assert assert_same(scope, ROUTES)

"""Events in one line each, and nothing in it that a terminal would obey."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.cli.summary import one_line

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "0b0f5e4d-0f8f-4b5c-9b1d-2f3a4b5c6d7e",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/default/pods/web-1/log?follow=1",
    "verb": "get",
    "user": {"username": "alice"},
    "objectRef": {
        "resource": "pods",
        "subresource": "log",
        "namespace": "default",
        "name": "web-1",
    },
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": "2026-11-22T01:02:03.004005Z",
    "stageTimestamp": "2026-11-22T01:02:03.104005Z",
}


def plain(**fields: object) -> str:
    """Return the event in short with some other fields; None takes one away."""
    event = {**EVENT, **fields}
    event = {name: value for name, value in event.items() if value is not None}
    return one_line(orjson.dumps(event), False, False).decode()


def test_an_event_tells_when_how_who_and_what() -> None:
    assert plain() == (
        "2026-11-22T01:02:03.104005Z 200 get     alice pods/log default/web-1"
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"objectRef": None}, EVENT["requestURI"]),
        ({"objectRef": {"resource": "nodes"}}, "alice nodes"),
        ({"objectRef": {"resource": "nodes", "name": "n1"}}, "alice nodes n1"),
        ({"impersonatedUser": {"username": "bob"}}, "alice as bob pods"),
        ({"user": None}, "get     - pods"),
        ({"responseStatus": None, "stage": "RequestReceived"}, " RequestReceived get"),
        ({"stage": "Panic", "responseStatus": {"code": 500}}, " Panic get"),
        ({"stageTimestamp": None}, "- 200 get"),
    ],
)
def test_what_an_event_lacks_or_has_besides_is_told(
    fields: dict[str, object], told: str
) -> None:
    assert told in plain(**fields)


def test_an_event_without_a_kind_is_one_too() -> None:
    assert plain(kind=None, apiVersion=None) == plain()


def test_a_gap_tells_how_much_is_missing_and_why() -> None:
    notes = {
        "auditring.io/reason": "dropped",
        "auditring.io/count": "17",
        "auditring.io/bytes": "17408",
    }

    text = plain(verb="gap", annotations=notes)

    assert text.endswith("gap: dropped, count 17, 17408 bytes")


@pytest.mark.parametrize(
    ("code", "color"), [(200, 32), (304, 36), (403, 33), (503, 31)]
)
def test_codes_have_colors(code: int, color: int) -> None:
    line = orjson.dumps({**EVENT, "responseStatus": {"code": code}})

    colored = one_line(line, True, True)

    assert b"\x1b[%dm%d\x1b[0m" % (color, code) in colored
    assert re.sub(rb"\x1b\[\d+m", b"", colored) == one_line(line, False, False)


@pytest.mark.parametrize(
    "line",
    [b"", b"plain text", b'{"verb":"get"}', b"[1]", b"\xff\x00", b'{"a":1', b"\x1b[2J"],
)
def test_a_line_that_is_no_event_stays_as_it_is(line: bytes) -> None:
    assert one_line(line, False, False) == line


def test_control_characters_of_any_line_are_made_visible_on_a_terminal() -> None:
    assert one_line(b"a\x1b[2Jb\tc\xff", True, True) == b"a\\x1b[2Jb\tc\\xff"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted([*EVENT, "annotations"])), JSON))
def test_no_event_breaks_its_line_or_commands_a_terminal(
    fields: dict[str, object],
) -> None:
    line = orjson.dumps({**EVENT, **fields})

    text = one_line(line, False, True).decode()

    assert text.replace("\t", "").isprintable()
    assert re.sub(rb"\x1b\[\d+m", b"", one_line(line, True, True)) == text.encode()

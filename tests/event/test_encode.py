"""Events are written as Kubernetes writes them, one line each."""

import gzip
import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import plain_encode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_events import BODIES, STRINGS, VALID_STRINGS, YEARS_1_TO_9999, events

from auditring import encode
from auditring.errors import EventError
from auditring.event import Event, Level, ObjectReference, UserInfo
from auditring.event.microtime import MicroTime
from auditring.event.status import Status

SAMPLE = files("auditring.cli") / "data" / "kube-audit-sample.jsonl.gz"
NO_BODIES = st.binary(max_size=30) | st.sampled_from([b"", b"{} {}", b'"\xff"'])
TYPED = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1",'


def decoded(line: bytes) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(line)
    return members


@given(events(), st.booleans())
def test_the_line_is_that_of_the_plain_one(event: Event, bare: bool) -> None:
    line = encode.json_line(event, bare=bare)

    assert line == plain_encode.event_line(event, bare=bare)


@given(events(VALID_STRINGS, seconds=YEARS_1_TO_9999))
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    line = encode.json_line(event, strict=True)

    assert Event.from_json(line, strict=True) == event


@given(events(STRINGS, BODIES | NO_BODIES))
def test_an_event_is_one_line_of_json_whatever_is_in_it(event: Event) -> None:
    line = encode.json_line(event)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert not set(line[:-1]) & set(range(0x20))
    text = line.decode()
    assert not set(text) & set("<>&\u2028\u2029\r")
    members = decoded(line)
    assert members["apiVersion"] == "audit.k8s.io/v1"
    assert members["level"] == json.loads(plain_encode.quoted(event.level))
    assert set(members["annotations"] if event.annotations else ()) >= {
        json.loads(plain_encode.quoted(key)) for key in event.annotations
    }


def test_a_genuine_log_is_written_again_byte_for_byte() -> None:
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines(keepends=True)

    again = [encode.json_line(Event.from_json(line)) for line in lines]

    assert again == lines


def test_an_empty_event_has_the_members_that_are_always_written() -> None:
    line = encode.json_line(Event())

    assert line == TYPED + (
        b'"level":"","auditID":"","stage":"","requestURI":"","verb":"","user":{},'
        b'"requestReceivedTimestamp":null,"stageTimestamp":null}\n'
    )


def test_the_bare_shape_has_neither_kind_nor_version() -> None:
    event = Event(level=Level.METADATA)

    line = encode.json_line(event, bare=True)

    assert line.startswith(b'{"level":"Metadata",')
    assert Event.from_json(line) == event


@pytest.mark.parametrize("strict", [False, True])
def test_a_body_keeps_order_duplicates_and_numbers(strict: bool) -> None:
    body = b' {"z": 1.50 , "a":[1E5,-0],\n"z":{"\\u0061":"<\xe2\x80\xa8\\/"} }\n'

    line = encode.json_line(Event(request_object=body), strict=strict)

    expected = (
        rb'"requestObject":{"z":1.50,"a":[1E5,-0],"z":{"\u0061":"\u003c\u2028\/"}}'
    )
    assert expected in line


@pytest.mark.parametrize(
    ("member", "key"),
    [
        ("request_object", "requestObject"),
        ("response_object", "responseObject"),
    ],
)
def test_a_body_that_is_no_json_is_kept_as_text(member: str, key: str) -> None:
    event = replace(Event(annotations={"z": "1"}), **{member: b"kind: Pod\xff\n"})

    members = decoded(encode.json_line(event))

    assert members[key] == "kind: Pod\ufffd\n"
    note = f"auditring.io/{key.removesuffix('Object')}-object"
    assert members["annotations"] == {note: "kept-as-text", "z": "1"}


def test_bytes_that_are_no_utf8_are_replaced_in_a_body() -> None:
    event = Event(response_object=b'{"a":"\xff<\xc3"}')

    line = encode.json_line(event)

    assert rb'"responseObject":{"a":"\ufffd\u003c\ufffd"}' in line
    note = decoded(line)["annotations"]["auditring.io/response-object"]
    assert note == "invalid-utf8-replaced"


def test_strict_bodies_are_as_kubernetes_has_them() -> None:
    line = encode.json_line(Event(request_object=b'"\xff"'), strict=True)

    assert b'"requestObject":"\xff"' in line
    with pytest.raises(EventError, match=r"^requestObject: not JSON: byte 1 of 2$"):
        encode.json_line(Event(request_object=b"{,"), strict=True)


def test_maps_are_sorted_by_the_bytes_of_their_keys() -> None:
    event = Event(annotations={"\uffff": "", "\U00010000": "", "\udc80": "", "é": ""})

    line = encode.json_line(event)

    order = line[line.index(b'"annotations"') :]
    assert order.index(rb'"\ufffd"') < order.index("é".encode())
    assert order.index("\uffff".encode()) < order.index("\U00010000".encode())


@pytest.mark.parametrize(
    "event",
    [
        Event(verb=5),  # type: ignore[arg-type]
        Event(annotations={"a": None}),  # type: ignore[dict-item]
        Event(source_ips=(b"::1",)),  # type: ignore[arg-type]
        Event(request_object="{}"),  # type: ignore[arg-type]
        Event(response_status=Status(code="200")),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_the_wrong_type_is_a_type_error(event: Event) -> None:
    with pytest.raises(TypeError):
        encode.json_line(event)


def test_a_list_holds_events_without_their_type() -> None:
    text = encode.event_list([Event(audit_id="1"), Event(audit_id="2")])

    assert text.startswith(
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"l'
    )
    assert text.endswith(b"}]}\n")
    assert [item["auditID"] for item in decoded(text)["items"]] == ["1", "2"]
    assert all("kind" not in item for item in decoded(text)["items"])


@given(st.lists(events(), max_size=3))
def test_a_list_of_lines_is_the_list_of_their_events(them: list[Event]) -> None:
    lines = [encode.json_line(event) for event in them]

    assert encode.list_of_lines(lines) == encode.event_list(them)


def test_a_list_takes_bare_lines_as_they_are() -> None:
    lines = [encode.json_line(Event(), bare=True)]

    assert encode.list_of_lines(lines) == encode.event_list([Event()])


def test_an_empty_list_is_null_as_in_go() -> None:
    assert decoded(encode.event_list([]))["items"] is None


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            Event(),
            '0001-01-01T00:00:00Z AUDIT: id="" stage="" ip="<unknown>" method="" '
            'user="<none>" groups="<none>" as="<self>" asgroups="<lookup>" '
            'user-agent="" namespace="<none>" uri="" response="<deferred>"\n',
        ),
        (
            Event(
                audit_id='"\\\a\v\x01\x7f\xa0\u200b\U000e0001\udcff\ud800é',
                user=UserInfo("u", groups=('"', "b")),
                impersonated_user=UserInfo("", groups=("c",)),
                source_ips=("::1", "::2"),
                object_ref=ObjectReference(namespace="n"),
                response_status=Status(),
                request_received_timestamp=MicroTime(1_500_000),
            ),
            r'1970-01-01T00:00:01.5Z AUDIT: id="\"\\\a\v\x01\x7f\u00a0\u200b'
            '\\U000e0001\\xff\ufffdé" stage="" ip="::1" method="" user="u" '
            r'groups="\"\\\"\",\"b\"" as="" asgroups="\"c\"" user-agent="" '
            'namespace="n" uri="" response="0"\n',
        ),
        (
            Event(impersonated_user=UserInfo("x", lists_groups=True)),
            '0001-01-01T00:00:00Z AUDIT: id="" stage="" ip="<unknown>" method="" '
            'user="<none>" groups="<none>" as="x" asgroups="" '
            'user-agent="" namespace="<none>" uri="" response="<deferred>"\n',
        ),
    ],
)
def test_the_legacy_text_is_quoted_as_go_does(event: Event, text: str) -> None:
    assert encode.legacy_line(event).decode() == text


@given(events())
def test_the_legacy_text_is_one_line(event: Event) -> None:
    line = encode.legacy_line(event)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")

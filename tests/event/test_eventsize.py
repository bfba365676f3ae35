"""A line fits its reader, and the event is never dropped for it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from some_events import STRINGS, events

from auditring import encode
from auditring.event import Event, ObjectReference, UserInfo
from auditring.event.eventsize import MAX_EVENT_BYTES, MIN_EVENT_BYTES, sized_line
from auditring.event.status import Status, StatusCause, StatusDetails

LIMIT = 20_000
BIG = b'"' + b"x" * LIMIT + b'"'
SMALL = b'{"a":1}'
MANAGED = b'{"metadata":{"managedFields":' + BIG + b'},"spec":1}'


def members_of(event: Event, limit: int = LIMIT) -> dict[str, Any]:
    """Return what an event's line of this size holds."""
    line = sized_line(event, limit)
    assert len(line) <= limit
    members: dict[str, Any] = json.loads(line)
    return members


@pytest.mark.parametrize("limit", [None, LIMIT])
def test_an_event_that_fits_stays_as_it_is(limit: int | None) -> None:
    event = Event(request_object=MANAGED[:100])

    assert sized_line(event, limit) == encode.json_line(event)


def test_without_a_limit_nothing_is_too_long() -> None:
    event = Event(request_object=BIG)

    assert sized_line(event, None) == encode.json_line(event)


def test_managed_fields_go_first() -> None:
    event = Event(verb="patch", request_object=MANAGED, response_object=MANAGED)

    members = members_of(event)

    assert members["requestObject"] == {"metadata": {}, "spec": 1}
    assert members["responseObject"] == {"metadata": {}, "spec": 1}
    assert members["annotations"] == {"auditring.io/shortened": "managedFields"}


def test_the_answer_goes_before_the_request() -> None:
    event = Event(request_object=SMALL, response_object=BIG)

    members = members_of(event)

    assert members["requestObject"] == {"a": 1}
    assert "responseObject" not in members
    assert members["annotations"] == {
        "audit.k8s.io/truncated": "true",
        "audit.platform.vcluster.com/response-object-omitted": "too-large",
    }


def test_the_request_goes_when_it_is_what_is_too_long() -> None:
    event = Event(request_object=BIG, response_object=BIG, annotations={"a": "b"})

    members = members_of(event)

    assert not members.keys() & {"requestObject", "responseObject"}
    assert members["annotations"] == {
        "a": "b",
        "audit.k8s.io/truncated": "true",
        "audit.platform.vcluster.com/request-object-omitted": "too-large",
        "audit.platform.vcluster.com/response-object-omitted": "too-large",
    }


def test_long_strings_lose_their_ends_and_are_named() -> None:
    event = Event(
        request_uri="/" + "<" * 10_000,
        verb="get",
        user=UserInfo("u" * 30_000),
        object_ref=ObjectReference(name="n"),
    )

    members = members_of(event)

    assert members["requestURI"] == "/" + "<" * (4095 // 6) + "...TRUNCATED"
    assert members["user"] == {"username": "u" * 4096 + "...TRUNCATED"}
    assert members["verb"] == "get"
    assert members["objectRef"] == {"name": "n"}
    assert members["annotations"] == {"auditring.io/shortened": "requestURI,user"}


def test_long_lists_and_maps_lose_items() -> None:
    event = Event(
        source_ips=("::1",) * 10_000,
        annotations={f"key-{i:04}": "v" for i in range(2_000)},
    )

    members = members_of(event)

    assert members["sourceIPs"] == ["::1"] * 100
    assert len(members["annotations"]) == 101
    assert members["annotations"]["auditring.io/shortened"] == "sourceIPs,annotations"


def test_the_worst_of_events_fits_the_smallest_limit() -> None:
    bad = "\x00" * 500
    strings = (bad,) * 20
    user = UserInfo(bad, bad, strings, {f"{i}{bad}": strings for i in range(20)})
    names = ("resource", "namespace", "name", "uid", "api_group", "api_version")
    causes = (StatusCause(reason=bad, message=bad, field=bad),) * 20
    details = StatusDetails(name=bad, group=bad, kind=bad, uid=bad, causes=causes)
    event = Event(
        level=bad,
        audit_id=bad,
        stage=bad,
        request_uri=bad,
        verb=bad,
        user=user,
        impersonated_user=user,
        source_ips=strings,
        user_agent=bad,
        object_ref=ObjectReference(**dict.fromkeys(names, bad)),
        response_status=Status(status=bad, message=bad, reason=bad, details=details),
        request_object=MANAGED,
        response_object=BIG,
        annotations={f"{i}{bad}": bad for i in range(20)},
    )

    members = members_of(event, MIN_EVENT_BYTES)

    assert members["auditID"].startswith("\x00")
    shortened = members["annotations"]["auditring.io/shortened"]
    assert shortened.startswith("managedFields,level,auditID,stage,requestURI,verb")


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(events(STRINGS, st.none() | st.just(MANAGED) | st.just(BIG) | st.just(b"{")))
def test_every_line_fits_and_is_an_event(event: Event) -> None:
    line = sized_line(event, MIN_EVENT_BYTES)

    assert len(line) <= MIN_EVENT_BYTES
    assert json.loads(line)["kind"] == "Event"


def test_the_limits_of_readers_have_names() -> None:
    assert MAX_EVENT_BYTES["none"] is None
    assert MAX_EVENT_BYTES["fluent-bit"] == 32_000


def test_a_limit_that_no_event_may_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_bytes: expected at least 16384"):
        sized_line(Event(request_object=BIG), 16_383)


def test_what_a_sender_writes_does_not_push_out_the_peer() -> None:
    forged = tuple(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(5000))
    event = Event(audit_id="1", source_ips=(*forged, "192.0.2.7", "192.0.2.8"))

    found = Event.from_json(sized_line(event, MIN_EVENT_BYTES))

    assert found.source_ips[-2:] == ("192.0.2.7", "192.0.2.8")
    assert "sourceIPs" in found.annotations["auditring.io/shortened"]


def test_a_long_list_of_groups_keeps_its_last() -> None:
    asked_for = tuple(f"team-{number}" for number in range(5000))
    groups = ("first", *asked_for, "system:authenticated")
    event = Event(audit_id="1", user=UserInfo("alice", groups=groups))

    found = Event.from_json(sized_line(event, MIN_EVENT_BYTES))

    assert found.user.groups[0] == "first"
    assert found.user.groups[-1] == "system:authenticated"

import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum

import pytest
from eventlog import policy_of

from auditring.encode import json_line
from auditring.event import Event, Level, ObjectReference, UserInfo
from auditring.event.status import Status
from auditring.policy import Policy
from auditring.policy.decisions import Decision
from auditring.records.event import RecordReading

EVERYTHING = Decision(Level.REQUEST_RESPONSE, frozenset(), False, -1)
PREFIX = "log.auditring.io/"
LOGGER_PATH = "/apis/log.auditring.io/v1/namespaces/shop/loggers/shop.orders/warning"


def record_of(
    msg: object = "hello %s",
    args: tuple[object, ...] = ("you",),
    /,
    **fields: object,
) -> logging.LogRecord:
    """Return a record as a logger makes it, with *fields* as its ``extra=``."""
    record = logging.LogRecord(
        "shop.orders", logging.WARNING, "shop.py", 7, msg, args, None
    )
    vars(record).update(fields)
    return record


def event_of(record: logging.LogRecord, level: Level = Level.REQUEST_RESPONSE) -> Event:
    """Return the event, having been a line in between."""
    reading = RecordReading(record)
    decision = Decision(level, frozenset(), False, -1)
    event = reading.event(decision, reading.message())
    return Event.from_json(json_line(event))


def rest_of(event: Event) -> dict[str, str]:
    """Return the annotations that go by the names of fields."""
    return {
        key: text
        for key, text in event.annotations.items()
        if not key.startswith(PREFIX)
    }


def test_a_plain_record_is_an_event_of_its_logger() -> None:
    record = record_of()
    record.created = 1_700_000_000.25

    event = event_of(record)

    assert event.stage == "ResponseComplete"
    assert event.verb == "create"
    assert event.request_uri == LOGGER_PATH
    assert event.user == UserInfo()
    assert event.object_ref == ObjectReference(
        resource="loggers",
        namespace="shop",
        name="shop.orders",
        api_group="log.auditring.io",
        api_version="v1",
        subresource="warning",
    )
    assert event.response_status is None
    assert uuid.UUID(event.audit_id).version == 4
    assert str(event.stage_timestamp) == "2023-11-14T22:13:20.250000Z"
    assert event.request_received_timestamp == event.stage_timestamp
    assert event.annotations == {
        PREFIX + "logger": "shop.orders",
        PREFIX + "level": "WARNING",
        PREFIX + "message": "hello you",
    }


@pytest.mark.parametrize(
    ("field", "value", "member", "expected"),
    [
        ("user", "alice", "user", UserInfo("alice")),
        ("user", UserInfo("alice", "7"), "user", UserInfo("alice", "7")),
        (
            "user",
            {"name": "alice", "groups": ["dev"], "extra": {"scope": ["a", 1]}},
            "user",
            UserInfo("alice", "", ("dev",), {"scope": ("a", "1")}),
        ),
        ("user", 7, "user", UserInfo("7")),
        ("impersonatedUser", "bob", "impersonated_user", UserInfo("bob")),
        ("verb", "delete", "verb", "delete"),
        ("audit_id", "a-1", "audit_id", "a-1"),
        ("auditID", "a-1", "audit_id", "a-1"),
        ("request_uri", "/health?a=b", "request_uri", "/health?a=b"),
        ("requestURI", "not a path", "request_uri", "not a path"),
        ("source_ips", "10.0.0.1", "source_ips", ("10.0.0.1",)),
        ("sourceIPs", ["10.0.0.1", "::1"], "source_ips", ("10.0.0.1", "::1")),
        ("user_agent", "curl", "user_agent", "curl"),
        ("response_status", 404, "response_status", Status(code=404)),
        ("status_code", 404, "response_status", Status(code=404)),
        (
            "responseStatus",
            {"code": 404, "reason": "NotFound"},
            "response_status",
            Status(code=404, reason="NotFound"),
        ),
        ("response_status", Status(code=1), "response_status", Status(code=1)),
        ("request_object", {"a": [1]}, "request_object", b'{"a":[1]}'),
        ("requestObject", b'{"a" : 1}', "request_object", b'{"a":1}'),
        ("response_object", "text", "response_object", b'"text"'),
    ],
)
def test_a_field_with_the_name_of_a_member_is_it(
    field: str, value: object, member: str, expected: object
) -> None:
    event = event_of(record_of(**{field: value}))

    assert getattr(event, member) == expected
    assert rest_of(event) == {}


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("verb", 7, "7"),
        ("user", {"surname": "x"}, '{"surname":"x"}'),
        ("user", {"groups": "dev"}, '{"groups":"dev"}'),
        ("object_ref", "orders", "orders"),
        ("object_ref", {"kind": "Order"}, '{"kind":"Order"}'),
        ("object_ref", {1: "Order"}, '{"1":"Order"}'),
        ("source_ips", 7, "7"),
        ("status_code", True, "true"),
        ("status_code", -1, "-1"),
        ("status_code", 2**31, "2147483648"),
        ("response_status", "OK", "OK"),
        ("response_status", {"kode": 1}, '{"kode":1}'),
        ("annotations", [1, 2], "[1,2]"),
    ],
)
def test_a_value_that_does_not_fit_is_an_annotation(
    field: str, value: object, text: str
) -> None:
    event = event_of(record_of(**{field: value}))

    assert rest_of(event) == {field: text}


def test_a_member_that_is_given_twice_is_an_annotation_the_second_time() -> None:
    event = event_of(record_of(audit_id="one", auditID="two"))

    assert event.audit_id == "one"
    assert rest_of(event) == {"auditID": "two"}


def test_a_path_of_a_resource_is_an_object_reference() -> None:
    target = "/apis/shop.example/v1/namespaces/eu/orders/17/status?dry=1"

    event = event_of(record_of(request_uri=target, verb="patch"))

    assert event.request_uri == target
    assert event.object_ref == ObjectReference(
        resource="orders",
        namespace="eu",
        name="17",
        api_group="shop.example",
        api_version="v1",
        subresource="status",
    )


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ({"resource": "nodes", "name": "n1"}, "/api/v1/nodes/n1"),
        (
            {"apiGroup": "g", "apiVersion": "v2", "namespace": "x", "resource": "r"},
            "/apis/g/v2/namespaces/x/r",
        ),
        (
            ObjectReference(resource="r", name="a/b", subresource="log"),
            "/api/v1/r/a%2Fb/log",
        ),
    ],
)
def test_an_object_reference_has_a_path(reference: object, target: str) -> None:
    event = event_of(record_of(object_ref=reference))

    assert event.request_uri == target
    assert event.object_ref is not None
    assert event.object_ref.resource in target


@pytest.mark.parametrize(
    ("level", "has_request", "has_response"),
    [
        (Level.METADATA, False, False),
        (Level.REQUEST, True, False),
        (Level.REQUEST_RESPONSE, True, True),
    ],
)
def test_bodies_are_there_from_their_level_on(
    level: Level, has_request: bool, has_response: bool
) -> None:
    record = record_of(request_object={"a": 1}, response_object={"b": 2}, order=17)

    event = event_of(record, level)

    assert (event.request_object is not None) == has_request
    assert (event.response_object is not None) == has_response
    assert event.level == level
    assert rest_of(event) == {"order": "17"}


def test_managed_fields_are_left_out_where_the_policy_says_so() -> None:
    body = {"metadata": {"name": "x", "managedFields": [{"manager": "kubectl"}]}}
    reading = RecordReading(record_of(request_object=body))

    event = reading.event(Decision(Level.REQUEST, frozenset(), True, 0), "")

    assert event.request_object == b'{"metadata":{"name":"x"}}'


# Exceptions and traces.


@pytest.mark.parametrize(
    ("fields", "code"), [({}, 500), ({"status_code": 409}, 409)], ids=str
)
def test_an_exception_is_a_failure(fields: dict[str, object], code: int) -> None:
    record = record_of(**fields)
    record.exc_info = (KeyError, KeyError("shelf"), None)

    event = event_of(record)

    assert event.response_status == Status(
        code=code, status="Failure", reason="KeyError", message="'shelf'"
    )


def test_a_status_that_is_given_wins_over_an_exception() -> None:
    record = record_of(response_status=200)
    record.exc_info = (KeyError, KeyError("shelf"), None)

    assert event_of(record).response_status == Status(code=200)


TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    "fields",
    [
        {"otelTraceID": TRACE, "otelSpanID": SPAN},
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"traceparent": f"cc-{TRACE}-{SPAN}-01-what-the-future-holds"},
        {"otelTraceID": "0", "otelSpanID": "0", "traceparent": f"00-{TRACE}-{SPAN}-00"},
    ],
)
def test_trace_and_span_are_found(fields: dict[str, object]) -> None:
    event = event_of(record_of(**fields))

    assert event.annotations[PREFIX + "trace-id"] == TRACE
    assert event.annotations[PREFIX + "span-id"] == SPAN
    assert rest_of(event) == {}


@pytest.mark.parametrize(
    "traceparent",
    [
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        "",
    ],
)
def test_what_is_no_traceparent_stays_what_it_is(traceparent: str) -> None:
    event = event_of(record_of(traceparent=traceparent))

    assert PREFIX + "trace-id" not in event.annotations
    assert rest_of(event) == {"traceparent": traceparent}


# Odd fields.


class Rude:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Color(Enum):
    RED = "red"


def cyclic() -> list[object]:
    items: list[object] = [1]
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("ä\n<>", "ä\n<>"),
        ("\ud800", "?"),
        (17, "17"),
        (True, "true"),
        (None, "null"),
        (float("nan"), "null"),
        (10**30, str(10**30)),
        ({"a": [1, {2}]}, '{"a":[1,[2]]}'),
        ({1: 2}, '{"1":2}'),
        (b"bytes", "bytes"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (Color.RED, "red"),
        (Rude(), "Rude"),
        (cyclic(), '[1,"…"]'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_becomes_text(value: object, text: str) -> None:
    event = event_of(record_of(field=value))

    assert rest_of(event) == {"field": text}


@pytest.mark.parametrize(
    ("key", "name"), [(1, "1"), (None, "null"), ("\ud800", "?"), (("a", 1), '["a",1]')]
)
def test_any_key_becomes_text(key: object, name: str) -> None:
    record = record_of()
    vars(record)[key] = "x"  # type: ignore[index]  # nor does logging look at it

    assert rest_of(event_of(record)) == {name: "x"}


def test_fields_whose_names_become_the_same_are_all_kept() -> None:
    record = record_of(annotations={"1": "a", PREFIX + "message": "mine"})
    vars(record)[1] = "b"
    vars(record)["1"] = "c"

    event = event_of(record)

    assert rest_of(event) == {"1": "a", "1_": "b", "1__": "c"}
    assert event.annotations[PREFIX + "message"] == "hello you"
    assert event.annotations[PREFIX + "message_"] == "mine"


def test_values_that_json_has_no_form_for_are_counted() -> None:
    reading = RecordReading(record_of(good=1, bad=float("nan"), worse=Rude()))

    reading.event(EVERYTHING, "")

    assert reading.coerced_values == 2


def test_an_exception_without_a_text_is_still_one() -> None:
    class RudeError(Exception, Rude):
        __str__ = Rude.__str__

    record = record_of()
    record.exc_info = (RudeError, RudeError(), None)

    status = event_of(record).response_status

    assert status is not None
    assert (status.reason, status.message) == ("RudeError", "")


# Messages that are mappings.


@pytest.mark.parametrize("key", ["event", "message"])
def test_a_mapping_is_fields_and_a_text(key: str) -> None:
    message = {key: "sold", "user": "alice", "order": 17}

    event = event_of(record_of(message, (), _logger=Rude(), _name="x"))

    assert event.user.username == "alice"
    assert event.annotations[PREFIX + "message"] == "sold"
    assert rest_of(event) == {"order": "17"}


def test_a_mapping_without_a_text_is_only_fields() -> None:
    event = event_of(record_of({"order": 17}, ()))

    assert PREFIX + "message" not in event.annotations
    assert rest_of(event) == {"order": "17"}


# Policies.


def decisions() -> Iterator[tuple[dict[str, object], dict[str, object], str]]:
    metadata = "Metadata"
    for resource, level in (
        ("loggers/warning", metadata),
        ("loggers/info", "None"),
        ("loggers/*", metadata),
        ("*/warning", metadata),
    ):
        entry = {"group": "log.auditring.io", "resources": [resource]}
        yield {"resources": [entry]}, {}, level
    for name, level in (("shop.orders", metadata), ("shop", "None")):
        entry = {
            "group": "log.auditring.io",
            "resources": ["*"],
            "resourceNames": [name],
        }
        yield {"resources": [entry]}, {}, level
    yield {"namespaces": ["shop"]}, {}, metadata
    yield {"verbs": ["create"]}, {}, metadata
    yield {"verbs": ["delete"]}, {"verb": "delete"}, metadata
    yield {"nonResourceURLs": ["/health*"]}, {"request_uri": "/healthz"}, metadata
    yield {"users": ["alice"]}, {"user": "alice"}, metadata
    yield {"users": ["alice"]}, {"user": "bob"}, "None"
    yield {"userGroups": ["dev"]}, {"user": {"groups": ["dev"]}}, metadata
    orders = {"resources": [{"group": "shop", "resources": ["orders"]}]}
    target = "/apis/shop/v1/namespaces/eu/orders/17"
    yield orders, {"request_uri": target}, metadata
    yield orders, {"object_ref": {"apiGroup": "shop", "resource": "orders"}}, metadata
    yield orders, {"object_ref": {"resource": "orders"}}, "None"
    yield {"namespaces": ["eu"]}, {"request_uri": target}, metadata


@pytest.mark.parametrize(("rule", "fields", "level"), [*decisions()])
def test_a_policy_decides_by_what_a_record_says(
    rule: dict[str, object], fields: dict[str, object], level: str
) -> None:
    policy = policy_of(**rule)

    reading = RecordReading(record_of(**fields))

    assert policy.evaluate(reading.attributes).level == level


@pytest.mark.parametrize("preset", [1, 2, 3, 4])
def test_the_presets_of_loft_record_plain_records(preset: int) -> None:
    reading = RecordReading(record_of())

    decision = Policy.preset(preset).evaluate(reading.attributes)

    assert decision.level.at_least(Level.REQUEST)
    assert "ResponseComplete" not in decision.omit_stages

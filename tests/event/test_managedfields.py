"""Managed fields go, from objects, lists and tables, and nothing else does."""

import pytest
from hypothesis import given
from some_events import BODIES

from auditring.event import Event, rawjson
from auditring.event.managedfields import (
    event_without_managed_fields,
    without_managed_fields,
)

META = b'{"name":"x","managedFields":[{"manager":"kubectl"}],"uid":"u"}'
BARE = b'{"name":"x","uid":"u"}'


@pytest.mark.parametrize(
    "pattern",
    [
        b'{"kind":"Pod","metadata":%b,"spec":{"n":1.0}}',
        b'{"metadata":{"managedFields":[]},"metadata":%b}',
        b'{"kind":"PodList","metadata":{},"items":[{"metadata":%b},{"metadata":%b},1]}',
        b'{"rows":[{"cells":["x"],"object":{"kind":"P","metadata":%b}},2],"kind":"Table"}',
    ],
)
def test_managed_fields_are_taken_out(pattern: bytes) -> None:
    count = pattern.count(b"%b")
    body = pattern % ((META,) * count)

    changed = without_managed_fields(body)

    assert changed == (pattern % ((BARE,) * count)).replace(b'"managedFields":[]', b"")


@pytest.mark.parametrize(
    "body",
    [
        b'{"managedFields":[1]}',
        b'{"spec":{"metadata":{"managedFields":[1]}}}',
        b'{"kind":"Rows","rows":[{"object":{"metadata":{"managedFields":[1]}}}]}',
        b'{"items":{"metadata":{"managedFields":[1]}}}',
        b'{"metadata":"managedFields"}',
        b'[{"metadata":{"managedFields":[1]}}]',
        b"managedFields: []",
        b'{ "managedFields" : 1 }',
        b'"managedFields"',
    ],
)
def test_what_has_another_place_stays(body: bytes) -> None:
    assert without_managed_fields(body) is body


def test_a_name_spelled_with_escapes_is_found() -> None:
    body = rb'{"m\u0065tadata":{"managed\u0046ields":[1],"a":"\u0062"}}'

    assert without_managed_fields(body) == rb'{"m\u0065tadata":{"a":"\u0062"}}'


@given(BODIES.filter(bool))
def test_other_bodies_stay_as_they_are(body: bytes) -> None:
    assert without_managed_fields(body) is body


def test_an_event_loses_them_in_both_objects() -> None:
    body = b'{"metadata":{"managedFields":[]}}'
    event = Event(verb="update", request_object=body, response_object=body)

    changed = event_without_managed_fields(event)

    assert changed.request_object == changed.response_object == b'{"metadata":{}}'


def test_a_patch_is_recorded_as_it_was_sent() -> None:
    body = b'{"metadata":{"managedFields":[]}}'
    event = Event(verb="patch", request_object=body, response_object=body)

    changed = event_without_managed_fields(event)

    assert changed.request_object == body
    assert changed.response_object == b'{"metadata":{}}'


def test_an_event_without_any_is_the_same_event() -> None:
    event = Event(verb="get", response_object=rawjson.quote("x"))

    assert event_without_managed_fields(event) is event

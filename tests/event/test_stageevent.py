"""A stage of a request becomes the same line with and without an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_events import STRINGS, users

from auditring import encode
from auditring.event import Event, Level, ObjectReference, Stage, UserInfo
from auditring.event.microtime import MicroTime
from auditring.event.stage import stage_event, stage_line
from auditring.event.status import Status
from auditring.request.attributes import Attributes

ATTRIBUTES = st.builds(
    Attributes,
    is_resource_request=st.booleans(),
    verb=STRINGS,
    api_group=STRINGS,
    api_version=STRINGS,
    namespace=STRINGS,
    resource=STRINGS,
    subresource=STRINGS,
    name=STRINGS,
    user=st.none() | users(STRINGS),
    impersonated_user=st.none() | users(STRINGS),
    request_uri=STRINGS,
    source_ips=st.lists(STRINGS, max_size=2).map(tuple),
    user_agent=STRINGS,
    audit_id=STRINGS,
)


@given(
    attributes=ATTRIBUTES,
    level=st.sampled_from(Level) | STRINGS,
    stage=st.sampled_from(Stage) | STRINGS,
    received_ns=st.integers(-(2**63), 2**63 - 1),
    stage_ns=st.integers(-(2**63), 2**63 - 1),
    code=st.none() | st.integers(-(2**31), 2**31 - 1),
    annotations=st.none() | st.dictionaries(STRINGS, STRINGS, max_size=3),
)
def test_the_line_is_that_of_the_event(**arguments: object) -> None:
    line = stage_line(**arguments)  # type: ignore[arg-type]

    event = stage_event(**arguments)  # type: ignore[arg-type]
    assert line == encode.json_line(event)


@pytest.mark.parametrize("is_resource", [True, False])
def test_an_event_holds_what_is_known_of_the_request(is_resource: bool) -> None:
    user = UserInfo("alice")
    attributes = Attributes(
        is_resource_request=is_resource,
        verb="get",
        resource="pods",
        name="x",
        api_group="g",
        api_version="v1",
        user=user,
        impersonated_user=UserInfo("bob"),
        audit_id="id",
        source_ips=("::1",),
    )

    event = stage_event(
        attributes, Level.METADATA, Stage.PANIC, 1999, 2000, 200, {"a": "b"}
    )

    reference = ObjectReference(
        resource="pods", name="x", api_group="g", api_version="v1"
    )
    assert event == Event(
        level="Metadata",
        audit_id="id",
        stage="Panic",
        verb="get",
        user=user,
        source_ips=("::1",),
        object_ref=reference if is_resource else None,
        response_status=Status(code=200),
        request_received_timestamp=MicroTime(1),
        stage_timestamp=MicroTime(2),
        annotations={"a": "b"},
    )


def test_of_an_unknown_user_and_before_the_answer_there_is_nothing() -> None:
    event = stage_event(Attributes(), "", "", 0, 0)

    assert event.user == UserInfo()
    assert event.response_status is None
    assert event.annotations == {}


def test_a_time_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        stage_line(Attributes(), "", "", 2**63, 0)


def test_a_value_of_the_wrong_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="expected a string, got 5"):
        stage_line(Attributes(verb=5), "", "", 0, 0)  # type: ignore[arg-type]

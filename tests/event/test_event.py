"""Events are read as Kubernetes' decoder reads them, and a little beyond it."""

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring import encode
from auditring.errors import EventError
from auditring.event import (
    AuthenticationMetadata,
    Event,
    Level,
    ObjectReference,
    UserInfo,
)
from auditring.event.microtime import MicroTime
from auditring.event.status import ListMeta, Status, StatusCause, StatusDetails

TYPE = '"kind":"Event","apiVersion":"audit.k8s.io/v1"'


def read(members: str, *, strict: bool = True) -> Event:
    """Read an event of v1 with these further members."""
    return Event.from_json(f"{{{TYPE},{members}}}", strict=strict)


def refusal(text: str | bytes, *, strict: bool = False) -> str:
    """Return what is said about text that is no event."""
    with pytest.raises(EventError) as caught:
        Event.from_json(text, strict=strict)
    return str(caught.value)


def test_an_event_is_immutable() -> None:
    event = Event()

    with pytest.raises(FrozenInstanceError):
        event.verb = "get"  # type: ignore[misc]


def test_a_level_and_a_stage_compare_with_what_was_read() -> None:
    assert read('"level":"Metadata"').level == Level.METADATA
    assert read('"level":"new"').level == "new"


def test_names_are_matched_exactly_and_unknown_members_passed_over() -> None:
    event = read('"Level":"Request","AuditID":"x","new":[1,{"a":null}],"verb":"get"')

    assert event == Event(verb="get")


def test_a_name_may_be_spelled_with_escapes() -> None:
    assert read(r'"\u0076erb":"get"').verb == "get"


def test_blanks_and_a_newline_don_t_matter() -> None:
    text = f' {{ {TYPE} ,\n"verb" :\t"get" , "user":{{ "username" : "u" }} }}\r\n'

    assert Event.from_json(text) == Event(verb="get", user=UserInfo("u"))


def test_null_leaves_texts_and_structs_and_empties_the_rest() -> None:
    event = read(
        '"verb":"get","verb":null,"user":{"username":"u"},"user":null,'
        '"objectRef":{"name":"n"},"objectRef":null,"sourceIPs":["a"],"sourceIPs":null,'
        '"annotations":{"a":"b"},"annotations":null,"requestObject":1,'
        '"requestObject":null,"responseStatus":{"code":1,"code":null}'
    )

    expected = Event(verb="get", user=UserInfo("u"), response_status=Status(code=1))
    assert event == expected


def test_null_among_strings_is_an_empty_one() -> None:
    event = read('"sourceIPs":[null,"a"],"annotations":{"k":null}')

    assert event == Event(source_ips=("", "a"), annotations={"k": ""})


def test_null_for_a_list_of_extra_values_stays_null() -> None:
    event = read('"user":{"extra":{"a":null,"b":[],"c":[null]}}')

    assert event.user.extra == {"a": None, "b": (), "c": ("",)}
    assert b'"extra":{"a":null,"b":[],"c":[""]}' in encode.json_line(event)


def test_a_member_that_comes_twice_adds_to_the_first() -> None:
    event = read(
        '"verb":"get","verb":"list",'
        '"objectRef":{"name":"n","uid":"u"},"objectRef":{"name":"m"},'
        '"annotations":{"a":"1","b":"2"},"annotations":{"b":"3"},'
        '"sourceIPs":["x","y"],"sourceIPs":[null],'
        '"responseStatus":{"details":{"causes":[{"reason":"r"},{}]}},'
        '"responseStatus":{"details":{"causes":[{"field":"f"}]}},'
        '"requestObject":{"a":1},"requestObject":{"b":2}'
    )

    cause = StatusCause(reason="r", field="f")
    assert event == Event(
        verb="list",
        object_ref=ObjectReference(name="m", uid="u"),
        annotations={"a": "1", "b": "3"},
        source_ips=("x",),
        response_status=Status(details=StatusDetails(causes=(cause,))),
        request_object=b'{"b":2}',
    )


def test_everything_is_read() -> None:
    event = read(
        '"level":"Request","auditID":"a","stage":"Panic","requestURI":"/","verb":"get",'
        '"user":{"username":"u","uid":"1","groups":["g"],"extra":{"k":["v"]}},'
        '"impersonatedUser":{"username":"i"},'
        '"authenticationMetadata":{"impersonationConstraint":"c"},'
        '"sourceIPs":["::1"],"userAgent":"ua",'
        '"objectRef":{"resource":"r","namespace":"ns","name":"n","uid":"2",'
        '"apiGroup":"ag","apiVersion":"v1","resourceVersion":"3","subresource":"s"},'
        '"responseStatus":{"kind":"Status","apiVersion":"v1","metadata":{"selfLink":"l",'
        '"resourceVersion":"4","continue":"ct","remainingItemCount":-9223372036854775808,'
        '"shardInfo":{"selector":"sh"}},"status":"Failure","message":"m","reason":"re",'
        '"details":{"name":"n","group":"g","kind":"k","uid":"5","causes":[{"reason":"r",'
        '"message":"m","field":"f"}],"retryAfterSeconds":6},"code":-2147483648},'
        '"requestObject":{"a":[1.50]},"responseObject":"x",'
        '"requestReceivedTimestamp":"2026-11-22T00:41:36.000120Z",'
        '"stageTimestamp":"2026-11-22T00:41:36.000121Z","annotations":{"k":"v"}'
    )

    assert set(json.loads(encode.json_line(event))) == {
        *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb"),
        *("user", "impersonatedUser", "authenticationMetadata", "sourceIPs"),
        *("userAgent", "objectRef", "responseStatus", "requestObject"),
        *("responseObject", "requestReceivedTimestamp", "stageTimestamp"),
        "annotations",
    }
    assert Event.from_json(encode.json_line(event)) == event
    assert event.authentication_metadata == AuthenticationMetadata(
        impersonation_constraint="c"
    )
    assert event.response_status is not None
    assert event.response_status.metadata != ListMeta()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ('"verb":5', "verb: expected a string, got 5"),
        ('"verb":{}', "verb: expected a string, got {}"),
        ('"user":[]', "user: expected an object, got []"),
        ('"user":{"groups":"a"}', 'user.groups: expected a list, got "a"'),
        ('"user":{"groups":["a",1]}', "user.groups[1]: expected a string, got 1"),
        ('"user":{"extra":{"k":"v"}}', "user.extra['k']: expected a list, got \"v\""),
        ('"sourceIPs":"1.2.3.4"', 'sourceIPs: expected a list, got "1.2.3.4"'),
        ('"annotations":[]', "annotations: expected an object, got []"),
        ('"objectRef":true', "objectRef: expected an object, got true"),
        (
            '"responseStatus":{"code":200.0}',
            "responseStatus.code: expected a whole number of 32 bits, got 200.0",
        ),
        (
            '"responseStatus":{"code":2147483648}',
            "responseStatus.code: expected a whole number of 32 bits, got 2147483648",
        ),
        (
            f'"responseStatus":{{"code":{"9" * 5000}}}',
            "responseStatus.code: expected a whole number of 32 bits, got "
            f"{'9' * 60}...",
        ),
        (
            '"responseStatus":{"details":{"causes":[{},{"field":0}]}}',
            "responseStatus.details.causes[1].field: expected a string, got 0",
        ),
        ('"stageTimestamp":5', "stageTimestamp: expected a string, got 5"),
        (
            '"stageTimestamp":"2026-01-01T00:00:00.123Z"',
            "stageTimestamp: not a time of the form wanted here: "
            "'2026-01-01T00:00:00.123Z'",
        ),
    ],
)
def test_a_wrong_type_is_refused_by_name_and_value(members: str, message: str) -> None:
    assert refusal(f"{{{TYPE},{members}}}") == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the event: not JSON: byte 0 of 0"),
        ("{}{}", "the event: not JSON: byte 2 of 4"),
        ("[]", "the event: not a compact JSON object or array"),
        ("{\ud800}", "the event: 'utf-8' codec can't encode"),
        ('{"kind":5}', "kind: expected a string, got 5"),
        ('{"kind":"EventList"}', "kind: expected Event, got 'EventList'"),
        (
            '{"apiVersion":"v1"}',
            "apiVersion: expected audit.k8s.io/v1, got 'v1'",
        ),
    ],
)
def test_what_is_no_event_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize("name", ["Kind", "\u212aind", r"\u004bind"])
def test_kind_is_looked_for_in_any_case(name: str) -> None:
    text = f'{{"{name}":"Other","apiVersion":"audit.k8s.io/v1"}}'

    assert refusal(text, strict=True) == "kind: expected Event, got 'Other'"


def test_kind_may_be_absent() -> None:
    text = '{"apiVersion":"audit.k8s.io/v1","verb":"get"}'

    assert Event.from_json(text, strict=True) == Event(verb="get")


@pytest.mark.parametrize("version", ["", "/", "audit.loft.sh/v1"])
def test_the_bare_shape_and_loft_s_own_are_read(version: str) -> None:
    text = f'{{"apiVersion":"{version}","verb":"get"}}'

    assert Event.from_json(text) == Event(verb="get")


def test_strictly_an_event_without_version_is_empty_and_an_old_one_refused() -> None:
    assert Event.from_json('{"verb":"get"}', strict=True) == Event()
    old = '{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1"}'
    assert refusal(old, strict=True) == (
        "apiVersion: expected audit.k8s.io/v1, got 'audit.k8s.io/v1beta1'"
    )


def test_a_v1beta1_event_takes_its_times_from_where_they_were() -> None:
    text = (
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1",'
        '"metadata":{"creationTimestamp":"2018-01-02T03:04:05Z"},"level":"Metadata",'
        '"timestamp":"2018-01-02T03:04:04Z","verb":"get",'
        '"objectRef":{"apiGroup":"apps","apiVersion":"v1"}}'
    )

    event = Event.from_json(text)

    assert type(event) is Event
    assert event == Event(
        level="Metadata",
        verb="get",
        object_ref=ObjectReference(api_group="apps", api_version="v1"),
        request_received_timestamp=MicroTime.parse_rfc3339("2018-01-02T03:04:04Z"),
        stage_timestamp=MicroTime.parse_rfc3339("2018-01-02T03:04:05Z"),
    )


def test_a_v1beta1_event_prefers_its_newer_times() -> None:
    text = (
        '{"apiVersion":"audit.k8s.io/v1beta1","timestamp":"2018-01-02T03:04:04Z",'
        '"metadata":{"creationTimestamp":null},'
        '"requestReceivedTimestamp":"2018-01-02T03:04:04.123456Z"}'
    )

    event = Event.from_json(text)

    assert str(event.request_received_timestamp) == "2018-01-02T03:04:04.123456Z"
    assert event.stage_timestamp is None


@pytest.mark.parametrize(
    ("written", "group", "version"),
    [("apps/v1", "apps", "v1"), ("v1", "", "v1"), ("a/b/v1", "a/b", "v1")],
)
def test_a_v1alpha1_reference_holds_the_group_in_its_version(
    written: str, group: str, version: str
) -> None:
    text = (
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1alpha1",'
        f'"objectRef":{{"name":"n","apiVersion":"{written}"}}}}'
    )

    reference = Event.from_json(text).object_ref

    expected = ObjectReference(name="n", api_group=group, api_version=version)
    assert reference == expected


# What brings a random text near to an event.
WORDS = st.sampled_from(
    [
        *("{", "}", "[", "]", ":", ",", " ", "null", "true", "5", "-1e3", '"', '"x"'),
        *('"kind":"Event"', '"apiVersion":"audit.k8s.io/v1"', '"level"', '"user":{'),
        *('"metadata":{', '"apiVersion":"audit.k8s.io/v1alpha1"', '"objectRef":{'),
        *('"responseStatus":{"code":', '"annotations":{"a":', '"sourceIPs":['),
        *(
            '"stageTimestamp":"2026-01-01T00:00:00.000000Z"',
            '"requestObject":',
            "\ud800",
        ),
    ]
)


@given(st.binary(max_size=60) | st.text() | st.lists(WORDS, max_size=30).map("".join))
def test_reading_anything_gives_an_event_or_an_event_error(text: bytes | str) -> None:
    for strict in (False, True):
        try:
            event = Event.from_json(text, strict=strict)
        except EventError:
            continue
        assert Event.from_json(encode.json_line(event)) == event


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=3,
)
MEMBERS = st.sampled_from(
    [
        *("level", "auditID", "user", "sourceIPs", "objectRef", "responseStatus"),
        *("requestObject", "stageTimestamp", "annotations", "impersonatedUser"),
        *("username", "groups", "extra", "details", "causes", "metadata", "code"),
    ]
)
NEARLY_EVENTS = st.recursive(
    JSON_VALUES, lambda inner: st.dictionaries(MEMBERS, inner), max_leaves=12
)


@given(st.dictionaries(MEMBERS, NEARLY_EVENTS))
def test_reading_odd_values_gives_an_event_or_an_event_error(
    members: dict[str, object],
) -> None:
    text = json.dumps({"apiVersion": "audit.k8s.io/v1", **members})
    try:
        event = Event.from_json(text)
    except EventError:
        return

    assert json.loads(encode.json_line(event))["apiVersion"] == "audit.k8s.io/v1"

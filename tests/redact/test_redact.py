"""What is planted as a secret reaches no output."""

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_places import (
    ANY_TEXT,
    CONFIG,
    LAST_APPLIED,
    PODS,
    SECRETS,
    WORDS,
    Place,
    body,
    pod,
    request,
    response,
    secret,
)
from some_events import events
from truncating import truncate

from auditring import encode
from auditring.event import Event, ObjectReference, UserInfo, rawjson
from auditring.event.eventsize import MIN_EVENT_BYTES, sized_line
from auditring.event.status import Status
from auditring.event.truncation import TruncationLimits
from auditring.redact import DEFAULT_RULES, RedactionRule, Redactor

KEY = b"0123456789abcdef"
REDACTED = "[redacted]"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
CANARIES = st.text(LETTERS, min_size=14, max_size=30).map("Zq".__add__)
ODD_CANARIES = CANARIES | st.builds(
    "Zq{}{}{}".format,
    st.text('"\\<>&/%+=:. \n\té€😀', min_size=6, max_size=12),
    CANARIES,
    st.text('"\\<\né😀', max_size=4),
)
REDACTORS = st.sampled_from(
    [Redactor(), Redactor(key=KEY), Redactor(rules=(*DEFAULT_RULES, RedactionRule()))]
)


def outputs(event: Event) -> dict[str, bytes]:
    """Return everything that is written of an event."""
    limits = TruncationLimits(max_event_bytes=400)
    return {
        "json": encode.json_line(event),
        "bare": encode.json_line(event, bare=True),
        "legacy": encode.legacy_line(event),
        "list": encode.event_list([event]),
        "sized": sized_line(event, MIN_EVENT_BYTES),
        "truncated": b"".join(*truncate([event], limits).batches or [[b""]]),
    }


def looks_of(canary: str) -> list[bytes]:
    """Return how a secret may be spelled in an output."""
    data = canary.encode()
    return [
        data,
        rawjson.quote(canary)[1:-1],
        json.dumps(canary)[1:-1].encode(),
        json.dumps(json.dumps(canary))[3:-3].encode(),
        base64.b64encode(data).rstrip(b"="),
        base64.b64encode(base64.b64encode(data)).rstrip(b"="),
        quote(canary, safe="").encode(),
    ]


def assert_hidden(canary: str, event: Event) -> None:
    for name, output in outputs(event).items():
        found = [look for look in looks_of(canary) if look in output]
        assert not found, (name, output)


@pytest.mark.parametrize("place", ANY_TEXT.values(), ids=ANY_TEXT)
@settings(max_examples=30)
@given(canary=ODD_CANARIES, redactor=REDACTORS)
def test_a_planted_secret_reaches_no_output(
    place: Place, canary: str, redactor: Redactor
) -> None:
    event = place(canary)

    assert_hidden(canary, redactor.redact(event))


@pytest.mark.parametrize("place", WORDS.values(), ids=WORDS)
@settings(max_examples=30)
@given(canary=CANARIES, redactor=REDACTORS)
def test_a_planted_word_reaches_no_output(
    place: Place, canary: str, redactor: Redactor
) -> None:
    event = place(canary)

    assert_hidden(canary, redactor.redact(event))


@pytest.mark.parametrize("place", (ANY_TEXT | WORDS).values(), ids=ANY_TEXT | WORDS)
def test_what_is_redacted_stays_as_it_is(place: Place) -> None:
    for redactor in (Redactor(), Redactor(key=KEY)):
        redacted = redactor.redact(place("Zq1234567890canary"))

        assert redactor.redact(redacted) == redacted


@given(events(bodies=st.none() | st.binary(max_size=40)))
def test_any_event_can_be_redacted_and_written(event: Event) -> None:
    redacted = Redactor().redact(event)

    line = encode.json_line(redacted)
    assert json.loads(line)["kind"] == "Event"
    assert redacted.request_received_timestamp == event.request_received_timestamp


# Text that comes near to JSON with all the names that matter.
NAMES = st.sampled_from(
    [
        *("data", "stringData", "kind", "items", "rows", "cells", "object", "type"),
        *("op", "path", "value", "name", "env", "metadata", "annotations", "message"),
        *("details", "causes", "token", "spec", "status", LAST_APPLIED, "x"),
    ]
)
LEAVES = st.sampled_from(
    [
        *("Secret", "SecretList", "List", "Table", "Status", "TokenReview", "ADDED"),
        *("/data/x", "add", "PASSWORD", "{}", "[[", '{"kind":"Secret","data":1}', ""),
        *(None, True, 7, 1.5),
    ]
)
SHAPES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(SHAPES, st.sampled_from([SECRETS, PODS, None]))
def test_any_shape_of_a_body_stays_json(
    shape: object, reference: ObjectReference | None
) -> None:
    event = Event(object_ref=reference, request_object=body(shape))

    redacted = Redactor().redact(event)

    assert redacted.request_object is not None
    json.loads(redacted.request_object)
    assert Redactor().redact(redacted) == redacted


def plant(shape: object, canary: str) -> object:
    """Return *shape* with the canary for every string and number below data."""
    if isinstance(shape, dict):
        return {key: plant(value, canary) for key, value in shape.items()}
    if isinstance(shape, list):
        return [plant(value, canary) for value in shape]
    return shape if shape is None or isinstance(shape, bool) else canary


@given(SHAPES, SHAPES)
def test_no_shape_of_a_secret_s_data_is_let_through(
    shape: object, more: object
) -> None:
    data = plant(shape, "Zq1234567890canary")
    for value in (
        {"data": data, "metadata": more},
        {"items": [{"stringData": data}], "kind": more},
        [{"op": "add", "path": "/data/x", "value": data}],
        {"type": "ADDED", "object": {"data": data, "kind": more}},
        {"kind": "Table", "rows": [{"object": {"data": data}, "cells": ["", data]}]},
        {"metadata": {"annotations": {LAST_APPLIED: json.dumps({"data": data})}}},
    ):
        assert_hidden("Zq1234567890canary", Redactor().redact(request(value)))


def redacted_request(value: object, reference: ObjectReference) -> dict[str, Any]:
    event = Redactor().redact(request(value, reference))
    assert event.request_object is not None
    members: dict[str, Any] = json.loads(event.request_object)
    return members


def test_of_a_secret_all_but_its_values_stays() -> None:
    value = secret("pw", type="Opaque", immutable=True)
    value["metadata"]["labels"] = {"app": "db"}

    redacted = redacted_request(value, SECRETS)

    assert redacted == {**value, "data": {"password": REDACTED, "user": REDACTED}}


def test_a_reference_to_a_secret_isn_t_one() -> None:
    value = {
        "kind": "Pod",
        "spec": {
            "volumes": [{"secret": {"secretName": "db"}}],
            "imagePullSecrets": [{"name": "registry"}],
            "automountServiceAccountToken": False,
            "env": [
                {
                    "name": "DB_PASSWORD",
                    "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}},
                },
                {"name": "HOME", "value": "/root"},
            ],
        },
        "metadata": {"ownerReferences": [{"kind": "Secret", "name": "db", "uid": "1"}]},
    }

    assert redacted_request(value, PODS) == value


def test_an_event_without_secrets_is_the_same_event() -> None:
    event = replace(response(pod(image="nginx"), PODS), user_agent="kubectl/v1")

    assert Redactor().redact(event) is event


@pytest.mark.parametrize(
    "message",
    [
        'secrets "db" not found',
        'secrets "db" already exists',
        'secrets is forbidden: User "eve" cannot list resource "secrets" in API group '
        '"" in the namespace "x"',
        'secrets "db" is forbidden: User "eve" cannot get resource "secrets" in API '
        'group "" at the cluster scope',
    ],
)
def test_harmless_messages_about_secrets_stay(message: str) -> None:
    status = Status(status="Failure", message=message, reason="NotFound", code=404)
    body_status = {"kind": "Status", "message": message, "code": 404, "reason": "X"}
    event = response(body_status, SECRETS, response_status=status)

    redacted = Redactor().redact(event)

    assert redacted == event


def test_an_echo_is_found_among_the_secrets_of_a_long_list() -> None:
    items = [{"data": {"p": f"secret number {i}"}} for i in range(300)]
    copy = {"metadata": {"labels": {"a": "secret number 77", "b": "a Zq000077word"}}}
    words = [{"data": {"p": f"Zq{i:06}word"}} for i in range(300)]
    event = Event(
        object_ref=SECRETS,
        response_object=body({"items": [*items, *words, copy]}),
        user_agent="agent of secret number 123",
        annotations={"authorization.k8s.io/reason": "see Zq000123word, there"},
    )

    redacted = Redactor().redact(event)

    labels = json.loads(redacted.response_object or b"")["items"][-1]["metadata"]
    assert labels["labels"] == {"a": REDACTED, "b": f"a {REDACTED}"}
    assert redacted.user_agent == f"agent of {REDACTED}"
    reason = redacted.annotations["authorization.k8s.io/reason"]
    assert reason == f"see {REDACTED}, there"


def test_equal_secrets_look_alike_with_a_key_and_only_then() -> None:
    keyed = Redactor(key=KEY)
    first = keyed.redact(request(secret("same")))
    second = keyed.redact(request({"stringData": {"other": "same"}}))
    third = Redactor(key=KEY[::-1]).redact(request(secret("same")))

    assert first.request_object is not None
    assert second.request_object is not None
    assert third.request_object is not None
    mask = json.loads(first.request_object)["data"]["password"]
    assert mask.startswith("hmac-sha256:")
    assert json.loads(second.request_object)["stringData"]["other"] == mask
    assert json.loads(third.request_object)["data"]["password"] != mask


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="key: expected at least 16 bytes, got 15"):
        Redactor(key=KEY[1:])


def test_values_of_variables_stay_if_that_is_wanted() -> None:
    value = pod(env=[{"name": "DB_PASSWORD", "value": "pw"}])
    event = request(value, PODS)

    redacted = Redactor(env_values=False).redact(event)

    assert json.loads(redacted.request_object or b"") == value


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("$.data.a", ["a"]),
        ("data.*", ["a", "b.c"]),
        ("$.data['b.c']", ["b.c"]),
        ("$..a", ["a"]),
        ('$["data"]["a"]', ["a"]),
        ("$.data[*]", ["a", "b.c"]),
        ("$.other", []),
        ("$.dat", []),
    ],
)
def test_a_rule_of_one_s_own_masks_by_path(path: str, masked: list[str]) -> None:
    rule = RedactionRule(resources=("configmaps",), paths=(path,))
    redactor = Redactor(rules=(rule,))
    value = {"data": {"a": "1", "b.c": {"d": "2"}}}

    redacted = redactor.redact(request(value, CONFIG))
    other = redactor.redact(request(value, PODS))

    data = json.loads(redacted.request_object or b"")["data"]
    expected: dict[str, Any] = {"a": "1", "b.c": {"d": "2"}}
    if "a" in masked:
        expected["a"] = REDACTED
    if "b.c" in masked:
        expected["b.c"] = {"d": REDACTED}
    assert data == expected
    assert json.loads(other.request_object or b"") == value


@pytest.mark.parametrize("path", ["$", "", "$.a[", "$.a[b]", "$a b[", "..", "$.a."])
def test_a_path_that_can_t_be_read_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path .*: no step at character \d"):
        RedactionRule(paths=(path,))


@pytest.mark.parametrize(
    ("resource", "is_covered"),
    [
        ("*", True),
        ("things", True),
        ("things.example.com", True),
        ("things/status", True),
        ("things.example.com/status", True),
        ("other", False),
        ("things.example.org", False),
        ("things/scale", False),
    ],
)
def test_a_rule_names_resources(resource: str, is_covered: bool) -> None:
    rule = RedactionRule(resources=(resource,))
    reference = ObjectReference(
        resource="things", api_group="example.com", subresource="status"
    )

    assert rule.covers(reference) is is_covered


def test_a_rule_s_kind_is_found_inside_of_others() -> None:
    rule = RedactionRule(kinds=("Vault",), paths=("$.spec.hidden",))
    value = {"a": [{"kind": "Vault", "spec": {"hidden": "x", "shown": "y"}}]}

    redacted = Redactor(rules=(rule,)).redact(request(value, PODS))

    vault = json.loads(redacted.request_object or b"")["a"][0]
    assert vault["spec"] == {"hidden": REDACTED, "shown": "y"}


def test_what_is_not_secret_in_a_redacted_body_keeps_its_bytes() -> None:
    text = rb'{"z":1.50,"a":"\u0061\/","z":{"b":"\u003c"},"password":"x","n":1E5}'
    event = Event(object_ref=PODS, request_object=text)

    redacted = Redactor().redact(event)

    assert redacted.request_object == text.replace(b'"x"', b'"[redacted]"')


def test_patches_and_tables_in_one_another_are_no_way_around() -> None:
    canary = "Zq1234567890canary"
    patch: object = {"password": canary}
    table: object = {"password": canary}
    for _ in range(100):
        patch = [{"op": "add", "path": "", "value": patch}]
        table = {"kind": "Table", "rows": [{"object": table}]}
    event = Event(
        object_ref=PODS,
        request_object=body(patch),
        response_object=body(table),
        annotations={"a": body(patch).decode(), "b": body(table).decode()},
    )

    assert_hidden(canary, Redactor().redact(event))


def test_names_of_users_and_the_path_stay() -> None:
    event = Event(
        request_uri="/api/v1/namespaces/x/secrets/token?limit=5",
        user=UserInfo("system:token-cleaner", groups=("secret:readers",)),
    )

    assert Redactor().redact(event) is event


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        *(
            "password=",
            "password='",
            'token:"',
            "://a:",
            "eyJ",
            "eyJabcdefgh.",
            "Bearer ",
        ),
        *("-----BEGIN PRIVATE KEY-----", "secret: |\n ", "--token ", "a" * 50, "\\"),
        *('"\\', "abcdef.0123456789abcdef", "sk-", "key: >\n\n\n", "- -", "passpass"),
    ],
)
def test_time_grows_with_the_text_and_not_faster(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    event = replace(request({"data": {"a": text}, text: 1}, PODS), user_agent=text)

    Redactor().redact(event)

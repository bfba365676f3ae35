"""The fast way through a body masks what the plain one does, and in a bounded time.

Who else may be there: a client that sends what it likes, up to the limit of a body, to
hold up an event loop or to have a secret recorded; another body of the same event,
which repeats what was masked in the first.
"""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from secret_places import PODS

from auditring.event import Event, ObjectReference, rawjson
from auditring.redact import MASKED_WHOLE, Redactor
from auditring.redact.body import BodyRedaction, _is_json_patch

MB = 1_000_000
QUERY_BYTES = 64 * 1024
# On an idle machine all take less than 20 ms; others work on this one.
LIMIT_S = 0.4

NAMES = st.sampled_from(
    [
        *("token", "password", "auth", "name", "key", "header", "value", "values"),
        *("kind", "items", "env", "args", "op", "path", "data", "x", "DB_PASSWORD"),
        *("kubectl.kubernetes.io/last-applied-configuration", "a b", "é", "tok\ten"),
        *("password=x", "user[password]", "ghp_0123456789abcdefghij"),
    ]
)
LEAVES = st.sampled_from(
    [
        *(
            "x",
            "",
            "--token",
            "-p",
            "hunter2",
            "token=abc",
            "a: b",
            "\u2028",
            "DB_TOKEN",
        ),
        *(
            "Secret",
            "SecretList",
            "Pod",
            "Status",
            "add",
            "/x",
            "[redacted]",
            '"',
            "\\",
        ),
        *('{"password":"abc"}', '[{"op":"add","path":"/token","value":"abc"}]', "[1"),
        *(None, True, False, 0, 7, 1.5, -3),
    ]
)
SHAPES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5)
    ),
    max_leaves=30,
)


class Plainly(BodyRedaction):
    """Goes the way of objects with rules everywhere."""

    __slots__ = ()

    def _walk(self, text: bytes, depth: int) -> bytes:
        place = self._inside(depth)
        if text.startswith(b"{"):
            return self._object(text, place, is_root=True)
        if text.startswith(b"[") and _is_json_patch(text):
            return self._json_patch(text, place)
        return self._value(text, "", place)


@settings(max_examples=400, deadline=None)
@example({"name": "DB_TOKEN", "value": {"a": ["b", 1, None]}})
@example([{"token": ["a", {"b": "c"}]}])
@example(["mysql", "-px", "--password", "y"])
@example(["-p", "x"])
@example(["curl", "-u", "me:x"])
@example([{}, "--token", "x"])
@example([{"a": 1}, ["b"], "-u", "me:x"])
@example({"a": {"kind": "SecretList", "items": [{"data": {"a": "b"}}]}})
@given(SHAPES)
def test_both_ways_come_to_the_same(shape: object) -> None:
    text = rawjson.compact(json.dumps(shape, ensure_ascii=False).encode())

    assert _redacted(BodyRedaction, text) == _redacted(Plainly, text)


def _redacted(way: type[BodyRedaction], text: bytes) -> tuple[bytes, set[str]]:
    redactor: Any = Redactor()
    bodies = way(
        redactor._scope_of(None),
        scope_of_kind=redactor._scope_of_kind,
        mask=redactor._mask,
        is_suspect=redactor._is_suspect,
        masks_env_values=True,
        kinds=redactor._kinds_as_json,
    )
    return bodies.redact(text), bodies.secrets


@given(st.binary(max_size=60) | SHAPES.map(lambda shape: json.dumps(shape).encode()))
def test_any_body_can_be_walked(body: bytes) -> None:
    redacted = Redactor().redact(Event(request_object=body))

    assert redacted.request_object is not None


def _filled(piece: str, size: int, joint: str = ",") -> str:
    count = size // (len(piece) + 4) + 1
    return joint.join(piece.replace("#", str(number)) for number in range(count))


HOSTILE = {
    "secrets by name": "{" + _filled('"token":"abcdefgh#"', MB) + "}",
    "names that are secret": "{" + _filled('"token#":"1"', MB) + "}",
    "one secret again and again": "{" + _filled('"pwd":"12345678"', MB) + "}",
    "numbers": '{"token":"x","a":[' + _filled("1", MB) + "]}",
    "objects": '{"token":"x","a":[' + _filled("{}", MB) + "]}",
    "texts with a sign": '{"a":[' + _filled('"a token"', MB) + "]}",
    "texts with a secret": '{"a":[' + _filled('"token=#abc"', MB) + "]}",
    "escapes": '{"a":[' + _filled(r'"\u0061"', MB) + "]}",
    "a long text": json.dumps({"a": "x" * MB + " token: abc"}),
    "a long text of secrets": json.dumps({"a": "token: a " * (MB // 9)}),
    "nesting": '{"token":"a","x":' + "[" * 60 + _filled('"a"', MB) + "]" * 60 + "}",
    "more nesting": '{"token":"a","x":' + "[" * 4000 + "1" * MB + "]" * 4000 + "}",
    "a patch": "[" + _filled('{"op":"add","path":"/x#","value":"token"}', MB) + "]",
    "kinds": "[" + _filled('{"kind":"token#"}', MB) + "]",
    "Secrets": "[" + _filled('{"kind":"Secret","data":{"a":"#"}}', MB) + "]",
    "pairs": "[" + _filled('{"name":"DB_TOKEN","value":"secretvalue#"}', MB) + "]",
    "JSON in a text": json.dumps({"a": json.dumps({"token": ["x"] * 200_000})}),
    "a command": '["--token",' + _filled('"--token"', MB) + "]",
    "no JSON": "token=" * (MB // 6) + "{",
    "a form": _filled("token=#aaaaaaaaa", MB, "&"),
    "a form of many": _filled("a=1", MB, "&"),
    "XML": "<a><password>x</password></a>" * (MB // 30),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_takes_a_bounded_time(text: str) -> None:
    event = Event(request_object=text.encode(), response_object=b'{"token":"abcdefgh"}')

    assert _fastest(event) < LIMIT_S


@pytest.mark.parametrize(
    "piece",
    [
        *("token=aaaaaaaaaaaa#", "auth=1", "pwd=", "", "a=1", "command=--token"),
        *("%74oken=x#", "a=%41%41%41%41", "a=token%3Dx", "sig=#", "a=://a:b@"),
    ],
)
def test_a_hostile_query_takes_a_bounded_time(piece: str) -> None:
    uri = "/x?" + _filled(piece, QUERY_BYTES, "&")

    assert _fastest(Event(request_uri=uri)) < LIMIT_S


def _fastest(event: Event) -> float:
    redactor = Redactor()
    times = []
    for _ in range(3):
        start = time.thread_time()
        redactor.redact(event)
        times.append(time.thread_time() - start)
    return min(times)


def test_a_large_list_of_pods_keeps_all_but_its_secrets() -> None:
    pod = {
        "kind": "Pod",
        "spec": {"env": [{"name": "DB_PASSWORD", "value": "Zqsecret"}, {"name": "A"}]},
    }
    body = json.dumps({"kind": "PodList", "items": [pod] * 5000}).encode()

    redacted = Redactor().redact(Event(object_ref=PODS, response_object=body))

    masked = json.loads(redacted.response_object or b"")
    assert len(masked["items"]) == 5000
    pod["spec"]["env"][0]["value"] = "[redacted]"  # type: ignore[index]
    assert masked["items"][0] == masked["items"][4999] == pod
    assert MASKED_WHOLE not in redacted.annotations


def test_a_body_that_would_take_too_long_is_masked_whole_and_says_so() -> None:
    secrets = [{"kind": "Secret", "data": {"a": f"Zq{n}"}} for n in range(20_000)]
    event = Event(
        object_ref=ObjectReference(resource="secrets"),
        request_object=json.dumps(secrets).encode(),
    )

    redacted = Redactor().redact(event)

    assert redacted.request_object == b'"[redacted]"'
    assert redacted.annotations == {MASKED_WHOLE: "true"}
    assert Redactor().redact(redacted) == redacted


def test_more_secrets_than_can_be_looked_for_are_in_the_other_body_neither() -> None:
    tokens = {"items": [{"token": f"Zqtoken{n}"} for n in range(5000)]}
    event = Event(
        request_object=json.dumps(tokens).encode(),
        response_object=b'{"message":"made Zqtoken4321"}',
    )

    redacted = Redactor().redact(event)

    assert b"Zqtoken" not in (redacted.request_object or b"")
    assert redacted.response_object == b'"[redacted]"'

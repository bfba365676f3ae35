"""Events are found however they were wrapped, once each; all else is told with why.

Who else may have been at such a file: a container runtime that cuts lines, an exporter
that keeps a line twice, a tool that indents, a disk that was full in the middle, and
somebody who wants the reader to take for ever.
"""

import json
from collections.abc import Callable

import pytest

from auditring.encode import json_line
from auditring.event.recordedevents import RecordedEvents

EVENT = (
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1",'
    '"stage":"ResponseComplete","requestURI":"/a?b={%22c%22:[1]}","verb":"get",'
    '"user":{"username":"alice"},"requestReceivedTimestamp":null,"stageTimestamp":null}'
)
OTHER = EVENT.replace('"auditID":"1"', '"auditID":"2"')
BARE = EVENT.replace('"kind":"Event","apiVersion":"audit.k8s.io/v1",', "")


def read(text: str | bytes) -> tuple[list[str], dict[int, str], RecordedEvents]:
    """Return audit IDs of the events in *text*, and what was told of its lines."""
    told: dict[int, str] = {}
    data = text.encode() if isinstance(text, str) else text
    reader = RecordedEvents(lambda number, reason: told.update({number: reason}))
    found = [event.audit_id for _, event in reader.events_of(data.split(b"\n"))]
    assert reader.unreadable == len(told)
    return found, told, reader


def loaded(text: str) -> object:
    return json.loads(text)


WRAPPED: dict[str, tuple[str, int]] = {
    "CloudWatch, one": (json.dumps({"logStreamName": "a", "message": EVENT}), 1),
    "CloudWatch Insights": (json.dumps({"@timestamp": 1, "@message": EVENT}), 1),
    "CloudWatch, a subscription": (
        json.dumps({"logEvents": [{"message": EVENT}, {"message": OTHER}]}),
        2,
    ),
    "CloudWatch, filter-log-events": (
        json.dumps({"events": [{"message": EVENT}, {"message": OTHER}]}, indent=4),
        2,
    ),
    "S3 export": (f"2026-01-01T00:00:00.000Z {EVENT}", 1),
    "Azure, a text": (json.dumps({"properties": {"log": EVENT}}), 1),
    "Azure, an object": (json.dumps({"properties": {"log": loaded(EVENT)}}), 1),
    "Azure, records": (json.dumps({"records": [{"properties": {"log": EVENT}}]}), 1),
    "Azure, Log Analytics": (json.dumps({"log_s": EVENT, "pod_s": "a"}), 1),
    "Docker": (json.dumps({"log": f"{EVENT}\n", "stream": "stdout"}), 1),
    "CRI": (f"2026-01-01T00:00:00Z stdout F {EVENT}", 1),
    "kubectl logs --timestamps": (f"2026-01-01T00:00:00Z {EVENT}", 1),
    "kubectl logs --prefix": (f"[pod/a/b] {EVENT}", 1),
    "oc adm node-logs": (f"master-0.example.com {EVENT}", 1),
    "syslog": (f"<13>Jan  1 00:00:00 host kube-apiserver[7]: {EVENT}", 1),
    "Elastic": (json.dumps({"kubernetes": {"audit": loaded(BARE)}}), 1),
    "Elastic, a search": (
        json.dumps({"hits": {"hits": [{"_source": {"message": EVENT}}]}}),
        1,
    ),
    "Splunk": (json.dumps({"result": {"_raw": EVENT}}), 1),
    "Loki": (json.dumps({"labels": {}, "line": EVENT}), 1),
    "journal": (json.dumps({"MESSAGE": EVENT, "_PID": "1"}), 1),
    "Google, a text": (json.dumps({"textPayload": EVENT}), 1),
    "Loft's agents": (
        json.dumps({"kind": "AgentAuditEvent", "spec": {"events": [loaded(BARE)]}}),
        1,
    ),
    "an EventList": (
        json.dumps({"kind": "EventList", "items": [loaded(BARE), loaded(OTHER)]}),
        2,
    ),
    "an array": (f"[{EVENT},{EVENT}]", 2),
    "an array, an event a line": (f"[\n{EVENT},\n{OTHER}\n]", 2),
    "jq": (json.dumps(loaded(EVENT), indent=2), 1),
    "jq, two": (2 * (json.dumps(loaded(EVENT), indent=2) + "\n"), 2),
    "objects in a row": (EVENT + OTHER, 2),
    "a mark of the byte order": ("\ufeff" + EVENT, 1),
    "carriage returns": (EVENT + "\r\n" + OTHER + "\r\n", 2),
}


@pytest.mark.parametrize(("text", "count"), WRAPPED.values(), ids=WRAPPED)
def test_events_are_found_in_what_others_write(text: str, count: int) -> None:
    found, told, _ = read(text)

    assert (len(found), told) == (count, {})


def test_an_event_that_an_exporter_kept_twice_is_one() -> None:
    document = {"message": EVENT, "json": loaded(EVENT), "event": {"original": EVENT}}

    assert read(json.dumps(document))[0] == ["1"]


def test_a_plain_event_is_passed_on_to_the_byte() -> None:
    text = EVENT.replace(":", " : ").encode()
    reader = RecordedEvents()

    assert [found for found, _ in reader.events_of([text])] == [text]
    assert not reader.forms


def test_what_is_wrapped_keeps_its_numbers() -> None:
    body = '{"n":12345678901234567890123,"f":1.10}'
    event = EVENT.replace('"user"', f'"requestObject":{body},"user"')
    reader = RecordedEvents()

    ((_, found),) = reader.events_of([f'{{"items":[{event}]}}'.encode()])

    assert body.encode() in json_line(found)


def docker(piece: str) -> str:
    return json.dumps({"log": piece, "stream": "stdout", "time": "x"})


def cri(piece: str) -> str:
    tag = "F" if piece.endswith("\n") else "P"
    return f"2026-01-01T00:00:00Z stdout {tag} {piece.rstrip()}"


@pytest.mark.parametrize("form", [docker, cri])
def test_a_line_that_a_runtime_cut_is_put_together(form: Callable[[str], str]) -> None:
    pieces = [EVENT[:40], EVENT[40:90], EVENT[90:] + "\n", f"{OTHER}\n"]

    found, told, _ = read("\n".join(map(form, pieces)))

    assert (found, told) == (["1", "2"], {})


@pytest.mark.parametrize("form", [docker, cri])
def test_a_piece_whose_end_is_missing_is_told(form: Callable[[str], str]) -> None:
    found, told, _ = read(f"{EVENT}\n{form(EVENT[:40])}")

    assert (found, list(told)) == (["1"], [2])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}", "no auditID and no level and no stage"),
        ('{"message":"hello"}', "no auditID and no level and no stage"),
        ("[]", "no event"),
        ("1", "no event"),
        ("words", "no JSON"),
        (EVENT[:80], "it ends in the middle"),
        (EVENT.replace("Metadata", "All"), "level: expected None, Metadata"),
        (EVENT.replace("ResponseComplete", "Done"), "stage: expected RequestReceived"),
        (EVENT.replace('"auditID":"1",', ""), "it has no auditID"),
        (EVENT.replace('"alice"', "7"), "user.username"),
        (EVENT.replace("/v1", "/v2"), "apiVersion"),
        (json.dumps({"protoPayload": {"methodName": "a"}}), "GKE"),
        (json.dumps({"AuditId": "1", "Level": "a", "Stage": "b"}), "AKSAudit"),
        ('2026-01-01T00:00:00Z AUDIT: id="1" stage="a"', "legacy format"),
        ('{"kind":"Policy","rules":[]}', "it is a Policy"),
        (json.dumps({"awslogs": {"data": "H4sI"}}), "base64 -d"),
    ],
)
def test_what_holds_no_event_is_told_with_why(line: str, reason: str) -> None:
    found, told, _ = read(f"{EVENT}\n{line}\n\n{OTHER}\n")

    assert found == ["1", "2"]
    assert list(told) == [2]
    assert reason in told[2]


@pytest.mark.parametrize("cut", ["{", "[", '{"a":{', '[{"a":1,', EVENT[:26]])
def test_a_line_that_was_cut_off_takes_no_other_with_it(cut: str) -> None:
    found, told, _ = read(f"{EVENT}\n{cut}\n{OTHER}\n{EVENT}\n")

    assert (found, list(told)) == (["1", "2", "1"], [2])


def test_a_document_that_holds_no_event_is_told_once() -> None:
    found, told, _ = read(json.dumps({"a": [1, {"b": 2}]}, indent=2) + f"\n{EVENT}\n")

    assert (found, list(told)) == (["1"], [1])


def test_bodies_of_requests_are_not_looked_into() -> None:
    event = EVENT.replace('"user"', f'"requestObject":{{"items":[{OTHER}]}},"user"')

    assert read(event)[0] == ["1"]
    assert read(f'{{"items":[{event}]}}')[0] == ["1"]


def test_what_is_wrapped_too_often_is_told() -> None:
    text = EVENT
    for _ in range(10):
        text = json.dumps({"m": [text]})

    assert list(read(text)[1]) == [1]


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"a":' * 200_000,
        b"[" * 1_000_000,
        b'"\\"' * 300_000,
        b'x {"' + b'\\"' * 500_000,
        b"{" * 500_000 + b"}{" + b"}" * 500_000,
        b'{"a":"' + b"{" * 1_000_000 + b'"}',
        b"[\n" * 200_000,
        b'{"a":\n' * 100_000,
        b'{"log":"x","stream":"a"}\n' * 50_000,
    ],
)
def test_hostile_lines_are_told_and_take_no_time(hostile: bytes) -> None:
    found, told, _ = read(hostile)

    assert found == []
    assert told


def test_what_is_in_a_broken_event_is_no_event() -> None:
    body = f'"requestObject":{{"items":[{OTHER}]}}'
    broken = EVENT.replace('"auditID":"1"', body)

    found, told, _ = read(broken)

    assert (found, list(told)) == ([], [1])


def test_events_behind_a_line_that_was_cut_off_needn_t_wait_for_the_end() -> None:
    reader = RecordedEvents()

    came = [
        [event.audit_id for _, event in reader.take(line.encode())]
        for line in ("{", OTHER, EVENT)
    ]

    assert came == [[], [], ["2", "1"]] or came == [[], ["2"], ["1"]]


def test_a_file_of_powershell_is_told() -> None:
    _, told, _ = read(f"{EVENT}\n{OTHER}".encode("utf-16"))

    assert all("UTF-16" in reason for reason in told.values())

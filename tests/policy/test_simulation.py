"""What another policy would have made of a log, to the byte."""

import gzip
import json
import resource
from importlib import resources
from typing import Any

import pytest

from auditring.policy import Policy
from auditring.policy.simulation import Account, Simulation

ALL = "rules: [{level: RequestResponse}]"


def event(**members: Any) -> bytes:  # noqa: ANN401  # of any type that JSON has
    """Return the line of an event, as Kubernetes writes it but for *members*."""
    usual = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "1",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/x/configmaps/a",
        "verb": "update",
        "user": {"username": "alice"},
        "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": "configmaps", "namespace": "x", "name": "a"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestObject": {"a": 1},
        "responseObject": {"a": 1, "b": 2},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:01.000000Z",
    }
    present = {name: value for name, value in {**usual, **members}.items() if value}
    return json.dumps(present, separators=(",", ":")).encode()


RECEIVED = {"requestObject": None, "responseObject": None, "responseStatus": None}


def received(**members: Any) -> bytes:  # noqa: ANN401
    return event(stage="RequestReceived", **RECEIVED, **members)


def simulate(policy: str, *lines: bytes) -> Simulation:
    simulation = Simulation(Policy.from_yaml(policy))
    simulation.replay(lines)
    return simulation


def test_what_was_recorded_alike_is_neither_lost_nor_gained() -> None:
    file = resources.files("auditring.cli") / "data" / "kube-audit-sample.jsonl.gz"
    lines = [
        line
        for line in gzip.decompress(file.read_bytes()).splitlines()
        if b'"level":"RequestResponse"' in line and b'"stage":"ResponseC' in line
    ]
    policy = f"omitStages: [RequestReceived, ResponseStarted]\n{ALL}"

    (account, _) = simulate(policy, *lines).accounts

    assert len(lines) > 100
    assert account == Account(0, len(lines), sum(map(len, lines)) + len(lines))


def test_a_policy_that_records_nothing_loses_all() -> None:
    lines = [received(), event()]

    (account, none) = simulate(
        "rules: [{level: None, verbs: [update]}]", *lines
    ).accounts

    size = sum(map(len, lines)) + 2
    assert account == Account(0, 2, size, lost_events=2, lost_bytes=size)
    assert none == Account(-1)


def test_a_lower_level_loses_the_bodies() -> None:
    recorded, left = (
        event(),
        event(level="Metadata", requestObject=None, responseObject=None),
    )

    (account, _) = simulate("rules: [{level: Metadata}]", received(), recorded).accounts

    # Each line is shorter by the name of the level, too.
    shorter = len("RequestResponse") - len("Metadata")
    assert account.lost_events == 0
    assert account.lost_bytes == len(event()) - len(left) + shorter


def test_level_request_keeps_what_was_sent() -> None:
    recorded, left = event(), event(level="Request", responseObject=None)
    first = received(level="Request")

    (account, _) = simulate("rules: [{level: Request}]", first, recorded).accounts

    assert account.lost_bytes == len(recorded) - len(left)


def test_an_omitted_stage_is_lost() -> None:
    policy = "rules: [{level: RequestResponse, omitStages: [RequestReceived]}]"

    (account, _) = simulate(policy, received(), event()).accounts

    assert account.lost_events == 1
    assert account.lost_bytes == len(received()) + 1


def test_managed_fields_that_are_omitted_are_lost_bytes() -> None:
    body = {"metadata": {"managedFields": [{"manager": "x"}]}}
    policy = "rules: [{level: RequestResponse, omitManagedFields: true}]"

    lines = [received(), event(responseObject=body)]
    (account, _) = simulate(policy, *lines).accounts

    assert account.lost_bytes == len('"managedFields":[{"manager":"x"}]')


def test_a_stage_that_the_log_does_not_have_is_gained() -> None:
    (account, _) = simulate(ALL, event(annotations={"a": "b"})).accounts

    early = received(stageTimestamp="2026-01-01T00:00:00.000000Z")
    assert (account.gained_events, account.gained_bytes) == (1, len(early) + 1)


def test_a_long_running_request_has_a_stage_more() -> None:
    members = {"verb": "watch", "requestURI": "/api/v1/pods?watch=1"}

    (account, _) = simulate(ALL, received(**members), event(**members)).accounts

    assert account.gained_events == 1


def test_a_body_that_was_never_recorded_is_counted() -> None:
    bare = event(level="Metadata", requestObject=None, responseObject=None)

    (account, _) = simulate(ALL, received(level="Metadata"), bare).accounts

    assert account.bodiless_events == 1
    gained = 2 * (len("RequestResponse") - len("Metadata"))
    assert (account.lost_bytes, account.gained_bytes) == (0, gained)


def test_reading_has_no_body_to_lack_at_level_request() -> None:
    members = {"verb": "get", "level": "Metadata", "requestObject": None}
    bare = event(**members, responseObject=None)

    (account, _) = simulate("rules: [{level: Request}]", bare).accounts

    assert account.bodiless_events == 0


def test_a_rule_is_asked_about_the_request_and_not_the_object_it_made() -> None:
    created = event(verb="create", requestURI="/api/v1/namespaces/x/configmaps")
    policy = (
        "rules: [{level: None, resources: [{resources: ['*'], resourceNames: [a]}]}]"
    )

    simulation = simulate(policy, created)

    assert [each.events for each in simulation.accounts] == [0, 1]


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"user": {}}, 1),
        ({"user": {"username": "", "groups": ["g"]}}, 0),
        ({"verb": "", "requestURI": "/api/v1/pods"}, 2),
        ({"requestURI": "/healthz", "objectRef": None, "verb": "head"}, 3),
        ({"requestURI": "/kubernetes/cluster/east/api/v1/pods", "verb": "list"}, 4),
        ({"requestURI": "/api/v1/watch", "verb": "get"}, 5),
    ],
)
def test_the_request_is_told_from_its_event(members: dict[str, Any], rule: int) -> None:
    policy = """rules:
- {level: None, userGroups: [g]}
- {level: None, verbs: [update]}
- {level: None, verbs: [""]}
- {level: None, verbs: [head], nonResourceURLs: [/healthz]}
- {level: None, clusters: [east], resources: [{resources: [pods]}]}
- {level: None, resources: [{resources: [configmaps]}]}
"""

    simulation = simulate(policy, event(**members))

    assert [each.rule for each in simulation.accounts if each.events] == [rule]


def test_failed_authentication_is_decided_without_a_user() -> None:
    anonymous = event(user={})

    simulation = simulate("rules: [{level: None, users: ['']}]", anonymous)

    assert [each.events for each in simulation.accounts] == [0, 1]


def test_rules_that_never_matched_are_told() -> None:
    policy = """rules:
- {level: None, users: [bob]}
- {level: Metadata}
- {level: Metadata}
"""

    assert simulate(policy, event()).unused_rules == [0, 2]


def test_lines_that_are_no_requests_are_counted() -> None:
    gap = event(verb="gap", objectRef=None)

    simulation = simulate(ALL, b"{}x", b"", gap, event())

    assert (simulation.unreadable_lines, simulation.gap_events) == (1, 1)
    assert simulation.accounts[0].events == 1


def test_requests_that_never_end_are_forgotten_the_oldest_first() -> None:
    simulation = Simulation(Policy.from_yaml(ALL), max_open=2)
    identities = ["0", "1", "2", "2" * 1000]

    simulation.replay(received(auditID=identity) for identity in identities)
    simulation.replay(event(auditID=identity) for identity in identities)

    account, _ = simulation.accounts
    assert account.events == 8
    # Those of the first two, whose first stages are forgotten.
    assert account.gained_events == 2


def test_a_url_that_no_server_takes_costs_little() -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = event(requestURI="/" + "%41" * 2**21, objectRef=None, verb="get")

    simulation = simulate("rules: [{level: Metadata, verbs: [get]}]", line)

    assert simulation.accounts[0].events == 1
    # Read as a request it would take 80 times its size.
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib < 250 * 1024

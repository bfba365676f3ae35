"""`Policy`: where it comes from, and what it says of a few telling requests."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from auditring.config.loading import load_config
from auditring.errors import PolicyError
from auditring.event import Level, Stage, UserInfo
from auditring.policy import PRESETS, Decision, Policy, preset_text
from auditring.policy.targetreading import Compat
from auditring.request.attributes import Attributes

CREATED = "POST", "/api/v1/namespaces/x/configmaps"
READ = "GET", "/api/v1/namespaces/x/configmaps/a"
CHANGED = "PATCH", "/api/v1/namespaces/x/configmaps/a"
LOGS = "GET", "/api/v1/namespaces/x/pods/p/log"
HEALTH = "GET", "/healthz"
POSTED = "POST", "/somewhere"
REVIEW = "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews"
ACCESS_KEY = "POST", "/apis/management.loft.sh/v1/ownedaccesskeys"
KUBECONFIG = (
    "POST",
    "/apis/management.loft.sh/v1/namespaces/p/virtualclusterinstances/v/kubeconfig",
)


def decide(policy: Policy, method: str, url: str, user: str = "alice") -> Decision:
    who = UserInfo(user, groups=("system:authenticated",))
    return policy.evaluate(Attributes.from_request(method, url, user=who))


def levels(policy: Policy, *requests: tuple[str, str]) -> list[str]:
    return [str(decide(policy, *request).level) for request in requests]


def test_a_policy_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("apiVersion: audit.k8s.io/v1\nrules: [{level: Request}]\n")

    policy = Policy.from_file(path)

    assert decide(policy, *READ).level is Level.REQUEST


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Policy.from_file(tmp_path / "policy.yaml")


def test_a_policy_keeps_its_warnings() -> None:
    text = "rules:\n- level: Request\n  user: [a]\n"

    (warning,) = Policy.from_yaml(text).warnings

    assert str(warning) == "rules[0].user: no such field; is it users?"
    with pytest.raises(PolicyError):
        Policy.from_yaml(text, strict=True)


def test_stages_are_united_and_a_rule_overrides_managed_fields() -> None:
    policy = Policy.from_yaml(
        """
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: Request, verbs: [get], omitStages: [Panic], omitManagedFields: false}
- {level: Request, verbs: [create]}
"""
    )

    both = frozenset({Stage.REQUEST_RECEIVED, Stage.PANIC})
    received = frozenset({Stage.REQUEST_RECEIVED})
    assert decide(policy, *READ) == Decision(Level.REQUEST, both, False, 0)
    assert decide(policy, *CREATED) == Decision(Level.REQUEST, received, True, 1)
    assert decide(policy, *CHANGED) == Decision(Level.NONE, received, True, -1)


LOFT = """
rules:
- {level: Metadata, clusters: [east]}
- {level: Request, requestTargets: [Cluster, VCluster]}
- {level: RequestResponse, requestTargets: [Management]}
"""


@pytest.mark.parametrize(
    ("target", "cluster", "rule"),
    [
        ("Cluster", "east", 0),
        ("VCluster", "east", 0),
        ("Cluster", "west", 1),
        ("VCluster", "", 1),
        ("ProjectVCluster", "", 1),
        ("ProjectSpace", "", -1),
        ("Management", "", 2),
        ("", "", -1),
    ],
)
def test_rules_may_be_for_targets_and_clusters(
    target: str, cluster: str, rule: int
) -> None:
    policy = Policy.from_yaml(LOFT)
    attributes = Attributes.from_request(*READ, request_target=target, cluster=cluster)

    assert policy.evaluate(attributes).rule == rule


@pytest.mark.parametrize("compat", ["types", "platform"])
def test_targets_are_what_they_are_called_if_one_says_so(
    tmp_path: Path, compat: Compat
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(LOFT)
    request = Attributes.from_request(*READ, request_target="ProjectVCluster")

    for policy in (
        Policy.from_yaml(LOFT, compat=compat),
        Policy.from_file(file, compat=compat),
    ):
        assert policy.evaluate(request).rule == -1


@pytest.mark.parametrize("compat", ["seeds", "types", "platform"])
def test_a_file_decides_as_it_does_in_a_configuration(
    tmp_path: Path, compat: Compat
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(LOFT)
    settings = {"enabled": True, "path": "a.log", "policyFile": str(file)}
    configured = load_config({**settings, "compat": compat}, environ={}).policy
    by_default = load_config(settings, environ={}).policy

    assert configured is not None
    assert by_default is not None
    loaded = Policy.from_file(file, compat=compat)
    assert loaded.rule_set == configured.rule_set
    assert Policy.from_file(file).rule_set == by_default.rule_set


OF_APPLICATIONS = [
    *((method, "/orders/1") for method in ("GET", "HEAD", "OPTIONS", "DELETE")),
    *((method, "/") for method in ("POST", "PUT", "PATCH", "PROPFIND")),
    *(READ, CREATED, CHANGED, LOGS, HEALTH, POSTED, REVIEW),
    ("DELETE", "/api/v1/namespaces/x/configmaps"),
]


@pytest.mark.parametrize(("method", "url"), OF_APPLICATIONS)
@pytest.mark.parametrize("user", [None, UserInfo("alice")])
def test_each_level_for_applications_records_what_the_one_below_does(
    method: str, url: str, user: UserInfo | None
) -> None:
    request = Attributes.from_request(method, url, user=user)
    decisions = [
        Policy.preset(f"application-{level}").evaluate(request) for level in range(1, 5)
    ]

    assert decisions[0].level is Level.METADATA
    assert decisions[3].level is Level.REQUEST_RESPONSE
    for lower, higher in pairwise(decisions):
        assert higher.level.at_least(lower.level)
        assert higher.omit_stages <= lower.omit_stages == {Stage.REQUEST_RECEIVED}


@pytest.mark.parametrize(
    ("method", "url", "level"),
    [
        ("GET", "/orders", Level.METADATA),
        ("POST", "/login", Level.REQUEST),
        ("PATCH", "/orders/1", Level.REQUEST),
        ("DELETE", "/api/v1/namespaces/x/pods", Level.REQUEST),
    ],
)
def test_level_2_for_applications_has_bodies_of_changes(
    method: str, url: str, level: Level
) -> None:
    assert decide(Policy.preset("application-2"), method, url).level is level


@pytest.mark.parametrize("name", [*PRESETS, 1, 2, 3, 4])
def test_presets_are_policies_without_warnings(name: str | int) -> None:
    assert Policy.preset(name).warnings == ()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_policies_for_kubernetes(name: str) -> None:
    Policy.from_yaml(preset_text(name), dialect="kubernetes", strict=True)


@pytest.mark.parametrize("name", [0, 5, -1, True, "gcp", "../gce", ""])
def test_an_unknown_preset_is_refused_by_name(name: str | int) -> None:
    with pytest.raises(ValueError, match=repr(name)):
        Policy.preset(name)


def test_level_1_records_changes_and_bodies_of_what_is_created() -> None:
    found = levels(Policy.preset(1), CREATED, READ, CHANGED, HEALTH, POSTED)

    assert found == ["Request", "None", "Metadata", "None", "Metadata"]


def test_level_2_records_reading_but_nothing_that_is_no_resource() -> None:
    found = levels(Policy.preset(2), CREATED, READ, CHANGED, HEALTH, POSTED)

    assert found == ["Request", "Metadata", "Metadata", "None", "None"]


def test_level_3_records_what_is_sent() -> None:
    found = levels(Policy.preset(3), CREATED, READ, CHANGED, HEALTH)

    assert found == ["Request", "Request", "Request", "None"]


def test_level_4_records_everything_of_resources() -> None:
    found = levels(Policy.preset(4), CREATED, READ, CHANGED, HEALTH)

    assert found == ["RequestResponse"] * 3 + ["None"]


def test_loft_strict_records_other_requests_too() -> None:
    found = levels(Policy.preset("loft-strict"), READ, HEALTH, POSTED)

    assert found == ["RequestResponse", "Metadata", "Metadata"]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_at_every_level_secrets_stay_out_and_logs_are_noted(level: int) -> None:
    found = levels(Policy.preset(level), REVIEW, KUBECONFIG, ACCESS_KEY, LOGS)

    assert found == ["None", "None", "Metadata", "Metadata"]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_no_level_records_that_a_request_was_received(level: int) -> None:
    decision = decide(Policy.preset(level), *CREATED)

    assert decision.omit_stages == {Stage.REQUEST_RECEIVED}


def test_the_classic_example_silences_discovery_of_whoever_is_logged_in() -> None:
    policy = Policy.preset("classic")

    assert decide(policy, "GET", "/apis/apps/v1").rule == 4
    assert decide(policy, "GET", "/api/v1/namespaces/x/pods/p").rule == 0
    assert decide(policy, *LOGS).rule == 1


def test_the_gce_policy_silences_what_its_control_plane_asks() -> None:
    policy = Policy.preset("gce")
    endpoints = "/api/v1/namespaces/kube-system/endpoints/x"

    assert decide(policy, "PUT", endpoints, "system:kube-scheduler").rule == 4
    assert decide(policy, "PUT", endpoints).rule == 15
    assert decide(policy, "GET", endpoints).rule == 14
    assert decide(policy, "GET", "/api/v1/secrets").rule == 13


def test_yaml_is_imported_only_where_yaml_is_read() -> None:
    program = (
        "import sys, auditring.policy as p;"
        'p.Policy.from_yaml(\'{"rules": [{"level": "None"}]}\');'
        "assert 'yaml' not in sys.modules;"
        "p.Policy.from_yaml('rules: [{level: None}]');"
        "assert 'yaml' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")

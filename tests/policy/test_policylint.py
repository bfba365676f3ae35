"""What a policy says in vain: each kind is told, and what is right isn't."""

from pathlib import Path

import pytest

from auditring.policy import PRESETS, preset_text
from auditring.policy.inspection import inspect_policy

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"


def warnings(rule: str, *, head: str = HEAD) -> list[tuple[str, str]]:
    """Return field and text of the warnings of a policy with one rule."""
    inspection = inspect_policy(f"{head}- {rule}\n".encode())
    assert not inspection.is_refused
    return [(each.field, each.message) for _, each in inspection.findings]


@pytest.mark.parametrize(
    ("rule", "field", "told"),
    [
        ("{level: None, verbs: ['*']}", "verbs[0]", "leave verbs out"),
        ("{level: None, verbs: [get, GET]}", "verbs[1]", "is it get?"),
        (
            "{level: None, verbs: [post], namespaces: [a]}",
            "verbs[0]",
            "is it create?",
        ),
        (
            "{level: None, verbs: [bind], resources: [{group: '*'}]}",
            "verbs[0]",
            "RBAC asks for it",
        ),
        (
            "{level: None, verbs: [create], nonResourceURLs: ['/a']}",
            "verbs[0]",
            "such as post",
        ),
        ("{level: None, users: ['a*']}", "users[0]", "no pattern"),
        (
            "{level: None, users: ['system:serviceaccount:a:*']}",
            "users[0]",
            "userGroups: [system:serviceaccounts:a]",
        ),
        ("{level: None, users: ['system:masters']}", "users[0]", "is a group"),
        (
            "{level: None, userGroups: ['system:serviceaccount:a:b']}",
            "userGroups[0]",
            "is a user",
        ),
        ("{level: None, namespaces: ['*']}", "namespaces[0]", "leave namespaces out"),
        ("{level: None, users: []}", "users", "restricts nothing"),
        (
            "{level: None, resources: [{}]}",
            "resources[0]",
            "everything of the core group",
        ),
        (
            "{level: None, resources: [{group: apps, resources: []}]}",
            "resources[0].resources",
            "everything of the group apps",
        ),
        (
            "{level: None, resources: [{group: core, resources: [pods]}]}",
            "resources[0].group",
            "that is ''",
        ),
        (
            "{level: None, resources: [{group: networking}]}",
            "resources[0].group",
            "is it networking.k8s.io?",
        ),
        (
            "{level: None, resources: [{group: '', resources: [deployments]}]}",
            "resources[0].resources[0]",
            "is it the group apps",
        ),
        (
            "{level: None, resources: [{group: '', resources: [secret]}]}",
            "resources[0].resources[0]",
            "is it secrets?",
        ),
        (
            "{level: None, resources: [{group: '', resources: [pods/logs]}]}",
            "resources[0].resources[0]",
            "is it pods/log?",
        ),
        (
            "{level: None, resources: [{group: '*', resources: ['*/*']}]}",
            "resources[0].resources[0]",
            "matches nothing",
        ),
        (
            "{level: None, resources: [{group: a.io, resources: ['a*']}]}",
            "resources[0].resources[0]",
            "matches nothing",
        ),
        (
            "{level: None, resources: [{group: '', resources: [Pods]}]}",
            "resources[0].resources[0]",
            "lower case",
        ),
        (
            "{level: None, resources: [{resources: [pods], resourceNames: ['a-*']}]}",
            "resources[0].resourceNames[0]",
            "no pattern",
        ),
        (
            "{level: None, verbs: [create],"
            " resources: [{resources: [pods], resourceNames: [a]}]}",
            "resources[0].resourceNames",
            "no name in its path",
        ),
        (
            "{level: None, resources: [{resources: [pods]}, {resources: [pods]}]}",
            "resources[1]",
            "as resources[0]",
        ),
        (
            "{level: Request, omitStages: [RequestReceived, ResponseComplete, Panic]}",
            "omitStages",
            "records nothing",
        ),
    ],
)
def test_what_is_said_in_vain_is_told(rule: str, field: str, told: str) -> None:
    ((found, message),) = warnings(rule)

    assert (found, told in message) == (f"rules[0].{field}", True), message


@pytest.mark.parametrize(
    "rule",
    [
        "{level: None, resources: [{group: '', resources: ['*', 'pods/*']}]}",
        "{level: None, resources: [{group: apps, resources: ['*/scale']}]}",
        "{level: None, resources: [{group: shop.io, resources: [orders/lines]}]}",
        "{level: None, resources: [{group: '', resources: [orders]}]}",
        "{level: None, verbs: [login], resources: [{group: log.auditring.io}]}",
        "{level: None, verbs: [post], nonResourceURLs: ['/*']}",
        "{level: None, namespaces: [''], users: ['system:kube-proxy']}",
        "{level: None, omitStages: [RequestReceived, ResponseComplete, Panic]}",
    ],
)
def test_what_may_be_meant_is_not_told(rule: str) -> None:
    assert warnings(rule) == []


def test_the_line_is_that_of_the_value() -> None:
    text = f"{HEAD}- level: None\n  verbs:\n  - get\n  - '*'\n"

    ((_, problem),) = inspect_policy(text.encode()).findings

    assert problem.line == 7


@pytest.mark.parametrize("name", PRESETS)
def test_what_comes_along_says_nothing_in_vain(name: str) -> None:
    assert inspect_policy(preset_text(name).encode()).findings == ()


def test_a_policy_that_records_nothing_says_so() -> None:
    inspection = inspect_policy(f"{HEAD}- level: None\n".encode())

    assert "nothing is recorded" in inspection.summary


def test_examples_of_the_documentation_say_nothing_in_vain() -> None:
    folder = Path(__file__).parents[1] / "data"
    for file in folder.glob("*policy*.yaml"):
        assert not inspect_policy(file.read_bytes()).is_refused

"""What is said of a decision agrees with the decision, and names what was missed."""

import random

import pytest
from test_decisions import Dice

from auditring.event import UserInfo
from auditring.policy import Policy
from auditring.policy.explanation import explain
from auditring.request.attributes import Attributes

ALICE = UserInfo("alice", groups=("dev",))


def reasons(rule: str, method: str, url: str, user: UserInfo | None = ALICE) -> str:
    """Return why a request misses the one *rule* of a policy."""
    policy = Policy.from_yaml(f"rules: [{{level: None, {rule}}}]")
    attributes = Attributes.from_request(method, url, user=user)
    return "; ".join(
        reason for miss in explain(policy, attributes).misses for reason in miss.reasons
    )


def test_the_rules_before_the_deciding_one_are_the_misses() -> None:
    dice = Dice(seed=7)
    for _ in range(500):
        policy = Policy(dice.rule_set())
        for _ in range(10):
            attributes = dice.attributes()

            explanation = explain(policy, attributes)

            decided = explanation.decision.rule
            count = len(policy.rule_set.rules) if decided < 0 else decided
            assert explanation.decision == policy.evaluate(attributes)
            assert [miss.rule for miss in explanation.misses] == [*range(count)]
            assert all(miss.reasons for miss in explanation.misses)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("users: [bob]", "users: alice is not among bob"),
        ("users: ['', a b]", "users: alice is not among '', 'a b'"),
        ("userGroups: [ops]", "userGroups: ops; the user is in dev"),
        ("verbs: ['*']", "verbs: list is not among *"),
        ("namespaces: [x]", "namespaces: '' is not among x"),
        (
            "resources: [{group: apps}, {resources: [pods/log]}]",
            "resources: pods of the core group is in none of them",
        ),
        (
            "resources: [{resources: [pods], resourceNames: [a]}]",
            "resourceNames: '' is not among a",
        ),
        ("nonResourceURLs: ['*']", "nonResourceURLs: it is for a resource"),
        ("requestTargets: [Cluster]", "requestTargets: '' is not among Cluster"),
        ("clusters: [east]", "clusters: '' is not among east"),
        (
            "users: [a, b, c, d, e, f, g]",
            "users: alice is not among a, b, c, d, e, 2 more",
        ),
        (
            "users: [bob], verbs: [get]",
            "users: alice is not among bob; verbs: list is not among get",
        ),
    ],
)
def test_a_miss_names_what_is_not_met(rule: str, reason: str) -> None:
    assert reasons(rule, "GET", "/api/v1/pods") == reason


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("namespaces: [x]", "namespaces: it isn't for a resource"),
        ("resources: [{group: ''}]", "resources: it isn't for a resource"),
        ("nonResourceURLs: [/x]", "nonResourceURLs: /version is none of them"),
    ],
)
def test_a_request_for_no_resource_misses_other_things(rule: str, reason: str) -> None:
    assert reasons(rule, "GET", "/version") == reason


@pytest.mark.parametrize("field", ["users", "userGroups"])
def test_without_a_user_a_rule_for_users_is_missed(field: str) -> None:
    reason = reasons(f"{field}: [a]", "GET", "/version", user=None)

    assert reason == f"{field}: nobody is known"


def test_a_user_without_groups_is_said_to_have_none() -> None:
    reason = reasons("userGroups: [a]", "GET", "/version", user=UserInfo("x"))

    assert reason == "userGroups: a; the user is in none"


def test_dice_are_repeatable() -> None:
    """So that a failure above can be looked into."""
    assert random.Random(7).random() == Dice(seed=7).random.random()

"""The fast evaluation decides as the plain one does, whatever policy and request."""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import naive_evaluator
import pytest

from auditring.event import Level, Stage, UserInfo
from auditring.policy import Policy
from auditring.policy.decisions import KINDS_MAX, DecisionIndex
from auditring.policy.rules import GroupResources, Rule, RuleSet
from auditring.request.attributes import Attributes
from auditring.request.gateway import RequestTarget

POLICIES = 2_000
REQUESTS_PER_POLICY = 50

USERS = ("alice", "bob", "system:apiserver", "")
GROUPS = ("dev", "system:nodes", "system:authenticated", "*")
VERBS = ("get", "list", "watch", "create", "delete", "*", "", "post")
API_GROUPS = ("", "apps", "metrics.k8s.io", "*")
RESOURCES = ("pods", "nodes", "*", "", "deployments")
SUBRESOURCES = ("", "", "log", "status", "*")
NAMES = ("", "web-0", "*", "pods")
NAMESPACES = ("", "kube-system", "default", "*")
PATHS = ("/", "/healthz", "/healthz/etcd", "/api", "/apis", "/version", "", "/a*")
URLS = ("*", "/", "/healthz", "/healthz*", "/api*", "/version", "/a*")
CLUSTERS = ("", "east", "west")
TARGETS = ("", *RequestTarget)


class Dice:
    """Random policies and requests out of few words, so that they often meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, words: tuple[str, ...], chance: float = 0.4) -> tuple[str, ...]:
        if self.random.random() > chance:
            return ()
        return tuple(self.random.choices(words, k=self.random.randint(1, 3)))

    def one(self, words: tuple[str, ...]) -> str:
        return self.random.choice(words)

    def rule_set(self) -> RuleSet:
        return RuleSet(
            rules=tuple(self.rule() for _ in range(self.random.randint(1, 8))),
            omit_stages=tuple(map(Stage, self.some(tuple(Stage)))),
            omit_managed_fields=self.random.random() < 0.5,
        )

    def rule(self) -> Rule:
        is_for_urls = self.random.random() < 0.2
        return Rule(
            level=self.random.choice(list(Level)),
            users=self.some(USERS, 0.15),
            user_groups=self.some(GROUPS, 0.15),
            verbs=self.some(VERBS, 0.3),
            resources=() if is_for_urls else self.resources(),
            namespaces=() if is_for_urls else self.some(NAMESPACES, 0.2),
            non_resource_urls=self.some(URLS, 1) if is_for_urls else (),
            omit_stages=tuple(map(Stage, self.some(tuple(Stage)))),
            omit_managed_fields=self.random.choice([None, True, False]),
            request_targets=self.some(TARGETS, 0.1),
            clusters=self.some(CLUSTERS, 0.1),
        )

    def resources(self) -> tuple[GroupResources, ...]:
        count = self.random.choice([0, 1, 1, 2, 3])
        return tuple(self.group_resources() for _ in range(count))

    def group_resources(self) -> GroupResources:
        names = tuple(
            f"{self.one(RESOURCES)}/{self.one(SUBRESOURCES)}".rstrip("/")
            for _ in range(self.random.randint(0, 3))
        )
        only = self.some(NAMES, 0.3) if names else ()
        return GroupResources(self.one(API_GROUPS), names, only)

    def attributes(self) -> Attributes:
        groups = tuple(self.random.choices(GROUPS, k=self.random.randint(0, 2)))
        has_user = self.random.random() < 0.9
        is_resource_request = self.random.random() < 0.8
        return Attributes(
            is_resource_request=is_resource_request,
            path=self.one(PATHS),
            verb=self.one(VERBS),
            api_group=self.one(API_GROUPS) if is_resource_request else "",
            namespace=self.one(NAMESPACES) if is_resource_request else "",
            resource=self.one(RESOURCES) if is_resource_request else "",
            subresource=self.one(SUBRESOURCES) if is_resource_request else "",
            name=self.one(NAMES) if is_resource_request else "",
            user=UserInfo(self.one(USERS), groups=groups) if has_user else None,
            request_target=self.one(TARGETS),
            cluster=self.one(CLUSTERS),
        )


def disagreements(dice: Dice, rule_set: RuleSet) -> Iterator[str]:
    """Yield requests that the two evaluations decide differently; count all."""
    policy = Policy(rule_set)
    for _ in range(REQUESTS_PER_POLICY):
        attributes = dice.attributes()
        expected = naive_evaluator.evaluate(rule_set, attributes)
        # Twice: the second time, its kind is known.
        for _ in range(2):
            decision = policy.evaluate(attributes)
            if decision != expected:
                yield f"{rule_set}\n{attributes}\n{expected}\n{decision}"


def test_it_decides_100_000_requests_as_the_plain_evaluation_does() -> None:
    dice = Dice(seed=36)

    for _ in range(POLICIES):
        rule_set = dice.rule_set()

        assert [*disagreements(dice, rule_set)] == []


def test_random_policies_decide_in_many_ways() -> None:
    """So that the comparison above compares something."""
    dice = Dice(seed=36)
    rules = Counter(
        Policy(dice.rule_set()).evaluate(dice.attributes()).rule for _ in range(1000)
    )

    assert rules[-1] < 600
    assert min(rules[index] for index in range(5)) > 20


@pytest.mark.parametrize("is_resource_request", [True, False])
def test_memory_stays_bounded_whatever_requests_come(
    is_resource_request: bool,
) -> None:
    index = DecisionIndex(RuleSet(rules=(Rule(level=Level.METADATA),)))

    for number in range(2 * KINDS_MAX):
        index.add_resource((str(number), "", "pods", ""))
        index.add_path(str(number))

    kinds = index.of_resource if is_resource_request else index.of_path
    assert 0 < len(kinds) <= KINDS_MAX


def resource_requests() -> list[Attributes]:
    """Return one of each kind, in no order; many have texts in common."""
    kinds = itertools.product(VERBS, API_GROUPS, RESOURCES, SUBRESOURCES)
    requests = [
        Attributes(
            is_resource_request=True,
            verb=verb,
            api_group=group,
            resource=resource,
            subresource=subresource,
        )
        for verb, group, resource, subresource in kinds
    ]
    random.Random(3).shuffle(requests)
    return requests


def with_texts_of_its_own(attributes: Attributes) -> Attributes:
    """Return equal attributes, none of whose longer texts is the same object."""
    return replace(
        attributes,
        verb="".join([*attributes.verb]),
        api_group="".join([*attributes.api_group]),
        resource="".join([*attributes.resource]),
        subresource="".join([*attributes.subresource]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_kinds_that_have_texts_in_common_stay_apart(seed: int) -> None:
    rule_set = Dice(seed).rule_set()
    policy = Policy(rule_set)
    requests = resource_requests()

    for attributes in [*requests, *map(with_texts_of_its_own, requests), *requests]:
        expected = naive_evaluator.evaluate(rule_set, attributes)
        assert policy.evaluate(attributes) == expected
        assert policy.evaluate(attributes) == expected


def test_a_kind_without_texts_is_none_that_is_known() -> None:
    policy = Policy(RuleSet(rules=(Rule(level=Level.METADATA),)))
    nothing: Any = None
    attributes = Attributes(
        is_resource_request=True,
        verb=nothing,
        api_group=nothing,
        resource=nothing,
        subresource=nothing,
    )

    assert policy.evaluate(attributes).level is Level.METADATA


def test_a_verb_that_was_forgotten_is_decided_alike() -> None:
    rule = Rule(level=Level.METADATA, users=("alice",))
    policy = Policy(RuleSet(rules=(rule,)))
    attributes = Attributes(verb="get", path="/", user=UserInfo("alice"))
    before = policy.evaluate(attributes)

    for number in range(KINDS_MAX + 1):
        policy.evaluate(Attributes(verb=str(number), path="/"))

    assert policy.evaluate(attributes) == before


def test_threads_get_the_same_answers() -> None:
    dice = Dice(seed=1)
    rule_set = dice.rule_set()
    requests = [dice.attributes() for _ in range(2000)]
    expected = [naive_evaluator.evaluate(rule_set, each) for each in requests]
    policy = Policy(rule_set)
    answers: list[list[object]] = []

    def ask() -> None:
        answers.append([policy.evaluate(each) for each in requests])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [expected] * 4

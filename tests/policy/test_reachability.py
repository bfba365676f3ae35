"""A rule that is told to be out of reach never decides, and plain cases are told."""

import random
from itertools import product

import pytest

from auditring.event import Level, UserInfo
from auditring.policy import Policy
from auditring.policy.reachability import unreachable_rules
from auditring.policy.rules import GroupResources, Rule, RuleSet
from auditring.policy.text import read_policy
from auditring.request.attributes import Attributes

USERS = ("a", "b")
GROUPS = ("g", "h")
VERBS = ("get", "list")
NAMESPACES = ("", "x")
PATTERNS = ("pods", "pods/log", "pods/*", "*/log", "*")
URLS = ("/a", "/a*", "*")


def told(rules: list[str]) -> dict[int, str]:
    """Return what is said of each rule that is never reached."""
    text = "rules:\n" + "".join(f"- {rule}\n" for rule in rules)
    rule_set, _ = read_policy(text)
    lines = {f"rules[{index}]": index + 2 for index in range(len(rules))}
    problems = unreachable_rules(rule_set.rules, lines)
    return {int(each.field[6:-1]): each.detail for each in problems}


@pytest.mark.parametrize(
    "rules",
    [
        ["{level: None}", "{level: None, verbs: [get]}"],
        ["{level: None, verbs: [get, list]}", "{level: Request, verbs: [list]}"],
        [
            "{level: None, resources: [{group: '*'}]}",
            "{level: None, nonResourceURLs: ['*']}",
            "{level: Metadata}",
        ],
        [
            "{level: None, users: [a]}",
            "{level: None, users: [b]}",
            "{level: Metadata, users: [a, b]}",
        ],
        [
            "{level: None, resources: [{resources: ['pods/*']}]}",
            "{level: None, resources: [{resources: [pods, pods/log]}]}",
        ],
        [
            "{level: None, nonResourceURLs: ['/a*']}",
            "{level: None, nonResourceURLs: [/ab, '/abc*']}",
        ],
        [
            "{level: None, resources: [{resources: [pods]}]}",
            "{level: None, namespaces: [x], users: [u],"
            " resources: [{resources: [pods], resourceNames: [one]}]}",
        ],
    ],
)
def test_a_rule_behind_what_takes_all_of_it_is_told(rules: list[str]) -> None:
    assert list(told(rules)) == [len(rules) - 1]


@pytest.mark.parametrize(
    "rules",
    [
        ["{level: None, verbs: [get]}", "{level: None, verbs: [get, list]}"],
        ["{level: None, users: [a]}", "{level: None}"],
        ["{level: None, userGroups: [g]}", "{level: None, users: [a]}"],
        ["{level: None, namespaces: [x]}", "{level: None, nonResourceURLs: ['*']}"],
        [
            "{level: None, resources: [{resources: [pods]}]}",
            "{level: None, resources: [{resources: ['pods/*']}]}",
        ],
        [
            "{level: None, resources: [{resources: [pods], resourceNames: [one]}]}",
            "{level: None, resources: [{resources: [pods]}]}",
        ],
        ["{level: None, clusters: [c]}", "{level: None}"],
        ["{level: None, nonResourceURLs: ['/a']}", "{level: None, namespaces: [x]}"],
    ],
)
def test_a_rule_that_can_decide_is_not_told(rules: list[str]) -> None:
    assert told(rules) == {}


def test_it_says_which_rule_takes_what() -> None:
    repeated = told(["{level: None, verbs: [get]}", "{level: Request, verbs: [get]}"])
    several = told(["{level: None, users: [a]}", "{level: None, users: [b]}"] * 2)

    assert repeated[1] == "is never reached: rules[0] in line 2 matches the same"
    assert set(several) == {2, 3}


def test_many_long_rules_take_no_time() -> None:
    names = tuple(f"n{number}" for number in range(10_000))
    rule = Rule(level=Level.NONE, users=names, verbs=names)

    assert not list(unreachable_rules([rule] * 1000, {}))


def some(generator: random.Random, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(generator.sample(values, generator.choice((0, 0, 1, 2))))


def random_rule(generator: random.Random) -> Rule:
    kind = generator.choice(("any", "resource", "path"))
    entries = tuple(
        GroupResources(
            generator.choice(("", "*", "apps")),
            patterns := some(generator, PATTERNS),
            some(generator, ("n",) * 2)[:1] if patterns else (),
        )
        for _ in range(generator.choice((0, 1, 2)))
    )
    is_path = kind == "path"
    return Rule(
        level=Level.METADATA,
        users=some(generator, USERS),
        user_groups=some(generator, GROUPS),
        verbs=some(generator, VERBS),
        resources=entries if kind == "resource" else (),
        namespaces=some(generator, NAMESPACES) if kind == "resource" else (),
        non_resource_urls=some(generator, URLS) if is_path else (),
    )


def requests() -> list[Attributes]:
    """Return requests of every sort that the rules above tell apart."""
    users = [
        None,
        *(
            UserInfo(name, groups=groups)
            for name, groups in product(("a", "b", "c"), [(), ("g",), ("h",)])
        ),
    ]
    resources = [
        Attributes(
            is_resource_request=True,
            user=user,
            verb=verb,
            api_group=group,
            resource=resource,
            subresource=below,
            namespace=namespace,
            name=name,
        )
        for user, verb, group, resource, below, namespace, name in product(
            users,
            (*VERBS, "watch"),
            ("", "apps"),
            ("pods", "nodes"),
            ("", "log"),
            (*NAMESPACES, "y"),
            ("", "n"),
        )
    ]
    paths = [
        Attributes(is_resource_request=False, user=user, verb=verb, path=path)
        for user, verb, path in product(users, VERBS, ("/a", "/ab", "/b"))
    ]
    return resources + paths


@pytest.mark.parametrize("seed", range(8))
def test_what_is_out_of_reach_decides_on_no_request(seed: int) -> None:
    generator = random.Random(seed)
    asked = requests()
    found = 0
    for _ in range(25):
        rules = tuple(random_rule(generator) for _ in range(4))
        policy = Policy(RuleSet(rules=rules))
        unreached = {
            int(problem.field[6:-1]) for problem in unreachable_rules(rules, {})
        }
        found += len(unreached)

        deciding = {policy.evaluate(each).rule for each in asked}

        assert not deciding & unreached, rules
    assert found

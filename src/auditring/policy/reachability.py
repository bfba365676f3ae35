"""Which rules of a policy can never decide, as rules before them take all they match.

A rule is taken apart into its smallest parts: one user, verb, namespace and resource
of those it names. It is out of reach if each part is within one earlier rule. What
only follows from all that exists, such as that there are no other verbs, isn't seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from ..errors import PolicyProblem
from .rules import GroupResources, Rule
from .rulewords import listed, reach_of

__all__ = ["unreachable_rules"]

# A policy of many long rules has more parts than there is time.
_PARTS_MAX = 5_000
_STEPS_MAX = 1_000_000


class _Resource(NamedTuple):
    """Requests for a resource: of any group, pattern or name where it is None."""

    group: str | None = None
    pattern: str | None = None
    name: str | None = None


class _Path(NamedTuple):
    """Requests for no resource: those of a pattern, any where it is None."""

    url: str | None = None


class _Part(NamedTuple):
    """Requests that a rule takes; None is anyone or anything."""

    user: str | None
    group: str | None
    verb: str | None
    namespace: str | None
    target: str | None
    cluster: str | None
    place: _Resource | _Path


def unreachable_rules(
    rules: Sequence[Rule | None], lines: Mapping[str, int]
) -> Iterator[PolicyProblem]:
    """Yield a warning for each of *rules* that never decides; None is a wrong one."""
    steps = 0
    for index, rule in enumerate(rules):
        if rule is None:
            continue
        steps += _count_of_parts(rule) * (index + 1)
        if steps > _STEPS_MAX:
            return
        takers = _takers(rule, rules[:index])
        if takers:
            line = lines.get(f"rules[{index}]")
            told = _told(rule, rules, takers)
            yield PolicyProblem(f"rules[{index}]", "Unreachable", told, line)


def _told(rule: Rule, rules: Sequence[Rule | None], takers: Sequence[int]) -> str:
    first = rules[takers[0]]
    assert first is not None
    if len(takers) > 1:
        names = listed(map(str, takers))
        return f"is never reached: rules {names} take all that it matches"
    place = f"rules[{takers[0]}]"
    if first.line is not None:
        place += f" in line {first.line}"
    if _restrictions(first) == _restrictions(rule):
        return f"is never reached: {place} matches the same"
    return f"is never reached: {place} takes {reach_of(first)}"


def _restrictions(rule: Rule) -> tuple[object, ...]:
    return (
        *(rule.users, rule.user_groups, rule.verbs, rule.resources, rule.namespaces),
        *(rule.non_resource_urls, rule.request_targets, rule.clusters),
    )


def _takers(rule: Rule, before: Sequence[Rule | None]) -> list[int]:
    """Return which rules take every part of *rule*; none if a part is left."""
    if not before or _count_of_parts(rule) > _PARTS_MAX:
        return []
    parts = list(_parts(rule))
    for index, other in enumerate(before):
        if other is not None and all(_takes(other, part) for part in parts):
            return [index]
    found = set()
    for part in parts:
        taker = next(
            (
                index
                for index, other in enumerate(before)
                if other is not None and _takes(other, part)
            ),
            None,
        )
        if taker is None:
            return []
        found.add(taker)
    return sorted(found)


def _lists(rule: Rule) -> list[tuple[str, ...]]:
    return [
        rule.users,
        rule.user_groups,
        rule.verbs,
        rule.namespaces,
        rule.request_targets,
        rule.clusters,
    ]


def _count_of_parts(rule: Rule) -> int:
    entries = sum(
        max(len(entry.resources), 1) * max(len(entry.resource_names), 1)
        for entry in rule.resources
    )
    places = max(entries, len(rule.non_resource_urls), 1)
    return places * prod(max(len(each), 1) for each in _lists(rule))


def _parts(rule: Rule) -> Iterator[_Part]:
    places = list(_places(rule))
    lists: list[tuple[str | None, ...]] = [each or (None,) for each in _lists(rule)]
    for user, group, verb, namespace, target, cluster in product(*lists):
        for place in places:
            yield _Part(user, group, verb, namespace, target, cluster, place)


def _places(rule: Rule) -> Iterator[_Resource | _Path]:
    for entry in rule.resources:
        names = entry.resource_names or (None,)
        for pattern, name in product(entry.resources or (None,), names):
            yield _Resource(entry.group, pattern, name)
    if rule.non_resource_urls:
        yield from map(_Path, rule.non_resource_urls)
    elif not rule.resources:
        yield _Resource()
        if not rule.namespaces:
            yield _Path()


def _takes(rule: Rule, part: _Part) -> bool:
    """Tell whether *rule* matches all requests of *part*."""
    members = zip(_lists(rule), part, strict=False)
    if any(wanted and member not in wanted for wanted, member in members):
        return False
    place = part.place
    if isinstance(place, _Path):
        if rule.resources or rule.namespaces:
            return False
        urls = rule.non_resource_urls
        return not urls or any(_takes_path(url, place.url) for url in urls)
    if rule.non_resource_urls:
        return False
    entries = rule.resources
    return not entries or any(_takes_resource(each, place) for each in entries)


def _takes_path(url: str, other: str | None) -> bool:
    if other is None:
        return url == "*"
    is_prefix = url.endswith("*") and other.startswith(url.rstrip("*"))
    return url == other or is_prefix


def _takes_resource(entry: GroupResources, place: _Resource) -> bool:
    if entry.group not in ("*", place.group):
        return False
    if entry.resource_names and place.name not in entry.resource_names:
        return False
    return not entry.resources or any(
        _takes_pattern(pattern, place.pattern) for pattern in entry.resources
    )


def _takes_pattern(pattern: str, other: str | None) -> bool:
    if pattern == "*" or pattern == other:
        return True
    if other is None:
        return False
    resource, _, below = pattern.partition("/")
    other_resource, _, other_below = other.partition("/")
    if below == "*":
        return resource == other_resource
    return resource == "*" and bool(below) and below == other_below

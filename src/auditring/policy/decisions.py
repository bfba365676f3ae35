"""Which rules can decide a request: the part of a policy that is worked out only once.

A request meets a rule in two steps. Its verb, and its group, resource and subresource
or its being no resource request, settle most rules for good; that is done when such a
request first comes. What is left of a rule then are lists of users, groups, namespaces,
names or paths. The order of the rules is kept, so the first match stays the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

from ..event.event import Level, Stage
from ..request.attributes import Attributes
from ._decide import DecisionTable
from .rules import GroupResources, Rule, RuleSet

__all__ = ["KINDS_MAX", "Candidate", "Candidates", "Decision", "DecisionIndex", "Place"]

# How many kinds of request are remembered. Verbs and resources come from the request
# line, where anything may stand, so there has to be an end to them.
KINDS_MAX = 4096


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says of a request.

    Attributes:
        level: How much is recorded; `Level.NONE` for nothing, at no stage.
        omit_stages: Stages at which nothing is, those of policy and rule together.
        omit_managed_fields: Whether ``metadata.managedFields`` is taken out of bodies.
        rule: Index of the rule that decided; -1 if none matched.
    """

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule: int


class Place(NamedTuple):
    """Restrictions that few rules have; None where there is none."""

    paths: frozenset[str] | None
    path_prefixes: tuple[str, ...]
    request_targets: frozenset[str] | None
    clusters: frozenset[str] | None

    def holds(self, attributes: Attributes) -> bool:
        """Tell whether a request is where the rule wants it."""
        targets, clusters, paths = self.request_targets, self.clusters, self.paths
        if targets is not None and attributes.request_target not in targets:
            return False
        if clusters is not None and attributes.cluster not in clusters:
            return False
        if paths is None:
            return True
        path = attributes.path
        return path in paths or path.startswith(self.path_prefixes)


class Candidate(NamedTuple):
    """A rule that may decide requests of a kind, and what they still have to meet."""

    decision: Decision
    users: frozenset[str] | None
    user_groups: frozenset[str] | None
    namespaces: frozenset[str] | None
    names: frozenset[str] | None
    place: Place | None

    @property
    def is_certain(self) -> bool:
        """Whether nothing is left to meet."""
        return all(restriction is None for restriction in self[1:])


# The last one is certain; if it is the only one, it is only its decision.
Candidates = tuple[Candidate, ...] | Decision


class DecisionIndex(DecisionTable):
    """Candidates by kind of request, worked out when the first of a kind comes.

    Any thread may ask: two that ask for the same kind at once do the same work twice.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        """Begin with none."""
        everywhere = frozenset(rule_set.omit_stages)
        self._rules = tuple(
            _Compiled(
                rule,
                Decision(
                    rule.level,
                    everywhere | frozenset(rule.omit_stages),
                    rule_set.omit_managed_fields
                    if rule.omit_managed_fields is None
                    else rule.omit_managed_fields,
                    index,
                ),
            )
            for index, rule in enumerate(rule_set.rules)
        )
        omits = rule_set.omit_managed_fields
        self._default = Decision(Level.NONE, everywhere, omits, -1)

    def add_resource(self, kind: tuple[str, str, str, str]) -> Candidates:
        """Work out requests of a verb, API group, resource and subresource."""
        verb, *resource = kind
        rules = (rule.on_resource(verb, *resource) for rule in self._rules)
        if len(self.of_resource) >= KINDS_MAX:
            self.of_resource.clear()
        candidates = self.of_resource[kind] = self._up_to_certain(rules)
        return candidates

    def add_path(self, verb: str) -> Candidates:
        """Work out requests of a verb that are no resource requests."""
        rules = (rule.on_path(verb) for rule in self._rules)
        if len(self.of_path) >= KINDS_MAX:
            self.of_path.clear()
        candidates = self.of_path[verb] = self._up_to_certain(rules)
        return candidates

    def _up_to_certain(self, rules: Iterator[Candidate | None]) -> Candidates:
        candidates: list[Candidate] = []
        for candidate in rules:
            if candidate is not None:
                candidates.append(candidate)
                if candidate.is_certain:
                    break
        else:
            candidates.append(Candidate(self._default, None, None, None, None, None))
        return tuple(candidates) if len(candidates) > 1 else candidates[0].decision


class _Compiled:
    """One rule, its lists as sets."""

    def __init__(self, rule: Rule, decision: Decision) -> None:
        self._rule = rule
        self._decision = decision
        self._users = _set_of(rule.users)
        self._groups = _set_of(rule.user_groups)
        self._verbs = _set_of(rule.verbs)
        self._namespaces = _set_of(rule.namespaces)
        self._resources = tuple(map(_CompiledResources, rule.resources))
        self._is_on_resources = bool(rule.resources or rule.namespaces)
        targets, clusters = _set_of(rule.request_targets), _set_of(rule.clusters)
        urls = rule.non_resource_urls
        self._anywhere = Place(None, (), targets, clusters)
        self._on_urls = Place(
            frozenset(url for url in urls if not url.endswith("*")),
            tuple(url.rstrip("*") for url in urls if url.endswith("*")),
            targets,
            clusters,
        )

    def on_resource(
        self, verb: str, group: str, resource: str, subresource: str
    ) -> Candidate | None:
        """Return what is left of the rule, None if it can't match."""
        rule = self._rule
        if not self._has_verb(verb):
            return None
        if not self._is_on_resources:
            return None if rule.non_resource_urls else self._candidate(self._anywhere)
        if not self._resources:
            return self._candidate(self._anywhere)
        found = [
            each.names
            for each in self._resources
            if each.covers(group, resource, subresource)
        ]
        if not found:
            return None
        named = [names for names in found if names is not None]
        names = frozenset().union(*named) if len(named) == len(found) else None
        return self._candidate(self._anywhere, names)

    def on_path(self, verb: str) -> Candidate | None:
        """Return what is left of the rule, None if it can't match."""
        if self._is_on_resources or not self._has_verb(verb):
            return None
        has_urls = self._rule.non_resource_urls
        return self._candidate(self._on_urls if has_urls else self._anywhere)

    def _has_verb(self, verb: str) -> bool:
        return self._verbs is None or verb in self._verbs

    def _candidate(
        self, place: Place, names: frozenset[str] | None = None
    ) -> Candidate:
        is_free = place.paths is place.request_targets is place.clusters is None
        return Candidate(
            self._decision,
            self._users,
            self._groups,
            self._namespaces,
            names,
            None if is_free else place,
        )


class _CompiledResources:
    """An entry of a rule's resources."""

    def __init__(self, entry: GroupResources) -> None:
        self._group = entry.group
        self._resources = entry.resources
        self.names = _set_of(entry.resource_names)

    def covers(self, group: str, resource: str, subresource: str) -> bool:
        """Tell whether it is about a resource; source: Kubernetes, policy/checker."""
        if self._group not in ("*", group):
            return False
        if not self._resources:
            return True
        wanted = {"*", f"{resource}/*"}
        if subresource:
            wanted |= {f"{resource}/{subresource}", f"*/{subresource}"}
        else:
            wanted.add(resource)
        return not wanted.isdisjoint(self._resources)


def _set_of(items: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(items) if items else None

"""What a valid policy says in vain: values that no request has, and empty lists.

Kubernetes takes all of it, so these are warnings. Source of what requests can have:
Kubernetes v1.36, apiserver's request information, and its well-known users and groups.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from ..errors import PolicyProblem
from ..event.event import Level, Stage
from .resources import CORE, GROUPS, SUBRESOURCES, groups_of
from .rules import GroupResources, Rule
from .rulewords import group_name, reach_of

__all__ = ["lint"]

_LISTS = {
    "users": "users",
    "userGroups": "user_groups",
    "verbs": "verbs",
    "resources": "resources",
    "namespaces": "namespaces",
    "nonResourceURLs": "non_resource_urls",
    "requestTargets": "request_targets",
    "clusters": "clusters",
}
_LITERAL_LISTS = ("users", "userGroups", "namespaces", "clusters")

# What the methods of requests for resources are called, and verbs of RBAC alone.
_VERBS_OF_METHODS = {
    "post": "create",
    "put": "update",
    "head": "get",
    "read": "get, list and watch",
    "write": "create, update, patch, delete and deletecollection",
    "edit": "update and patch",
    "remove": "delete",
    "view": "get, list and watch",
    "logs": "get, with the resource pods/log",
    "exec": "create and get, with the resource pods/exec",
}
_METHODS_OF_VERBS = {"create": "post", "update": "put", "list": "get"}
_VERBS_OF_RBAC = {"impersonate", "bind", "escalate", "use", "approve", "sign"}
_OF_AUDIT_HANDLER = "log.auditring.io"

_KNOWN_GROUPS = (
    "system:masters",
    "system:nodes",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
)
_KNOWN_USERS = (
    "system:anonymous",
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
)
_STAGES_OF_ALL = {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE, Stage.PANIC}
_SIMILAR = 0.85


def lint(
    rules: Sequence[Rule | None],
    lines: Mapping[str, int],
    omitted: Sequence[str] = (),
) -> Iterator[PolicyProblem]:
    """Yield what *rules* say in vain.

    Args:
        rules: Those of a policy; None for one that is wrong.
        lines: Where the parts of the policy stand, by path.
        omitted: Stages that the whole policy leaves out.
    """
    for index, rule in enumerate(rules):
        if rule is not None:
            yield from _Lint(rule, f"rules[{index}]", lines).all(omitted)


class _Lint:
    """One rule."""

    def __init__(self, rule: Rule, path: str, lines: Mapping[str, int]) -> None:
        self._rule = rule
        self._path = path
        self._lines = lines

    def all(self, omitted: Sequence[str]) -> Iterator[PolicyProblem]:
        yield from self._empty_lists()
        yield from self._literal_patterns()
        yield from self._people()
        yield from self._verbs()
        for index, entry in enumerate(self._rule.resources):
            yield from self._entry(entry, f"resources[{index}]")
        yield from self._names()
        yield from self._repeated_entries()
        yield from self._stages(omitted)

    def _warn(self, field: str, detail: str, kind: str = "Unmatched") -> PolicyProblem:
        path = f"{self._path}.{field}" if field else self._path
        at = path
        while at not in self._lines and at:
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        return PolicyProblem(path, kind, detail, self._lines.get(at))

    def _empty_lists(self) -> Iterator[PolicyProblem]:
        for field, attribute in _LISTS.items():
            is_there = f"{self._path}.{field}" in self._lines
            if is_there and not getattr(self._rule, attribute):
                told = f"is empty, which restricts nothing: {self._reach()}"
                yield self._warn(field, told, "Wide")

    def _reach(self) -> str:
        return f"the rule takes {reach_of(self._rule)}"

    def _literal_patterns(self) -> Iterator[PolicyProblem]:
        for field in _LITERAL_LISTS:
            for index, value in enumerate(getattr(self._rule, _LISTS[field])):
                if "*" not in value:
                    continue
                told = f"{value!r} is a name here and no pattern, and nothing has it"
                if value == "*":
                    told += f"; leave {field} out for all"
                elif value == "system:serviceaccount:*":
                    told += "; userGroups: [system:serviceaccounts] has them all"
                elif value.startswith("system:serviceaccount:"):
                    namespace = value.split(":")[2]
                    told += f"; userGroups: [system:serviceaccounts:{namespace}] may do"
                yield self._warn(f"{field}[{index}]", told)

    def _people(self) -> Iterator[PolicyProblem]:
        for index, name in enumerate(self._rule.users):
            is_group = name.startswith("system:serviceaccounts:")
            if name in _KNOWN_GROUPS or is_group:
                told = f"{name!r} is a group: userGroups is for those"
                yield self._warn(f"users[{index}]", told)
        for index, name in enumerate(self._rule.user_groups):
            is_user = name.startswith(("system:serviceaccount:", "system:node:"))
            if name in _KNOWN_USERS or is_user:
                told = f"{name!r} is a user: users is for those"
                yield self._warn(f"userGroups[{index}]", told)

    def _verbs(self) -> Iterator[PolicyProblem]:
        for index, verb in enumerate(self._rule.verbs):
            told = self._verb_told(verb)
            if told:
                yield self._warn(f"verbs[{index}]", told)

    def _verb_told(self, verb: str) -> str:
        """Return why no request has a *verb*; nothing if some may have it."""
        rule = self._rule
        if "*" in verb or verb in ("", "all", "any"):
            return f"{verb!r} is no wildcard, and no verb: leave verbs out for all"
        if verb != verb.lower():
            return f"verbs are in lower case: is it {verb.lower()}?"
        if rule.non_resource_urls:
            if verb in _METHODS_OF_VERBS:
                method = _METHODS_OF_VERBS[verb]
                return f"a path is no resource: its verbs are methods, such as {method}"
            return ""
        if not (rule.resources or rule.namespaces):
            return ""
        # Whoever logs by `AuditHandler` may have any verbs.
        if any(entry.group == _OF_AUDIT_HANDLER for entry in rule.resources):
            return ""
        if verb in _VERBS_OF_METHODS:
            return f"no request for a resource has it: is it {_VERBS_OF_METHODS[verb]}?"
        if verb in _VERBS_OF_RBAC:
            return "RBAC asks for it, but no request has it as its verb"
        return ""

    def _entry(self, entry: GroupResources, path: str) -> Iterator[PolicyProblem]:
        at = f"{self._path}.{path}"
        is_bare = f"{at}.group" not in self._lines
        if is_bare and not entry.resources and f"{at}.resources" not in self._lines:
            told = f"says neither group nor resources: {self._reach()}"
            yield self._warn(path, told, "Wide")
        if f"{at}.resources" in self._lines and not entry.resources:
            told = f"is empty, which restricts nothing: {self._reach()}"
            yield self._warn(f"{path}.resources", told, "Wide")
        if told := _group_told(entry.group):
            yield self._warn(f"{path}.group", told)
            return
        for index, pattern in enumerate(entry.resources):
            if told := _pattern_told(pattern) or _resource_told(entry.group, pattern):
                yield self._warn(f"{path}.resources[{index}]", told)
        for index, name in enumerate(entry.resource_names):
            if "*" in name:
                told = f"{name!r} is a name here and no pattern, and nothing has it"
                yield self._warn(f"{path}.resourceNames[{index}]", told)

    def _names(self) -> Iterator[PolicyProblem]:
        """Warn of names that requests to create don't have in their paths."""
        rule = self._rule
        for index, entry in enumerate(rule.resources):
            has_below = any("/" in each or each == "*" for each in entry.resources)
            if rule.verbs == ("create",) and entry.resource_names and not has_below:
                told = "a request to create something has no name in its path"
                yield self._warn(f"resources[{index}].resourceNames", told)

    def _repeated_entries(self) -> Iterator[PolicyProblem]:
        entries = self._rule.resources
        for index, entry in enumerate(entries):
            if entry in entries[:index]:
                earlier = entries.index(entry)
                told = f"is there already, as resources[{earlier}]"
                yield self._warn(f"resources[{index}]", told, "Repeated")

    def _stages(self, omitted: Sequence[str]) -> Iterator[PolicyProblem]:
        left_out = {*self._rule.omit_stages, *omitted}
        if self._rule.level is not Level.NONE and left_out >= _STAGES_OF_ALL:
            field = "omitStages" if self._rule.omit_stages else ""
            told = f"{self._rule.level} records nothing: its stages are left out"
            yield self._warn(field, told)


def _group_told(group: str) -> str:
    """Return what is wrong with a *group*; nothing if some server may have it."""
    if group in ("core", "v1"):
        return f"{group!r} isn't what the core group is called; that is ''"
    if group and group not in GROUPS:
        long = [name for name in GROUPS if name.startswith(f"{group}.")]
        if long:
            return f"no group is called {group!r}: is it {long[0]}?"
    return ""


def _pattern_told(pattern: str) -> str:
    """Return why a *pattern* is none."""
    if "*" in pattern and pattern != "*":
        resource, slash, below = pattern.partition("/")
        is_well_formed = slash and (resource == "*") != (below == "*")
        is_well_formed = is_well_formed and "*" not in resource.strip(
            "*"
        ) + below.strip("*")
        if not is_well_formed or "/" in below:
            return (
                f"{pattern!r} matches nothing: patterns are '*', which is all of the"
                " group with what is below, 'pods/*' and '*/status'"
            )
    if pattern != pattern.lower():
        return f"resources are in lower case, and plural: {pattern!r} matches nothing"
    return ""


def _resource_told(group: str, pattern: str) -> str:
    """Return why a *group* of Kubernetes' has nothing that a *pattern* matches."""
    resource, _, below = pattern.partition("/")
    names = GROUPS.get(group)
    if names is None or resource == "*":
        return ""
    if resource in names:
        return _below_told(resource, below) if group == CORE else ""
    others = groups_of(resource)
    if others:
        where = " or ".join(map(group_name, others[:2]))
        return f"{resource} matches nothing in {group_name(group)}: is it {where}?"
    near = difflib.get_close_matches(resource, names, n=1, cutoff=_SIMILAR)
    if near:
        return f"{group_name(group)} has no {resource!r}: is it {near[0]}?"
    return ""


def _below_told(resource: str, below: str) -> str:
    known = SUBRESOURCES.get(resource)
    if known is None or below in ("", "*", *known):
        return ""
    near = difflib.get_close_matches(below, known, n=1, cutoff=0.6)
    if near:
        return f"no {resource} have {below!r}: is it {resource}/{near[0]}?"
    return f"{resource} have no {below!r}"

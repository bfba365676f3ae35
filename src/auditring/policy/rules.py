"""What an audit policy says, once it is known to be valid: `RuleSet`, of `Rule`.

Names and meanings are those of audit.k8s.io/v1, and of Loft's two additions. An empty
tuple restricts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..event.event import Level, Stage

__all__ = ["GroupResources", "Rule", "RuleSet"]


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Some resources of an API group.

    Attributes:
        group: Empty for the core group, ``*`` for every group.
        resources: ``pods``, ``pods/log``, ``pods/*`` (and plain pods), ``*/scale`` or
            ``*``; empty for all of the group.
        resource_names: Names of objects, to the letter; empty for any.
    """

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which requests a level is for; a request has to meet every restriction.

    Attributes:
        level: How much of such a request is recorded.
        users: Names, to the letter.
        user_groups: The user has to be in one of them.
        verbs: To the letter; ``*`` is no wildcard.
        resources: What a resource request has to be about.
        namespaces: An empty string stands for what is in none.
        non_resource_urls: Paths of other requests; a ``*`` may end one.
        omit_stages: Stages to leave out, besides those of the policy.
        omit_managed_fields: None for what the policy says.
        request_targets: Where Loft's gateway has to send it, names of `RequestTarget`.
        clusters: Names of the clusters that it has to go to.
        line: Where the rule begins in its text; None if there is none.
    """

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None
    request_targets: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules of a policy in their order, and what holds for all of them.

    Attributes:
        rules: The first that matches decides.
        omit_stages: Stages that are left out whatever rule decides.
        omit_managed_fields: Whether ``metadata.managedFields`` is taken out of bodies.
        metadata: The members of the object's metadata that aren't empty.
    """

    rules: tuple[Rule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """Return the policy as an API object, empty members left out."""
        document: dict[str, Any] = {
            "kind": "Policy",
            "apiVersion": "audit.k8s.io/v1",
            "metadata": dict(self.metadata),
            "rules": [_rule_document(rule) for rule in self.rules],
        }
        if self.omit_stages:
            document["omitStages"] = [str(stage) for stage in self.omit_stages]
        if self.omit_managed_fields:
            document["omitManagedFields"] = True
        return document


def _rule_document(rule: Rule) -> dict[str, Any]:
    document: dict[str, Any] = {
        "level": str(rule.level),
        "users": list(rule.users),
        "userGroups": list(rule.user_groups),
        "verbs": list(rule.verbs),
        "resources": [_group_document(each) for each in rule.resources],
        "namespaces": list(rule.namespaces),
        "nonResourceURLs": list(rule.non_resource_urls),
        "omitStages": [str(stage) for stage in rule.omit_stages],
        "requestTargets": list(rule.request_targets),
        "clusters": list(rule.clusters),
    }
    document = {key: value for key, value in document.items() if value}
    if rule.omit_managed_fields is not None:
        document["omitManagedFields"] = rule.omit_managed_fields
    return document


def _group_document(each: GroupResources) -> dict[str, Any]:
    document = {
        "group": each.group,
        "resources": list(each.resources),
        "resourceNames": list(each.resource_names),
    }
    return {key: value for key, value in document.items() if value}

"""The policy's evaluation as its specification tells it: no index, no sets, no haste.

What the fast one has to agree with. Source: Kubernetes v1.36, pkg/audit/policy.
"""

from auditring.event import Level
from auditring.policy.decisions import Decision
from auditring.policy.rules import GroupResources, Rule, RuleSet
from auditring.request.attributes import Attributes

__all__ = ["evaluate"]


def evaluate(rule_set: RuleSet, attributes: Attributes) -> Decision:
    everywhere = rule_set.omit_stages
    omits_managed_fields = rule_set.omit_managed_fields
    for index, rule in enumerate(rule_set.rules):
        if _matches(rule, attributes):
            if rule.omit_managed_fields is not None:
                omits_managed_fields = rule.omit_managed_fields
            stages = frozenset([*everywhere, *rule.omit_stages])
            return Decision(rule.level, stages, omits_managed_fields, index)
    return Decision(Level.NONE, frozenset(everywhere), omits_managed_fields, -1)


def _matches(rule: Rule, attributes: Attributes) -> bool:
    user = attributes.user
    if rule.users and (user is None or user.username not in rule.users):
        return False
    if rule.user_groups:
        groups = user.groups if user is not None else ()
        if not any(group in rule.user_groups for group in groups):
            return False
    if rule.verbs and attributes.verb not in rule.verbs:
        return False
    if rule.request_targets and attributes.request_target not in rule.request_targets:
        return False
    if rule.clusters and attributes.cluster not in rule.clusters:
        return False
    if rule.namespaces or rule.resources:
        return _matches_resource(rule, attributes)
    if rule.non_resource_urls:
        return not attributes.is_resource_request and any(
            _matches_url(url, attributes.path) for url in rule.non_resource_urls
        )
    return True


def _matches_url(url: str, path: str) -> bool:
    if url in ("*", path):
        return True
    return url.endswith("*") and path.startswith(url.rstrip("*"))


def _matches_resource(rule: Rule, attributes: Attributes) -> bool:
    if not attributes.is_resource_request:
        return False
    if rule.namespaces and attributes.namespace not in rule.namespaces:
        return False
    if not rule.resources:
        return True
    return any(_covers(entry, attributes) for entry in rule.resources)


def _covers(entry: GroupResources, attributes: Attributes) -> bool:
    if entry.group not in (attributes.api_group, "*"):
        return False
    if not entry.resources:
        return True
    if entry.resource_names and attributes.name not in entry.resource_names:
        return False
    return any(_is_meant(each, attributes) for each in entry.resources)


def _is_meant(each: str, attributes: Attributes) -> bool:
    resource, subresource = attributes.resource, attributes.subresource
    combined = f"{resource}/{subresource}" if subresource else resource
    if each in ("*", combined):
        return True
    if subresource and each.startswith("*/") and each[2:] == subresource:
        return True
    return each.endswith("/*") and each[:-2] == resource

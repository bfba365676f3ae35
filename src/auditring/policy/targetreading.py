"""Whose reading of request targets counts, where Loft's documents differ."""

from dataclasses import replace
from typing import Literal

from ..request.gateway import RequestTarget
from .rules import Rule, RuleSet

__all__ = ["Compat", "with_targets_of"]

Compat = Literal["seeds", "types", "platform"]


def with_targets_of(rules: RuleSet, compat: Compat) -> RuleSet:
    """Return *rules* as *compat* reads them.

    With ``seeds`` VCluster stands for both kinds of virtual clusters, as Loft's first
    documents know but one; source: its documentation up to 3.0. With the others targets
    are what they are called.
    """
    if compat != "seeds":
        return rules
    return replace(rules, rules=tuple(map(_with_project_vclusters, rules.rules)))


def _with_project_vclusters(rule: Rule) -> Rule:
    targets = rule.request_targets
    if RequestTarget.VCLUSTER not in targets:
        return rule
    both = dict.fromkeys((*targets, RequestTarget.PROJECT_VCLUSTER))
    return replace(rule, request_targets=tuple(str(target) for target in both))

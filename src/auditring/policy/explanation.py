"""Why a policy decides as it does: what each rule before the deciding one misses.

Written from the rules as they stand, not from what `decisions` made of them, so that it
tells the truth about the policy's text; tests hold the two against each other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..request.attributes import Attributes
from .decisions import Decision
from .policy import Policy
from .rules import GroupResources, Rule

__all__ = ["Explanation", "Miss", "explain"]


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that doesn't match.

    Attributes:
        rule: Its index.
        reasons: Each restriction that the request doesn't meet, in words that begin
            with the name of the field.
    """

    rule: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, and the rules that were passed over on the way to it."""

    decision: Decision
    misses: tuple[Miss, ...]


def explain(policy: Policy, attributes: Attributes) -> Explanation:
    """Say how *policy* decides on a request, and why not by an earlier rule."""
    misses = []
    for index, rule in enumerate(policy.rule_set.rules):
        reasons = tuple(_reasons(rule, attributes))
        if not reasons:
            break
        misses.append(Miss(index, reasons))
    return Explanation(policy.evaluate(attributes), tuple(misses))


def _reasons(rule: Rule, attributes: Attributes) -> Iterator[str]:
    """Yield what the request doesn't meet; nothing if the rule matches."""
    yield from _user_reasons(rule, attributes)
    yield from _among("verbs", attributes.verb, rule.verbs)
    yield from _among("requestTargets", attributes.request_target, rule.request_targets)
    yield from _among("clusters", attributes.cluster, rule.clusters)
    if rule.namespaces or rule.resources:
        yield from _resource_reasons(rule, attributes)
    elif rule.non_resource_urls:
        yield from _url_reasons(rule, attributes)


def _user_reasons(rule: Rule, attributes: Attributes) -> Iterator[str]:
    user = attributes.user
    if user is None:
        if rule.users or rule.user_groups:
            yield f"{'users' if rule.users else 'userGroups'}: nobody is known"
        return
    yield from _among("users", user.username, rule.users)
    if rule.user_groups and not set(user.groups) & set(rule.user_groups):
        wanted, has = _list(rule.user_groups), _list(user.groups) or "none"
        yield f"userGroups: {wanted}; the user is in {has}"


def _resource_reasons(rule: Rule, attributes: Attributes) -> Iterator[str]:
    if not attributes.is_resource_request:
        field = "resources" if rule.resources else "namespaces"
        yield f"{field}: it isn't for a resource"
        return
    yield from _among("namespaces", attributes.namespace, rule.namespaces)
    if not rule.resources:
        return
    entries = [entry for entry in rule.resources if _covers(entry, attributes)]
    if not entries:
        yield f"resources: {_resource_of(attributes)} is in none of them"
    elif all(entry.resource_names for entry in entries):
        names = [name for entry in entries for name in entry.resource_names]
        yield from _among("resourceNames", attributes.name, names)


def _covers(entry: GroupResources, attributes: Attributes) -> bool:
    """Tell whether *entry* is for the resource, whatever its name."""
    resource, subresource = attributes.resource, attributes.subresource
    if entry.group not in ("*", attributes.api_group):
        return False
    meant = {"*", f"{resource}/*", f"{resource}/{subresource}".removesuffix("/")}
    if subresource:
        meant.add(f"*/{subresource}")
    return not entry.resources or not meant.isdisjoint(entry.resources)


def _url_reasons(rule: Rule, attributes: Attributes) -> Iterator[str]:
    if attributes.is_resource_request:
        yield "nonResourceURLs: it is for a resource"
        return
    for url in rule.non_resource_urls:
        prefix = url.rstrip("*")
        if url == attributes.path:
            return
        if url.endswith("*") and attributes.path.startswith(prefix):
            return
    yield f"nonResourceURLs: {_quoted(attributes.path)} is none of them"


def _among(field: str, value: str, wanted: Iterable[str]) -> Iterator[str]:
    names = tuple(wanted)
    if names and value not in names:
        yield f"{field}: {_quoted(value)} is not among {_list(names)}"


def _resource_of(attributes: Attributes) -> str:
    resource = f"{attributes.resource}/{attributes.subresource}".removesuffix("/")
    group = attributes.api_group
    return f"{_quoted(resource)} of {_quoted(group) if group else 'the core group'}"


_SHOWN_MAX = 5


def _list(names: Iterable[str]) -> str:
    shown = [_quoted(name) for name in names]
    more = len(shown) - _SHOWN_MAX
    return ", ".join(shown[:_SHOWN_MAX] + [f"{more} more"] * (more > 0))


def _quoted(name: str) -> str:
    """Return a name, in quotes where it could be overlooked or misread."""
    is_plain = name.isprintable() and name and not set(name) & set(" ,;'\"")
    return name if is_plain else repr(name)

"""A rule of a policy in words: which requests it takes."""

from collections.abc import Iterable, Iterator

from .rules import GroupResources, Rule

__all__ = ["group_name", "listed", "reach_of"]

_SHOWN_MAX = 4


def reach_of(rule: Rule) -> str:
    """Return which requests *rule* takes, as ``every get of pods``."""
    verbs = f"every {listed(rule.verbs, 'or')}" if rule.verbs else "every request"
    return " ".join([verbs, *_places(rule), *_people(rule)])


def _places(rule: Rule) -> Iterator[str]:
    if rule.resources:
        prefix = "of" if rule.verbs else "for"
        yield f"{prefix} {' or '.join(map(_entry, rule.resources[:_SHOWN_MAX]))}"
        if len(rule.resources) > _SHOWN_MAX:
            yield f"or {len(rule.resources) - _SHOWN_MAX} others"
    elif rule.namespaces:
        yield "for a resource"
    elif rule.non_resource_urls:
        yield f"for {listed(rule.non_resource_urls, 'or')}"
    if rule.namespaces == ("",):
        yield "in no namespace"
    elif rule.namespaces:
        yield f"in namespace {listed(rule.namespaces, 'or')}"
    if rule.request_targets:
        yield f"sent to {listed(rule.request_targets, 'or')}"
    if rule.clusters:
        yield f"in cluster {listed(rule.clusters, 'or')}"


def _people(rule: Rule) -> Iterator[str]:
    if rule.users:
        yield f"by {listed(rule.users, 'or')}"
    if rule.user_groups:
        yield f"by who is in {listed(rule.user_groups, 'or')}"


def _entry(entry: GroupResources) -> str:
    is_all = not entry.resources or "*" in entry.resources
    what = "everything" if is_all else listed(entry.resources, "or")
    if entry.resource_names:
        what += f" named {listed(entry.resource_names, 'or')}"
    return f"{what} of {group_name(entry.group)}"


def group_name(group: str) -> str:
    """Return what an API group is called."""
    if group == "*":
        return "every group"
    return f"the group {_plain(group)}" if group else "the core group"


def listed(names: Iterable[str], word: str = "and") -> str:
    """Return *names* as a list for people, with a *word* before the last."""
    shown = [_plain(name) for name in names]
    if len(shown) > _SHOWN_MAX:
        shown[_SHOWN_MAX - 1 :] = [f"{len(shown) - _SHOWN_MAX + 1} more"]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def _plain(name: str) -> str:
    """Return a name, in quotes where it could be misread."""
    is_plain = name.isprintable() and name and not set(name) & set(" ,;'\"")
    return name if is_plain else repr(name)

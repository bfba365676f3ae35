"""What a policy may say: every error of a document, in Kubernetes' order and words.

Names of users, groups, verbs, namespaces and resources aren't looked at, and neither
are rules that contradict or cover each other. Source: Kubernetes v1.36,
pkg/apis/audit/validation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import PolicyProblem
from ..event.event import Level, Stage
from ..request.gateway import RequestTarget

__all__ = ["validate"]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SUBDOMAIN_MAX_BYTES = 253

# Tools compare these texts, so they are Kubernetes' own, to the letter.
_STAGES = f"allowed stages are {','.join(Stage)}"
_NO_SLASH = "non-resource URL rules must begin with a '/' character"
_STAR_INSIDE = "non-resource URL wildcards '*' must be the final character of the rule"
_NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,"
    " '-' or '.', and must start and end with an alphanumeric character (e.g."
    f" 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_TOO_LONG = f"must be no more than {_SUBDOMAIN_MAX_BYTES} characters"
_NO_RESOURCES = "using resourceNames requires at least one resource"
_BOTH_KINDS = "rules cannot apply to both regular resources and non-resource URLs"


def validate(
    document: Mapping[str, Any], lines: Mapping[str, int]
) -> list[PolicyProblem]:
    """Return all that is wrong with *document*; nothing says that it is valid.

    Args:
        document: The members of a policy, lists as tuples, absent ones as None.
        lines: Where its parts stand, by path.
    """
    return list(_Validation(lines).policy(document))


class _Validation:
    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = lines

    def policy(self, document: Mapping[str, Any]) -> Iterator[PolicyProblem]:
        yield from self._stages(document["omitStages"], "omitStages")
        for index, rule in enumerate(document["rules"] or ()):
            yield from self._rule(rule, f"rules[{index}]")

    def _rule(self, rule: Mapping[str, Any], path: str) -> Iterator[PolicyProblem]:
        yield from self._level(rule["level"], f"{path}.level")
        yield from self._urls(rule["nonResourceURLs"], f"{path}.nonResourceURLs")
        yield from self._resources(rule["resources"], f"{path}.resources")
        yield from self._stages(rule["omitStages"], f"{path}.omitStages")
        if rule["nonResourceURLs"] and (rule["resources"] or rule["namespaces"]):
            urls = rule["nonResourceURLs"]
            yield self._invalid(f"{path}.nonResourceURLs", urls, _BOTH_KINDS)
        yield from self._targets(rule["requestTargets"], f"{path}.requestTargets")

    def _level(self, level: str, path: str) -> Iterator[PolicyProblem]:
        if not level:
            yield PolicyProblem(path, "Required", "", self._line(path))
        elif level not in set(Level):
            yield self._unsupported(path, level, Level)

    def _urls(self, urls: tuple[str, ...] | None, path: str) -> Iterator[PolicyProblem]:
        for index, url in enumerate(urls or ()):
            if url == "*":
                continue
            if not url.startswith("/"):
                yield self._invalid(f"{path}[{index}]", url, _NO_SLASH)
            if "*" in url[:-1]:
                yield self._invalid(f"{path}[{index}]", url, _STAR_INSIDE)

    def _resources(
        self, resources: tuple[Mapping[str, Any], ...] | None, path: str
    ) -> Iterator[PolicyProblem]:
        # Kubernetes gives no index here; the line is that of the very entry.
        for index, each in enumerate(resources or ()):
            at = f"{path}[{index}]"
            group, names = each["group"], each["resourceNames"]
            if group and group != "*" and (detail := _group_error(group)):
                line = self._line(f"{at}.group")
                yield self._invalid(f"{path}.group", group, detail, line)
            if names and not each["resources"]:
                line = self._line(f"{at}.resourceNames")
                yield self._invalid(f"{path}.resourceNames", names, _NO_RESOURCES, line)

    def _stages(
        self, stages: tuple[str, ...] | None, path: str
    ) -> Iterator[PolicyProblem]:
        for index, stage in enumerate(stages or ()):
            if stage not in set(Stage):
                yield self._invalid(f"{path}[{index}]", stage, _STAGES)

    def _targets(
        self, targets: tuple[str, ...] | None, path: str
    ) -> Iterator[PolicyProblem]:
        for index, target in enumerate(targets or ()):
            if target not in set(RequestTarget):
                yield self._unsupported(f"{path}[{index}]", target, RequestTarget)

    def _invalid(
        self, path: str, value: object, detail: str, line: int | None = None
    ) -> PolicyProblem:
        return PolicyProblem(path, "Invalid", detail, line or self._line(path), value)

    def _unsupported(
        self, path: str, value: str, supported: Iterable[str]
    ) -> PolicyProblem:
        names = ", ".join(f'"{each}"' for each in supported)
        detail = f"supported values: {names}"
        return PolicyProblem(path, "NotSupported", detail, self._line(path), value)

    def _line(self, path: str) -> int | None:
        """Return the line of *path*, or of what should hold it."""
        while path and path not in self._lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._lines.get(path)


def _group_error(group: str) -> str:
    """Return what is wrong with the name of a group, nothing if all is well."""
    is_too_long = len(group.encode()) > _SUBDOMAIN_MAX_BYTES
    is_subdomain = re.fullmatch(_SUBDOMAIN, group)
    errors = [_TOO_LONG] * is_too_long + [_NO_SUBDOMAIN] * (not is_subdomain)
    return ",".join(errors)

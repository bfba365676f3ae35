"""A policy's text to its rules: as YAML or JSON, as Kubernetes' object or Loft's block.

Kubernetes reads a policy strictly first. Fields that it doesn't know and keys that are
there twice make it read again without minding them, with a warning; all else that is
wrong is an error. Source: Kubernetes v1.36, pkg/audit/policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..documents import tree as nodes
from ..documents.jsontext import read_json
from ..documents.suggestion import closest
from ..documents.tree import Node, Number, Scalar, TextError, name_of_kind
from ..documents.types import Findings, Struct, read_as
from ..errors import PolicyError, PolicyProblem
from ..event.event import Level, Stage
from .notapolicy import LATEST_VERSION, hint_of_kind, hint_of_text, hint_of_version
from .rules import GroupResources, Rule, RuleSet
from .types import (
    ANY_POLICY,
    FIELDS,
    INTERNAL_POLICY,
    KUBERNETES_POLICY,
    LOFT_FIELDS,
    LOFT_POLICY,
)
from .validation import validate

__all__ = [
    "Dialect",
    "PolicyReading",
    "problems_of",
    "read_all",
    "read_policy",
    "read_rules",
    "read_text",
]

Dialect = Literal["any", "kubernetes", "loft"]

_GROUP = "audit.k8s.io"

# What Go's unicode.IsSpace takes; a JSON text may begin with it.
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def read_policy(
    text: str | bytes, *, dialect: Dialect = "any", strict: bool = False
) -> tuple[RuleSet, tuple[PolicyProblem, ...]]:
    """Return the rules that *text* holds, and the warnings that come with them.

    Args:
        text: YAML or JSON; bytes are UTF-8.
        dialect: ``kubernetes`` takes what Kubernetes v1.36 takes; ``loft`` a block with
            neither apiVersion nor kind; ``any`` both, with Loft's fields in either.
        strict: Whether what is only a warning is an error.

    Raises:
        PolicyError: No policy can be made of it.
    """
    try:
        node = read_text(text)
    except TextError as error:
        problem = PolicyProblem("", "Syntax", error.reason, error.line)
        raise PolicyError("decode", [problem]) from None
    rules, warnings = read_rules(node, dialect=dialect, strict=strict)
    if not rules.rules:
        reason = "a policy needs at least one rule"
        raise PolicyError("empty", [PolicyProblem("rules", "Empty", reason, node.line)])
    return rules, warnings


def read_rules(
    node: Node, *, dialect: Dialect = "any", strict: bool = False
) -> tuple[RuleSet, tuple[PolicyProblem, ...]]:
    """Return what `read_policy` does of a text that was read; rules may be missing.

    Raises:
        PolicyError: No policy can be made of it.
    """
    findings = Findings()
    document = _decode(node, dialect, findings)
    warnings = tuple(_warnings(findings))
    if strict and warnings:
        raise PolicyError("strict", warnings)
    errors = validate(document, findings.lines)
    if errors:
        raise PolicyError("validation", errors)
    return _rule_set(document, findings.lines), warnings


def read_text(text: str | bytes) -> Node:
    """Read YAML or JSON, by what it begins with; bytes are UTF-8 or UTF-16.

    Raises:
        TextError: It is neither.
    """
    if isinstance(text, bytes):
        return _parse_bytes(text)
    try:
        if text.lstrip(_SPACES).startswith("{"):
            return read_json(text)
        # PyYAML is loaded where there is YAML to read, and nowhere else.
        from ..documents.yamltext import read_yaml

        return read_yaml(text)
    except TextError as error:
        hint = hint_of_text(text)
        raise TextError(error.reason + hint, error.line) from None


def _parse_bytes(data: bytes) -> Node:
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return read_text(data.decode("utf-16" if is_utf16 else "utf-8"))
    except UnicodeDecodeError as error:
        text = data.decode(errors="replace")
        if text.lstrip(_SPACES).startswith("{"):
            return read_text(text)
        line = data.count(b"\n", 0, error.start) + 1
        raise TextError(f"YAML: not {error.encoding}", line) from None


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """A policy's document, however much is wrong with it.

    Attributes:
        document: All members; a list is a tuple, or None if it is absent.
        lines: The line of every path that is there.
        errors: What no policy can be made of; where Kubernetes stops, this goes on.
        warnings: What is ignored.
    """

    document: Mapping[str, Any]
    lines: Mapping[str, int]
    errors: tuple[PolicyProblem, ...]
    warnings: tuple[PolicyProblem, ...]

    def rules(self) -> list[Rule | None]:
        """Return the rules; None for those that are no rules."""
        wrong = [each.field for each in self.errors]
        return [
            None
            if any(field.startswith(f"rules[{index}]") for field in wrong)
            else _rule(each, self.lines.get(f"rules[{index}]"))
            for index, each in enumerate(self.document["rules"] or ())
        ]


def read_all(node: Node, *, dialect: Dialect = "any") -> PolicyReading:
    """Return what a text says that was read, and all that is wrong with it at once.

    `read_rules` stops where Kubernetes does: what is of a wrong type keeps it from
    validating the rest.
    """
    errors: list[PolicyProblem] = []
    try:
        type_ = _type_of(node, dialect)
    except PolicyError as error:
        errors += error.problems
        type_ = KUBERNETES_POLICY if dialect == "kubernetes" else ANY_POLICY
    findings = Findings()
    document = _read_onto(type_, node, findings)
    known = {problem.field for problem in errors}
    errors += [each for each in _type_problems(findings) if each.field not in known]
    known |= {problem.field for problem in errors}
    errors += [e for e in validate(document, findings.lines) if e.field not in known]
    return PolicyReading(
        document, findings.lines, tuple(errors), tuple(_warnings(findings))
    )


def problems_of(node: Node, *, dialect: Dialect = "any") -> list[PolicyProblem]:
    """Return all that is wrong with a policy at once, what is only warned of included.

    A document of another kind or version has nothing else wrong with it.
    """
    try:
        _type_of(node, dialect)
    except PolicyError as error:
        return list(error.problems)
    reading = read_all(node, dialect=dialect)
    found = [*reading.errors, *reading.warnings]
    return sorted(found, key=lambda problem: problem.line or 0)


def _decode(node: Node, dialect: Dialect, findings: Findings) -> Mapping[str, Any]:
    """Return all members of the policy; a list is a tuple, or None if it is absent."""
    document = _read_onto(_type_of(node, dialect), node, findings)
    if findings.wrong:
        raise PolicyError("decode", _type_problems(findings))
    return document


def _type_of(node: Node, dialect: Dialect) -> Struct:
    """Return what the document is, by what it says of itself."""
    versions = _Versions(node)
    if dialect == "loft" or (dialect == "any" and versions.are_absent):
        return LOFT_POLICY
    versions.check()
    if not versions.version:
        findings = Findings()
        _read_onto(INTERNAL_POLICY, node, findings)
        if findings.wrong:
            raise PolicyError("decode", _type_problems(findings))
        problem = PolicyProblem(
            "apiVersion", "Required", f"say {LATEST_VERSION}", node.line
        )
        raise PolicyError("version", [problem])
    return KUBERNETES_POLICY if dialect == "kubernetes" else ANY_POLICY


def _type_problems(findings: Findings) -> list[PolicyProblem]:
    return [
        PolicyProblem(path, "Type", what, line)
        for path, line, what in sorted(findings.wrong, key=lambda each: each[1])
    ]


def _read_onto(type_: Struct, node: Node, findings: Findings) -> Mapping[str, Any]:
    document: dict[str, Any] = read_as(type_, node, findings)
    for rule in document.get("rules") or ():
        rule.setdefault("requestTargets", None)
        rule.setdefault("clusters", None)
    return document


class _Versions:
    """What apiVersion and kind of a document say; their names' case doesn't matter.

    Attributes:
        are_absent: Whether it is an object with members, but neither of these.
        version: Empty if there is none, or the internal one.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._values = {"apiversion": "", "kind": ""}
        self._problems: list[PolicyProblem] = []
        self._lines: dict[str, int] = {}
        if isinstance(node, nodes.Mapping):
            for key, line, value in node.entries:
                self._take(key, line, value)
        elif not isinstance(node, Scalar) or node.value is not None:
            what = f"expected an object, got {name_of_kind(node)}"
            self._problems.append(PolicyProblem("", "Type", what, node.line))
        is_filled = isinstance(node, nodes.Mapping) and bool(node.entries)
        self.are_absent = is_filled and not self._lines

    @property
    def version(self) -> str:
        said = self._values["apiversion"]
        is_internal = said in ("", "/", f"{_GROUP}/", f"{_GROUP}/__internal")
        return "" if is_internal else said

    def _take(self, key: str, line: int, value: Node) -> None:
        name = key.casefold()
        if name not in self._values:
            return
        self._lines[name] = line
        if not isinstance(value, Scalar) or isinstance(value.value, bool | Number):
            what = f"expected a string, got {name_of_kind(value)}"
            self._problems.append(PolicyProblem(key, "Type", what, line))
        elif value.value is not None:
            self._values[name] = value.value

    def check(self) -> None:
        """Refuse what isn't the one version and kind; none at all may pass."""
        if self.version not in ("", LATEST_VERSION):
            said = self._values["apiversion"]
            detail = f"only {LATEST_VERSION} is known{hint_of_version(said)}"
            self._refuse("apiVersion", said, detail)
        if self._values["kind"] not in ("", "Policy"):
            detail = f"only Policy is known{hint_of_kind(self._node)}"
            self._refuse("kind", self._values["kind"], detail)
        if self._problems:
            raise PolicyError("decode", self._problems)

    def _refuse(self, field: str, value: str, detail: str) -> None:
        line = self._lines[field.casefold()]
        self._problems.append(PolicyProblem(field, "Version", detail, line, value))


def _warnings(findings: Findings) -> list[PolicyProblem]:
    """Return what is only warned of, in the order of the lines."""
    unknown = [
        PolicyProblem(path, "Unknown", _unknown_detail(path), line)
        for path, line, _, _ in findings.unknown
    ]
    repeated = [
        PolicyProblem(path, "Duplicate", "is there already", line)
        for path, line in dict.fromkeys(findings.repeated)
    ]
    return sorted([*unknown, *repeated], key=lambda problem: problem.line or 0)


def _unknown_detail(path: str) -> str:
    """Say that there is no such field, and which one may be meant."""
    name = path.rpartition(".")[2]
    if name in LOFT_FIELDS:
        return "no such field in a policy of Kubernetes, only in one of Loft"
    if name in FIELDS:
        return "no such field here"
    meant = closest(name, FIELDS)
    return f"no such field; is it {meant}?" if meant else "no such field"


def _rule_set(document: Mapping[str, Any], lines: Mapping[str, int]) -> RuleSet:
    metadata = _without_empty(document.get("metadata", {}))
    return RuleSet(
        rules=tuple(
            _rule(each, lines.get(f"rules[{index}]"))
            for index, each in enumerate(document["rules"] or ())
        ),
        omit_stages=_stages(document["omitStages"]),
        omit_managed_fields=document["omitManagedFields"],
        metadata=metadata,
    )


def _rule(each: Mapping[str, Any], line: int | None) -> Rule:
    return Rule(
        level=Level(each["level"]),
        users=each["users"] or (),
        user_groups=each["userGroups"] or (),
        verbs=each["verbs"] or (),
        resources=tuple(
            GroupResources(
                group["group"], group["resources"] or (), group["resourceNames"] or ()
            )
            for group in each["resources"] or ()
        ),
        namespaces=each["namespaces"] or (),
        non_resource_urls=each["nonResourceURLs"] or (),
        omit_stages=_stages(each["omitStages"]),
        omit_managed_fields=each["omitManagedFields"],
        request_targets=each["requestTargets"] or (),
        clusters=each["clusters"] or (),
        line=line,
    )


def _stages(names: tuple[str, ...] | None) -> tuple[Stage, ...]:
    return tuple(Stage(name) for name in names or ())


# Members of metadata that are written even when they are empty.
_KEPT = {"deletionGracePeriodSeconds", "controller", "blockOwnerDeletion", "fieldsV1"}
_KEPT_OF_OWNER = {"apiVersion", "kind", "name", "uid"}


def _without_empty(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(metadata)
    owners = kept.get("ownerReferences") or ()
    kept["ownerReferences"] = [_filled(each, _KEPT | _KEPT_OF_OWNER) for each in owners]
    entries = kept.get("managedFields") or ()
    kept["managedFields"] = [_filled(each, _KEPT) for each in entries]
    kept["finalizers"] = list(kept.get("finalizers") or ())
    return _filled(kept, _KEPT)


def _filled(members: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in members.items()
        if value or (value is not None and name in kept)
    }

"""All that is to be said of a policy's text at once, for who wrote it.

Errors, what is ignored and what that leaves open, what is said in vain, and what the
whole comes to.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..documents import tree as nodes
from ..documents.tree import Node, Scalar, TextError
from ..errors import PolicyProblem
from ..event.event import Level
from .lint import lint
from .policy import Policy
from .reachability import unreachable_rules
from .rules import Rule
from .rulewords import listed, reach_of
from .text import Dialect, PolicyReading, read_all, read_text

__all__ = ["Finding", "Inspection", "Severity", "doubts_of", "inspect_policy"]

Severity = Literal["error", "warning"]
Finding = tuple[Severity, PolicyProblem]

_DIALECTS = {"kubernetes": "Kubernetes", "loft": "Loft", "any": "auditring"}
_LEVELS = range(1, 5)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found.

    Attributes:
        findings: Severity and problem, in the order of the lines.
        summary: What the policy comes to, in one sentence.
    """

    findings: tuple[Finding, ...]
    summary: str

    @property
    def is_refused(self) -> bool:
        """Whether no policy can be made of it."""
        return any(severity == "error" for severity, _ in self.findings)


def inspect_policy(
    data: bytes, *, dialect: Dialect | None = None, strict: bool = False
) -> Inspection:
    """Look at a policy.

    Args:
        data: Its text, YAML or JSON.
        dialect: Who is to take it, as in `read_policy`. None for Kubernetes; but of a
            configuration of Loft the policy in it is meant.
        strict: Whether what is ignored is an error.
    """
    try:
        node = read_text(data)
    except TextError as error:
        problem = PolicyProblem("", "Syntax", error.reason, error.line)
        return _inspection([("error", problem)], "can't be read")
    if dialect is None:
        block = _loft_block(node)
        if block is not None:
            return _inspect_block(block, strict)
    view = _View(node, dialect or "kubernetes", strict)
    findings = view.findings()
    findings += [("warning", each) for each in _second_document(data)]
    return _inspection(findings, view.summary(findings))


def _inspection(findings: list[Finding], told: str) -> Inspection:
    findings.sort(key=lambda each: each[1].line or 0)
    counts = Counter(severity for severity, _ in findings)
    counted = [
        f"{counts[each]} {each}{'s' * (counts[each] > 1)}"
        for each in ("error", "warning")
        if counts[each]
    ]
    if counted:
        told += f"; {', '.join(counted)}"
    return Inspection(tuple(findings), told)


def doubts_of(reading: PolicyReading) -> Iterator[PolicyProblem]:
    """Yield what the rules of a policy that was read say in vain."""
    rules = reading.rules()
    yield from lint(rules, reading.lines, reading.document["omitStages"] or ())
    yield from unreachable_rules(rules, reading.lines)


class _View:
    """One document, as a dialect reads it."""

    def __init__(self, node: Node, dialect: Dialect, strict: bool) -> None:
        self._node = node
        self._dialect = dialect
        self._strict = strict
        self._reading: PolicyReading = read_all(node, dialect=dialect)
        self._rules = self._reading.rules()

    def findings(self) -> list[Finding]:
        """Return all of them, in no order."""
        reading = self._reading
        findings: list[Finding] = [
            ("error", self._with_loft_hint(each)) for each in reading.errors
        ]
        if not self._rules and not any(
            each.field in ("", "rules") for each in reading.errors
        ):
            told = "a policy needs at least one rule"
            line = reading.lines.get("rules", self._node.line)
            findings.append(("error", PolicyProblem("rules", "Empty", told, line)))
        ignored: Severity = "error" if self._strict else "warning"
        findings += [(ignored, self._with_effect(each)) for each in reading.warnings]
        findings += [("warning", each) for each in doubts_of(reading)]
        return findings

    def _with_loft_hint(self, problem: PolicyProblem) -> PolicyProblem:
        if (problem.field, problem.kind) != ("apiVersion", "Required"):
            return problem
        told = f"{problem.detail}; Loft takes policies without: --dialect loft"
        return replace(problem, detail=told)

    def _with_effect(self, problem: PolicyProblem) -> PolicyProblem:
        """Say what an ignored field leaves open."""
        if problem.kind != "Unknown":
            return problem
        rule = self._rule_at(problem.field)
        told = f"{problem.detail}; it is ignored"
        if rule is not None:
            told += f", so the rule takes {reach_of(rule)}"
        return replace(problem, detail=told)

    def _rule_at(self, field: str) -> Rule | None:
        for index, rule in enumerate(self._rules):
            if field.startswith(f"rules[{index}]."):
                return rule
        return None

    def summary(self, findings: Sequence[Finding]) -> str:
        """Say what the policy comes to."""
        name = _DIALECTS[self._dialect]
        if any(severity == "error" for severity, _ in findings):
            return f"{name} refuses it"
        rules = [rule for rule in self._rules if rule is not None]
        omitted = self._reading.document["omitStages"] or ()
        return f"{name} takes it: {summary_of(rules, omitted)}"


def summary_of(rules: Sequence[Rule], omitted: Sequence[str] = ()) -> str:
    """Say what *rules* come to."""
    counts = Counter(rule.level for rule in rules)
    parts = [f"{counts[level]} {level}" for level in Level if counts[level]]
    told = f"{len(rules)} rule{'s' * (len(rules) != 1)} ({', '.join(parts)})"
    if omitted:
        told += f" without {listed(dict.fromkeys(map(str, omitted)))}"
    if set(counts) <= {Level.NONE}:
        return f"{told}; nothing is recorded"
    if any(reach_of(rule) == "every request" for rule in rules):
        told += "; every request meets one"
    else:
        told += "; a request that meets none isn't recorded"
    if any(entry.group == "*" for rule in rules for entry in rule.resources):
        told += "; the group '*' needs Kubernetes 1.36 or newer"
    return told


def _second_document(data: bytes) -> Iterator[PolicyProblem]:
    if b"---" not in data:
        return
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16" if is_utf16 else "utf-8", "replace")
    if text.lstrip().startswith("{"):
        return
    from ..documents.yamltext import line_of_second_document

    line = line_of_second_document(text)
    if line is not None:
        told = "a second document begins with ---: only the first is read"
        yield PolicyProblem("", "Ignored", told, line)


# A configuration of Loft.


@dataclass(frozen=True, slots=True)
class _Block:
    """What a configuration of Loft says of its policy."""

    path: str
    policy: Node | None
    level: int | None
    line: int


def _loft_block(node: Node) -> _Block | None:
    """Return the block of a configuration; None if *node* is none."""
    members = _members(node)
    if {"apiVersion", "kind", "rules"} & set(members):
        return None
    for path in ("config.audit", "audit", ""):
        block: Node | None = node
        for name in filter(None, path.split(".")):
            block = _members(block).get(name)
        found = _members(block)
        if block is not None and {"enabled", "level", "policy", "path"} & set(found):
            return _Block(path, found.get("policy"), _level(found), block.line)
    return None


def _members(node: Node | None) -> Mapping[str, Node]:
    if not isinstance(node, nodes.Mapping):
        return {}
    return {key: value for key, _, value in node.entries}


def _level(members: Mapping[str, Node]) -> int | None:
    level = members.get("level")
    text = level.value if isinstance(level, Scalar) else None
    is_level = isinstance(text, str) and text in map(str, _LEVELS)
    return int(text) if is_level and text else None


def _inspect_block(block: _Block, strict: bool) -> Inspection:
    prefix = f"{block.path}." if block.path else ""
    told = "a configuration of Loft"
    has_rules = bool(_members(block.policy).get("rules"))
    if has_rules:
        assert block.policy is not None
        view = _View(block.policy, "loft", strict)
        findings = [
            (severity, _beneath(problem, f"{prefix}policy"))
            for severity, problem in view.findings()
        ]
        told += f", whose {prefix}policy is meant; {view.summary(findings)}"
        return _inspection(findings, told)
    if block.level is not None:
        rules = Policy.preset(block.level).rule_set.rules
        told += f", whose {prefix}level is {block.level}: {summary_of(rules)}"
        return _inspection([], told)
    problem = PolicyProblem(
        block.path,
        "Empty",
        "has neither rules nor a level, so nothing is recorded",
        block.line,
    )
    return _inspection([("warning", problem)], f"{told} without a policy")


def _beneath(problem: PolicyProblem, path: str) -> PolicyProblem:
    field = f"{path}.{problem.field}" if problem.field else path
    return replace(problem, field=field)

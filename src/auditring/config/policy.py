"""The policy that a configuration comes to: rules, a level, or a file with one.

Source of what takes precedence: `load_config` has the table.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from ..documents.namedfile import read_named
from ..documents.tree import Mapping
from ..errors import ConfigProblem, PolicyError, PolicyProblem
from ..event.event import Stage
from ..policy.policy import Policy
from ..policy.rules import RuleSet
from ..policy.targetreading import with_targets_of
from ..policy.text import problems_of, read_all, read_policy, read_rules
from .keys import Settings
from .text import Origin

__all__ = ["PolicyReading", "read_policy_of"]

_NOTHING = RuleSet(rules=())


@dataclass(slots=True)
class PolicyReading:
    """The policy of a configuration, and what is wrong with it.

    Attributes:
        policy: None if nothing is recorded.
        origin: What it was made from: a key, and the value if that is short.
        problems: In no order.
    """

    policy: Policy | None = None
    origin: str = ""
    problems: list[ConfigProblem] = field(default_factory=list)


def read_policy_of(
    settings: Settings,
    origins: dict[str, Origin],
    *,
    file: Path | None,
    is_check: bool,
) -> PolicyReading:
    """Return the policy that *settings* come to.

    Args:
        settings: All of them.
        origins: Where those come from that aren't defaults.
        file: The policy's file, found.
        is_check: Whether a level beside rules is an error, and what the policy says in
            vain is told.
    """
    reading = PolicyReading()
    block = _read_block(settings.policy, origins, is_check, reading)
    if file is not None:
        _use_file(settings, file, block, origins, is_check, reading)
    elif block.rules:
        _use_rules(settings, block, origins, is_check, reading)
    elif (
        settings.level is not None
        or settings.compat == "platform"
        or settings.preset == "application"
    ):
        level = settings.level or 1
        reading.policy = Policy(_of_level(settings, level, block))
        reading.origin = f"level {level}"
    elif block.omit_stages or block.omit_managed_fields:
        omitted = ", ".join(block.omit_stages) or "managedFields"
        told = f"omits {omitted}, but of nothing: there are no rules and no level"
        reading.problems.append(_problem(origins, "policy", told))
    if reading.policy is not None:
        rules = _as_compat(reading.policy.rule_set, settings)
        reading.policy = Policy(rules, reading.policy.warnings)
    return reading


def _problem(origins: dict[str, Origin], key: str, text: str) -> ConfigProblem:
    origin = origins.get(key, Origin("default"))
    return ConfigProblem(origin.place, origin.line, key, text)


def _warning(origins: dict[str, Origin], key: str, text: str) -> ConfigProblem:
    return replace(_problem(origins, key, text), severity="warning")


def _read_block(
    node: Mapping | None,
    origins: dict[str, Origin],
    is_check: bool,
    reading: PolicyReading,
) -> RuleSet:
    """Read the block ``policy``, in which unknown and repeated keys are errors."""
    if node is None or not node.entries:
        return _NOTHING
    origin = origins["policy"]
    problems = problems_of(node)
    reading.problems += [_config_problem(problem, origin) for problem in problems]
    if problems:
        return _NOTHING
    if is_check:
        from ..policy.inspection import doubts_of  # Here, as who only opens needs none.

        reading.problems += [
            replace(_config_problem(problem, origin), severity="warning")
            for problem in doubts_of(read_all(node))
        ]
    return read_rules(node)[0]


def _config_problem(problem: PolicyProblem, origin: Origin) -> ConfigProblem:
    line = (problem.line or None) if origin.kind == "file" else None
    key = f"policy.{problem.field}" if problem.field else "policy"
    return ConfigProblem(origin.place, line, key, problem.message)


def _use_file(
    settings: Settings,
    file: Path,
    block: RuleSet,
    origins: dict[str, Origin],
    is_check: bool,
    reading: PolicyReading,
) -> None:
    if block.rules or settings.level is not None:
        other = "policy.rules" if block.rules else f"level {settings.level}"
        told = f"{str(file)!r}, but there is {other} as well"
        reading.problems.append(_problem(origins, "policyFile", told))
    try:
        data = read_named(file)
    except OSError as error:
        told = f"can't read {str(file)!r}: {error.strerror}"
        reading.problems.append(_problem(origins, "policyFile", told))
        return
    if is_check:
        from ..policy.inspection import inspect_policy

        findings = inspect_policy(data, dialect="any").findings
        reading.problems += [
            ConfigProblem(str(file), each.line, each.field, each.message, severity)
            for severity, each in findings
        ]
    try:
        rules, warnings = read_policy(data)
    except PolicyError as error:
        if is_check:
            return
        reading.problems += [
            ConfigProblem(str(file), each.line, each.field, each.message)
            for each in error.problems
        ]
        return
    if not is_check:
        reading.problems += [
            ConfigProblem(str(file), each.line, each.field, each.message, "warning")
            for each in warnings
        ]
    reading.policy = Policy(_with_omissions(rules, block), warnings)
    reading.origin = f"policyFile {file}"


def _use_rules(
    settings: Settings,
    block: RuleSet,
    origins: dict[str, Origin],
    is_check: bool,
    reading: PolicyReading,
) -> None:
    reading.policy = Policy(block)
    reading.origin = "policy.rules"
    if settings.level is not None:
        told = f"{settings.level} is ignored, as policy has rules"
        tell = _problem if is_check else _warning
        reading.problems.append(tell(origins, "level", told))


def _of_level(settings: Settings, level: int, block: RuleSet) -> RuleSet:
    if settings.preset == "application":
        rules = Policy.preset(f"application-{level}").rule_set
        return _with_omissions(rules, block)
    rules = Policy.preset(level).rule_set
    if settings.preset == "loft-strict":
        last = Policy.preset("loft-strict").rule_set.rules[-1]
        rules = replace(rules, rules=(*rules.rules, last))
    return _with_omissions(rules, block)


def _with_omissions(rules: RuleSet, block: RuleSet) -> RuleSet:
    """Add to a whole policy what the block says without rules."""
    return replace(
        rules,
        omit_stages=(*rules.omit_stages, *block.omit_stages),
        omit_managed_fields=rules.omit_managed_fields or block.omit_managed_fields,
    )


def _as_compat(rules: RuleSet, settings: Settings) -> RuleSet:
    """Return *rules* as the preset and the compatibility asked for read them."""
    if settings.preset not in (None, "application"):
        stages = (*rules.omit_stages, Stage.RESPONSE_STARTED)
        rules = replace(rules, omit_stages=tuple(dict.fromkeys(stages)))
    return with_targets_of(rules, settings.compat)

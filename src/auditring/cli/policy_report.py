"""How what the ``policy`` commands find is told: as lines to read, or for JSON."""

from typing import TYPE_CHECKING

from ..errors import PolicyProblem, printable

if TYPE_CHECKING:
    from ..policy.decisions import Decision
    from ..policy.explanation import Explanation
    from ..policy.policy import Policy
    from ..policy.simulation import Account, Simulation
    from ..request.attributes import Attributes

__all__ = [
    "decision_document",
    "decision_text",
    "explanation_document",
    "explanation_text",
    "problem_document",
    "problem_line",
    "request_text",
    "simulation_document",
    "simulation_text",
]


def problem_line(file: str, severity: str, problem: PolicyProblem) -> str:
    """Return ``file:line: field: message``; a warning is marked as one."""
    place = file if problem.line is None else f"{file}:{problem.line}"
    mark = "" if severity == "error" else "warning: "
    return f"{place}: {mark}{printable(str(problem))}"


def problem_document(
    file: str, severity: str, problem: PolicyProblem
) -> dict[str, object]:
    """Return the same, member by member."""
    return {
        "file": file,
        "line": problem.line,
        "severity": severity,
        "field": problem.field,
        "kind": problem.kind,
        "detail": problem.detail,
        "message": problem.message,
    }


def decision_document(decision: "Decision") -> dict[str, object]:
    """Return a decision as the members of a JSON object."""
    return {
        "level": decision.level,
        "omitStages": sorted(decision.omit_stages),
        "omitManagedFields": decision.omit_managed_fields,
        "rule": decision.rule,
    }


def decision_text(decision: "Decision") -> str:
    """Return a decision in words."""
    rule = f"rule {decision.rule}" if decision.rule >= 0 else "no rule"
    omitted = [f"without {stage}" for stage in sorted(decision.omit_stages)]
    if decision.omit_managed_fields:
        omitted.append("without managedFields")
    return ", ".join([f"{decision.level} by {rule}", *omitted])


def request_text(request: "Attributes") -> str:
    """Return who asks for what."""
    asked = [request.verb or "(no verb)"]
    if request.is_resource_request:
        asked.append("/".join(filter(None, (request.resource, request.subresource))))
        asked += [repr(request.name)] if request.name else []
        asked += ["in", request.namespace] if request.namespace else []
    else:
        asked.append(request.path)
    user = request.user.username if request.user else "nobody"
    # Whoever sent it must not steer the terminal that it is shown on.
    words = [word if word.isprintable() else repr(word) for word in (*asked, user)]
    return " ".join([*words[:-1], "by", words[-1]])


def explanation_document(explanation: "Explanation") -> dict[str, object]:
    """Return a decision, and why it is none of the rules before."""
    misses = [
        {"rule": miss.rule, "reasons": list(miss.reasons)}
        for miss in explanation.misses
    ]
    return {**decision_document(explanation.decision), "misses": misses}


def explanation_text(
    file: str, asked: "Policy", request: "Attributes", explanation: "Explanation"
) -> str:
    """Return the same as lines, with places in the file of the policy."""
    lines = [f"{request_text(request)}: {decision_text(explanation.decision)}"]
    for miss in explanation.misses:
        rule = asked.rule_set.rules[miss.rule]
        lines.append(f"  {file}:{rule.line}: rule {miss.rule} doesn't match")
        lines += [f"    {reason}" for reason in miss.reasons]
    if explanation.decision.rule >= 0:
        rule = asked.rule_set.rules[explanation.decision.rule]
        lines.append(f"  {file}:{rule.line}: rule {explanation.decision.rule} matches")
    return "\n".join(lines)


_COLUMNS = {
    "events": "events",
    "size_bytes": "bytes",
    "lost_events": "events lost",
    "lost_bytes": "bytes lost",
    "gained_events": "events gained",
    "gained_bytes": "bytes gained",
    "bodiless_events": "bodies missing",
}


def simulation_document(simulation: "Simulation") -> dict[str, object]:
    """Return what each rule made of a log."""
    return {
        "rules": [_account_document(each) for each in simulation.accounts],
        "unusedRules": simulation.unused_rules,
        "unreadableLines": simulation.unreadable_lines,
        "gapEvents": simulation.gap_events,
    }


def _account_document(account: "Account") -> dict[str, int]:
    return {
        "rule": account.rule,
        "events": account.events,
        "bytes": account.size_bytes,
        "eventsLost": account.lost_events,
        "bytesLost": account.lost_bytes,
        "eventsGained": account.gained_events,
        "bytesGained": account.gained_bytes,
        "bodiesMissing": account.bodiless_events,
    }


def simulation_text(file: str, asked: "Policy", simulation: "Simulation") -> str:
    """Return the same as a table, and which rules made nothing of it."""
    rows = [["rule", "level", *_COLUMNS.values()]]
    for account in simulation.accounts:
        is_rule = account.rule >= 0
        level = asked.rule_set.rules[account.rule].level if is_rule else "None"
        figures = [f"{getattr(account, name):,}" for name in _COLUMNS]
        rows.append([str(account.rule) if is_rule else "none", level, *figures])
    sums = [
        sum(getattr(each, name) for each in simulation.accounts) for name in _COLUMNS
    ]
    rows.append(["all", "", *(f"{figure:,}" for figure in sums)])
    lines = [_table(rows)]
    for index in simulation.unused_rules:
        line = asked.rule_set.rules[index].line
        lines.append(f"{file}:{line}: rule {index} never matched")
    if simulation.gap_events:
        lines.append(f"{simulation.gap_events} gap events: the log isn't complete")
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for rule, level, *figures in rows:
        cells = [rule.ljust(widths[0]), level.ljust(widths[1])]
        cells += [
            each.rjust(width) for each, width in zip(figures, widths[2:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)

"""The comparison with all rivals as JSON, as Markdown and as charts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import charts
from catalogue import workload_named
from goals import Goal, goals
from registry import CONTENDERS, Side, contender_class, side_of
from report import facts_list, number, table
from rounds import Result
from workloads.workload import Workload

__all__ = ["goal_table", "markdown", "ratio", "rows", "save"]

HEADS = (
    "contender",
    "median/s",
    "min .. max",
    "of baseline",
    "of the limit",
    "rotates",
    "exact",
    "lost",
    "doubled",
    "torn",
    "also",
)
SIGNS = {True: "yes", False: "**no**", None: ""}


def save(folder: Path, facts: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Write latest.json, latest.md and the charts; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    made = rows(facts, results)
    # A line for each object: the conditions stand in all of them.
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in made)
    (folder / "latest.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    drawn = charts.draw_all(folder, facts, made)
    text = markdown(facts, made, [path.name for path in drawn])
    (folder / "latest.md").write_text(text, encoding="utf-8")
    return text


def rows(facts: Mapping[str, Any], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return an object for each contender in each workload.

    Each says under which conditions it holds, as it may be read alone.
    """
    speeds = {
        (result.workload, result.contender): result.median_per_s
        for result in results
        if result.done
    }
    made = []
    for result in results:
        workload = workload_named(result.workload)
        own = speeds.get((workload.name, result.contender))
        baseline = speeds.get((workload.name, workload.baseline or ""))
        limits = [speeds.get((workload.name, name)) for name in workload.limits]
        known = [speed for speed in limits if speed is not None]
        made.append(
            {
                **result.as_json(),
                "title": workload.title,
                "unit": workload.unit,
                "side": _side(workload, result.contender),
                "rotates": _rotates(result.contender),
                "threads": workload.threads,
                "processes": workload.processes,
                "ratio_to_baseline": ratio(own, baseline),
                "ratio_to_limit": ratio(own, min(known, default=None)),
                "conditions": dict(facts),
            }
        )
    return made


def _side(workload: Workload, contender: str) -> Side:
    return "rival" if contender in workload.rivals else side_of(contender)


def ratio(own: float | None, other: float | None) -> float | None:
    """Return how many times *other* is in *own*; None if one of them isn't known."""
    return None if own is None or not other else own / other


def markdown(
    facts: Mapping[str, Any],
    made: Sequence[Mapping[str, Any]],
    drawn: Sequence[str] = (),
) -> str:
    """Return all tables, the contenders of each ordered by their speed.

    Args:
        facts: The conditions.
        made: See `rows`.
        drawn: Names of charts beside the file.
    """
    parts = ["# Side by side", facts_list(facts)]
    parts += [f"![{name}]({name})" for name in drawn if name.endswith(".svg")]
    if found := goals(made):
        parts += ["## Goals", goal_table(found)]
    for name in dict.fromkeys(row["workload"] for row in made):
        parts += [f"## {name}", *_section(name, made)]
    return "\n\n".join(parts) + "\n"


def goal_table(found: Sequence[Goal]) -> str:
    """Return goals as a table."""
    rows = [
        [
            goal.name,
            goal.against,
            number(goal.figure),
            f"{goal.relation.replace('>=', '≥').replace('<=', '≤')} "
            f"{number(goal.limit)}",
            "yes" if goal.is_reached else "**no**",
        ]
        for goal in found
    ]
    return table(["figure", "against", "median", "limit", "reached"], rows)


def _section(name: str, made: Sequence[Mapping[str, Any]]) -> list[str]:
    workload = workload_named(name)
    own = [row for row in made if row["workload"] == name]
    own.sort(key=lambda row: row["median_per_s"] or 0, reverse=True)
    said = (
        f"{workload.title[:1].upper()}{workload.title[1:]}; {workload.unit} a second."
    )
    if workload.baseline:
        said += f" Baseline: {workload.baseline}."
    if workload.limits:
        said += f" Limit: {' or '.join(workload.limits)}."
    return [said, table(list(HEADS), [_cells(row) for row in own])]


def _cells(row: Mapping[str, Any]) -> list[str]:
    name = row["contender"]
    also = [
        f"{key} {number(figure['median'])}" for key, figure in row["figures"].items()
    ]
    if row["trouble"]:
        also.insert(0, f"**{row['trouble']}**")
    counts = [row[key] for key in ("lost", "duplicated", "foreign")]
    return [
        f"**{name}**" if row["side"] == "ours" else name,
        *(_speeds(row) if row["median_per_s"] is not None else ("none", "none")),
        _times(row["ratio_to_baseline"]),
        _times(row["ratio_to_limit"]),
        {True: "yes", False: "no", None: ""}[row["rotates"]],
        SIGNS[row["exact"]],
        *("" if row["exact"] is None else f"{count:,}" for count in counts),
        ", ".join(also),
    ]


def _speeds(row: Mapping[str, Any]) -> tuple[str, str]:
    spread = f"{row['min_per_s']:,.0f} .. {row['max_per_s']:,.0f}"
    return f"{row['median_per_s']:,.0f}", spread


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _rotates(contender: str) -> bool | None:
    if contender not in CONTENDERS or side_of(contender) == "limit":
        return None
    return contender_class(contender).rotates

"""Puts the figures of the stored results into docs/explanation/performance.md.

The page's words are written by hand. What stands between ``<!-- figures: NAME -->``
and ``<!-- end -->`` is made here, from results/latest.json and guard.json.

Usage: performance_page.py [--check]
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from charts import growth_points
from comparison import goal_table
from goals import goals
from report import facts_list, number, table

__all__ = ["call_rows", "filled", "main"]

BENCH = Path(__file__).parent
PAGE = BENCH.parent / "docs" / "explanation" / "performance.md"
LATEST = BENCH / "results" / "latest.json"
GUARD = BENCH / "guard.json"
PLACE = re.compile(r"(<!-- figures: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# What of a library's file name tells nothing here.
LIBRARY = re.compile(r"(\.cpython-[\w-]+)?\.so[\w.]*$")
SHOWN_FUNCTIONS = 8

Row = Mapping[str, Any]


def main() -> int:
    options = _parse_options()
    rows = json.loads(LATEST.read_text(encoding="utf-8"))
    guard = json.loads(GUARD.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    made = filled(text, rows, guard)
    if options.check:
        return 0 if made == text else 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


def filled(text: str, rows: Sequence[Row], guard: Mapping[str, Any]) -> str:
    """Return the page with figures in all its places.

    Raises:
        KeyError: It has a place for something that isn't known.
    """
    figures: dict[str, Callable[[], str]] = {
        "conditions": lambda: facts_list(rows[0]["conditions"]),
        "goals": lambda: goal_table(goals(rows)),
        "summary": lambda: _summary(rows),
        "calls": lambda: _calls(rows),
        "instructions": lambda: _instructions(guard),
        "functions": lambda: _functions(guard),
        "growth threads": lambda: _growth(rows, "growth_threads_", "threads"),
        "growth processes": lambda: _growth(rows, "growth_processes_", "processes"),
        "growth lines": lambda: _growth(rows, "growth_line_", "bytes"),
        "growth rings": lambda: _growth(rows, "growth_ring_", "KiB"),
    }
    return PLACE.sub(
        lambda place: f"{place[1]}\n{figures[place[2]]()}\n\n{place[3]}", text
    )


def call_rows(rows: Sequence[Row]) -> list[list[str]]:
    """Return where the nanoseconds of a call go: parts, their sum, and the rest.

    What the parts take alone was measured in the same rounds. The rest is the
    difference: it can be less than nothing where parts overlap on two cores. What does
    the same work in another way, and is no part of the call, stands below it.
    """
    made = []
    for workload, call, contender, parts, other in (
        ("W4_lines", "write(line)", "auditring", ("C call", "memcpy"), None),
        ("W3_events", "write_json(event)", "auditring", ("memcpy",), "orjson.dumps"),
        ("W1_text", "logger.info(...)", "auditring handler", ("NullHandler",), None),
    ):
        whole = _ns(rows, workload, contender)
        known = {part: _ns(rows, workload, part) for part in parts}
        if whole is None:
            continue
        told = [(part, ns) for part, ns in known.items() if ns is not None]
        made += [[f"{call}: {part} alone", number(round(ns))] for part, ns in told]
        rest = whole - sum(ns for _, ns in told)
        made.append([f"{call}: the rest, ours", number(round(rest))])
        made.append([f"**{call}**", f"**{number(round(whole))}**"])
        other_ns = None if other is None else _ns(rows, workload, other)
        if other_ns is not None:
            made.append([f"{other} alone", number(round(other_ns))])
    return made


def _ns(rows: Sequence[Row], workload: str, contender: str) -> float | None:
    for row in rows:
        if (row["workload"], row["contender"]) == (workload, contender):
            speed = row["median_per_s"]
            return 1e9 / speed if speed else None
    return None


def _calls(rows: Sequence[Row]) -> str:
    return table(["part", "ns a call"], call_rows(rows))


def _summary(rows: Sequence[Row]) -> str:
    """Ours, the best rival, the baseline and the limit of each workload."""
    heads = ["workload", "ours", "a second", "best exact rival", "a second", "limit"]
    made = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        if name.startswith("growth"):
            continue
        measured = [
            row for row in rows if row["workload"] == name and row["median_per_s"]
        ]
        ours = _fastest(measured, "ours")
        rival = _fastest(measured, "rival")
        shares = {row["contender"]: row["ratio_to_limit"] for row in measured}
        share = shares.get(ours["contender"]) if ours else None
        made.append(
            [
                name,
                *(_named(ours)),
                *(_named(rival)),
                "" if share is None else f"{share:.2f}",
            ]
        )
    return table(heads, made)


def _fastest(rows: Sequence[Row], side: str) -> Row | None:
    exact = [row for row in rows if row["exact"] and row["side"] == side]
    return max(exact, key=lambda row: row["median_per_s"], default=None)


def _named(row: Row | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    return row["contender"], f"{row['median_per_s']:,.0f} {row['unit']}"


def _instructions(guard: Mapping[str, Any]) -> str:
    objects: dict[str, None] = {}
    for costs in guard["by_object"].values():
        objects |= dict.fromkeys([*costs][:4])
    heads = ["path", "instructions", *(LIBRARY.sub("", each) for each in objects)]
    made = [
        [
            name,
            f"{total:,}",
            *(f"{guard['by_object'][name].get(each, 0):,}" for each in objects),
        ]
        for name, total in guard["instructions"].items()
    ]
    return table(heads, made)


def _functions(guard: Mapping[str, Any]) -> str:
    made = [
        [name, f"`{function}`", f"{count:,}"]
        for name, costs in guard["by_function"].items()
        for function, count in [*costs.items()][:SHOWN_FUNCTIONS]
    ]
    return table(["path", "function", "instructions of its own"], made)


def _growth(rows: Sequence[Row], prefix: str, unit: str) -> str:
    measured = [row for row in rows if row["median_per_s"]]
    inexact = {
        (row["workload"], row["contender"]) for row in rows if row["exact"] is False
    }
    points = growth_points(measured, prefix)
    if not points:
        return "Not measured in this run: a quick one."
    numbers = sorted({at for own in points.values() for at, _ in own})
    made = []
    for at in numbers:
        cells = []
        for name, own in points.items():
            speed = dict(own).get(at)
            mark = " (not exact)" if (f"{prefix}{at}", name) in inexact else ""
            cells.append("" if speed is None else f"{speed:,.0f}{mark}")
        made.append([f"{at:,}", *cells])
    return table([unit, *points], made)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit with 1 if the page isn't what the results give",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

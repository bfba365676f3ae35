"""Results as JSON and as Markdown, with the conditions they hold under."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from interruptions import interruptions_per_s
from rounds import Result
from targets import Target

import auditring

__all__ = [
    "conditions",
    "facts_list",
    "growth_markdown",
    "markdown",
    "number",
    "save",
    "table",
]

REPOSITORY = Path(__file__).parent.parent


def conditions(folder: Path | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Say what was measured, where and how; *folder* is None if nothing is written."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {_memory_gib():.0f} GiB",
        "load_before": os.getloadavg()[0],
        "interruptions_of_20_us_per_s": interruptions_per_s(),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {"auditring": auditring.__version__, "orjson": orjson.__version__},
        **({} if folder is None else _of_the_disk(folder)),
        "parameters": dict(parameters),
    }


def _of_the_disk(folder: Path) -> dict[str, str]:
    return {
        "file_system": _file_system(folder),
        "durability": "bytes are with the kernel, not on the disk",
    }


def save(
    folder: Path,
    name: str,
    document: Mapping[str, Any],
    text: str,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def markdown(
    title: str,
    facts: Mapping[str, Any],
    results: Sequence[Result],
    targets: Sequence[Target],
) -> str:
    parts = [f"# {title}", facts_list(facts)]
    if targets:
        parts += ["## Targets", _target_table(targets)]
    return "\n\n".join([*parts, "## Results", _result_table(results)]) + "\n"


def growth_markdown(
    title: str, facts: Mapping[str, Any], growth: Mapping[str, Mapping[str, float]]
) -> str:
    heads = ["held", *next(iter(growth.values()))]
    rows = [
        [name, *(number(value) for value in figures.values())]
        for name, figures in growth.items()
    ]
    parts = [f"# {title}", facts_list(facts), table(heads, rows)]
    return "\n\n".join(parts) + "\n"


def facts_list(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"* {key}: {_plain(value)}" for key, value in facts.items())


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_number else str(value)


def _target_table(targets: Sequence[Target]) -> str:
    rows = [
        [
            target.name,
            number(target.figure),
            f"{number(target.lowest)} .. {number(target.highest)}",
            f"{target.relation.replace('>=', '≥').replace('<=', '≤')} "
            f"{number(target.limit)}",
            "yes" if target.is_reached else "**no**",
        ]
        for target in targets
    ]
    return table(["figure", "median", "of rounds", "limit", "reached"], rows)


def _result_table(results: Sequence[Result]) -> str:
    heads = ["workload", "contender", "median/s", "min .. max", "exact", "also"]
    rows = []
    for result in results:
        shown = result.as_json()
        spread = f"{shown['min_per_s']:,.0f} .. {shown['max_per_s']:,.0f}"
        exact = {True: "yes", False: "**no**", None: ""}[result.is_exact]
        also = ", ".join(
            f"{name} {number(figure['median'])}"
            for name, figure in shown["figures"].items()
        )
        speed = f"{shown['median_per_s']:,.0f}"
        row = [shown["workload"], shown["contender"], speed, spread, exact, also]
        rows.append(row)
    return table(heads, rows)


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _commit() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(describe, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip() or "none"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    pages = os.sysconf("SC_PHYS_PAGES")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**3


def _file_system(folder: Path) -> str:
    """Name the type of the file system; source: proc_pid_mountinfo(5)."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == number:
            return source.split()[0]
    return "unknown"

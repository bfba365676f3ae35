"""The hot paths in instructions, next to stored ones: needs no quiet machine.

Each path runs twice under callgrind, a second time with more operations: the difference
is theirs alone, without the interpreter's start. What the thread that drains does is
counted with the path that writes ready lines. A difference is printed, and is no
failure.

Usage: bench_guard.py [--store] [--only PATH ...]
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import callgrind
from callgrind import Costs, difference
from hot_paths import HOT_PATHS
from report import table

import auditring

__all__ = ["compared", "main"]

BENCH = Path(__file__).parent
STORED = BENCH / "guard.json"
EXIT_ENVIRONMENT = 2

FEW = 1000
MANY = 4000
DRAIN = "drain"
DRAINED_PATH = "write"
# Rarer functions tell nothing about where the time goes.
SHOWN_FUNCTIONS = 12


def main() -> int:
    options = _parse_options()
    if not callgrind.is_available():
        print("bench-guard: missing: valgrind (Debian: apt install valgrind)")
        return EXIT_ENVIRONMENT
    costs: dict[str, Costs] = {}
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as folder:
        for name in options.only or HOT_PATHS:
            print(f"{name} ...", file=sys.stderr, flush=True)
            costs |= _measured(Path(folder), name)
    now = _document(costs)
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    print(_text(stored, now))
    if options.store:
        STORED.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
    return 0


def compared(
    stored: Mapping[str, int], now: Mapping[str, int]
) -> list[tuple[str, int | None, int, float | None]]:
    """Return for each path: name, stored, now, and the change in percent."""
    return [
        (
            name,
            stored.get(name),
            count,
            100 * (count / stored[name] - 1) if stored.get(name) else None,
        )
        for name, count in now.items()
    ]


def _measured(folder: Path, name: str) -> dict[str, Costs]:
    threads = []
    for count in (FEW, MANY):
        logs = folder / f"{name}-{count}"
        logs.mkdir()
        arguments = ("hot_paths.py", name, str(count), str(logs))
        threads.append(callgrind.run(folder, *arguments))
    less, more = threads
    costs = {name: difference(more[0], less[0], MANY - FEW)}
    if name == DRAINED_PATH:
        costs[DRAIN] = difference(more[1], less[1], MANY - FEW)
    return costs


def _document(costs: Mapping[str, Costs]) -> dict[str, Any]:
    return {
        "unit": "instructions an operation",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "auditring": auditring.__version__,
        "instructions": {name: each.total for name, each in costs.items()},
        "by_object": {name: dict(each.by_object) for name, each in costs.items()},
        "by_function": {
            name: dict([*each.by_function.items()][:SHOWN_FUNCTIONS])
            for name, each in costs.items()
        },
    }


def _text(stored: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            "none" if before is None else f"{before:,}",
            f"{count:,}",
            "" if change is None else f"{change:+.1f} %",
        ]
        for name, before, count, change in compared(
            stored.get("instructions", {}), now["instructions"]
        )
    ]
    parts = [table(["path", "stored", "now", "change"], rows)]
    for key in ("python", "machine"):
        if stored and stored[key] != now[key]:
            parts.append(
                f"Not the same {key}: {stored[key]} was stored, this is {now[key]}."
            )
    return "\n\n".join(parts)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument(
        "--store", action="store_true", help=f"keep the counts in {STORED.name}"
    )
    parser.add_argument("--only", action="append", choices=list(HOT_PATHS))
    options = parser.parse_args()
    if options.store and options.only:
        parser.error("--store: all paths are kept together; leave --only out")
    return options


if __name__ == "__main__":
    sys.exit(main())

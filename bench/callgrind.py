"""Instructions of a program by thread and by function, counted by valgrind's callgrind.

Source of the format: valgrind 3.19, Callgrind Format Specification.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Costs", "costs_of_dump", "difference", "is_available", "run"]

BENCH = Path(__file__).parent
LIMIT_S = 600
NAME = re.compile(r"(?P<kind>fn|ob)=(?P<id>\(\d+\))(?: (?P<name>.*))?")
# "+3 10": a line number, relative or not, and the instructions spent there.
COST = re.compile(r"[-+*\d]\S* (?P<count>\d+)$")


@dataclass(frozen=True, slots=True)
class Costs:
    """Instructions of one thread: in all, and by function and by object file.

    A function's own instructions, without those of what it calls.
    """

    total: int
    by_function: Mapping[str, int]
    by_object: Mapping[str, int]


def is_available() -> bool:
    return shutil.which("valgrind") is not None


def run(folder: Path, *arguments: str) -> list[Costs]:
    """Run a Python program of bench/ under callgrind; return the costs by thread.

    The first is the main thread's, the second that of the thread that drains.
    """
    dump = folder / "callgrind"
    for old in folder.glob("callgrind*"):
        old.unlink()
    tool = [
        "valgrind",
        "--tool=callgrind",
        "--separate-threads=yes",
        f"--callgrind-out-file={dump}",
    ]
    # Dictionaries in the same order each time.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(
        [*tool, sys.executable, *arguments],
        check=True,
        cwd=BENCH,
        env=environment,
        capture_output=True,
        timeout=LIMIT_S,
    )
    dumps = sorted(folder.glob("callgrind-*"))
    return [costs_of_dump(path.read_text().splitlines()) for path in dumps]


def costs_of_dump(lines: Iterable[str]) -> Costs:
    """Add up what a dump says; costs of calls are inclusive and left out."""
    names: dict[tuple[str, str], str] = {}
    current = {"fn": "", "ob": ""}
    functions: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    is_of_call = False
    for line in lines:
        if named := NAME.match(line):
            kind, key = named["kind"], named["id"]
            if named["name"] is not None:
                names[kind, key] = named["name"]
            current[kind] = names[kind, key]
        elif line.startswith(("cfn=", "cob=")):
            # A name may be told where it is called for the first time.
            if (told := NAME.match(line[1:])) and told["name"] is not None:
                names[told["kind"], told["id"]] = told["name"]
        elif line.startswith("calls="):
            is_of_call = True
        elif cost := COST.match(line):
            if not is_of_call:
                functions[current["fn"]] += int(cost["count"])
                objects[Path(current["ob"]).name] += int(cost["count"])
            is_of_call = False
    return Costs(functions.total(), functions, objects)


def difference(more: Costs, less: Costs, count: int) -> Costs:
    """Return what each of *count* further operations cost."""
    functions = _per_operation(more.by_function, less.by_function, count)
    objects = _per_operation(more.by_object, less.by_object, count)
    return Costs(round((more.total - less.total) / count), functions, objects)


def _per_operation(
    more: Mapping[str, int], less: Mapping[str, int], count: int
) -> dict[str, int]:
    costs = {
        name: round((value - less.get(name, 0)) / count) for name, value in more.items()
    }
    largest = sorted(costs, key=lambda name: costs[name], reverse=True)
    return {name: costs[name] for name in largest if costs[name] > 0}

"""Meetings: who may be at a log and what may happen to it, put together by chance.

Usage: meetings.py [OPTIONS AS JSON], the fields of `Options`. Holds one meeting after
the other and says what came of each; exits with 1 if a log wasn't good. A meeting's
seed, given with ``"rounds": 1``, puts the same one together again: who comes and what
happens depend on the seed and on what can be had here, and on nothing else.
"""

import importlib.util
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guest import HABITS
from happenings import BY_CHANCE, NEEDS_OWN_DISK
from meeting import Plan

__all__ = ["Options", "Place", "hold", "look_around", "make_plan"]

# A meeting that takes longer hangs in a way that it can't tell of itself.
LIMIT_S = 240.0
SERVICE = 65534
_ROOTS_HABITS = frozenset({"give_up_rights"})
_HANDLERS_HABITS = frozenset({"reload", "drop"})
_SMALL = {"ring_bytes": 65_536}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many meetings.

    Attributes:
        rounds: Of them.
        seed: Of the first; the next ones count on. None takes another one each time.
    """

    rounds: int = 200
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What can be had here.

    Attributes:
        is_root: Other users, and a disk of the meeting's own.
        patches: Libraries that patch a process.
        shim: What is preloaded to set the clock; None: it can't be built.
    """

    is_root: bool
    patches: tuple[str, ...]
    shim: Path | None


def look_around(folder: Path) -> Place:
    """Tell what can be had here."""
    patches = ("gevent", "eventlet")
    found = tuple(name for name in patches if importlib.util.find_spec(name))
    shim = folder / "clockshim.so"
    command = ["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1"]
    built = subprocess.run(
        [*command, "-o", shim, _FOLDER / "clockshim.c", "-ldl"], check=False
    )
    return Place(os.geteuid() == 0, found, None if built.returncode else shim)


def make_plan(seed: int, place: Place) -> Plan:
    """Put a meeting together by chance."""
    chance = random.Random(seed)
    allowed = [
        name
        for name in BY_CHANCE
        if (place.is_root or name not in NEEDS_OWN_DISK)
        and (place.shim is not None or name != "step_clock")
    ]
    happenings = [chance.choice(allowed) for _ in range(chance.randint(1, 4))]
    owner = SERVICE if place.is_root and chance.random() < 0.4 else None
    guests = [_make_guest(chance, place, owner) for _ in range(chance.randint(2, 4))]
    if chance.random() < 0.7:
        # One dialect, as is usual.
        for guest in guests[1:]:
            if guest["habit"] not in _HANDLERS_HABITS or guests[0]["way"] != "writer":
                guest["way"] = guests[0]["way"]
                guest["options"] = guests[0]["options"]
    return Plan(
        seed=seed,
        guests=guests,
        happenings=happenings,
        owner=owner,
        has_disk=not NEEDS_OWN_DISK.isdisjoint(happenings),
    )


def _make_guest(
    chance: random.Random, place: Place, owner: int | None
) -> dict[str, Any]:
    habits = [name for name in HABITS if place.is_root or name not in _ROOTS_HABITS]
    habit = chance.choice(["", "", *habits])
    patched = chance.choice(place.patches) if place.patches else ""
    if chance.random() < 0.8 or habit:
        patched = ""
    user = owner if chance.random() < 0.7 and not patched else None
    if user is not None and habit in _ROOTS_HABITS:
        user = None
    ways = ["rotating", "timed", "watched"]
    way = chance.choice(ways if habit in _HANDLERS_HABITS else ["writer", *ways])
    return {
        "way": way,
        "options": {**_SMALL, **_options(chance, way)},
        "habit": habit,
        "user": user,
        "patched": patched,
    }


def _options(chance: random.Random, way: str) -> dict[str, Any]:
    compress = chance.choice([None, None, "gzip", "zstd"])
    match way:
        case "writer":
            return {"max_bytes": 200_000, "compress": compress}
        case "rotating":
            limits = {"maxBytes": 300_000, "backupCount": 10_000}
            return {**limits, "compress": compress}
        case "timed":
            return {"when": "S", "interval": 1, "compress": compress}
        case _:
            return {}


def hold(plan: Plan, place: Place) -> dict[str, Any]:
    """Hold a meeting; return its outcome."""
    with tempfile.TemporaryDirectory(
        prefix="meeting-", ignore_cleanup_errors=True
    ) as folder:
        offset = Path(folder) / "offset"
        offset.write_bytes(struct.pack("q", 0))
        environment = {**os.environ, "MEETING_FOLDER": folder}
        if place.shim is not None and "step_clock" in plan.happenings:
            environment |= {"LD_PRELOAD": str(place.shim), "CLOCK_OFFSET": str(offset)}
        command = [sys.executable, _FOLDER / "meeting.py", json.dumps(asdict(plan))]
        if plan.has_disk:
            command = ["unshare", "--mount", "--propagation", "private", *command]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        return _outcome_of(process)


def _outcome_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        out, said = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        _, said = process.communicate()
        return {"faults": [f"not over after {LIMIT_S} s"], "complaints": said}
    try:
        outcome: dict[str, Any] = json.loads(out)
    except ValueError:
        fault = f"the meeting itself failed: status {process.returncode}"
        return {"faults": [fault], "complaints": said}
    return {**outcome, "complaints": said}


def describe(plan: Plan) -> str:
    """Say in a line who met and what happened."""
    guests = [
        "/".join(
            filter(
                None,
                (
                    guest["way"],
                    guest["options"].get("compress"),
                    guest["habit"],
                    guest["patched"],
                    "service" if guest["user"] is not None else None,
                ),
            )
        )
        for guest in plan.guests
    ]
    whose = "" if plan.owner is None else " (the service's)"
    return f"{', '.join(guests)}{whose}: {', '.join(plan.happenings)}"


def main() -> int:
    """Hold the meetings."""
    options = Options(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    bad = lines = 0
    with tempfile.TemporaryDirectory(prefix="meetings-") as folder:
        place = look_around(Path(folder))
        for number in range(seed, seed + options.rounds):
            plan = make_plan(number, place)
            outcome = hold(plan, place)
            lines += outcome.get("lines", 0)
            faults = outcome["faults"]
            bad += bool(faults)
            mark = "BAD" if faults else "ok"
            print(f"{mark} {number} {describe(plan)}", flush=True)
            if faults:
                print(f"    {'; '.join(faults)}")
                print(f"    {outcome.get('finding')} told {outcome.get('told')}")
                print(f"    {outcome.get('reports')}")
                print("    " + outcome["complaints"][-3000:].replace("\n", "\n    "))
    print(f"{options.rounds} meetings, {lines} lines, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

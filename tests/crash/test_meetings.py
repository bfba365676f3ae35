"""Whoever meets at a log and whatever happens there, no line is lost untold."""

import os
from pathlib import Path
from typing import Any

import pytest
from guest import HABITS
from happenings import BY_CHANCE, HARMLESS, NEEDS_OWN_DISK
from meeting import Plan
from meetings import Place, hold, look_around, make_plan

WRITER = {"way": "writer", "options": {"ring_bytes": 65_536, "max_bytes": 20_000}}
FORKER = {**WRITER, "habit": "fork"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return look_around(tmp_path)


def meet(
    place: Place, guests: list[dict[str, Any]], *happenings: str
) -> dict[str, Any]:
    plan = Plan(seed=1, guests=guests, happenings=list(happenings))
    return hold(plan, place)


def test_a_meeting_where_nothing_happens_is_good(place: Place) -> None:
    outcome = meet(place, [WRITER, FORKER])

    assert outcome["faults"] == []
    assert outcome["lines"] >= outcome["acknowledged"] > 100


def test_a_judge_notices_that_a_backup_was_stolen(place: Place) -> None:
    outcome = meet(place, [WRITER, WRITER], "freeze", "steal")

    assert any("lost" in fault for fault in outcome["faults"]), outcome


@pytest.mark.parametrize("happening", sorted(set(HARMLESS) - NEEDS_OWN_DISK))
def test_nothing_that_happens_loses_a_line(place: Place, happening: str) -> None:
    outcome = meet(place, [WRITER, FORKER], happening)

    faults = outcome["faults"]
    if happening == "remove_state":
        # A ring kept ready for a child goes with its directory, and is told as damaged
        # though nothing was in it.
        faults = [each for each in faults if "{'damaged-record': " not in each]
    assert faults == [], outcome


def test_a_full_disk_loses_no_line(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a disk")
    plan = Plan(
        seed=1, guests=[WRITER, FORKER], happenings=["fill_disk"], has_disk=True
    )

    outcome = hold(plan, place)

    assert outcome["faults"] == [], outcome


def test_every_happening_comes_by_chance(place: Place) -> None:
    plans = [make_plan(seed, place) for seed in range(200)]

    happened = {name for plan in plans for name in plan.happenings}
    assert happened == set(BY_CHANCE) or os.geteuid() != 0


def test_the_twenty_meetings_of_make_check_have_all_kinds(place: Place) -> None:
    if not place.is_root or len(place.patches) < 2 or place.shim is None:
        pytest.skip("needs root, gevent, eventlet and a compiler")
    plans = [make_plan(seed, place) for seed in range(7000, 7020)]
    guests = [guest for plan in plans for guest in plan.guests]

    assert {name for plan in plans for name in plan.happenings} == set(BY_CHANCE)
    assert {guest["habit"] for guest in guests} == {"", *HABITS}
    assert {guest["patched"] for guest in guests} == {"", *place.patches}
    assert {guest["way"] for guest in guests} == {
        "writer",
        "rotating",
        "timed",
        "watched",
    }
    assert any(len({guest["way"] for guest in plan.guests}) > 1 for plan in plans)

"""Goals are held against the right contenders."""

from typing import Any

from goals import Goal, goals

Row = dict[str, Any]


def row(workload: str, contender: str, speed: float | None, **more: object) -> Row:
    side = "ours" if contender.startswith("auditring") else "rival"
    given: Row = {"side": side, "rotates": True, "exact": True, "figures": {}}
    return {
        "workload": workload,
        "contender": contender,
        "median_per_s": speed,
        "ratio_to_limit": None,
        "lost": 0,
        "foreign": 0,
        **given,
        **more,
    }


def named(found: list[Goal], name: str, against: str = "") -> Goal:
    (goal,) = (each for each in found if (each.name, each.against) == (name, against))
    return goal


def test_the_best_rival_rotates_and_is_exact() -> None:
    rows = [
        row("W4_lines", "auditring", 3000.0),
        row("W4_lines", "fast but lossy", 2500.0, exact=False),
        row("W4_lines", "fast but never rotates", 2000.0, rotates=False),
        row("W4_lines", "hung", None, exact=False),
        row("W4_lines", "good", 1000.0),
        row("W4_lines", "slow", 500.0),
        row("W4_lines", "C write(2) loop", 4000.0, side="limit", rotates=None),
    ]

    found = goals(rows)

    assert named(found, "W4 lines", "good").figure == 3.0
    assert named(found, "W4 lines", "good").is_reached
    loop = named(found, "W4 lines", "C write(2) loop")
    assert (loop.figure, loop.is_reached) == (0.75, False)


def test_what_did_not_run_has_no_goal() -> None:
    assert goals([row("W3_events", "RotatingFileHandler", 5.0)]) == []


def test_a_lost_line_after_a_kill_misses_the_goal() -> None:
    found = goals([row("kill", "auditring", 5.0, lost=1)])

    assert not named(found, "kill, auditring: lines lost").is_reached
    assert named(found, "kill, auditring: lines torn").is_reached


def test_a_latency_may_be_twice_that_of_doing_nothing() -> None:
    def figures(p99_9: float, longest: float) -> dict[str, Any]:
        return {"p99_9_ns": {"median": p99_9}, "max_ns": {"median": longest}}

    rows = [
        row("W5_latency", "auditring", 9.0, figures=figures(19_000.0, 5_000_000.0)),
        row("W5_latency", "C call", 9.0, figures=figures(1_000.0, 3_000_000.0)),
    ]

    found = goals(rows)

    assert named(found, "W5 p99.9, µs", "or 2 x doing nothing").limit == 20
    longest = named(found, "W5 max, ms", "or 2 x doing nothing")
    assert (longest.figure, longest.limit, longest.is_reached) == (5.0, 6.0, True)

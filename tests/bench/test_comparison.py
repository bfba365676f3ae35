"""What the tables and charts say follows from the runs."""

import json
from typing import Any

import pytest
from charts import coarse_points, growth_points, percentile_points
from comparison import markdown, ratio, rows
from lines import Account
from rounds import Result, Run

EXACT = Account(lost=0, duplicated=0, foreign=0, in_order=True)
FACTS = {"commit": "abc", "machine": "one"}
WORKLOAD = "W3_events"


def runs(*speeds: float) -> tuple[Run, ...]:
    return tuple(Run(1000, 1000 / speed, EXACT) for speed in speeds)


def row_of(made: list[dict[str, Any]], contender: str) -> dict[str, Any]:
    return next(row for row in made if row["contender"] == contender)


@pytest.fixture
def made() -> list[dict[str, Any]]:
    lossy = Account(lost=3, duplicated=2, foreign=1, in_order=False)
    hung = Run(1000, 0.0, Account(1000, 0, 0, None), {}, "hung", "6 s were not enough")
    results = [
        Result(WORKLOAD, "auditring", runs(900, 1100, 1000)),
        Result(WORKLOAD, "RotatingFileHandler", runs(100, 100, 130)),
        Result(WORKLOAD, "orjson.dumps", (Run(1000, 0.8),) * 3),
        Result(WORKLOAD, "C write(2) loop", runs(4000, 4000, 4000)),
        Result(WORKLOAD, "fastlogging", (*runs(500), Run(1000, 2.0, lossy))),
        Result(WORKLOAD, "picologging", (hung,)),
    ]
    return rows(FACTS, results)


def test_the_speed_is_the_median_with_its_extremes(
    made: list[dict[str, Any]],
) -> None:
    ours = row_of(made, "auditring")

    assert ours["median_per_s"] == pytest.approx(1000)
    assert ours["min_per_s"] == pytest.approx(900)
    assert ours["max_per_s"] == pytest.approx(1100)
    assert (ours["exact"], ours["side"], ours["rotates"]) == (True, "ours", True)


def test_ratios_are_to_the_baseline_and_to_the_slower_limit(
    made: list[dict[str, Any]],
) -> None:
    ours = row_of(made, "auditring")

    assert ours["ratio_to_baseline"] == pytest.approx(10)
    assert ours["ratio_to_limit"] == pytest.approx(1000 / 1250)


def test_losses_of_all_rounds_are_added_up(made: list[dict[str, Any]]) -> None:
    theirs = row_of(made, "fastlogging")

    assert theirs["exact"] is False
    assert (theirs["lost"], theirs["duplicated"], theirs["foreign"]) == (3, 2, 1)


def test_a_contender_that_hung_has_no_speed_and_says_why(
    made: list[dict[str, Any]],
) -> None:
    theirs = row_of(made, "picologging")

    assert theirs["median_per_s"] is theirs["ratio_to_baseline"] is None
    assert theirs["exact"] is False
    assert theirs["trouble"] == "1 of 1 runs hung: 6 s were not enough"
    assert theirs["trouble"] in markdown(FACTS, made)


def test_a_limit_without_files_is_neither_exact_nor_not(
    made: list[dict[str, Any]],
) -> None:
    assert row_of(made, "orjson.dumps")["exact"] is None


def test_each_object_says_what_it_holds_for(made: list[dict[str, Any]]) -> None:
    assert all(row["conditions"] == FACTS for row in made)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_the_fastest_stands_first(made: list[dict[str, Any]]) -> None:
    table = markdown(FACTS, made)

    names = ["C write(2) loop", "orjson.dumps", "**auditring**", "picologging"]
    places = [table.index(f"| {name} |") for name in names]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("workload", "contender", "side"),
    [
        ("W4_lines", "auditring", "ours"),
        ("W4_lines", "spdlog", "rival"),
        ("W4_lines", "memcpy", "limit"),
        ("W8_asgi", "auditring, one stage", "ours"),
        ("W9_compression", "auditring gzip", "ours"),
        ("W9_compression", "isal call, level 1", "limit"),
        ("W9_compression", "gzip module, level 6", "rival"),
        ("W10_follow", "tail -F, one file", "rival"),
    ],
)
def test_each_contender_is_on_a_side(workload: str, contender: str, side: str) -> None:
    (made,) = rows(FACTS, [Result(workload, contender, runs(100))])

    assert made["side"] == side


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None)],
)
def test_a_ratio_needs_both(
    own: float | None, other: float | None, expected: float | None
) -> None:
    assert ratio(own, other) == expected


def test_a_latency_curve_rises_from_the_median_to_the_longest_call() -> None:
    figures = {
        "max_ns": {"median": 9000.0},
        "p50_ns": {"median": 500.0},
        "p99_9_ns": {"median": 4000.0},
        "backups": {"median": 3},
    }

    points = percentile_points({"figures": figures})

    assert points == [("50", 0.5), ("99.9", 4.0), ("max", 9.0)]


def test_a_quick_run_shows_growth_by_two_workloads() -> None:
    measured = [
        {"workload": workload, "contender": name, "median_per_s": speed}
        for workload, name, speed in (
            ("W4_lines", "a", 10.0),
            ("W6_4_processes", "a", 30.0),
            ("W4_lines", "only alone", 10.0),
        )
    ]

    points = coarse_points(measured, {1: "W4_lines", 4: "W6_4_processes"})

    assert points == {"a": [(1, 10.0), (4, 30.0)]}


def test_growth_is_ordered_by_number_and_kept_by_contender() -> None:
    measured = [
        {"workload": f"growth_threads_{count}", "contender": name, "median_per_s": 1.0}
        for count in (8, 1, 2)
        for name in ("a", "b")
    ]
    measured.append({**measured[0], "workload": "W4_lines"})

    points = growth_points(measured, "growth_threads_")

    assert points == {name: [(1, 1.0), (2, 1.0), (8, 1.0)] for name in ("a", "b")}

"""The page's figures are those of the stored results."""

import json
from typing import Any

import pytest
from performance_page import GUARD, LATEST, PAGE, call_rows, filled

ROWS = json.loads(LATEST.read_text(encoding="utf-8"))
COUNTS = json.loads(GUARD.read_text(encoding="utf-8"))


def test_the_page_is_what_the_results_give() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert filled(text, ROWS, COUNTS) == text


def test_the_charts_of_the_page_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")

    charts = [name for name in ("throughput", "latency", "growth") if name in text]

    assert charts == ["throughput", "latency", "growth"]
    for name in charts:
        assert (LATEST.parent / f"{name}.svg").exists()
        assert (LATEST.parent / f"{name}.png").exists()


def test_every_stored_result_has_what_its_readers_look_for() -> None:
    assert isinstance(ROWS, list)
    for row in ROWS:
        assert {
            "workload",
            "contender",
            "median_per_s",
            "min_per_s",
            "max_per_s",
            "exact",
            "lost",
            "duplicated",
        } <= set(row)
        assert {"machine", "commit", "versions", "parameters", "durability"} <= set(
            row["conditions"]
        )


def test_an_unknown_place_is_an_error() -> None:
    with pytest.raises(KeyError, match="the weather"):
        filled("<!-- figures: the weather -->\n<!-- end -->", ROWS, COUNTS)


def test_the_parts_of_a_call_add_up_to_it() -> None:
    def row(contender: str, speed: float) -> dict[str, Any]:
        return {
            "workload": "W4_lines",
            "contender": contender,
            "median_per_s": speed,
        }

    rows = [row("auditring", 2e6), row("C call", 2e7), row("memcpy", 1e7)]

    made = call_rows(rows)

    parts = [int(cells[1]) for cells in made[:-1]]
    assert parts == [50, 100, 350]
    assert made[-1][1] == "**500**"


def test_what_is_no_part_of_a_call_stands_below_it() -> None:
    rows = [
        {"workload": "W3_events", "contender": contender, "median_per_s": speed}
        for contender, speed in (("auditring", 2e6), ("orjson.dumps", 1e6))
    ]

    made = call_rows(rows)

    assert made[-2:] == [
        ["**write_json(event)**", "**500**"],
        ["orjson.dumps alone", "1,000"],
    ]

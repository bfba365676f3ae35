"""Processes are killed at any moment, and the log is as if they had not been."""

import json
from typing import Any

import pytest
from scene import run_scene

FORMATS = ("gzip", "zstd", "lz4")


def run_storm(**options: object) -> dict[str, Any]:
    """Let a storm blow and return its outcome.

    The scene fails when a line is lost, doubled, torn or out of order, when a temporary
    file is left, or when a gap event tells of more than cut short writes.
    """
    outcome: dict[str, Any] = json.loads(run_scene("storm.py", json.dumps(options)))
    return outcome


def test_a_storm_of_kills_leaves_every_acknowledged_line_once() -> None:
    outcome = run_storm(kills=300)

    assert outcome["kills"] >= 300
    assert outcome["lines"] >= outcome["acknowledged"] > 10_000
    counters = outcome["counters"]
    assert counters["rotations"] > 10
    assert counters["leader_changes"] > 10
    assert counters["recovered_records"] > 0
    assert counters["records_written"] == outcome["lines"]


@pytest.mark.parametrize("compress", FORMATS)
def test_a_storm_over_compressed_backups_leaves_every_line_once(compress: str) -> None:
    outcome = run_storm(kills=60, compress=compress)

    assert outcome["lines"] >= outcome["acknowledged"] > 1_000
    assert outcome["files"] > 5


@pytest.mark.parametrize("compress", FORMATS)
def test_a_storm_leaves_as_many_backups_as_are_to_be_kept(compress: str) -> None:
    outcome = run_storm(kills=100, compress=compress, max_backups=5, max_bytes=65_536)

    assert outcome["files"] <= 6
    assert outcome["counters"]["rotations"] > 20


def test_tail_prints_every_line_of_a_storm_once() -> None:
    outcome = run_storm(kills=100, has_tail=True, max_bytes=0)

    assert outcome["tail_complaints"] == ""
    assert outcome["lines"] >= outcome["acknowledged"] > 1_000


def test_a_storm_in_which_locks_are_dropped_leaves_every_line_once() -> None:
    outcome = run_storm(kills=100, has_meddlers=True)

    assert outcome["lines"] >= outcome["acknowledged"] > 1_000
    assert outcome["counters"]["locks_reopened"] > 0

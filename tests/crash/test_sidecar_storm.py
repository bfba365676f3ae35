"""Sidecars are ended at any moment, and what they printed is what was written.

`make sidecar-storm` ends 200 of them over 1,000 rotations.
"""

import json
from typing import Any

import pytest
from scene import run_scene


def run_storm(**options: object) -> dict[str, Any]:
    """Let a storm blow and return its outcome; the scene fails when it isn't good."""
    outcome: dict[str, Any] = json.loads(
        run_scene("sidecar_storm.py", json.dumps(options))
    )
    return outcome


@pytest.mark.parametrize(
    ("dialect", "compress", "output"),
    [
        ("lumberjack", "gzip", "pipe"),
        ("lumberjack", None, "file"),
        ("stdlib", "zstd", "file"),
    ],
)
def test_sidecars_that_are_asked_to_end_print_the_log_byte_by_byte(
    dialect: str, compress: str | None, output: str
) -> None:
    outcome = run_storm(
        ending="SIGTERM",
        dialect=dialect,
        compress=compress,
        output=output,
        restarts=12,
        rotations=100,
    )

    assert outcome["endings"] == 12
    assert outcome["files"] > 100
    assert outcome["repeated_bytes"] == 0


@pytest.mark.parametrize(
    ("dialect", "compress", "output"),
    [("lumberjack", "gzip", "file"), ("stdlib", "lz4", "pipe")],
)
def test_sidecars_that_are_killed_leave_nothing_out_and_repeat_little(
    dialect: str, compress: str, output: str
) -> None:
    outcome = run_storm(
        ending="SIGKILL",
        dialect=dialect,
        compress=compress,
        output=output,
        restarts=12,
        rotations=100,
    )

    assert outcome["endings"] == 12
    assert outcome["files"] > 100
    assert outcome["repeated_max_bytes"] <= 2**20


@pytest.mark.parametrize("dialect", ["lumberjack", "stdlib"])
def test_backups_are_kept_for_killed_sidecars_and_no_longer(dialect: str) -> None:
    outcome = run_storm(
        ending="SIGKILL", dialect=dialect, registered=True, restarts=10, rotations=60
    )

    assert outcome["repeated_max_bytes"] <= 2**20
    assert outcome["files"] < 60

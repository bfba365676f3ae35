"""Behind gunicorn, with workers killed now and then, every answered request is logged.

Once in each of two logs, whether the application is loaded before the workers are
forked or after, and whether they give up their rights or not. `make gunicorn-storm`
lets it blow for a minute each, over every kind of workers.
"""

import json
import os
import pwd
from typing import Any

import pytest
from scene import run_scene


def run_storm(**options: object) -> dict[str, Any]:
    """Let a storm blow and return its outcome; the scene fails when it isn't good."""
    settings = {"kills": 4, "kill_interval_s": 0.1, "max_bytes": 50_000, **options}
    outcome: dict[str, Any] = json.loads(
        run_scene("gunicorn_storm.py", json.dumps(settings))
    )
    return outcome


def check(outcome: dict[str, Any], user: int) -> None:
    assert outcome["kills"] == 4
    assert outcome["answered"] > 160
    assert outcome["lines"] >= outcome["answered"]
    assert outcome["events"] >= 2 * outcome["answered"]
    assert outcome["rotations"] > 2
    assert outcome["users"] == [user]
    # What a killed worker hadn't committed is nobody's line.
    assert outcome["gaps"].keys() <= {"abandoned-reservation"}


@pytest.mark.parametrize(
    ("worker", "preload"),
    [("sync", True), ("gthread", False), ("uvicorn", True), ("asgi", False)],
)
def test_every_answered_request_is_logged_once(worker: str, preload: bool) -> None:
    outcome = run_storm(worker=worker, preload=preload)

    check(outcome, os.getuid())


@pytest.mark.parametrize(("worker", "preload"), [("gthread", True), ("uvicorn", False)])
def test_workers_of_another_user_share_the_logs_by_their_group(
    worker: str, preload: bool
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")

    outcome = run_storm(worker=worker, preload=preload, user="nobody")

    check(outcome, pwd.getpwnam("nobody").pw_uid)


def test_nothing_is_lost_when_all_of_them_are_killed_at_once() -> None:
    outcome = run_storm(worker="asgi", preload=True, ending="SIGKILL")

    check(outcome, os.getuid())

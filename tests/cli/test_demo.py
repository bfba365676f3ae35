"""The demo writes, kills, verifies and tells; a failed worker doesn't hang it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.cli.demo import run_demo
from auditring.cli.demo_worker import Sample

MIB = 2**20
COMMAND = [sys.executable, "-m", "auditring", "demo"]


class Messages:
    """Collects what the demo says."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, message: str, *, nl: bool = True) -> None:
        self.text += message + "\n" * nl


def acknowledged(text: str) -> int:
    """Return the events that the table tells of."""
    (count,) = re.findall(r"events +([\d,]+) acknowledged in", text)
    return int(count.replace(",", ""))


def test_the_demo_finds_every_line_after_a_kill(tmp_path: Path) -> None:
    messages = Messages()

    is_good = run_demo(tmp_path, target_bytes=64 * MIB, echo=messages)

    assert is_good, messages.text
    expected = round(64 * MIB / Sample.load().mean_bytes / 3) * 3
    assert acknowledged(messages.text) == expected
    assert "Worker 1, which wrote the file for all of them, was killed" in messages.text
    assert "Every acknowledged event is in the log exactly once" in messages.text
    assert len([*tmp_path.glob("audit-*.log.zst")]) == 3


def test_the_demo_runs_without_a_kill(tmp_path: Path) -> None:
    messages = Messages()

    is_good = run_demo(
        tmp_path, target_bytes=2 * MIB, writers=1, kill=False, echo=messages
    )

    assert is_good
    assert "SIGKILL" not in messages.text


def test_the_demo_says_when_the_log_is_not_what_it_should_be(tmp_path: Path) -> None:
    messages = Messages()
    with LogWriter(tmp_path / "audit.log") as log:
        log.write(b"nobody's line")

    is_good = run_demo(tmp_path, target_bytes=2 * MIB, writers=1, echo=messages)

    assert not is_good
    assert "torn or foreign lines: 1" in messages.text
    assert "FAILED" in messages.text


def test_the_demo_refuses_a_disk_without_room(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the demo needs"):
        run_demo(tmp_path, target_bytes=2**60)


def test_the_command_tells_a_story_and_keeps_the_log_when_asked(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    done = subprocess.run(
        [*COMMAND, "--size", "8", "--keep", str(kept)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    for row in ("throughput", "p99.9", "files", "sizes", "ratio", "recovered"):
        assert row in done.stdout
    lines = (kept / "audit.log").read_bytes().splitlines()
    audit_ids = {json.loads(line)["auditID"] for line in lines}
    assert len(audit_ids) == len(lines) >= acknowledged(done.stdout)


def test_the_command_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    subprocess.run(
        [*COMMAND, "--size", "1"],
        env=environment,
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = subprocess.run(
        [*COMMAND, "--keep", str(tmp_path)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert done.stderr == (
        f"auditring: --keep: expected a new or empty directory, got {tmp_path}\n"
    )


def test_a_worker_that_fails_ends_the_demo(tmp_path: Path) -> None:
    # The log's name is taken by a directory, so no worker can open it.
    (tmp_path / "audit.log").mkdir()
    program = """\
import sys
from auditring.cli.demo import run_demo
run_demo(sys.argv[1], target_bytes=2**20)
"""

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "AuditringError: worker 1 ended early, status 1" in done.stderr


def test_the_sample_is_made_of_whole_events_of_every_stage_with_one_audit_id() -> None:
    sample = Sample.load()

    events = [json.loads(sample.line(1, n)) for n in range(len(sample.templates))]

    assert len({event["auditID"] for event in events}) == len(events)
    assert {event["stage"] for event in events} == {
        "RequestReceived",
        "ResponseStarted",
        "ResponseComplete",
    }
    assert len({event["verb"] for event in events}) > 10
    assert 2300 < sample.mean_bytes < 2500


def test_the_command_ends_quietly_when_nobody_reads_its_story(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*COMMAND, "--size", "1"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
    )

    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
    assert list(tmp_path.iterdir()) == []

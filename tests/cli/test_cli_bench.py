"""`auditring bench` as a process: what it prints, and that nothing stays behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bystander import wait_until

COMMAND = [sys.executable, "-m", "auditring", "bench"]
LIMIT_S = 60.0
METADATA = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


def test_it_tells_what_a_person_wants_to_know_and_cleans_up(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds", 1)

    assert (done.returncode, done.stderr) == (0, "")
    labels = [line.split("  ")[0] for line in done.stdout.splitlines()]
    wanted = ["requests", "events", "one request", "limited by", "ring"]
    assert [label for label in labels if label in wanted] == wanted
    assert [*tmp_path.iterdir()] == []


def test_it_prints_json_with_the_users_policy(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(METADATA)

    done = run(tmp_path, "--seconds", 1, "--policy", policy, "--format", "json")

    report = json.loads(done.stdout)
    assert report["events_per_s"] == report["requests_per_s"] > 0
    assert report["limit"] in {"CPU", "disk", "ring"}
    assert set(report["latencies_us"]) == {"p50", "p99", "p99.9", "max"}
    assert [*tmp_path.iterdir()] == [policy]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("rules: [{level: Everything}]\n", 1, "rules[0].level"),
        (METADATA.replace("Metadata", "None"), 2, "records none of the sample's"),
    ],
)
def test_a_policy_that_cannot_be_tried_is_refused(
    tmp_path: Path, text: str, status: int, said: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)

    done = run(tmp_path, "--policy", policy)

    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["nowhere"], ["--policy", "nowhere.yaml"]])
def test_what_is_not_there_is_named(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.returncode == 2
    assert arguments[-1] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_stays(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [*COMMAND, str(tmp_path), "--seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        wait_until(lambda: any(tmp_path.iterdir()))
        process.send_signal(number)
        status = process.wait(LIMIT_S)

    assert status == 128 + number
    assert [*tmp_path.iterdir()] == []

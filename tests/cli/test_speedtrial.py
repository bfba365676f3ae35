"""What a trial measures, and what it makes of that."""

from pathlib import Path

import pytest

from auditring.cli.speedtrial import (
    DISK_BYTES_MAX,
    SpeedTrial,
    limit_of,
    percentile,
    recommended_ring_bytes,
)
from auditring.policy import Policy

MIB = 2**20
SECONDS = 1.0


def policy(level: str) -> Policy:
    return Policy.from_yaml(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        f"- level: {level}\n  resources: [{{group: ''}}]\n- level: None\n"
    )


@pytest.mark.parametrize("level", ["Metadata", "RequestResponse"])
def test_a_trial_measures_each_part(tmp_path: Path, level: str) -> None:
    report = SpeedTrial(policy(level)).run(tmp_path, SECONDS)

    # The last rule records nothing.
    assert 0 < report.events_per_s < report.requests_per_s
    expected = report.events_per_s * report.mean_event_bytes / 1e6
    assert report.mb_per_s == pytest.approx(expected)
    assert report.alone_per_s > 0
    assert report.file_mb_per_s > 0
    latencies = [*report.latencies_us.values()]
    assert latencies == sorted(latencies)
    assert 0 <= report.blocked_share <= 1


def test_a_trial_stays_within_its_share_of_the_disk(tmp_path: Path) -> None:
    SpeedTrial(policy("RequestResponse")).run(tmp_path, SECONDS)

    sizes = [file.stat().st_size for file in tmp_path.glob("audit*")]
    assert sizes
    assert sum(sizes) < DISK_BYTES_MAX


def test_bodies_make_the_lines_longer(tmp_path: Path) -> None:
    reports = {}
    for level in ("Metadata", "RequestResponse"):
        folder = tmp_path / level
        folder.mkdir()
        reports[level] = SpeedTrial(policy(level)).run(folder, SECONDS)

    short, long = reports["Metadata"], reports["RequestResponse"]
    assert long.mean_event_bytes > short.mean_event_bytes


def test_a_log_that_waits_for_each_sync_is_limited_by_the_disk(tmp_path: Path) -> None:
    trial = SpeedTrial(policy("Metadata"), durability="sync")

    report = trial.run(tmp_path, SECONDS)

    assert report.limit == "disk"


def test_a_policy_that_records_nothing_cannot_be_tried() -> None:
    with pytest.raises(ValueError, match="records none of the sample's"):
        SpeedTrial(policy("None"))


@pytest.mark.parametrize(
    ("log", "file", "blocked", "expected"),
    [
        (50.0, 1000.0, 0.0, "CPU"),
        (900.0, 1000.0, 0.05, "CPU"),
        (900.0, 1000.0, 0.5, "disk"),
        (200.0, 1000.0, 0.5, "ring"),
    ],
)
def test_what_is_full_is_the_limit(
    log: float, file: float, blocked: float, expected: str
) -> None:
    assert limit_of(log, file, blocked) == expected


@pytest.mark.parametrize(
    ("bytes_per_s", "stall_s", "expected_mib"),
    [
        (0.0, 0.0, 1),
        (200e6, 0.001, 1),
        (200e6, 0.01, 4),
        (400e6, 0.1, 128),
        (1e9, 9, 1024),
    ],
)
def test_the_ring_holds_twice_the_longest_stall(
    bytes_per_s: float, stall_s: float, expected_mib: int
) -> None:
    assert recommended_ring_bytes(bytes_per_s, stall_s) == expected_mib * MIB


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5), (0.9, 9), (0.99, 10), (1.0, 10), (0.0, 1)]
)
def test_a_percentile_is_the_least_value_that_the_share_stays_within(
    share: float, expected: int
) -> None:
    assert percentile(range(1, 11), share) == expected

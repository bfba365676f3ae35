"""The oracle notices what it is there to notice."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from oracle import Finding, judge, log_files, read_log
from stream import make_line

GAP = {"verb": "gap", "annotations": {"auditring.io/reason": "dropped"}}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".lz4": lz4.frame.compress,
}


def lines_of(stream: int, numbers: list[int]) -> list[bytes]:
    return [make_line(stream, number) for number in numbers]


def judge_lines(path: Path, lines: list[bytes], acknowledged: int) -> Finding:
    """Judge a log of these lines, of which stream 1 was acknowledged so many."""
    path.write_bytes(b"".join(lines))
    return judge(read_log(path), {1: acknowledged})


@pytest.mark.parametrize(
    ("numbers", "acknowledged", "fault"),
    [
        ([0, 1, 2], 4, {"lost": 1}),
        ([0, 2, 3], 4, {"lost": 1}),
        ([], 2, {"lost": 2}),
        ([0, 1, 1, 2], 3, {"duplicated": 1, "disordered": 1}),
        ([0, 1, 2, 3, 1, 2, 3], 4, {"duplicated": 3, "disordered": 1}),
        ([0, 2, 1, 3], 4, {"disordered": 1}),
        ([0, 1, 2, 3], 2, {"invented": 1}),
        ([0, 1, 5], 2, {"invented": 1}),
    ],
)
def test_a_fault_is_found(
    tmp_path: Path, numbers: list[int], acknowledged: int, fault: dict[str, int]
) -> None:
    finding = judge_lines(tmp_path / "a.log", lines_of(1, numbers), acknowledged)

    assert not finding.is_good
    assert Finding(**fault, examples=finding.examples) == finding


@pytest.mark.parametrize("acknowledged", [3, 4])
def test_a_killed_writer_may_have_written_one_line_more(
    tmp_path: Path, acknowledged: int
) -> None:
    lines = lines_of(1, [0, 1, 2, 3])

    assert judge_lines(tmp_path / "a.log", lines, acknowledged).is_good


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_line_is_found(tmp_path: Path, cut: int) -> None:
    first, second, third = lines_of(1, [0, 1, 2])

    finding = judge_lines(tmp_path / "a.log", [first, second[:-cut], third], 3)

    assert finding.torn == 1


def test_a_line_made_of_two_is_found(tmp_path: Path) -> None:
    first, second = lines_of(1, [0, 1])
    mixed = first[:60] + second[60:]

    finding = judge_lines(tmp_path / "a.log", [mixed, second], 2)

    assert (finding.torn, finding.lost) == (1, 1)


def test_a_gap_event_is_no_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(json.dumps(GAP).encode() + b"\n")

    reading = read_log(path)

    assert reading.gap_reasons() == {"dropped"}
    assert judge(reading, {}).is_good


@pytest.mark.parametrize("suffix", PACKERS)
def test_backups_are_read_before_the_live_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    backup = tmp_path / f"a-2026-01-02T03-04-05.006.log{suffix}"
    backup.write_bytes(PACKERS[suffix](b"".join(lines_of(1, [0, 1]))))
    path.write_bytes(b"".join(lines_of(1, [2, 3])))

    reading = read_log(path)

    assert reading.files == [backup, path]
    assert reading.streams == {1: [range(4)]}


def test_numbered_backups_are_read_from_the_highest_down(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for name in ("a.log", "a.log.1", "a.log.2.gz", "a.log.10"):
        (tmp_path / name).touch()

    names = [file.name for file in log_files(path, "stdlib")]

    assert names == ["a.log.10", "a.log.2.gz", "a.log.1", "a.log"]


@pytest.mark.parametrize(
    ("numbers", "is_good"), [([], True), ([2, 3], True), ([2], False), ([1, 3], False)]
)
def test_after_retention_a_stream_reaches_to_its_end(
    tmp_path: Path, numbers: list[int], *, is_good: bool
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(lines_of(1, numbers)))

    finding = judge(read_log(path), {1: 4}, retained_only=True)

    assert finding.is_good == is_good

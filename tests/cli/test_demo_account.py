"""The demo's check finds every kind of damage, in plain and in compressed files."""

from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from auditring.cli.demo_account import Account, Contents
from auditring.cli.demo_worker import Oracle, Sample

SAMPLE = Sample.load()
ACKNOWLEDGED = 10


def lines_of(worker: int, count: int) -> list[bytes]:
    return [SAMPLE.line(worker, sequence) for sequence in range(count)]


def check(
    log: Path, lines: list[bytes], *, was_killed: bool = False
) -> tuple[Account, Contents]:
    """Check a log of *lines* against a worker 1 that was told of 10 of 12."""
    log.write_bytes(b"".join(lines))
    oracle = Oracle.create(ACKNOWLEDGED + 2)
    oracle.words[Oracle.ACKNOWLEDGED] = ACKNOWLEDGED
    account = Account(oracle, was_killed=was_killed)
    oracle.close()
    return account, Contents.read(log, SAMPLE, {1: account})


def test_a_complete_log_is_good(tmp_path: Path) -> None:
    lines = lines_of(1, ACKNOWLEDGED)

    account, contents = check(tmp_path / "audit.log", lines)

    assert account.is_good
    assert (contents.files, contents.foreign) == (1, 0)
    assert contents.line_bytes == contents.file_bytes == sum(map(len, lines))


DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "lost": lambda lines: lines[:4] + lines[5:],
    "the last one lost": lambda lines: lines[:-1],
    "duplicated": lambda lines: [*lines, lines[-1]],
    "swapped": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "torn": lambda lines: [*lines[:3], lines[3][:-40] + b"\n", *lines[4:]],
    "two in one": lambda lines: [*lines[:3], lines[3][:-1], *lines[4:]],
    "a byte changed": lambda lines: [*lines[:-1], lines[-1].replace(b"v1", b"v2", 1)],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_found(
    tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    lines = damage(lines_of(1, ACKNOWLEDGED))

    account, _ = check(tmp_path / "audit.log", lines)

    assert not account.is_good


@pytest.mark.parametrize(
    "line",
    [b"no event\n", b'{"auditID":"short"}\n', SAMPLE.line(2, 0), SAMPLE.line(1, 12)],
    ids=["no event", "no auditID", "an unknown worker", "a sequence too high"],
)
def test_a_line_of_nobody_is_foreign(tmp_path: Path, line: bytes) -> None:
    lines = [*lines_of(1, ACKNOWLEDGED), line]

    _, contents = check(tmp_path / "audit.log", lines)

    assert (contents.foreign, contents.gap_events) == (1, 0)


def test_a_gap_event_is_not_foreign(tmp_path: Path) -> None:
    lines = [*lines_of(1, ACKNOWLEDGED), b'{"kind":"Event","verb":"gap"}\n']

    _, contents = check(tmp_path / "audit.log", lines)

    assert (contents.foreign, contents.gap_events) == (0, 1)


@pytest.mark.parametrize(
    ("was_killed", "extra", "is_good"),
    [(False, 1, False), (True, 1, True), (True, 2, False)],
)
def test_only_a_killed_worker_may_have_one_event_more(
    tmp_path: Path, was_killed: bool, extra: int, is_good: bool
) -> None:
    lines = lines_of(1, ACKNOWLEDGED + extra)

    account, _ = check(tmp_path / "audit.log", lines, was_killed=was_killed)

    assert account.unacknowledged == extra
    assert account.is_good is is_good


def test_backups_are_read_in_order_before_the_live_file(tmp_path: Path) -> None:
    lines = lines_of(1, ACKNOWLEDGED)
    packed = zstandard.ZstdCompressor().compress(b"".join(lines[:3]))
    # Two frames are one file, as are two gzip members.
    packed += zstandard.ZstdCompressor().compress(b"".join(lines[3:5]))
    (tmp_path / "audit-2026-11-22T01-02-03.004.log.zst").write_bytes(packed)
    plain = b"".join(lines[5:8])
    (tmp_path / "audit-2026-11-22T01-02-03.005.log").write_bytes(plain)

    account, contents = check(tmp_path / "audit.log", lines[8:])

    assert account.is_good
    assert (contents.files, contents.compressed_files) == (3, 1)
    assert contents.line_bytes == sum(map(len, lines))

"""A short trial of a disk and a policy: how many events a second, and what limits it.

Real audit events that come with the package go the way that those of an application
go: a decision of the policy, a line, the ring, the file. What each part can do alone is
measured beside it, so the narrowest one shows.
"""

import gzip
import math
import os
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..event.encode import json_line
from ..event.event import Event, Level
from ..event.stage import stage_line
from ..log.writer import LogWriter
from ..policy.policy import Policy
from ..policy.simulation import as_decided, attributes_of, is_recorded

if TYPE_CHECKING:
    from ..files.formats import Compression

__all__ = [
    "DISK_BYTES_MAX",
    "Limit",
    "SpeedTrial",
    "TrialReport",
    "limit_of",
    "percentile",
    "recommended_ring_bytes",
]

Limit = Literal["CPU", "disk", "ring"]
Durability = Literal["process", "interval", "sync"]

MIB = 2**20
NS_PER_S = 1_000_000_000
NS_PER_US = 1000

# The live file and its backups together, and the file beside them.
MAX_BYTES = 32 * MIB
MAX_BACKUPS = 2
PLAIN_BYTES_MAX = 64 * MIB
DISK_BYTES_MAX = 256 * MIB

# Shares of the time that is given.
ALONE_SHARE = 0.2
LOG_SHARE = 0.35
FILE_SHARE = 0.15
PACED_SHARE = 0.3

# The clock is looked at once in so many requests.
REQUESTS_A_LOOK = 32
WRITE_BYTES = MIB
PACE_SHARE = 0.5
PACE_MAX_PER_S = 20_000

# Waiting for room for so much of the time is being limited by what comes behind.
BLOCKED_SHARE = 0.1
# The log shares the machine with the file's own work, so it gets near, but not there.
DISK_SHARE = 0.6

RING_BYTES_MIN = MIB
RING_BYTES_MAX = 1024 * MIB
# How often the longest stall that was seen fits into the recommended ring.
STALLS_IN_RING = 2

Request = Callable[[], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """What a trial measured.

    Attributes:
        requests_per_s: Requests decided, and written where they are recorded, until
            the last one is with the kernel (or on the disk, with ``sync``).
        events_per_s: Those of them that are recorded.
        mb_per_s: Their lines, in 1,000,000 bytes a second.
        mean_event_bytes: Of a line.
        alone_per_s: Requests decided and made into lines that nobody writes.
        file_mb_per_s: A plain file, 1 MiB a call: what the disk's cache takes.
        longest_write_ms: The longest of these calls.
        blocked_share: Of the time, what writes waited for room in the ring.
        paced_per_s: At how many requests a second the latencies were taken.
        latencies_us: By percentile: one request, two readings of the clock included.
        limit: What limits the throughput.
        ring_bytes: Size of the ring in the trial.
        recommended_ring_bytes: What holds twice the longest stall that was seen.
    """

    requests_per_s: float
    events_per_s: float
    mb_per_s: float
    mean_event_bytes: float
    alone_per_s: float
    file_mb_per_s: float
    longest_write_ms: float
    blocked_share: float
    paced_per_s: float
    latencies_us: dict[str, float]
    limit: Limit
    ring_bytes: int
    recommended_ring_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What went through the log in some seconds."""

    requests: int
    events: int
    size_bytes: int
    seconds: float
    blocked_ns: int


class SpeedTrial:
    """Measures in a directory that is empty at first; what it wrote stays there.

    It never takes more than `DISK_BYTES_MAX` of the disk.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        durability: Durability = "process",
        compress: "Compression | None" = None,
        ring_bytes: int = 8 * MIB,
    ) -> None:
        """Take a policy and the options of a log.

        Raises:
            ValueError: The policy records none of the sample's requests.
        """
        self._requests = _requests(policy)
        self._durability: Durability = durability
        self._compress = compress
        self._ring_bytes = ring_bytes
        self._recorded = [line for make in self._requests if (line := make())]
        if not self._recorded:
            raise ValueError(
                f"the policy records none of the sample's {len(self._requests)}"
                " requests, so there is nothing to write"
            )

    def run(self, directory: Path, seconds: float) -> TrialReport:
        """Measure for about so many seconds.

        Raises:
            OSError: Something can't be written.
        """
        alone_per_s = self._run_alone(seconds * ALONE_SHARE)
        longest_ns, file_per_s = self._write_file(directory, seconds * FILE_SHARE)
        with self._open(directory) as log:
            done = self._write_log(log, seconds * LOG_SHARE)
            pace = min(done.requests / done.seconds * PACE_SHARE, PACE_MAX_PER_S)
            taken_ns = self._write_at_a_pace(log, seconds * PACED_SHARE, pace)
        blocked_share = min(1.0, done.blocked_ns / NS_PER_S / done.seconds)
        bytes_per_s = done.size_bytes / done.seconds
        mean_bytes = done.size_bytes / max(1, done.events)
        # As fast as lines can be made, not only as fast as the file takes them.
        made_per_s = alone_per_s * done.events / done.requests * mean_bytes
        return TrialReport(
            requests_per_s=done.requests / done.seconds,
            events_per_s=done.events / done.seconds,
            mb_per_s=bytes_per_s / 1e6,
            mean_event_bytes=mean_bytes,
            alone_per_s=alone_per_s,
            file_mb_per_s=file_per_s / 1e6,
            longest_write_ms=longest_ns / 1e6,
            blocked_share=blocked_share,
            paced_per_s=pace,
            latencies_us={
                name: percentile(taken_ns, share) / NS_PER_US
                for name, share in (
                    ("p50", 0.5),
                    ("p99", 0.99),
                    ("p99.9", 0.999),
                    ("max", 1.0),
                )
            },
            limit=limit_of(
                bytes_per_s,
                file_per_s,
                blocked_share,
                waits_for_disk=self._durability == "sync",
            ),
            ring_bytes=self._ring_bytes,
            recommended_ring_bytes=recommended_ring_bytes(
                made_per_s, longest_ns / NS_PER_S
            ),
        )

    def _open(self, directory: Path) -> LogWriter:
        return LogWriter(
            directory / "audit.log",
            max_bytes=MAX_BYTES,
            max_backups=MAX_BACKUPS,
            compress=self._compress,
            ring_bytes=self._ring_bytes,
            durability=self._durability,
        )

    def _run_alone(self, seconds: float) -> float:
        """Return how many requests a second become lines that nobody writes."""
        count = 0
        start = time.perf_counter()
        end = start + seconds
        requests = cycle(self._requests)
        while time.perf_counter() < end:
            for _ in range(REQUESTS_A_LOOK):
                next(requests)()
            count += REQUESTS_A_LOOK
        return count / (time.perf_counter() - start)

    def _write_file(self, directory: Path, seconds: float) -> tuple[int, float]:
        """Write the same lines to a plain file, over and over from its beginning.

        Returns:
            The longest write(2) in nanoseconds, and bytes a second.
        """
        once = b"".join(self._recorded)
        chunk = (once * (WRITE_BYTES // len(once) + 1))[:WRITE_BYTES]
        fd = os.open(
            directory / "plain", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        longest_ns = written = 0
        try:
            start = before = time.perf_counter_ns()
            end = start + int(seconds * NS_PER_S)
            while before < end:
                if written and written % PLAIN_BYTES_MAX == 0:
                    os.ftruncate(fd, 0)
                    os.lseek(fd, 0, os.SEEK_SET)
                before = time.perf_counter_ns()
                _write_all(fd, chunk)
                if self._durability == "sync":
                    os.fdatasync(fd)
                longest_ns = max(longest_ns, time.perf_counter_ns() - before)
                written += len(chunk)
            taken_ns = time.perf_counter_ns() - start
        finally:
            os.close(fd)
            (directory / "plain").unlink()
        return longest_ns, written / taken_ns * NS_PER_S

    def _write_log(self, log: LogWriter, seconds: float) -> _Written:
        """Write as fast as it goes; the flush at the end counts."""
        before = log.stats()
        write, requests = log.write, cycle(self._requests)
        count = events = size = 0
        start = time.perf_counter()
        end = start + seconds
        while time.perf_counter() < end:
            for _ in range(REQUESTS_A_LOOK):
                line = next(requests)()
                if line is not None:
                    write(line)
                    events += 1
                    size += len(line)
            count += REQUESTS_A_LOOK
        log.flush()
        taken = time.perf_counter() - start
        return _Written(
            requests=count,
            events=events,
            size_bytes=size,
            seconds=taken,
            blocked_ns=log.stats().blocked_ns - before.blocked_ns,
        )

    def _write_at_a_pace(
        self, log: LogWriter, seconds: float, per_s: float
    ) -> Sequence[int]:
        """Return, in order, the nanoseconds of single requests at a steady pace."""
        clock, write = time.perf_counter_ns, log.write
        period_ns = NS_PER_S / per_s
        # Made beforehand: growing would be paid for in the middle.
        taken = array("q", bytes(8 * max(1, int(seconds * per_s))))
        start = clock()
        end = start + int(2 * seconds * NS_PER_S)
        done = 0
        requests = cycle(self._requests)
        for turn in range(len(taken)):
            request = next(requests)
            due = start + int(turn * period_ns)
            before = clock()
            if before > end:
                break  # a machine that can't keep this pace any more
            if before < due:
                time.sleep((due - before) / NS_PER_S)
                before = clock()
            line = request()
            if line is not None:
                write(line)
            taken[turn] = clock() - before
            done = turn + 1
        return sorted(taken[:done])


def percentile(ordered: Sequence[int], share: float) -> int:
    """Return the least of the values in order that such a share stays within."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def limit_of(
    log_bytes_per_s: float,
    file_bytes_per_s: float,
    blocked_share: float,
    *,
    waits_for_disk: bool = False,
) -> Limit:
    """Tell what limits a log.

    Args:
        log_bytes_per_s: What came through it.
        file_bytes_per_s: What a plain file takes.
        blocked_share: Of the time, what writes waited for room in the ring.
        waits_for_disk: Each write waits for the disk: durability ``sync``.
    """
    if waits_for_disk:
        return "disk"
    if blocked_share < BLOCKED_SHARE:
        return "CPU"
    is_near = log_bytes_per_s >= DISK_SHARE * file_bytes_per_s
    return "disk" if is_near else "ring"


def recommended_ring_bytes(made_bytes_per_s: float, longest_stall_s: float) -> int:
    """Return the size of ring that holds twice what comes in the longest stall.

    Args:
        made_bytes_per_s: Bytes that producers make, as fast as they can.
        longest_stall_s: How long the file took nothing.

    Returns:
        A power of two from 1 MiB to 1 GiB.
    """
    wanted = max(1, math.ceil(STALLS_IN_RING * made_bytes_per_s * longest_stall_s))
    fitting = 1 << (wanted - 1).bit_length()
    return min(max(fitting, RING_BYTES_MIN), RING_BYTES_MAX)


def _requests(policy: Policy) -> list[Request]:
    """Return what each of the sample's requests does: decide, and make its line."""
    data = resources.files(__package__) / "data" / "kube-audit-sample.jsonl.gz"
    lines = gzip.decompress(data.read_bytes()).splitlines()
    return [_request(policy, Event.from_json(line)) for line in lines]


def _request(policy: Policy, event: Event) -> Request:
    attributes, evaluate = attributes_of(event), policy.evaluate
    decision = evaluate(attributes)
    if not is_recorded(event, decision):

        def unrecorded() -> None:
            evaluate(attributes)

        return unrecorded
    if decision.level is not Level.METADATA:
        # With its bodies as the policy lets them through.
        ready = as_decided(event, decision)

        def with_bodies() -> bytes:
            evaluate(attributes)
            return json_line(ready)

        return with_bodies
    received, reached = event.request_received_timestamp, event.stage_timestamp
    received_ns = received.microseconds * 1000 if received else 0
    reached_ns = reached.microseconds * 1000 if reached else received_ns
    code = event.response_status.code if event.response_status else None
    stage = event.stage

    def metadata() -> bytes:
        level = evaluate(attributes).level
        return stage_line(attributes, level, stage, received_ns, reached_ns, code)

    return metadata


def _write_all(fd: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(fd, left) :]

"""The storm: processes that write to one log, and are killed at any moment.

Usage: storm.py [OPTIONS AS JSON], the fields of `StormOptions`. Prints the outcome as
JSON; exits with 1 if the log isn't good.
"""

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from crew import Crew
from ledger import Ledger
from oracle import Finding, Reading, judge, log_files, read_file, read_log
from puppet import wait_until

from auditring import LogWriter

__all__ = ["Outcome", "Storm", "StormOptions"]

LEADER_SHARE = 0.3
ALL_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class StormOptions:
    """How hard it blows.

    Attributes:
        kills: Processes to kill, those killed together counted singly.
        processes: Writing at the same time; one that was killed is replaced.
        threads: Writing in each.
        pause_max_s: Between two kills, at most.
        ring_bytes: Small, so that it is full and wraps all the time.
        max_bytes: As for `LogWriter`, like the next two.
        compress: None for none.
        max_backups: 0 for all.
        has_tail: Follow the log with ``tail -F``.
        has_meddlers: In every process a thread takes descriptors and locks away.
        seed: Of what is random; None takes another one each time.
    """

    kills: int = 300
    processes: int = 4
    threads: int = 2
    pause_max_s: float = 0.012
    ring_bytes: int = 64 * 1024
    max_bytes: int = 1024**2
    compress: Literal["gzip", "zstd", "lz4"] | None = None
    max_backups: int = 0
    has_tail: bool = False
    has_meddlers: bool = False
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        seed: Makes the same kills again, though not at the same instructions.
        kills: Of writers that led or not.
        leader_kills: Of those that led, as far as they had said so.
        kills_of_all: Times that all of them were killed together.
        streams: Of which each may hold one line more than was acknowledged.
        acknowledged: Lines.
        lines: Lines in the log.
        files: Files of the log at the end.
        leftovers: Temporary files that the next opener left.
        finding: What is wrong with the log.
        tail_finding: What is wrong with what ``tail -F`` printed.
        tail_complaints: What it said on standard error.
        gap_reasons: What gap events tell of.
        counters: Those of `LogWriter.stats` that tell of recovery.
        seconds: Of the storm alone.
    """

    seed: int
    kills: int = 0
    leader_kills: int = 0
    kills_of_all: int = 0
    streams: int = 0
    acknowledged: int = 0
    lines: int = 0
    files: int = 0
    leftovers: list[str] = field(default_factory=list)
    finding: Finding = field(default_factory=Finding)
    tail_finding: Finding = field(default_factory=Finding)
    tail_complaints: str = ""
    gap_reasons: list[str] = field(default_factory=list)
    counters: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled, torn or left lying about."""
        return (
            self.finding.is_good
            and self.tail_finding.is_good
            and not self.leftovers
            and set(self.gap_reasons) <= {"abandoned-reservation"}
            and self.counts_are_right
        )

    @property
    def counts_are_right(self) -> bool:
        """Whether the log counted what it wrote, the removed backups too.

        And nothing that a kill can't bring about: above all, nobody alive was taken for
        dead.
        """
        surplus = self.counters["records_written"] - self.acknowledged
        odd = ("false_deaths", "damaged_records", "recovery_conflicts")
        return 0 <= surplus <= self.streams and not any(self.counters[o] for o in odd)


class Storm:
    """One storm over one log in a folder of its own."""

    def __init__(self, folder: Path, options: StormOptions) -> None:
        self.options = options
        self.path = folder / "log" / "audit.log"
        self.path.parent.mkdir()
        self.ledger = Ledger(folder / "ledger")
        self._tail_output = folder / "tail"
        seed = options.seed
        self._seed = random.randrange(2**32) if seed is None else seed
        self._random = random.Random(self._seed)
        self._crew = Crew(
            self.open,
            self.ledger,
            threads=options.threads,
            has_meddlers=options.has_meddlers,
        )
        self.outcome = Outcome(seed=self._seed)

    def run(self) -> Outcome:
        """Start the writers, kill them all in the end, and judge the log."""
        with self._tail() if self.options.has_tail else contextlib.nullcontext():
            begin = time.monotonic()
            try:
                while self.outcome.kills < self.options.kills:
                    self._crew.fill_up(self.options.processes)
                    time.sleep(self._random.uniform(0, self.options.pause_max_s))
                    self._strike()
            finally:
                self._kill(list(self._crew.pids))
            self.outcome.seconds = round(time.monotonic() - begin, 3)
            self._reopen()
            self._judge()
            if self.options.has_tail:
                self._judge_tail()
        return self.outcome

    def open(self) -> LogWriter:
        """Open the log as every writer does."""
        return LogWriter(
            self.path,
            ring_bytes=self.options.ring_bytes,
            max_bytes=self.options.max_bytes,
            compress=self.options.compress,
            max_backups=self.options.max_backups,
        )

    # The kills.

    def _strike(self) -> None:
        chance = self._random.random()
        if chance < ALL_SHARE:
            self.outcome.kills_of_all += 1
            self._kill(list(self._crew.pids))
        elif (
            chance < ALL_SHARE + LEADER_SHARE and self.ledger.leader in self._crew.pids
        ):
            self.outcome.leader_kills += 1
            self._kill([self.ledger.leader])
        else:
            self._kill([self._random.choice(self._crew.pids)])

    def _kill(self, pids: list[int]) -> None:
        self._crew.kill(pids)
        self.outcome.kills += len(pids)

    # Afterwards.

    def _reopen(self) -> None:
        """Let one opener finish what the killed ones left."""
        with self.open() as log:
            log.flush()
            self.outcome.counters = _recovery_counters(log)
            if self.options.max_backups:
                wait_until(self._is_retained, "old backups are removed")
        self.outcome.leftovers = [
            file.name for file in self.path.parent.iterdir() if file.suffix == ".tmp"
        ]

    def _is_retained(self) -> bool:
        # Both forms of a backup count as one.
        names = {file.name for file in log_files(self.path)}
        backups = len({name.partition(".log")[0] for name in names}) - 1
        return backups <= self.options.max_backups

    def _judge(self) -> None:
        reading = read_log(self.path)
        self.outcome.lines = reading.lines
        self.outcome.files = len(reading.files)
        self.outcome.streams = self._crew.streams
        self.outcome.acknowledged = self.ledger.total
        self.outcome.gap_reasons = sorted(reading.gap_reasons())
        self.outcome.finding = judge(
            reading,
            dict(self.ledger),
            retained_only=self.options.max_backups > 0,
        )

    # A follower.

    @contextlib.contextmanager
    def _tail(self) -> Iterator[None]:
        self.open().close()  # so that there is something to follow
        command = ["tail", "-n", "+1", "-F", self.path]
        complaints = self._tail_output.with_suffix(".err")
        with (
            self._tail_output.open("wb") as output,
            complaints.open("wb") as errors,
            subprocess.Popen(command, stdout=output, stderr=errors) as process,
        ):
            try:
                yield
            finally:
                process.terminate()
        self.outcome.tail_complaints = complaints.read_text()

    def _judge_tail(self) -> None:
        size = self.path.stat().st_size
        with contextlib.suppress(AssertionError):  # then the judge says what is missing
            wait_until(
                lambda: self._tail_output.stat().st_size >= size, "it is at the end"
            )
        reading = Reading()
        read_file(reading, self._tail_output)
        self.outcome.tail_finding = judge(reading, dict(self.ledger))


def _recovery_counters(log: LogWriter) -> dict[str, Any]:
    names = (
        "records_written",
        "rotations",
        "leader_changes",
        "recovered_records",
        "batches_forwarded",
        "batches_completed",
        "batches_redone",
        "recovery_conflicts",
        "abandoned_reservations",
        "damaged_records",
        "false_deaths",
        "locks_reopened",
        "retired_slots",
    )
    stats = log.stats()
    return {name: getattr(stats, name) for name in names}


def main() -> int:
    """Run one storm in a temporary folder."""
    options = StormOptions(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        outcome = Storm(Path(folder), options).run()
    print(json.dumps(asdict(outcome)))
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

"""The soak: minutes of mixed load with a kill a second, and a judge of every line.

One process writes all the time, and must hold no more at the end than in the beginning:
memory, descriptors, threads. Others write beside it and are killed. After each round
all that was written is judged line by line, and the backups are removed.

Usage: soak.py [--minutes N] [--compress FORMAT] [--seed N] [--dir DIR]. Prints a line a
round, and the figures as JSON; exits with 1 on any violation.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crew import Crew
from ledger import Ledger
from oracle import judge, log_files, read_log
from puppet import Puppet, wait_until

from auditring import LogWriter

ROUND_S = 15.0
KILL_EVERY_S = 1.0
PROCESSES = 3
THREADS = 2
PACE_S = 0.02
# The streams of the process that lives on are above those of the killed ones.
FIRST_RESIDENT_STREAM = 60_000
MAX_BYTES = 4 * 1024**2
KIB = 1024
MIB = 1024**2
WARM_UP_SHARE = 0.2
SLOPE_LIMIT_BYTES = MIB  # an hour


@dataclass(slots=True)
class Soak:
    """What has come of it so far.

    Attributes:
        kills: Of processes.
        lines: Judged, all of them good unless there is a violation.
        bytes: Of the log's files, as they were on disk.
        files: That were judged and removed.
        violations: What must not be, in words.
        samples: Seconds since the start, private bytes, descriptors, threads.
    """

    kills: int = 0
    lines: int = 0
    bytes: int = 0
    files: int = 0
    violations: list[str] = field(default_factory=list)
    samples: list[tuple[float, int, int, int]] = field(default_factory=list)

    def judge(self, path: Path, ledger: Ledger, streams: set[int]) -> None:
        """Judge what the log holds of *streams*, which end here, and remove backups."""
        reading = read_log(path)
        finding = judge(reading, {stream: ledger[stream] for stream in streams})
        if not finding.is_good:
            self.violations.append(f"log: {finding}")
        if not reading.gap_reasons() <= {"abandoned-reservation"}:
            self.violations.append(f"gap events: {reading.gap_notes()}")
        self.lines += reading.lines
        self.files += len(reading.files)
        self.bytes += sum(file.stat().st_size for file in reading.files)
        for file in reading.files:
            if file != path:
                file.unlink()
        left = {file.name for file in path.parent.iterdir()}
        if left != {path.name, f".{path.name}.ring"}:
            self.violations.append(f"left behind: {sorted(left)}")

    def sample(self, at_s: float, pid: int) -> None:
        """Take note of what a process holds."""
        held = (
            _private_bytes(pid),
            len(os.listdir(f"/proc/{pid}/fd")),
            len(os.listdir(f"/proc/{pid}/task")),
        )
        self.samples.append((at_s, *held))

    def figures(self) -> dict[str, Any]:
        """Return what the samples say, and add to the violations."""
        steady = self.samples[int(len(self.samples) * WARM_UP_SHARE) :]
        times, memory, descriptors, threads = zip(*steady, strict=True)
        slope = 0.0
        if len(steady) > 1:
            slope = statistics.linear_regression(times, memory).slope * 3600
        third = max(1, len(memory) // 3)
        growth = min(memory[-third:]) - min(memory[:third])
        # Allocators breathe: only a slope that has led somewhere is growth.
        if slope > SLOPE_LIMIT_BYTES and growth > MIB:
            self.violations.append(f"memory grows by {slope / MIB:.1f} MiB an hour")
        for name, values in (("descriptors", descriptors), ("threads", threads)):
            if len(set(values)) > 1:
                self.violations.append(f"{name} vary: {sorted(set(values))}")
        return {
            "private_mib": [round(min(memory) / MIB, 2), round(max(memory) / MIB, 2)],
            "private_growth_mib": round(growth / MIB, 2),
            "private_slope_mib_an_hour": round(slope / MIB, 2),
            "descriptors": sorted(set(descriptors)),
            "threads": sorted(set(threads)),
        }


def _private_bytes(pid: int) -> int:
    """Return what lies in private mappings of a process. Source: proc_pid_status(5)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * KIB
    raise LookupError("RssAnon")


def soak(folder: Path, minutes: float, compress: str, seed: int) -> dict[str, Any]:
    """Let it soak and return the figures."""
    path = folder / "log" / "audit.log"
    path.parent.mkdir()
    ledger = Ledger(folder / "ledger")
    options: dict[str, Any] = {"max_bytes": MAX_BYTES, "compress": compress}
    crew = Crew(
        lambda: LogWriter(path, **options), ledger, threads=THREADS, pace_s=PACE_S
    )
    chance = random.Random(seed)
    result = Soak()
    begin = time.monotonic()
    with Puppet.started(path, ledger, 0, threads=0, **options) as resident:
        while time.monotonic() - begin < minutes * 60 and not result.violations:
            streams = _write_for_a_round(crew, resident, ledger, chance, result)
            _settle(resident, path)
            result.judge(path, ledger, streams)
            result.sample(time.monotonic() - begin, resident.pid)
            print(_progress(result), flush=True)
        if errors := resident.stat("mill_errors"):
            result.violations.append(f"{errors} errors with backups")
        resident.stop()
    figures = result.figures()
    counts = {
        name: value for name, value in asdict(result).items() if name != "samples"
    }
    seconds = round(time.monotonic() - begin, 1)
    return {"seed": seed, "seconds": seconds, **counts, **figures}


def _write_for_a_round(
    crew: Crew, resident: Puppet, ledger: Ledger, chance: random.Random, result: Soak
) -> set[int]:
    """Let all write, and kill one a second; return the streams that were written."""
    first = FIRST_RESIDENT_STREAM + THREADS * len(result.samples)
    before = crew.streams
    ledger.must_stop = False
    resident.do("go", str(first), str(THREADS), str(PACE_S))
    end = time.monotonic() + ROUND_S
    try:
        while time.monotonic() < end:
            crew.fill_up(PROCESSES)
            time.sleep(KILL_EVERY_S)
            crew.kill([chance.choice(crew.pids)])
            result.kills += 1
    finally:
        crew.kill(list(crew.pids))
        ledger.must_stop = True
    resident.do("rest")
    return {*range(before, crew.streams), *range(first, first + THREADS)}


def _settle(resident: Puppet, path: Path) -> None:
    """Wait until every line is in a compressed backup."""
    assert resident.do("flush") == "True"
    resident.do("rotate")

    def is_compressed() -> bool:
        names = [file.name for file in log_files(path) if file != path]
        temporary = list(path.parent.glob(".*.tmp"))
        return not temporary and not any(name.endswith(".log") for name in names)

    wait_until(is_compressed, "all backups are compressed")


def _progress(result: Soak) -> str:
    at_s, memory, descriptors, threads = result.samples[-1]
    return (
        f"{at_s:6.0f} s  {result.kills} kills  {result.lines} lines  "
        f"{result.files} files  {memory / MIB:.2f} MiB private  "
        f"{descriptors} descriptors  {threads} threads"
    )


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument(
        "--compress",
        choices=("gzip", "zstd", "lz4"),
        default="gzip",
        help="default: gzip",
    )
    parser.add_argument("--seed", type=int, help="of which process is killed when")
    parser.add_argument(
        "--dir", type=Path, help="where the log is; default: a temporary directory"
    )
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    with tempfile.TemporaryDirectory(prefix="soak-", dir=arguments.dir) as folder:
        figures = soak(Path(folder), arguments.minutes, arguments.compress, seed)
    print(json.dumps(figures))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())

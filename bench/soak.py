"""Writes to one log for minutes and looks for what grows: memory, descriptors, threads.

A steady load with all that can leave something behind: rotation, gzip, retention,
write_json, and a new opening of the log now and then. Every line has a number; what
retention left must be an unbroken row of them up to the last. Exits with 1 if it isn't.

Usage: soak.py [--minutes N] [--dir DIR] [--results DIR]
"""

import argparse
import gc
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median

import orjson
import report
from lines import load_lines, read_lines
from log_writer import written_files
from process import descriptor_count, memory, thread_count
from rounds import fresh_folder

from auditring import LogWriter

BENCH = Path(__file__).parent
EXIT_BROKEN = 1
S_PER_HOUR = 3600

LINES_PER_S = 20_000
SLICE_S = 0.1
SAMPLE_EVERY_S = 2.0
REOPEN_EVERY_S = 20.0
MAX_BYTES = 20_000_000
MAX_BACKUPS = 5
# Until then allocators, caches and the ring's pages are still filling up.
WARM_UP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held, `at_s` seconds into the soak."""

    at_s: float
    private_bytes: int
    shared_bytes: int
    descriptors: int
    threads: int


class Load:
    """The numbered lines, half of them written as events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self._events = [orjson.loads(line) for line in load_lines()]

    def open(self) -> LogWriter:
        return LogWriter(
            self.path, max_bytes=MAX_BYTES, max_backups=MAX_BACKUPS, compress="gzip"
        )

    def write_some(self, log: LogWriter, count: int) -> None:
        for serial in range(self.written, self.written + count):
            event = self._events[serial % len(self._events)]
            event["auditID"] = f"{serial:08x}{event['auditID'][8:]}"
            if serial % 2:
                log.write_json(event)
            else:
                log.write(orjson.dumps(event))
        self.written += count

    def kept_serials(self) -> list[int]:
        """Return the numbers of the lines that retention left, in their order."""
        return [
            int(orjson.loads(line)["auditID"][:8], base=16)
            for line in read_lines(written_files(self.path))
        ]


def soak(load: Load, seconds: float) -> list[Sample]:
    """Write at a steady pace for *seconds*; return what the process held meanwhile."""
    samples = []
    start = time.monotonic()
    next_sample, next_reopening = SAMPLE_EVERY_S, REOPEN_EVERY_S
    log = load.open()
    try:
        for slice_number in range(int(seconds / SLICE_S)):
            load.write_some(log, int(LINES_PER_S * SLICE_S))
            now = time.monotonic() - start
            if now >= next_reopening:
                log.close()
                log = load.open()
                next_reopening += REOPEN_EVERY_S
            if now >= next_sample:
                samples.append(take_sample(now))
                next_sample += SAMPLE_EVERY_S
            time.sleep(max(0.0, (slice_number + 1) * SLICE_S - now))
    finally:
        log.close()
    return samples


def take_sample(at_s: float) -> Sample:
    gc.collect()
    held = asdict(memory())
    return Sample(at_s, **held, descriptors=descriptor_count(), threads=thread_count())


def growth(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return for each thing held its slope an hour, its extremes and its halves."""
    figures = {}
    times = [sample.at_s for sample in samples]
    middle = len(samples) // 2
    for name in ("private_bytes", "shared_bytes", "descriptors", "threads"):
        values = [getattr(sample, name) for sample in samples]
        figures[name] = {
            "slope_per_hour": linear_regression(times, values).slope * S_PER_HOUR,
            "first_half_median": median(values[:middle]),
            "second_half_median": median(values[middle:]),
            "min": min(values),
            "max": max(values),
        }
    return figures


def main() -> int:
    options = parse_options()
    folder = fresh_folder(options.dir.resolve() / "soak")
    load = Load(folder / "audit.log")
    parameters = {
        "minutes": options.minutes,
        "lines_per_s": LINES_PER_S,
        "max_bytes": MAX_BYTES,
        "max_backups": MAX_BACKUPS,
        "compress": "gzip",
        "reopen_every_s": REOPEN_EVERY_S,
    }
    facts = report.conditions(folder, parameters)

    samples = soak(load, options.minutes * 60)
    kept = load.kept_serials()
    is_unbroken = kept == list(range(load.written - len(kept), load.written))
    shutil.rmtree(folder)

    steady = samples[int(len(samples) * WARM_UP_SHARE) :]
    outcome = {"written": load.written, "kept": len(kept), "unbroken": is_unbroken}
    document = {
        **facts,
        **outcome,
        "growth": growth(steady),
        "samples": [asdict(sample) for sample in samples],
    }
    text = report.growth_markdown("Soak", {**facts, **outcome}, document["growth"])
    report.save(options.results, "soak", document, text)
    print(text)
    return 0 if kept and is_unbroken else EXIT_BROKEN


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument(
        "--dir",
        type=Path,
        default=BENCH.parent / "build" / "bench",
        help="where the log is written and deleted; default: build/bench",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=BENCH / "results",
        help="where soak.json and soak.md go; default: bench/results",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

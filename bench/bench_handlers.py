"""How fast the drop-in handlers are, next to the standard library's.

Every line is counted after each run: a run that lost one, or wrote one twice, makes
this program exit with 1. Files are on the disk's file system, and an operation ends
when its bytes are with the kernel.

Usage: bench_handlers.py [--quick] [--rounds N] [--only NAME ...] [--dir DIR]
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import log_calls
import report
from measuring import measured, told
from options import chosen_parameters, made_folder, workload_parser
from rounds import Result, Run, fresh_folder, run_rounds, warm_pages
from targets import compare

LINE_BYTES = 72  # about


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does; sizes in bytes."""

    rounds: int = 15
    call_count: int = 150_000
    stdlib_call_count: int = 50_000  # it is slow
    max_bytes: int = 100 * 1024 * 1024
    paced_s: int = 10
    paced_calls_per_s: int = 50_000
    paced_rounds: int = 3
    paced_max_bytes: int = 5_000_000


QUICK = Parameters(
    rounds=7, call_count=60_000, stdlib_call_count=20_000, paced_s=3, paced_rounds=2
)


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: where to write, and how much."""

    folder: Path
    parameters: Parameters

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def prepared(self, call_count: int) -> Path:
        """Return an empty folder, the kernel ready to take that many lines."""
        folder = fresh_folder(self.logs)
        warm_pages(folder, call_count * LINE_BYTES)
        return folder


def log_usual_lines(stand: Stand) -> list[Result]:
    parameters = stand.parameters
    count, max_bytes = parameters.call_count, parameters.max_bytes

    def run_of(log: Callable[[Path, int, int], Run], count: int) -> Callable[[], Run]:
        return lambda: log(stand.prepared(count), count, max_bytes)

    contenders: dict[str, Callable[[], Run]] = {
        "NullHandler": partial(log_calls.log_to_nobody, count),
        "RotatingFileHandler": run_of(
            log_calls.log_to_rotating_file_handler, parameters.stdlib_call_count
        ),
        "auditring": run_of(log_calls.log_to_our_handler, count),
        "auditring, installed": run_of(log_calls.log_through_fast_logger, count),
    }
    return run_rounds("log_usual_lines", contenders, parameters.rounds)


def log_usual_lines_from_4_threads(stand: Stand) -> list[Result]:
    parameters = stand.parameters
    count, max_bytes = parameters.call_count, parameters.max_bytes

    def run_of_threads(thread_count: int) -> Run:
        folder = stand.prepared(count)
        return log_calls.log_from_threads(folder, count, max_bytes, thread_count)

    contenders = {
        "auditring, 1 thread": partial(run_of_threads, 1),
        "auditring, 4 threads": partial(run_of_threads, 4),
    }
    return run_rounds("log_usual_lines_from_4_threads", contenders, parameters.rounds)


def log_50000_lines_a_second(stand: Stand) -> list[Result]:
    """Time single calls while files rotate and are compressed."""
    parameters = stand.parameters
    pace = parameters.paced_calls_per_s
    count = parameters.paced_s * pace

    def run_of(
        log: Callable[[Path, int, int, int], Run], count: int
    ) -> Callable[[], Run]:
        size = parameters.paced_max_bytes
        return lambda: log(stand.prepared(count), count, size, pace)

    contenders: dict[str, Callable[[], Run]] = {
        "NullHandler": partial(log_calls.log_to_nobody_at_a_pace, count, pace),
        "auditring": run_of(log_calls.log_at_a_pace, count),
        "gzip recipe": run_of(log_calls.log_at_a_pace_with_recipe, count // 4),
    }
    return run_rounds("log_50000_lines_a_second", contenders, parameters.paced_rounds)


WORKLOADS = (
    log_usual_lines,
    log_usual_lines_from_4_threads,
    log_50000_lines_a_second,
)


def main() -> int:
    options = _parse_options()
    parameters = chosen_parameters(options, Parameters())
    folder = made_folder(options)
    stand = Stand(folder, parameters)
    facts = report.conditions(folder, asdict(parameters))
    results = measured(WORKLOADS, stand, options.only, facts)
    shutil.rmtree(stand.logs, ignore_errors=True)

    targets = compare(results)
    return told(
        options.results, "handlers", "The drop-in handlers", facts, results, targets
    )


def _parse_options() -> argparse.Namespace:
    names = [workload.__name__ for workload in WORKLOADS]
    results = "handlers.json and handlers.md"
    return workload_parser(__doc__, names, quick=QUICK, results=results).parse_args()


if __name__ == "__main__":
    sys.exit(main())

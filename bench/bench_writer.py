"""How fast the log writer is, next to its limits and its rivals.

Every line is counted after each run: a run that lost one, or wrote one twice, makes
this program exit with 1. Files are on the disk's file system, and an operation ends
when its bytes are with the kernel.

Usage: bench_writer.py [--quick] [--rounds N] [--only NAME ...] [--dir DIR]
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import log_writer
import orjson
import report
import through
import tracing
from limits import do_nothing, orjson_dumps, programs
from lines import Account, account_of_cycle, cycled, load_lines
from measuring import measured, told
from options import chosen_parameters, made_folder, workload_parser
from probes import run_probe
from probes.subject import WITH_LOG, WITHOUT_LOG
from rivals.rotating_file_handler import RotatingFileHandler
from rounds import Result, Run, fresh_folder, run_rounds, warm_pages
from targets import compare

EXISTING_LINE_COUNT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does; sizes in bytes."""

    rounds: int = 5
    line_count: int = 1_000_000
    handler_line_count: int = 150_000  # the handler is slow
    event_count: int = 500_000
    max_bytes: int = 100 * 1024 * 1024
    paced_s: int = 10
    paced_lines_per_s: int = 100_000
    paced_max_bytes: int = 20_000_000
    open_count: int = 100
    reopen_count: int = 1000
    traced_line_count: int = 200_000
    idle_s: float = 10
    footprint_line_count: int = 200_000


QUICK = Parameters(
    rounds=3,
    line_count=300_000,
    handler_line_count=50_000,
    event_count=150_000,
    paced_s=2,
    open_count=30,
    traced_line_count=50_000,
    idle_s=1,
)


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: where to write, how much, and which lines."""

    folder: Path
    parameters: Parameters
    lines: list[bytes]

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def prepared(self, line_count: int) -> Path:
        """Return an empty folder, the kernel ready to take that many lines."""
        folder = fresh_folder(self.logs)
        warm_pages(folder, line_count * sum(map(len, self.lines)) // len(self.lines))
        return folder


def write_1kb_lines(stand: Stand) -> list[Result]:
    parameters, lines = stand.parameters, stand.lines
    count, max_bytes = parameters.line_count, parameters.max_bytes
    programs.build(stand.folder)

    def log_run() -> Run:
        return log_writer.write_lines(stand.prepared(count), lines, count, max_bytes)

    def loop_run() -> Run:
        return _loop_run(stand, lines, count, max_bytes)

    def handler_run() -> Run:
        fewer = parameters.handler_line_count
        folder = stand.prepared(fewer)
        handler = RotatingFileHandler()
        return through.write_lines(handler, folder, lines, fewer, max_bytes)

    contenders = {
        "auditring": log_run,
        "c loop": loop_run,
        "RotatingFileHandler": handler_run,
    }
    return run_rounds("write_1kb_lines", contenders, parameters.rounds)


def _loop_run(stand: Stand, lines: list[bytes], count: int, max_bytes: int) -> Run:
    folder = stand.prepared(count)
    seconds = programs.loop_lines(stand.folder, folder, lines, count, max_bytes)
    files = programs.loop_files(folder)
    return Run(count, seconds, account_of_cycle(files, lines, count))


def write_json_of_1kb_events(stand: Stand) -> list[Result]:
    parameters = stand.parameters
    count, max_bytes = parameters.event_count, parameters.max_bytes
    events = [orjson.loads(line) for line in stand.lines]
    encoded = [orjson.dumps(event) + b"\n" for event in events]
    programs.build(stand.folder)

    def log_run() -> Run:
        folder = stand.prepared(count)
        return log_writer.write_events(folder, events, encoded, count, max_bytes)

    def loop_run() -> Run:
        return _loop_run(stand, encoded, count, max_bytes)

    def dumps_run() -> Run:
        return orjson_dumps.encode_events(events, count)

    contenders = {
        "auditring": log_run,
        "c loop": loop_run,
        "orjson.dumps": dumps_run,
    }
    return run_rounds("write_json_of_1kb_events", contenders, parameters.rounds)


def write_1kb_lines_from_4_threads(stand: Stand) -> list[Result]:
    parameters, lines = stand.parameters, stand.lines
    count, max_bytes = parameters.line_count, parameters.max_bytes

    def run_of_threads(thread_count: int) -> Run:
        folder = stand.prepared(count)
        write = log_writer.write_from_threads
        return write(folder, lines, count, max_bytes, thread_count)

    contenders = {
        "auditring, 1 thread": partial(run_of_threads, 1),
        "auditring, 4 threads": partial(run_of_threads, 4),
    }
    return run_rounds("write_1kb_lines_from_4_threads", contenders, parameters.rounds)


def write_100000_lines_a_second(stand: Stand) -> list[Result]:
    """Time single calls while files rotate and are compressed."""
    parameters, lines = stand.parameters, stand.lines
    pace = parameters.paced_lines_per_s
    count = parameters.paced_s * pace
    beside: list[Run] = []

    def log_run() -> Run:
        folder = stand.prepared(count)
        run, nothing = log_writer.write_at_a_pace(
            folder, lines, count, parameters.paced_max_bytes, pace
        )
        beside.append(nothing)
        return run

    contenders: dict[str, Callable[[], Run]] = {
        "auditring": log_run,
        "do nothing, beside it": lambda: beside[-1],
        "do nothing, alone": partial(do_nothing.at_a_pace, lines, count, pace),
    }
    return run_rounds("write_100000_lines_a_second", contenders, parameters.rounds)


def open_log(stand: Stand) -> list[Result]:
    """Time the opening of logs that aren't there yet, and of one that is."""
    count = stand.parameters.open_count

    def fresh_run() -> Run:
        folder = fresh_folder(stand.logs)
        folders = [folder / str(number) for number in range(count)]
        for each in folders:
            each.mkdir()
        return log_writer.open_logs([each / "audit.log" for each in folders])

    def existing_run() -> Run:
        path = fresh_folder(stand.logs) / "audit.log"
        path.write_bytes(b"".join(cycled(stand.lines, EXISTING_LINE_COUNT)))
        log_writer.open_logs([path])
        return log_writer.open_logs([path] * count)

    contenders = {"in a fresh directory": fresh_run, "an existing log": existing_run}
    return run_rounds("open_log", contenders, stand.parameters.rounds)


def count_system_calls(stand: Stand) -> list[Result]:
    """Count what the writing thread calls at a pace that leaves room in the ring."""
    if not tracing.is_available():
        print("count_system_calls: strace is absent (Debian: apt install strace)")
        return []
    parameters = stand.parameters
    count, pace = parameters.traced_line_count, parameters.paced_lines_per_s

    def run_of(contender: str) -> Run:
        folder = stand.prepared(count)
        trace = stand.folder / "trace"
        arguments = (contender, folder, count, pace)
        printed, calls = tracing.calls_between_marks(trace, "traced", *arguments)
        trace.unlink()
        account = _account_of(contender, folder, stand.lines, printed["written"])
        figures = {"calls_per_1000": 1000 * calls.total() / count}
        return Run(count, printed["seconds"], account, figures | calls)

    return run_rounds(
        "count_system_calls", _with_and_without(run_of), parameters.rounds
    )


def stay_idle(stand: Stand) -> list[Result]:
    """Measure the CPU time of an open log that nobody writes to."""
    seconds = stand.parameters.idle_s

    def run_of(contender: str) -> Run:
        figures = run_probe("idle", contender, fresh_folder(stand.logs), seconds)
        return Run(0, figures.pop("seconds"), figures=figures)

    return run_rounds("stay_idle", _with_and_without(run_of), stand.parameters.rounds)


def hold_memory(stand: Stand) -> list[Result]:
    """Measure the memory of a program after it wrote lines, its log still open."""
    count = stand.parameters.footprint_line_count

    def run_of(contender: str) -> Run:
        folder = stand.prepared(count)
        figures = run_probe("footprint", contender, folder, count)
        account = _account_of(contender, folder, stand.lines, count)
        return Run(count, figures.pop("seconds"), account, figures)

    return run_rounds("hold_memory", _with_and_without(run_of), stand.parameters.rounds)


def reopen_1000_times(stand: Stand) -> list[Result]:
    """Look for what stays behind when logs are opened and closed."""
    count = stand.parameters.reopen_count

    def log_run() -> Run:
        folder = fresh_folder(stand.logs)
        figures = run_probe("reopening", folder, count)
        written = int(figures.pop("written"))
        account = account_of_cycle([folder / "audit.log"], stand.lines[:1], written)
        return Run(count, figures.pop("seconds"), account, figures)

    return run_rounds("reopen_1000_times", {"auditring": log_run}, 1)


WORKLOADS = (
    write_1kb_lines,
    write_json_of_1kb_events,
    write_1kb_lines_from_4_threads,
    write_100000_lines_a_second,
    open_log,
    count_system_calls,
    stay_idle,
    hold_memory,
    reopen_1000_times,
)


def main() -> int:
    options = _parse_options()
    parameters = chosen_parameters(options, Parameters())
    folder = made_folder(options)
    stand = Stand(folder, parameters, load_lines())
    facts = report.conditions(folder, asdict(parameters))
    results = measured(WORKLOADS, stand, options.only, facts)
    shutil.rmtree(stand.logs, ignore_errors=True)

    targets = compare(results)
    return told(options.results, "writer", "The log writer", facts, results, targets)


def _account_of(
    contender: str, folder: Path, lines: list[bytes], count: int
) -> Account | None:
    """Compare what a probe wrote, if that was its part."""
    if contender == WITHOUT_LOG:
        return None
    files = log_writer.written_files(folder / "audit.log")
    return account_of_cycle(files, lines, count)


def _with_and_without(run_of: Callable[[str], Run]) -> dict[str, Callable[[], Run]]:
    return {name: partial(run_of, name) for name in (WITH_LOG, WITHOUT_LOG)}


def _parse_options() -> argparse.Namespace:
    names = [workload.__name__ for workload in WORKLOADS]
    results = "writer.json and writer.md"
    return workload_parser(__doc__, names, quick=QUICK, results=results).parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What the writer is to reach, next to what it reached.

A ratio is that of two medians of one interleaved run; its spread is that of the ratios
of single rounds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

from rounds import Result, Run

__all__ = ["Target", "compare"]

MIB = 1024 * 1024
NS_PER_US = 1000
US_PER_S = 1_000_000
NS_PER_MS = 1_000_000

# Percentile: microseconds a call may take.
LATENCY_LIMITS_US = {"p50_ns": 0.3, "p99_ns": 2.0, "p99_9_ns": 20.0}

Contenders = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of the writer, its spread over the rounds, and its limit."""

    name: str
    figure: float
    lowest: float
    highest: float
    relation: Literal[">=", "<="]
    limit: float

    @property
    def is_reached(self) -> bool:
        if self.relation == ">=":
            return self.figure >= self.limit
        return self.figure <= self.limit

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.is_reached}


def compare(results: list[Result]) -> list[Target]:
    """Hold *results* against every target that their workloads speak of."""
    workloads: dict[str, dict[str, Result]] = {}
    for result in results:
        workloads.setdefault(result.workload, {})[result.contender] = result
    return [
        target
        for name, contenders in workloads.items()
        for target in TARGETS[name](contenders)
    ]


def _lines(contenders: Contenders) -> Iterator[Target]:
    ours = contenders["auditring"]
    yield _speed_ratio("1 KB lines / C loop", ours, contenders["c loop"], 0.8)
    handler = contenders["RotatingFileHandler"]
    yield _speed_ratio("1 KB lines / RotatingFileHandler", ours, handler, 15)


def _events(contenders: Contenders) -> Iterator[Target]:
    limits = [contenders["orjson.dumps"], contenders["c loop"]]
    lower = min(limits, key=lambda result: result.median_per_s)
    name = f"write_json / the lower limit ({lower.contender})"
    yield _speed_ratio(name, contenders["auditring"], lower, 0.65)


def _threads(contenders: Contenders) -> Iterator[Target]:
    four, one = contenders["auditring, 4 threads"], contenders["auditring, 1 thread"]
    yield _speed_ratio("4 threads / 1 thread", four, one, 0.9)


def _latency(contenders: Contenders) -> Iterator[Target]:
    ours, nothing = contenders["auditring"], contenders["do nothing, alone"]
    for figure, limit_us in LATENCY_LIMITS_US.items():
        twice_us = 2 * nothing.median_figure(figure) / NS_PER_US
        percentile = figure.removesuffix("_ns").replace("_", ".")
        yield _figure(
            f"call latency, {percentile}, µs (or 2 x do nothing)",
            [run.figures[figure] / NS_PER_US for run in ours.runs],
            max(limit_us, twice_us),
        )


def _opening(contenders: Contenders) -> Iterator[Target]:
    for name, result in contenders.items():
        times_ms = [run.figures["p50_ns"] / NS_PER_MS for run in result.runs]
        yield _figure(f"opening, {name}, ms", times_ms, 3)


def _system_calls(contenders: Contenders) -> Iterator[Target]:
    calls = [run.figures["calls_per_1000"] for run in contenders["auditring"].runs]
    yield _figure("system calls of the producer per 1,000 lines", calls, 0)


def _idle(contenders: Contenders) -> Iterator[Target]:
    shares = [run.figures["cpu_percent"] for run in contenders["auditring"].runs]
    yield _figure("idle cost, % of a core", shares, 0.5)


def _footprint(contenders: Contenders) -> Iterator[Target]:
    pairs = _rounds(contenders["auditring"], contenders["do nothing"])
    gained = [
        (ours.figures["private_bytes"] - without.figures["private_bytes"]) / MIB
        for ours, without in pairs
    ]
    yield _figure("private memory above the program without us, MiB", gained, 4)


def _reopening(contenders: Contenders) -> Iterator[Target]:
    runs = contenders["auditring"].runs
    for figure in ("descriptors_gained", "threads_gained"):
        values = [run.figures[figure] for run in runs]
        name = figure.replace("_", " ")
        yield _figure(f"{name} over {runs[0].count} open/close", values, 0)


def _log_calls(contenders: Contenders) -> Iterator[Target]:
    ours, theirs = contenders["auditring"], contenders["RotatingFileHandler"]
    nobody = contenders["NullHandler"]
    yield _speed_ratio("logger.info / RotatingFileHandler", ours, theirs, 3.5)
    added_us = [
        US_PER_S / run.per_s - US_PER_S / null.per_s
        for run, null in _rounds(ours, nobody)
    ]
    yield _figure("logger.info over a NullHandler, µs", added_us, 1.2)
    installed = contenders["auditring, installed"]
    yield _speed_ratio("with install() / RotatingFileHandler", installed, theirs, 10)
    # The same of the calling thread alone, which other programs disturb less.
    yield _cpu_ratio(
        "logger.info / RotatingFileHandler, caller's CPU", ours, theirs, 3.5
    )
    added_us = [
        (run.figures["cpu_ns"] - null.figures["cpu_ns"]) / NS_PER_US
        for run, null in _rounds(ours, nobody)
    ]
    yield _figure("logger.info over a NullHandler, caller's CPU, µs", added_us, 1.2)
    name = "with install() / RotatingFileHandler, caller's CPU"
    yield _cpu_ratio(name, installed, theirs, 10)


def _paced_log_calls(contenders: Contenders) -> Iterator[Target]:
    ours, nobody = contenders["auditring"], contenders["NullHandler"]
    times_us = [run.figures["p99_9_ns"] / NS_PER_US for run in ours.runs]
    twice_us = 2 * nobody.median_figure("p99_9_ns") / NS_PER_US
    name = "logger.info while rotating and gzip, p99.9, µs (or 2 x NullHandler)"
    yield _figure(name, times_us, max(50, twice_us))


def _speed_ratio(name: str, ours: Result, other: Result, limit: float) -> Target:
    ratios = [run.per_s / other.per_s for run, other in _rounds(ours, other)]
    return Target(
        name=name,
        figure=ours.median_per_s / other.median_per_s,
        lowest=min(ratios),
        highest=max(ratios),
        relation=">=",
        limit=limit,
    )


def _cpu_ratio(name: str, ours: Result, other: Result, limit: float) -> Target:
    ratios = [
        theirs.figures["cpu_ns"] / run.figures["cpu_ns"]
        for run, theirs in _rounds(ours, other)
    ]
    return Target(name, median(ratios), min(ratios), max(ratios), ">=", limit)


def _figure(name: str, values: list[float], limit: float) -> Target:
    return Target(
        name=name,
        figure=median(values),
        lowest=min(values),
        highest=max(values),
        relation="<=",
        limit=limit,
    )


def _rounds(ours: Result, other: Result) -> Iterator[tuple[Run, Run]]:
    return zip(ours.runs, other.runs, strict=True)


TARGETS: Mapping[str, Callable[[Contenders], Iterator[Target]]] = {
    "write_1kb_lines": _lines,
    "write_json_of_1kb_events": _events,
    "write_1kb_lines_from_4_threads": _threads,
    "write_100000_lines_a_second": _latency,
    "log_usual_lines": _log_calls,
    "log_usual_lines_from_4_threads": _threads,
    "log_50000_lines_a_second": _paced_log_calls,
    "open_log": _opening,
    "count_system_calls": _system_calls,
    "stay_idle": _idle,
    "hold_memory": _footprint,
    "reopen_1000_times": _reopening,
}

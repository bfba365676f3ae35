"""How long events take to become lines, and back, with those of a genuine audit log.

Nothing is written to a file: an operation ends with bytes, or an event, in memory.

Usage: bench_encode.py [--rounds N] [--count N] [--results DIR]
"""

import argparse
import gzip
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TypeVar

import orjson
import report
from bystanders import Bystanders
from measuring import told
from rounds import Result, Run, run_rounds
from stage_requests import StageRequest, stage_request
from targets import Target

from auditring import encode
from auditring.event import Event
from auditring.event.stage import stage_event, stage_line
from auditring.redact import Redactor

BENCH = Path(__file__).parent
SAMPLE = files("auditring.cli") / "data" / "kube-audit-sample.jsonl.gz"
NS_PER_S = 1_000_000_000
METADATA_LINE_LIMIT_NS = 1500

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does."""

    rounds: int = 5
    metadata_count: int = 300_000
    body_count: int = 50_000
    redact_count: int = 5_000


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: the same events in three forms."""

    parameters: Parameters
    lines: list[bytes]
    events: list[Event]
    requests: list[StageRequest]


def write_metadata_lines(stand: Stand) -> list[Result]:
    """Write what is known of a request as a line, from attributes to bytes."""
    requests = stand.requests
    ready = [orjson.loads(stage_line(*request)) for request in requests]
    count = stand.parameters.metadata_count

    def by_way_of_an_event(request: StageRequest) -> bytes:
        return encode.json_line(stage_event(*request))

    contenders = {
        "stage_line": partial(_run, lambda each: stage_line(*each), requests, count),
        "stage_event, json_line": partial(_run, by_way_of_an_event, requests, count),
        "orjson.dumps of a ready dict": partial(_run, orjson.dumps, ready, count),
    }
    return run_rounds("write_metadata_lines", contenders, stand.parameters.rounds)


def write_events_with_bodies(stand: Stand) -> list[Result]:
    """Write whole events, with their bodies of JSON text."""
    ready = [orjson.loads(line) for line in stand.lines]
    count = stand.parameters.body_count
    contenders = {
        "json_line": partial(_run, encode.json_line, stand.events, count),
        "legacy_line": partial(_run, encode.legacy_line, stand.events, count),
        "orjson.dumps of a ready dict": partial(_run, orjson.dumps, ready, count),
    }
    return run_rounds("write_events_with_bodies", contenders, stand.parameters.rounds)


def read_events(stand: Stand) -> list[Result]:
    """Read events from their lines."""
    count = stand.parameters.body_count
    contenders = {
        "Event.from_json": partial(_run, Event.from_json, stand.lines, count),
        "orjson.loads": partial(_run, orjson.loads, stand.lines, count),
    }
    return run_rounds("read_events", contenders, stand.parameters.rounds)


def redact_events(stand: Stand) -> list[Result]:
    """Take the secrets out of events, of which hardly one has any."""
    count = stand.parameters.redact_count
    redact = Redactor().redact
    contenders = {"Redactor.redact": partial(_run, redact, stand.events, count)}
    return run_rounds("redact_events", contenders, stand.parameters.rounds)


def _run(operate: Callable[[T], object], inputs: list[T], count: int) -> Run:
    """Time *operate* on *count* of *inputs*, over and over in their order."""
    cycled = list(islice(cycle(inputs), count))
    cpu_start, start = time.process_time(), time.perf_counter()
    for each in cycled:
        operate(each)
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    figures = {
        "mean_ns": seconds / count * NS_PER_S,
        "cpu_ns": cpu_seconds / count * NS_PER_S,
    }
    return Run(count, seconds, figures=figures)


WORKLOADS = (
    write_metadata_lines,
    write_events_with_bodies,
    read_events,
    redact_events,
)


def main() -> int:
    options = _parse_options()
    parameters = Parameters(rounds=options.rounds, metadata_count=options.count)
    stand = _stand(parameters)
    facts = report.conditions(None, asdict(parameters))
    facts["events"] = _described(stand)

    bystanders = Bystanders()
    results = [result for workload in WORKLOADS for result in workload(stand)]
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)

    targets = [_target(results)]
    return told(options.results, "encode", "Events and lines", facts, results, targets)


def _target(results: list[Result]) -> Target:
    took = [run.figures["cpu_ns"] for run in results[0].runs]
    name = "ns of CPU a Metadata event, from attributes to bytes"
    limit = METADATA_LINE_LIMIT_NS
    return Target(name, median(took), min(took), max(took), "<=", limit)


def _described(stand: Stand) -> str:
    metadata = [len(stage_line(*request)) for request in stand.requests]
    whole = [len(line) for line in stand.lines]
    return (
        f"{len(whole)} of a kube-apiserver, cycled; mean {sum(whole) // len(whole):,} "
        f"bytes, {sum(metadata) // len(metadata):,} as Metadata"
    )


def _stand(parameters: Parameters) -> Stand:
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines(keepends=True)
    events = [Event.from_json(line) for line in lines]
    return Stand(parameters, lines, events, [stage_request(event) for event in events])


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    defaults = Parameters()
    parser.add_argument("--rounds", type=int, metavar="N", default=defaults.rounds)
    parser.add_argument(
        "--count", type=int, metavar="N", default=defaults.metadata_count
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", default=BENCH / "results"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

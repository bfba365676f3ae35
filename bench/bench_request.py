"""What an audited request costs its thread, from a decision to a line in the ring.

The requests are those of a genuine audit log, ready as attributes. Each is decided by
the GCE policy; those that are recorded become a line, as at level Metadata, which is
committed to a log. What the log's own thread does meanwhile, on another core, counts
only as far as it holds up this one; all lines are in the file when a run ends.

Usage: bench_request.py [--rounds N] [--count N] [--results DIR] [--dir DIR]
"""

import argparse
import gzip
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import report
from bystanders import Bystanders
from lines import account_of_cycle
from log_writer import written_files
from rounds import Result, Run, fresh_folder, run_rounds, warm_pages
from stage_requests import StageRequest, stage_request
from targets import Target

from auditring import LogWriter, Policy
from auditring.event import Event, Level
from auditring.stageevent import stage_line

BENCH = Path(__file__).parent
SAMPLE = files("auditring") / "data" / "kube-audit-sample.jsonl.gz"
NS_PER_S = 1_000_000_000
REQUEST_LIMIT_NS = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each run does."""

    rounds: int = 5
    count: int = 300_000
    max_bytes: int = 100 * 1024 * 1024


def audit(
    folder: Path,
    policy: Policy,
    requests: Sequence[StageRequest],
    parameters: Parameters,
) -> Run:
    """Decide, make the line, commit it."""
    expected = [
        stage_line(*request)
        for request in requests
        if policy.evaluate(request[0]).level is not Level.NONE
    ]
    path = fresh_folder(folder) / "audit.log"
    cycled = list(islice(cycle(requests), parameters.count))
    written = 0
    warm_pages(folder, parameters.count * len(expected[0]))
    with LogWriter(path, max_bytes=parameters.max_bytes) as log:
        evaluate, write = policy.evaluate, log.write
        cpu_start, start = time.thread_time(), time.perf_counter()
        for request in cycled:
            if evaluate(request[0]).level is not Level.NONE:
                write(stage_line(*request))
                written += 1
        seconds = time.perf_counter() - start
        cpu_seconds = time.thread_time() - cpu_start
    figures = {
        "recorded": written,
        "mean_ns": seconds / parameters.count * NS_PER_S,
        "cpu_ns": cpu_seconds / parameters.count * NS_PER_S,
        "cpu_ns_a_recorded_one": cpu_seconds / written * NS_PER_S,
    }
    account = account_of_cycle(written_files(path), expected, written)
    return Run(parameters.count, seconds, account, figures)


def main() -> int:
    options = _parse_options()
    parameters = Parameters(rounds=options.rounds, count=options.count)
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines(keepends=True)
    requests = [stage_request(Event.from_json(line)) for line in lines]
    policies = {
        "gce": Policy.preset("gce"),
        "everything": Policy.from_yaml(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
        ),
    }
    bystanders = Bystanders()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as folder:
        facts = report.conditions(Path(folder), asdict(parameters))
        contenders = {
            name: partial(audit, Path(folder) / "log", policy, requests, parameters)
            for name, policy in policies.items()
        }
        results = run_rounds("audit_requests", contenders, parameters.rounds)
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)

    targets = [_target(results[1])]
    text = report.markdown("Audited requests", facts, results, targets)
    document: dict[str, Any] = {
        **facts,
        "results": [result.as_json() for result in results],
        "targets": [target.as_json() for target in targets],
    }
    report.save(options.results, "request", document, text)
    print(text)
    return 0


def _target(everything: Result) -> Target:
    took = [run.figures["cpu_ns"] for run in everything.runs]
    name = "ns of CPU a recorded request: decision, event, line, commit"
    limit = REQUEST_LIMIT_NS
    return Target(name, median(took), min(took), max(took), "<=", limit)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    defaults = Parameters()
    parser.add_argument("--rounds", type=int, metavar="N", default=defaults.rounds)
    parser.add_argument("--count", type=int, metavar="N", default=defaults.count)
    parser.add_argument(
        "--results", type=Path, metavar="DIR", default=BENCH / "results"
    )
    parser.add_argument("--dir", type=Path, default=BENCH.parent / "build")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

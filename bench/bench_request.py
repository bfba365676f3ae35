"""What an audited request costs its thread, from a decision to a line in the ring.

The requests are those of a genuine audit log, ready as attributes. Each is decided by
the GCE policy; those that are recorded become a line, as at level Metadata, which is
committed to a log. What the log's own thread does meanwhile, on another core, counts
only as far as it holds up this one; all lines are in the file when a run ends.

Usage: bench_request.py [--rounds N] [--count N] [--results DIR] [--dir DIR]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import report
from audited import (
    audit,
    gce_policy,
    policy_for_everything,
    recorded_lines,
    sample_requests,
)
from bystanders import Bystanders
from lines import account_of_cycle
from log_writer import written_files
from measuring import told
from rounds import Result, Run, fresh_folder, run_rounds, warm_pages
from stage_requests import StageRequest
from targets import Target

from auditring import LogWriter, Policy

BENCH = Path(__file__).parent
NS_PER_S = 1_000_000_000
REQUEST_LIMIT_NS = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each run does."""

    rounds: int = 5
    count: int = 300_000
    max_bytes: int = 100 * 1024 * 1024


def audit_to_log(
    folder: Path,
    policy: Policy,
    requests: Sequence[StageRequest],
    parameters: Parameters,
) -> Run:
    """Decide, make the line, commit it."""
    expected = recorded_lines(policy, requests)
    path = fresh_folder(folder) / "audit.log"
    warm_pages(folder, parameters.count * len(expected[0]))
    with LogWriter(path, max_bytes=parameters.max_bytes) as log:
        done = audit(policy, requests, parameters.count, log.write)
    figures = {
        "recorded": done.recorded,
        "mean_ns": done.seconds / done.count * NS_PER_S,
        "cpu_ns": done.cpu_seconds / done.count * NS_PER_S,
        "cpu_ns_a_recorded_one": done.cpu_seconds / done.recorded * NS_PER_S,
    }
    account = account_of_cycle(written_files(path), expected, done.recorded)
    return Run(done.count, done.seconds, account, figures)


def main() -> int:
    options = _parse_options()
    parameters = Parameters(rounds=options.rounds, count=options.count)
    requests = sample_requests()
    policies = {"gce": gce_policy(), "everything": policy_for_everything()}
    bystanders = Bystanders()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as folder:
        facts = report.conditions(Path(folder), asdict(parameters))
        logs = Path(folder) / "log"
        contenders = {
            name: partial(audit_to_log, logs, policy, requests, parameters)
            for name, policy in policies.items()
        }
        results = run_rounds("audit_requests", contenders, parameters.rounds)
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)

    targets = [_target(results[1])]
    return told(options.results, "request", "Audited requests", facts, results, targets)


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

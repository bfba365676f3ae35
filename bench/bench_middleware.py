"""How much CPU time an audited request takes beyond one that isn't.

An ASGI application is called without a server, bare and inside of the middleware, with
the same requests. Its CPU time is that of the whole process, the writing thread's
included; `loop_us` is that of the calling thread alone. Every event is counted in the
file: a run that lost one makes this program exit with 1.

Usage: bench_middleware.py [--rounds N] [--count N] [--results DIR]
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import report
import served
from bystanders import Bystanders
from rounds import Result, Run, run_rounds
from served import (
    METADATA,
    ONE_EVENT,
    ONE_STAGE,
    PATHS,
    ROUTES,
    USER,
    InexactError,
    scopes,
    serve,
    temporary_auditor,
)
from targets import Target

from auditring.attributes import Attributes
from auditring.event import UserInfo
from auditring.middleware.asgi import AuditMiddleware

BENCH = Path(__file__).parent
EXIT_INEXACT = 1

ONE_STAGE_LIMIT_US = 5
TWO_STAGES_LIMIT_US = 8
REQUESTS_LIMIT_PER_S = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does."""

    rounds: int = 9
    count: int = 50_000


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: how much, where to write, and requests."""

    parameters: Parameters
    folder: Path
    attributes: list[Attributes]


def serve_requests(stand: Stand) -> list[Result]:
    """Serve requests that are for one object each, by each kind of path."""
    results = []
    for name, path in PATHS.items():
        requests = scopes(path)
        contenders = {
            "bare": partial(_serve_bare, stand, requests),
            "one_stage": partial(_serve_audited, stand, requests, ONE_STAGE, 1),
            "two_stages": partial(_serve_audited, stand, requests, METADATA, 2),
        }
        rounds = stand.parameters.rounds
        results += run_rounds(f"serve_{name}", contenders, rounds)
    return results


def audit_requests(stand: Stand) -> list[Result]:
    """Decide on requests of a real log, and commit an event of each."""

    def run() -> Run:
        count = stand.parameters.count
        with temporary_auditor(stand.folder, ONE_EVENT, count) as auditor:
            requests = islice(cycle(stand.attributes), count)
            start = time.perf_counter()
            for attributes in requests:
                request = auditor.begin(attributes)
                request.receive()
                request.start_response(200)
                request.complete()
            return Run(count, time.perf_counter() - start)

    return run_rounds("audit_requests", {"auditring": run}, stand.parameters.rounds)


def _serve_bare(stand: Stand, requests: list[dict[str, Any]]) -> Run:
    return serve(served.app, requests, stand.parameters.count)


def _serve_audited(
    stand: Stand, requests: list[dict[str, Any]], rule: dict[str, Any], stages: int
) -> Run:
    count = stand.parameters.count
    with temporary_auditor(stand.folder, rule, count * stages) as auditor:
        app = AuditMiddleware(
            served.app, auditor, user=lambda scope: USER, routes=ROUTES
        )
        return serve(app, requests, count)


WORKLOADS: tuple[Callable[[Stand], list[Result]], ...] = (
    serve_requests,
    audit_requests,
)


def main() -> int:
    options = _parse_options()
    parameters = Parameters(rounds=options.rounds, count=options.count)
    folder = Path(tempfile.mkdtemp(prefix="bench-middleware-"))
    stand = Stand(parameters, folder, _read_requests())
    facts = report.conditions(folder, asdict(parameters))
    bystanders = Bystanders()
    try:
        results = [result for workload in WORKLOADS for result in workload(stand)]
    except InexactError as error:
        print(f"inexact: {error}", file=sys.stderr)
        return EXIT_INEXACT
    finally:
        shutil.rmtree(folder)
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)

    targets = [*_targets(results)]
    text = report.markdown("The middleware", facts, results, targets)
    document = {
        **facts,
        "results": [result.as_json() for result in results],
        "targets": [target.as_json() for target in targets],
    }
    report.save(options.results, "middleware", document, text)
    print(text)
    return 0


def _targets(results: list[Result]) -> Iterator[Target]:
    runs = {(each.workload, each.contender): each.runs for each in results}
    limits = {"one_stage": ONE_STAGE_LIMIT_US, "two_stages": TWO_STAGES_LIMIT_US}
    for name in PATHS:
        workload = f"serve_{name}"
        for contender, limit in limits.items():
            # By rounds: what else the machine does then strikes both alike.
            extra = [
                audited.figures["cpu_us"] - bare.figures["cpu_us"]
                for audited, bare in zip(
                    runs[workload, contender], runs[workload, "bare"], strict=True
                )
            ]
            title = f"µs of CPU a request, {name.replace('_', ' ')}, {contender}"
            yield Target(title, median(extra), min(extra), max(extra), "<=", limit)
    speeds = [run.per_s for run in runs["audit_requests", "auditring"]]
    title = "audited requests a second, from attributes to the ring"
    limit = REQUESTS_LIMIT_PER_S
    yield Target(title, median(speeds), min(speeds), max(speeds), ">=", limit)


def _read_requests() -> list[Attributes]:
    lines = (BENCH / "data" / "kube-requests.jsonl").read_bytes().splitlines()
    requests = map(orjson.loads, lines)
    return [
        Attributes.from_request(
            each["method"],
            each["url"],
            user=UserInfo(each["user"]["name"], groups=tuple(each["user"]["groups"])),
            peer="192.0.2.1:40000",
        )
        for each in requests
    ]


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    defaults = Parameters()
    parser.add_argument("--rounds", type=int, metavar="N", default=defaults.rounds)
    parser.add_argument("--count", type=int, metavar="N", default=defaults.count)
    parser.add_argument(
        "--results",
        type=Path,
        default=BENCH / "results",
        help="where middleware.json and .md go; default: bench/results",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

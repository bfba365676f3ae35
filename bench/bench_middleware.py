"""How much CPU time an audited request takes beyond one that isn't.

An ASGI application is called without a server, bare and inside of the middleware, with
the same requests: no two alike, as a server behind a proxy makes them. `loop_us` is the
CPU time of the calling thread; `cpu_us` that of the whole process, what the writing
thread does until all of a round's events are in the file included. Rounds are short and
interleaved, and the median of their differences counts, so that what else the machine
does strikes all alike. Every event is counted in the file: a run that lost one makes
this program exit with 1.

Usage: bench_middleware.py [--rounds N] [--count N] [--results DIR]
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import orjson
import report
from bystanders import Bystanders
from measuring import EXIT_INEXACT, told
from rounds import Result, Run, run_rounds
from served import (
    METADATA,
    ONE_EVENT,
    ONE_STAGE,
    ROUTES,
    USER,
    InexactError,
    app,
    counted_auditor,
    cpu_run,
    receive,
    scope_of,
    send,
)
from targets import Target

from auditring import LogWriter
from auditring.audit.auditor import Auditor
from auditring.event import UserInfo
from auditring.middleware.asgi import App, AuditMiddleware
from auditring.request.attributes import Attributes

BENCH = Path(__file__).parent

FIGURES = {"loop_us": "event loop", "cpu_us": "whole process"}
ONE_STAGE_LIMIT_US = 5
TWO_STAGES_LIMIT_US = 8
REQUESTS_LIMIT_PER_S = 300_000

# More addresses than are remembered of any one kind.
ADDRESS_COUNT = 10_007
PROXY_COUNT = 3
HEADERS = [
    ("host", "shop.example"),
    ("x-forwarded-for", "198.51.{}.{}"),
    ("x-forwarded-proto", "https"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 F/{}"),
    ("accept", "application/json"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
    ("connection", "keep-alive"),
]
# Path and query.
TARGETS = {
    "kubernetes_paths": ("/apis/shop.example/v1/namespaces/north/orders/{}", ""),
    "plain_paths": ("/orders/{}", ""),
    "queries": ("/orders/{}", "page={}&size=20"),
    "routed_paths": ("/shops/north/orders/{}", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does."""

    rounds: int = 150
    count: int = 500
    audit_rounds: int = 9
    audit_count: int = 50_000


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: how much, where to write, and requests."""

    parameters: Parameters
    folder: Path
    attributes: list[Attributes]


def serve_requests(stand: Stand) -> list[Result]:
    """Serve requests that are for one object each, by each kind of target."""
    parameters = stand.parameters
    count = parameters.rounds * parameters.count
    results = []
    for name, (path, query) in TARGETS.items():
        requests = _scopes(path, query)
        with (
            _audited(stand, "one", ONE_STAGE, count) as one_stage,
            _audited(stand, "two", METADATA, 2 * count) as two_stages,
        ):
            contenders = {
                "bare": partial(_serve, app, None, requests, parameters.count),
                "one_stage": partial(_serve, *one_stage, requests, parameters.count),
                "two_stages": partial(_serve, *two_stages, requests, parameters.count),
            }
            results += run_rounds(f"serve_{name}", contenders, parameters.rounds)
    return results


def audit_requests(stand: Stand) -> list[Result]:
    """Decide on requests of a real log, and commit an event of each."""

    def run() -> Run:
        count = stand.parameters.audit_count
        with _auditor(stand, "real", ONE_EVENT, count) as (auditor, _):
            requests = islice(cycle(stand.attributes), count)
            start = time.perf_counter()
            for attributes in requests:
                request = auditor.begin(attributes)
                request.receive()
                request.start_response(200)
                request.complete()
            return Run(count, time.perf_counter() - start)

    return run_rounds(
        "audit_requests", {"auditring": run}, stand.parameters.audit_rounds
    )


def _serve(
    app: App, log: LogWriter | None, requests: Iterator[dict[str, Any]], count: int
) -> Run:
    scopes = list(islice(requests, count))
    start = time.process_time_ns(), time.thread_time_ns()
    while scopes:
        # Nobody keeps a scope, and nothing here ever waits: the first step is the last.
        coroutine = app(scopes.pop(), receive, send)
        try:  # noqa: SIM105 - suppress() would be a part of what is measured
            coroutine.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            pass
    loop_ns = time.thread_time_ns() - start[1]
    if log is not None:
        log.flush()
    process_ns = time.process_time_ns() - start[0]
    return cpu_run(count, process_ns, loop_ns)


def _scopes(path: str, query: str) -> Iterator[dict[str, Any]]:
    """Yield scopes without end, each made anew as a server does."""
    for number in itertools.count():
        address = number % ADDRESS_COUNT
        numbers = (address // 250, address % 250)
        yield scope_of(
            path.format(number),
            query.format(number),
            (f"10.0.0.{number % PROXY_COUNT}", 40_000 + address),
            [
                (name.encode(), value.format(*numbers).encode())
                for name, value in HEADERS
            ],
        )


@contextmanager
def _audited(
    stand: Stand, name: str, rule: dict[str, Any], event_count: int
) -> Iterator[tuple[App, LogWriter]]:
    """Yield the application inside of the middleware, and the log that it writes."""
    with _auditor(stand, name, rule, event_count) as (auditor, log):
        yield (
            AuditMiddleware(app, auditor, user=lambda scope: USER, routes=ROUTES),
            log,
        )


@contextmanager
def _auditor(
    stand: Stand, name: str, rule: dict[str, Any], event_count: int
) -> Iterator[tuple[Auditor, LogWriter]]:
    """Yield an auditor with a log of its own, whose events are counted then."""
    folder = stand.folder / name
    folder.mkdir()
    with counted_auditor(folder, rule, event_count) as pair:
        yield pair


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
    return told(
        options.results, "middleware", "The middleware", facts, results, targets
    )


def _targets(results: list[Result]) -> Iterator[Target]:
    runs = {(each.workload, each.contender): each.runs for each in results}
    limits = {"one_stage": ONE_STAGE_LIMIT_US, "two_stages": TWO_STAGES_LIMIT_US}
    for name in TARGETS:
        workload = f"serve_{name}"
        for contender, limit in limits.items():
            for figure, of_whom in FIGURES.items():
                # By rounds: what else the machine does then strikes both alike.
                extra = [
                    audited.figures[figure] - bare.figures[figure]
                    for audited, bare in zip(
                        runs[workload, contender], runs[workload, "bare"], strict=True
                    )
                ]
                words = f"{name.replace('_', ' ')}, {contender}, {of_whom}"
                title = f"µs of CPU a request, {words}"
                # The extremes of so many rounds are chance.
                tenths = quantiles(extra, n=10)
                yield Target(title, median(extra), tenths[0], tenths[-1], "<=", limit)
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

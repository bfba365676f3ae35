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
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import report
from bystanders import Bystanders
from rounds import Result, Run, run_rounds
from targets import Target

from auditring import LogWriter
from auditring.attributes import Attributes
from auditring.auditor import Auditor
from auditring.event import UserInfo
from auditring.middleware.asgi import (
    App,
    AuditMiddleware,
    Message,
    Receive,
    Scope,
    Send,
)
from auditring.policy import Policy
from auditring.routes import Routes

BENCH = Path(__file__).parent
EXIT_INEXACT = 1
NS_PER_US = 1000
NS_PER_S = 1_000_000_000

ONE_STAGE_LIMIT_US = 5
TWO_STAGES_LIMIT_US = 8
REQUESTS_LIMIT_PER_S = 300_000

SCOPE_COUNT = 1000
CLIENT_COUNT = 50
USER = UserInfo("alice", groups=("shop", "system:authenticated"))
HEADERS = [
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"connection", b"keep-alive"),
]
ROUTES = Routes(
    {"/shops/{s}/orders/{o}": "/apis/shop.example/v1/namespaces/{s}/orders/{o}"}
)
PATHS = {
    "kubernetes_paths": "/apis/shop.example/v1/namespaces/north/orders/{}",
    "plain_paths": "/orders/{}",
    "routed_paths": "/shops/north/orders/{}",
}

METADATA = {"level": "Metadata"}
ONE_STAGE = {**METADATA, "omitStages": ["RequestReceived"]}
# Of long-running requests, too.
ONE_EVENT = {**METADATA, "omitStages": ["RequestReceived", "ResponseStarted"]}


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
        scopes = _scopes(path)
        contenders = {
            "bare": partial(_serve_bare, stand, scopes),
            "one_stage": partial(_serve_audited, stand, scopes, ONE_STAGE, 1),
            "two_stages": partial(_serve_audited, stand, scopes, METADATA, 2),
        }
        rounds = stand.parameters.rounds
        results += run_rounds(f"serve_{name}", contenders, rounds)
    return results


def audit_requests(stand: Stand) -> list[Result]:
    """Decide on requests of a real log, and commit an event of each."""

    def run() -> Run:
        count = stand.parameters.count
        with _auditor(stand, ONE_EVENT, count) as auditor:
            requests = islice(cycle(stand.attributes), count)
            start = time.perf_counter()
            for attributes in requests:
                request = auditor.begin(attributes)
                request.receive()
                request.start_response(200)
                request.complete()
            return Run(count, time.perf_counter() - start)

    return run_rounds("audit_requests", {"auditring": run}, stand.parameters.rounds)


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"12")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"order": 1}'})


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    pass


def _serve_bare(stand: Stand, scopes: list[dict[str, Any]]) -> Run:
    return _serve(_app, scopes, stand.parameters.count)


def _serve_audited(
    stand: Stand, scopes: list[dict[str, Any]], rule: dict[str, Any], stages: int
) -> Run:
    count = stand.parameters.count
    with _auditor(stand, rule, count * stages) as auditor:
        app = AuditMiddleware(_app, auditor, user=lambda scope: USER, routes=ROUTES)
        return _serve(app, scopes, count)


def _serve(app: App, scopes: list[dict[str, Any]], count: int) -> Run:
    chosen = islice(cycle(scopes), count)
    start = time.process_time_ns(), time.thread_time_ns()
    for scope in chosen:
        # Nothing here ever waits, so the first step is the last.
        coroutine = app(dict(scope), _receive, _send)
        with suppress(StopIteration):
            coroutine.send(None)  # type: ignore[attr-defined]
    process_ns = time.process_time_ns() - start[0]
    loop_ns = time.thread_time_ns() - start[1]
    figures = {
        "cpu_us": process_ns / count / NS_PER_US,
        "loop_us": loop_ns / count / NS_PER_US,
    }
    return Run(count, process_ns / NS_PER_S, figures=figures)


def _scopes(path: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": (f"192.0.2.{number % CLIENT_COUNT}", 40_000 + number),
            "scheme": "http",
            "method": "GET",
            "root_path": "",
            "path": path.format(number),
            "raw_path": path.format(number).encode(),
            "query_string": b"",
            "headers": HEADERS,
            "state": {},
        }
        for number in range(SCOPE_COUNT)
    ]


class InexactError(Exception):
    """Events in the file aren't those that were committed."""


@contextmanager
def _auditor(stand: Stand, rule: dict[str, Any], event_count: int) -> Iterator[Auditor]:
    """Yield an auditor with a log of its own, whose events are counted then."""
    path = stand.folder / "audit.log"
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}
    with LogWriter(path, max_bytes=0) as writer:
        yield Auditor(Policy.from_yaml(orjson.dumps(policy)), writer)
    found = path.read_bytes().count(b"\n")
    shutil.rmtree(stand.folder)
    stand.folder.mkdir()
    if found != event_count:
        raise InexactError(f"{found} events in the file, not {event_count}")


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

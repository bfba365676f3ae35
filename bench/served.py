"""An ASGI application called without a server, its requests, and an audited log."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import orjson
from rounds import Run

from auditring import LogWriter
from auditring.audit.auditor import Auditor
from auditring.event import UserInfo
from auditring.middleware.asgi import App, Message, Receive, Scope, Send
from auditring.policy import Policy
from auditring.routes import Routes

__all__ = [
    "METADATA",
    "ONE_EVENT",
    "ONE_STAGE",
    "PATHS",
    "ROUTES",
    "USER",
    "InexactError",
    "app",
    "counted_auditor",
    "cpu_run",
    "policy_of",
    "receive",
    "scope_of",
    "scopes",
    "send",
    "serve",
    "temporary_auditor",
]

NS_PER_US = 1000
NS_PER_S = 1_000_000_000

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


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"12")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"order": 1}'})


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    pass


def serve(called: App, chosen_scopes: list[dict[str, Any]], count: int) -> Run:
    """Call the application *count* times; the run's time is CPU time."""
    chosen = islice(cycle(chosen_scopes), count)
    start = time.process_time_ns(), time.thread_time_ns()
    for scope in chosen:
        # Nothing here ever waits, so the first step is the last.
        coroutine = called(dict(scope), receive, send)
        with suppress(StopIteration):
            coroutine.send(None)  # type: ignore[attr-defined]
    process_ns = time.process_time_ns() - start[0]
    loop_ns = time.thread_time_ns() - start[1]
    return cpu_run(count, process_ns, loop_ns)


def cpu_run(count: int, process_ns: int, loop_ns: int) -> Run:
    """Return a run that took so much CPU time: of the process, and of one thread."""
    figures = {
        "cpu_us": process_ns / count / NS_PER_US,
        "loop_us": loop_ns / count / NS_PER_US,
    }
    return Run(count, process_ns / NS_PER_S, figures=figures)


def scopes(path: str) -> list[dict[str, Any]]:
    return [
        scope_of(
            path.format(number),
            "",
            (f"192.0.2.{number % CLIENT_COUNT}", 40_000 + number),
            HEADERS,
        )
        for number in range(SCOPE_COUNT)
    ]


def scope_of(
    path: str, query: str, client: tuple[str, int], headers: list[tuple[bytes, bytes]]
) -> dict[str, Any]:
    """Return the scope of one GET, as a server makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": client,
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "state": {},
    }


class InexactError(Exception):
    """Events in the file aren't those that were committed."""


def policy_of(rule: dict[str, Any]) -> Policy:
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}
    return Policy.from_yaml(orjson.dumps(policy))


@contextmanager
def temporary_auditor(
    folder: Path, rule: dict[str, Any], event_count: int
) -> Iterator[Auditor]:
    """Yield an auditor with a log of its own, in a folder that is empty again then."""
    try:
        with counted_auditor(folder, rule, event_count) as (auditor, _):
            yield auditor
    finally:
        folder.mkdir(exist_ok=True)


@contextmanager
def counted_auditor(
    folder: Path, rule: dict[str, Any], event_count: int
) -> Iterator[tuple[Auditor, LogWriter]]:
    """Yield an auditor and its log; count events and remove the folder then."""
    path = folder / "audit.log"
    with LogWriter(path, max_bytes=0) as writer:
        yield Auditor(policy_of(rule), writer), writer
    found = path.read_bytes().count(b"\n")
    shutil.rmtree(folder)
    if found != event_count:
        raise InexactError(f"{found} events in the file, not {event_count}")

"""Requests of a genuine audit log, decided and made into lines for a sink."""

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import cycle, islice

from stage_requests import StageRequest, stage_request

from auditring import Policy
from auditring.event import Event, Level
from auditring.event.stage import stage_line

__all__ = [
    "Audited",
    "audit",
    "gce_policy",
    "policy_for_everything",
    "recorded_lines",
    "sample_lines",
    "sample_requests",
]

SAMPLE = files("auditring.cli") / "data" / "kube-audit-sample.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Audited:
    """What it took: requests in all, those that were recorded, wall and CPU time.

    The CPU time is that of the calling thread.
    """

    count: int
    recorded: int
    seconds: float
    cpu_seconds: float


@cache
def sample_lines() -> list[bytes]:
    return gzip.decompress(SAMPLE.read_bytes()).splitlines(keepends=True)


@cache
def sample_requests() -> list[StageRequest]:
    return [stage_request(Event.from_json(line)) for line in sample_lines()]


def gce_policy() -> Policy:
    return Policy.preset("gce")


def policy_for_everything() -> Policy:
    return Policy.from_yaml(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
    )


def recorded_lines(policy: Policy, requests: Sequence[StageRequest]) -> list[bytes]:
    """Return the lines that one turn through *requests* leaves in a log."""
    return [
        stage_line(*request)
        for request in requests
        if policy.evaluate(request[0]).level is not Level.NONE
    ]


def audit(
    policy: Policy,
    requests: Sequence[StageRequest],
    count: int,
    write: Callable[[bytes], object],
    drain: Callable[[], object] = lambda: None,
) -> Audited:
    """Decide *count* requests, make the lines, write them; the drain counts too."""
    cycled = list(islice(cycle(requests), count))
    evaluate = policy.evaluate
    recorded = 0
    cpu_start, start = time.thread_time(), time.perf_counter()
    for request in cycled:
        if evaluate(request[0]).level is not Level.NONE:
            write(stage_line(*request))
            recorded += 1
    # Of the CPU time only that of the calls: the drain is waiting.
    cpu_seconds = time.thread_time() - cpu_start
    drain()
    seconds = time.perf_counter() - start
    return Audited(count, recorded, seconds, cpu_seconds)

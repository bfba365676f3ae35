"""Requests in threads while their configuration changes, and an account of each.

Every configuration leaves marks in the events that no other leaves, so that a request
that was treated by two of them is found out.
"""

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from auditring import follow
from auditring.audit.auditor import Auditor
from auditring.event import UserInfo
from auditring.request.attributes import Attributes

BODY = b'{"password":"hunter2"}'
# Requests that a thread has open at a time, so that they live through changes.
OPEN_AT_ONCE = 8
BURST = 25

COMMON = "enabled: true\npath: {path}\n"
TEXTS = {
    "all stages, no bodies": COMMON
    + """\
maxSize: 1
policy:
  rules:
  - level: Metadata
""",
    "one stage, masked bodies": COMMON
    + """\
maxSize: 300Ki
compress: gzip
masks: {{enabled: true}}
policy:
  omitStages: [RequestReceived]
  rules:
  - level: Request
""",
    "all stages, bodies, in batches": COMMON
    + """\
masks: off
mode: batch
batch: {{bufferSize: 1000000, maxSize: 10}}
truncate: {{enabled: true}}
policy:
  rules:
  - level: Request
""",
    "nothing": "enabled: false\npath: {path}\n",
}
BROKEN = COMMON + "level: 9\n"

MARKS = {
    (("RequestReceived", "Metadata", ""), ("ResponseComplete", "Metadata", "")): (
        "all stages, no bodies"
    ),
    (("ResponseComplete", "Request", "masked"),): "one stage, masked bodies",
    (("RequestReceived", "Request", ""), ("ResponseComplete", "Request", "plain")): (
        "all stages, bodies, in batches"
    ),
}


class Request(Protocol):
    """What the storm does with a request."""

    def receive(self) -> object: ...
    def record_request_object(self, body: bytes) -> None: ...
    def start_response(self, code: int) -> None: ...
    def complete(self) -> None: ...


Begin = Callable[[Auditor, Attributes], Request]


def begin_once(auditor: Auditor, attributes: Attributes) -> Request:
    """Begin a request as everybody does."""
    return auditor.begin(attributes)


class JudgedTwice:
    """A request that is decided on anew for its end, as none may be."""

    def __init__(self, auditor: Auditor, attributes: Attributes) -> None:
        self._auditor = auditor
        self._attributes = attributes

    def receive(self) -> None:
        self._auditor.begin(self._attributes).receive()

    def record_request_object(self, body: bytes) -> None:
        self._end = self._auditor.begin(self._attributes)
        self._end.record_request_object(body)

    def start_response(self, code: int) -> None:
        self._end.start_response(code)

    def complete(self) -> None:
        self._end.complete()


@dataclass
class Account:
    """What became of the requests of a storm.

    Attributes:
        requests: How many were made.
        by_configuration: How many bear the marks of each configuration.
        mixed: Those that bear the marks of none or of several.
        unknown: Events of requests that nobody made.
    """

    requests: int = 0
    by_configuration: Counter[str] = field(default_factory=Counter)
    mixed: list[Any] = field(default_factory=list)
    unknown: int = 0


def storm(
    auditor: Auditor, threads: int, change: Callable[[], None], begin: Begin
) -> list[str]:
    """Make requests in threads while *change* runs; return their audit IDs."""
    is_over = threading.Event()
    made: list[list[str]] = [[] for _ in range(threads)]
    raised: list[BaseException] = []

    def work(number: int) -> None:
        try:
            make_requests(auditor, number, made[number], is_over, begin)
        except BaseException as error:
            raised.append(error)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    try:
        change()
    finally:
        is_over.set()
        for worker in workers:
            worker.join()
    assert raised == []
    return [audit_id for each in made for audit_id in each]


def make_requests(
    auditor: Auditor,
    number: int,
    made: list[str],
    is_over: threading.Event,
    begin: Begin,
) -> None:
    waiting: deque[Request] = deque()
    while not is_over.is_set():
        attributes = Attributes.from_request(
            "PUT",
            "/api/v1/namespaces/shop/configmaps/prices",
            user=UserInfo("alice"),
            headers={"Audit-ID": f"{number}-{len(made)}"},
        )
        request = begin(auditor, attributes)
        made.append(attributes.audit_id)
        request.receive()
        waiting.append(request)
        if len(waiting) == OPEN_AT_ONCE:
            finish(waiting.popleft())
        if len(made) % BURST == 0:
            # Lets the thread that changes the configuration have its turn.
            is_over.wait(0.001)
    for request in waiting:
        finish(request)


def finish(request: Request) -> None:
    request.record_request_object(BODY)
    request.start_response(200)
    request.complete()


def account_of(path: Path, made: list[str]) -> Account:
    """Look at every event of a log."""
    events = defaultdict(list)
    for line, _ in follow(path, wait=False):
        event = json.loads(line)
        events[event["auditID"]].append(event)
    account = Account(requests=len(made))
    for audit_id in made:
        marks = tuple(map(marks_of, events.pop(audit_id, ())))
        if marks in MARKS:
            account.by_configuration[MARKS[marks]] += 1
        elif not marks:
            account.by_configuration["nothing"] += 1
        else:
            account.mixed.append((audit_id, marks))
    account.unknown = sum(map(len, events.values()))
    return account


def marks_of(event: dict[str, Any]) -> tuple[str, str, str]:
    body = event.get("requestObject")
    kind = ""
    if body is not None:
        kind = "plain" if body["password"] == "hunter2" else "masked"
    return event["stage"], event["level"], kind

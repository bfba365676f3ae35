"""W8: an ASGI application without a server, and what audits its requests."""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import served
from lines import Account, read_lines
from registry import CONTENDERS, contender_class
from rivals.contender import Contender, Place
from served import METADATA, ONE_STAGE, PATHS, ROUTES, USER
from stand import Measured, Stand
from workloads.workload import Workload

from auditring import LogWriter
from auditring.audit.auditor import Auditor
from auditring.middleware.asgi import (
    App,
    AuditMiddleware,
    Message,
    Receive,
    Scope,
    Send,
)

__all__ = ["WORKLOADS"]

BARE = "bare application"
STAGES = {"auditring, one stage": 1, "auditring, two stages": 2}
RULES: dict[int, dict[str, Any]] = {1: ONE_STAGE, 2: METADATA}


class Asgi(Workload):
    """The rivals stand behind the logging middleware that people write by hand.

    It makes a dict of six values and logs it: much less than an audit event, and no
    policy is asked.
    """

    name = "W8_asgi"
    title = "requests to an ASGI application, audited or logged by hand"
    unit = "requests"
    line_bytes = 700
    limits = (BARE,)

    def contenders(self) -> list[str]:
        takers = [n for n in CONTENDERS if "dict" in contender_class(n).forms]
        return [BARE, *STAGES, *(name for name in takers if name != "auditring")]

    def count(self, stand: Stand, contender: str) -> int:
        parameters = stand.parameters
        if contender in CONTENDERS and contender_class(contender).is_slow:
            return min(parameters.slow_count, parameters.served_count)
        return parameters.served_count

    def run(self, stand: Stand, contender: str) -> Measured:
        count = self.count(stand, contender)
        if contender == BARE:
            return _served(served.app, count, lambda: None)
        if contender in STAGES:
            policy = served.policy_of(RULES[STAGES[contender]])
            with LogWriter(stand.logs / "audit.log") as log:
                auditor = Auditor(policy, log)
                app = AuditMiddleware(
                    served.app, auditor, user=lambda scope: USER, routes=ROUTES
                )
                return _served(app, count, log.flush)
        writer = contender_class(contender)()
        writer.open(Place(folder=stand.logs, max_bytes=stand.parameters.max_bytes))
        done = _served(HandWritten(served.app, writer), count, writer.drain)
        writer.close()
        return done

    def account(self, stand: Stand, contender: str) -> Account | None:
        if contender in (BARE, "orjson.dumps"):
            return None
        kind = contender_class("auditring" if contender in STAGES else contender)
        stages = STAGES.get(contender, 1)
        return _account_of_requests(stand, kind, self.count(stand, contender), stages)


class HandWritten:
    """Logs method, path, client, status, duration and a number of its own."""

    def __init__(self, app: App, writer: Contender) -> None:
        self._app = app
        self._emit = writer.emit_dict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._emit(
                {
                    "auditID": str(uuid.uuid4()),
                    "verb": scope["method"],
                    "requestURI": scope["path"],
                    "sourceIP": scope["client"][0],
                    "code": status,
                    "seconds": time.perf_counter() - start,
                }
            )


def _served(app: App, count: int, drain: Callable[[], object]) -> Measured:
    scopes = served.scopes(PATHS["routed_paths"])
    start = time.perf_counter()
    run = served.serve(app, scopes, count)
    drain()
    seconds = time.perf_counter() - start
    return Measured(count, seconds, dict(run.figures))


def _account_of_requests(
    stand: Stand, kind: type[Contender], count: int, stages: int
) -> Account:
    """Count the requests by their IDs, which each has *stages* lines of."""
    found: Counter[str] = Counter()
    foreign = 0
    for line in read_lines(kind.files(stand.logs)):
        try:
            found[orjson.loads(line[line.index(b"{") :])["auditID"]] += 1
        except (ValueError, KeyError):
            foreign += 1
    more = sum(max(0, times - stages) for times in found.values())
    lost = max(0, count * stages - (found.total() - more))
    return Account(lost, more, foreign, in_order=None)


WORKLOADS = [Asgi()]

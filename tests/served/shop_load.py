"""A load on a shop: many clients send requests of all kinds, mixed, and judge the log.

Usage: shop_load.py [OPTIONS AS JSON], the fields of `LoadOptions`. Prints the outcome
as JSON; exits with 1 if the log isn't exactly what it has to be.
"""

import http.client
import json
import queue
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from shops import LIMIT_S, SHOPS, Shop, open_shop

__all__ = ["LoadOptions", "Outcome", "judge", "put_load"]

LEVELS: Final = {
    "nora": "None",
    "mia": "Metadata",
    "ron": "Request",
    "rita": "RequestResponse",
    "olga": "RequestResponse",
}
JSON_HEADERS: Final = {"Content-Type": "application/json"}
ORDER: Final = b'{"price": 1.50, "tags": ["a"]}'
# Over what is recorded of a body: see shop_audit.py.
LARGE: Final = json.dumps({"text": "x" * 3000}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """A body that is not in the event, and what is noted instead."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of request, and what there must be of it.

    Attributes:
        method, target, body, headers: What is sent.
        is_chunked: Send the body in chunks, without its length.
        code: Of the answer.
        verb: In the events.
        stages: All there are, in order.
        request_object: In the last event, where the level wants it: what JSON makes
            of it, an `Omission`, or None for nothing at all.
        response_object: Likewise; ... leaves it open.
        not_for: Shops that can't answer such a request.
    """

    method: str = "GET"
    target: str = "/orders/7"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_chunked: bool = False
    code: int = 200
    verb: str = "get"
    stages: tuple[str, ...] = ("RequestReceived", "ResponseComplete")
    request_object: object = None
    response_object: object = None
    not_for: tuple[str, ...] = ()


def _put(content_type: str, body: bytes, recorded: object) -> Kind:
    return Kind(
        method="PUT",
        verb="update",
        body=body,
        headers={"Content-Type": content_type},
        request_object=recorded,
        response_object=recorded,
    )


KINDS: Final = {
    "read": Kind(response_object={"order": "7"}),
    "query": Kind(target="/orders/a%20b?x=%C3%A9&x", response_object={"order": "a b"}),
    "head": Kind(method="HEAD", response_object=...),
    "create": Kind(
        method="POST",
        target="/orders",
        body=ORDER,
        headers=JSON_HEADERS,
        code=201,
        verb="create",
        request_object=json.loads(ORDER),
        response_object={"size": len(ORDER)},
    ),
    "chunks": Kind(
        method="POST",
        target="/orders",
        body=ORDER,
        headers=JSON_HEADERS,
        is_chunked=True,
        code=201,
        verb="create",
        request_object=json.loads(ORDER),
        response_object={"size": len(ORDER)},
        # It takes a body without a length for none.
        not_for=("django",),
    ),
    "json": _put(
        "application/json",
        b'{"a": {"b": [1, 2.50, null]}}',
        {"a": {"b": [1, 2.5, None]}},
    ),
    "text": _put("text/plain; charset=utf-8", "h\u00e9llo".encode(), "h\u00e9llo"),
    "binary": _put(
        "application/octet-stream", b"\xff\x00\x01", Omission(reason="invalid-json")
    ),
    "large": _put("application/json", LARGE, Omission(reason="truncated")),
    "stream": Kind(target="/stream", response_object="<0><1><2>"),
    "file": Kind(target="/file", response_object="apples 2\npears 3\n"),
    "events": Kind(
        target="/events",
        stages=("RequestReceived", "ResponseStarted", "ResponseComplete"),
    ),
    "panic": Kind(
        method="DELETE",
        target="/orders/odd",
        code=500,
        verb="delete",
        stages=("RequestReceived", "Panic"),
        response_object=...,
    ),
    "missing": Kind(
        method="DELETE",
        target="/orders/missing",
        code=404,
        verb="delete",
        response_object=...,
    ),
    "nowhere": Kind(target="/nowhere", code=404, response_object=...),
    "mounted": Kind(target="/sub/a/b", response_object={"inside": "b"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How much there is to do.

    Attributes:
        shop: A key of `SHOPS`; "all" for each of them.
        requests: Of each kind and user.
        clients: That ask at the same time.
        seed: Of their order; None takes another one each time.
    """

    shop: str = "all"
    requests: int = 20
    clients: int = 8
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        shop: Where.
        requests: Sent and answered.
        events: That there are.
        seconds: From the first request to the last answer.
        problems: What is wrong; twenty at most.
    """

    shop: str
    requests: int = 0
    events: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def complain(self, about: str, found: object, wanted: object) -> None:
        """Note a difference, if it is one."""
        if found != wanted and len(self.problems) < 20:
            self.problems.append(f"{about}: {found!r:.300}, wanted {wanted!r:.300}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send; its id tells it from all others."""

    kind: Kind
    user: str
    audit_id: str


def put_load(shop: Shop, options: LoadOptions) -> tuple[Outcome, list[Ask]]:
    """Send the requests; `judge` what is in the log once the shop is closed."""
    outcome = Outcome(shop=shop.name)
    asks = list(_asks(shop.name, options.requests))
    random.Random(options.seed).shuffle(asks)
    todo: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
    for ask in [*asks, *[None] * options.clients]:
        todo.put(ask)
    threads = [
        threading.Thread(target=_send_all, args=(shop.port, todo, outcome))
        for _ in range(options.clients)
    ]
    start_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = round(time.monotonic() - start_s, 2)
    outcome.requests = len(asks)
    return outcome, asks


def _asks(shop: str, count: int) -> Iterator[Ask]:
    for name, kind in KINDS.items():
        if shop in kind.not_for:
            continue
        for user in LEVELS:
            for number in range(count):
                yield Ask(kind, user, f"{name}-{user}-{number}")


def _send_all(
    port: int, todo: "queue.SimpleQueue[Ask | None]", outcome: Outcome
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    while (ask := todo.get()) is not None:
        try:
            _send(connection, ask, outcome)
        except (OSError, http.client.HTTPException) as error:
            outcome.complain(f"{ask.audit_id}: answer", error, None)
            connection.close()
    connection.close()


def _send(connection: http.client.HTTPConnection, ask: Ask, outcome: Outcome) -> None:
    kind = ask.kind
    body = iter([kind.body[:7], kind.body[7:]]) if kind.is_chunked else kind.body  # type: ignore[index]
    connection.request(
        kind.method,
        kind.target,
        body,
        {"X-User": ask.user, "Audit-ID": ask.audit_id, **kind.headers},
        encode_chunked=kind.is_chunked,
    )
    response = connection.getresponse()
    response.read()
    if kind.code == 500:
        connection.close()  # uvicorn does, once an application raised
    outcome.complain(f"{ask.audit_id}: code", response.status, kind.code)
    found = response.headers["Audit-ID"]
    # Servers, not the application, answer for what raised in an ASGI application.
    if found is not None or kind.code != 500:
        outcome.complain(f"{ask.audit_id}: Audit-ID", found, ask.audit_id)


# What is right.


def judge(events: list[dict[str, Any]], asks: list[Ask], outcome: Outcome) -> None:
    """Compare the events with what they have to be: stages x requests, exactly."""
    outcome.events = len(events)
    found = defaultdict(list)
    for event in events:
        found[event["auditID"]].append(event)
    for ask in asks:
        _judge_one(ask, found.pop(ask.audit_id, []), outcome)
    outcome.complain("events of nobody", sorted(found), [])


def _judge_one(ask: Ask, events: list[dict[str, Any]], outcome: Outcome) -> None:
    kind, level = ask.kind, LEVELS[ask.user]
    stages = [stage for stage in kind.stages if _is_wanted(ask.user, stage)]
    found = [event["stage"] for event in events]
    outcome.complain(f"{ask.audit_id}: stages", found, stages)
    if found != stages or not events:
        return
    for event in events:
        name = f"{ask.audit_id}: {event['stage']}"
        outcome.complain(f"{name}: level", event["level"], level)
        outcome.complain(f"{name}: verb", event["verb"], kind.verb)
        outcome.complain(f"{name}: user", event["user"]["username"], ask.user)
        outcome.complain(f"{name}: URI", event["requestURI"], kind.target)
        reference = event.get("objectRef", {}).get("resource")
        is_order = kind.target.startswith("/orders")
        outcome.complain(f"{name}: resource", reference, "orders" if is_order else None)
    for event in events[:-1]:
        bodies = {"requestObject", "responseObject"} & event.keys()
        outcome.complain(f"{ask.audit_id}: early bodies", bodies, set())
    last = events[-1]
    outcome.complain(f"{ask.audit_id}: code", last["responseStatus"]["code"], kind.code)
    wants_request = level in ("Request", "RequestResponse")
    _judge_body(ask, last, "request", kind.request_object, wants_request, outcome)
    wants_response = level == "RequestResponse"
    _judge_body(ask, last, "response", kind.response_object, wants_response, outcome)


def _is_wanted(user: str, stage: str) -> bool:
    if LEVELS[user] == "None":
        return False
    return user != "olga" or stage != "RequestReceived"


def _judge_body(
    ask: Ask,
    event: dict[str, Any],
    which: str,
    recorded: object,
    is_wanted: bool,
    outcome: Outcome,
) -> None:
    note = f"audit.platform.vcluster.com/{which}-object-omitted"
    found = event.get(f"{which}Object"), event.get("annotations", {}).get(note)
    wanted: tuple[object, object] = None, None
    if is_wanted:
        if recorded is ...:
            return
        if isinstance(recorded, Omission):
            wanted = None, recorded.reason
        else:
            wanted = recorded, None
    outcome.complain(f"{ask.audit_id}: {which}", found, wanted)


def main() -> int:
    """Do what the arguments say."""
    options = LoadOptions(**json.loads(sys.argv[1] if sys.argv[1:] else "{}"))
    is_good = True
    for name in SHOPS if options.shop == "all" else [options.shop]:
        with tempfile.TemporaryDirectory(prefix="auditring-") as folder:
            with open_shop(name, Path(folder)) as shop:
                outcome, asks = put_load(shop, options)
            judge(shop.events(), asks, outcome)
        print(json.dumps(asdict(outcome)), flush=True)
        is_good &= not outcome.problems
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

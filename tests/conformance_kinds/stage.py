"""A whole request to the lines of its events, through the Auditor.

What stands around the auditor in kube-apiserver is played here: the check of `timeout`,
authentication, the encoding of typed objects, and a handler that follows a script.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from auditring.audit.auditor import AuditedRequest, Auditor
from auditring.backends.log import LogBackend
from auditring.errors import RequestInfoError
from auditring.event import UserInfo
from auditring.event.status import Status
from auditring.policy import Policy
from auditring.request.attributes import Attributes
from auditring.request.url import first_values

from . import Case

Json = dict[str, Any]

TIMES = re.compile(
    r'"requestReceivedTimestamp":"([^"]*)","stageTimestamp":"([^"]*)"(,"annotations":'
    r"\{.*\})?\}\n"
)
MARKED_TIMES = '"requestReceivedTimestamp":"@R@","stageTimestamp":"@S@"'
UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)

# Go's time.ParseDuration.
UNITS = ("ns", "us", "µs", "μs", "ms", "s", "m", "h")
DIGITS = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
DURATION = re.compile(rf"[+-]?(?:0|(?:{DIGITS}(?:{'|'.join(UNITS)}))+)")
NUMBER = re.compile(DIGITS)
UNIT = re.compile(r"[^.0-9]*")


STATUS_MEMBERS = (
    "kind",
    "apiVersion",
    "metadata",
    "status",
    "message",
    "reason",
    "details",
    "code",
)


class Panic(Exception):
    """What the handler of a script raises."""


class Lines:
    """A log whose attempts to write fail where a case wants it."""

    def __init__(self, failing: list[int]) -> None:
        self.written: list[bytes] = []
        self._failing = failing
        self._attempts = 0

    def write(self, data: bytes, /) -> bool:
        self._attempts += 1
        if self._attempts in self._failing:
            raise OSError("as the case wants it")
        self.written.append(data)
        return True

    def drop(self, size: int = 0, /) -> None:
        pass

    def flush(self, timeout: float | None = None) -> bool:
        return True


class Response:
    """What the client sees."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.is_hijacked = False

    def start(self, code: int) -> None:
        if self.code is None:
            self.code = code


def check(case: Case) -> str | None:
    found = run(case)
    expected = case["expected"]
    for member in sorted({*expected, *found} - {"lines"}):
        if found.get(member) != expected.get(member):
            return f"{member}: {found.get(member)!r}, not {expected.get(member)!r}"
    if len(found["lines"]) != len(expected["lines"]):
        return f"{len(found['lines'])} lines, not {len(expected['lines'])}"
    for line, wanted in zip(found["lines"], expected["lines"], strict=True):
        if line != wanted:
            return difference(line, wanted)
    return None


def run(case: Case) -> Json:
    """Return what a case's `expected` says, as it turns out here."""
    log = Lines(case["failWrites"])
    auditor = Auditor(
        Policy.from_yaml(case["policy"], dialect="kubernetes"),
        LogBackend(log, mode=case["mode"], strict=True),
        clock_ns=ticking().__next__,
    )
    response = Response()
    headers = [(name, value) for name, value in case["headers"]]
    given_id = next((value for name, value in headers if name == "Audit-ID"), "")
    found: Json = {"handlerCalled": False, "panicPropagated": False}
    audit_id = given_id
    try:
        attributes = attributes_of(case)
    except RequestInfoError:
        response.start(500)
    else:
        audit_id = attributes.audit_id
        serve(case, auditor, attributes, response, found)
    if given_id:
        found["responseAuditID"] = audit_id
    else:
        found["generatedAuditID"] = not audit_id or bool(UUID4.fullmatch(audit_id))
    if response.code is not None and not response.is_hijacked:
        found["responseCode"] = response.code
    lines = [line.decode() for line in log.written]
    times = [TIMES.search(line) for line in lines]
    found["stageEqualsReceived"] = [time[1] == time[2] for time in times if time]
    found["lines"] = [with_marks(line, "" if given_id else audit_id) for line in lines]
    return found


def attributes_of(case: Case, user: UserInfo | None = None) -> Attributes:
    return Attributes.from_request(
        case["method"],
        case["url"],
        headers=[(name, value) for name, value in case["headers"]],
        user=user,
        peer=case["remoteAddr"],
    )


def ticking() -> Iterator[int]:
    """Yield times of which no two are the same."""
    ns = 1_700_000_000_000_000_000
    while True:
        ns += 1_000_000
        yield ns


def with_marks(line: str, generated_id: str) -> str:
    """Put the marks that a case has for times and generated IDs into a *line*."""
    times = TIMES.search(line)
    if times:
        marks = (
            f'"requestReceivedTimestamp":"@R@","stageTimestamp":"@S@"{times[3] or ""}'
        )
        line = f"{line[: times.start()]}{marks}}}\n"
    return line.replace(generated_id, "@ID@") if generated_id else line


def difference(found: str, wanted: str) -> str:
    """Return what begins where two lines differ."""
    pairs = enumerate(zip(found, wanted, strict=False))
    same = min(len(found), len(wanted))
    at = next((index for index, (a, b) in pairs if a != b), same)
    return f"at {at}: {found[at : at + 150]!r}, not {wanted[at : at + 150]!r}"


# The filters before the handler.


def serve(
    case: Case,
    auditor: Auditor,
    attributes: Attributes,
    response: Response,
    found: Json,
) -> None:
    timeout = first_values(case["url"].partition("?")[2]).get("timeout", "")
    wrong = "" if attributes.long_running else wrong_with_duration(timeout)
    if wrong:
        message = f"invalid timeout specified in the request URL - {wrong}"
        fail(auditor, attributes, response, 400, "BadRequest", message)
        return
    if case["authn"] == "fail":
        fail(auditor, attributes, response, 401, "Unauthorized", "Unauthorized")
        return
    identified = attributes_of(case, user_of(case["user"]))
    if not any(name == "Audit-ID" for name, _ in case["headers"]):
        identified = with_id(identified, attributes.audit_id)
    request = auditor.begin(identified)
    if not request.receive():
        response.start(500)
        return
    found["handlerCalled"] = True
    try:
        for step in case["script"]:
            follow(step, request, response)
    except Panic as panic:
        request.panic(str(panic))
        found["panicPropagated"] = True
        found["panicValue"] = str(panic)
    else:
        request.complete()


def with_id(attributes: Attributes, audit_id: str) -> Attributes:
    return replace(attributes, audit_id=audit_id)


def fail(
    auditor: Auditor,
    attributes: Attributes,
    response: Response,
    code: int,
    reason: str,
    message: str,
) -> None:
    status = Status(status="Failure", message=message, reason=reason, code=code)
    body = {
        "kind": "Status",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    auditor.record_failure(attributes, status, encoded(body, attributes.api_version))
    response.start(code)


def wrong_with_duration(text: str) -> str:
    """Return what Go says of *text* as a duration; empty if it is one, or none."""
    if not text or DURATION.fullmatch(text):
        return ""
    quoted = json.dumps(text, ensure_ascii=False)
    rest = text.lstrip("+-") if text[0] in "+-" else text
    while rest:
        number = NUMBER.match(rest)
        if number is None:
            return f"time: invalid duration {quoted}"
        rest = rest[number.end() :]
        unit = UNIT.match(rest)
        name = unit[0] if unit else ""
        if not name:
            return f"time: missing unit in duration {quoted}"
        if name not in UNITS:
            unit_text = json.dumps(name, ensure_ascii=False)
            return f"time: unknown unit {unit_text} in duration {quoted}"
        rest = rest[len(name) :]
    return f"time: invalid duration {quoted}"


# The handler.


def follow(step: Json, request: AuditedRequest, response: Response) -> None:
    """Do what one step of a script says."""
    operation = step["op"]
    version = request.attributes.api_version
    if operation == "header":
        start(request, response, step["code"])
    elif operation == "write":
        start(request, response, 200)
    elif operation == "error":
        status = step["object"]
        request.record_response_object(encoded(status, version))
        start(request, response, status["code"])
    elif operation == "respond":
        request.record_response_object(encoded(step["object"], version))
        start(request, response, step["code"])
    elif operation == "requestObject":
        request.record_request_object(encoded(step["object"], version))
    elif operation == "patch":
        request.record_patch(step["text"].encode())
    elif operation == "annotate":
        request.annotate(step["key"], step["value"])
    elif operation == "impersonate":
        request.impersonate(user_of(step["user"]), step["constraint"])
    elif operation == "hijack":
        request.start_response(101)
        response.is_hijacked = True
    elif operation == "panic":
        raise Panic(step["text"])
    else:
        raise ValueError(f"op: expected one of a script, got {operation!r}")


def start(request: AuditedRequest, response: Response, code: int) -> None:
    request.start_response(code)
    response.start(code)


def user_of(user: Json) -> UserInfo:
    extra = {key: tuple(values) for key, values in (user["extra"] or {}).items()}
    return UserInfo(user["name"], user["uid"], tuple(user["groups"] or ()), extra)


def encoded(given: Json, version: str) -> bytes:
    """Write an object of the API as the server's typed encoder does.

    It always writes some members of the kinds that the cases have, and those of a
    Status in an order of its own. A Status is of the *version* of the request's API,
    which is empty where the path has none.
    """
    value = given
    if value["kind"] == "Status":
        value = {"metadata": {}, **given, "apiVersion": "v1" if version else None}
        value = {
            key: value[key] for key in STATUS_MEMBERS if value.get(key) is not None
        }
    elif value["kind"] == "Pod":
        spec = value["spec"]
        containers = [{**each, "resources": {}} for each in spec["containers"]]
        value = {**value, "spec": {**spec, "containers": containers}, "status": {}}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

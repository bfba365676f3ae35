"""An application's passwords are in no event, unless somebody wants them there.

Who else may be there: an auditor that was told what to mask, or not to; a second
middleware around the same auditor; a policy that is changed while requests run.
"""

import asyncio
import json
from typing import Any

import pytest

from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.event import Event
from auditring.exchange.body import BodyRules
from auditring.middleware.asgi import AuditMiddleware, Receive, Scope, Send
from auditring.policy import Policy
from auditring.redact import DEFAULT_RULES, Redactor
from auditring.redact.scrubbedquery import is_harmless_query
from auditring.request.attributes import Attributes

EVERYTHING = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
"""
FORM = b"username=alice&password=Zqsecret&csrfmiddlewaretoken=Zqtoken&next=%2F"


class Lines:
    """A log in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> bool:
        self.lines.append(line)
        return True

    def flush(self, timeout: float | None = None) -> bool:
        return True


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    assert message["type"] == "http.request"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"access_token":"Zqgiven"}'})


def event_of(
    target: str = "/login",
    body: bytes = FORM,
    resources_only: bool = False,
    **options: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the event of one request to an application with a middleware."""
    log = Lines()
    auditor = Auditor(Policy.from_yaml(EVERYTHING), LogBackend(log), **options)
    rules = BodyRules() if resources_only else BodyRules(resources_only=False)
    app = AuditMiddleware(greet, auditor, bodies=rules)
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("192.0.2.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    asyncio.run(app(scope, receive, send))
    (line,) = log.lines
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_login_form_s_password_is_masked_and_its_user_is_not() -> None:
    event = event_of()

    form = event["requestObject"]
    assert form.startswith("username=alice&password=%5Bredacted%5D&")
    assert form.endswith("&next=%2F")
    assert "Zq" not in json.dumps(event)


@pytest.mark.parametrize(
    "body",
    [
        b'{"user":"alice","password":"Zqsecret"}',
        b"<login><user>alice</user><password>Zqsecret</password></login>",
        b'--x\r\nContent-Disposition: x; name="password"\r\n\r\nZqsecret\r\n--x--',
        b"user[password]=Zqsecret",
        b"pass%77ord=Zqsecret",
        b"new_password1=Zqsecret&new_password2=Zqsecret",
        b"password: Zqsecret\nuser: alice\n",
    ],
)
def test_a_password_is_masked_in_every_kind_of_body(body: bytes) -> None:
    event = event_of(body=body)

    assert "requestObject" in event
    assert "Zqsecret" not in json.dumps(event)


@pytest.mark.parametrize(
    "target", ["/a?token=Zqsecret", "/a?b=1&auth=Zqsecret", "/a?pass%77ord=Zqsecret"]
)
def test_a_password_in_a_query_is_masked(target: str) -> None:
    assert "Zqsecret" not in json.dumps(event_of(target, b""))


def test_none_turns_masks_off() -> None:
    event = event_of(redactor=None)

    assert event["requestObject"] == FORM.decode()


def test_an_own_redactor_holds() -> None:
    event = event_of(redactor=Redactor(key=b"0123456789abcdef"))

    assert "hmac-sha256" in event["requestObject"]


def test_masks_hold_when_the_policy_and_the_backends_are_replaced() -> None:
    log = Lines()
    policy = Policy.from_yaml(EVERYTHING)
    auditor = Auditor(policy, LogBackend(log))
    AuditMiddleware(greet, auditor)
    AuditMiddleware(greet, auditor)

    auditor.replace(policy, LogBackend(log))

    assert auditor.gate.outlet.redact is not None
    auditor.replace(policy, LogBackend(log), redactor=None)
    auditor.mask_by_default()
    assert auditor.gate.outlet.redact is None


def test_an_auditor_alone_leaves_all_as_it_is() -> None:
    auditor = Auditor(Policy.from_yaml(EVERYTHING), LogBackend(Lines()))

    assert auditor.gate.outlet.redact is None


def test_a_redactor_of_another_kind_sees_every_event() -> None:
    seen = []

    class Counting(Redactor):
        def redact(self, event: Event) -> Event:
            seen.append(event)
            return super().redact(event)

    event_of(body=b"", redactor=Counting(rules=DEFAULT_RULES))

    assert len(seen) == 1


def test_a_body_that_is_for_no_resource_is_only_recorded_if_it_is_wanted() -> None:
    event = event_of(resources_only=True)

    assert event["level"] == "RequestResponse"
    assert not {"requestObject", "responseObject"} & event.keys()


def test_an_annotation_that_comes_between_two_stages_is_masked() -> None:
    log = Lines()
    policy = Policy.from_yaml(EVERYTHING.replace("omitStages", "#"))
    auditor = Auditor(policy, LogBackend(log))
    auditor.mask_by_default()

    request = auditor.begin(Attributes(verb="get", request_uri="/x"))
    request.receive()
    request.annotate("app/password", "Zqsecret")
    request.start_response(200)
    request.complete()

    first, last = log.lines
    assert b"annotations" not in first
    assert b'"app/password":"[redacted]"' in last


@pytest.mark.parametrize(
    "name",
    [
        *("auth", "sig", "Signature", "X-Goog-Signature", "otp", "PHPSESSID", "token"),
        *("passcode", "SAMLResponse", "id_token_hint", "pwd", "X-Amz-Credential"),
    ],
)
def test_no_secret_parameter_is_taken_for_a_harmless_one(name: str) -> None:
    uri = f"/a?b=c&{name}=Zqsecret"

    assert not is_harmless_query(uri)
    assert "Zqsecret" not in json.dumps(event_of(uri, b""))

import io
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse

import pytest
from eventlog import EventLog, FullLog, policy_of
from loopback import LIMIT_S, wsgi_server

from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.middleware.wsgi import AuditMiddleware, audited
from auditring.policy import Policy

ORDER = "/apis/shop.example/v1/namespaces/north/orders/7"
JSON = [("Content-Type", "application/json")]

Environ = dict[str, Any]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [*JSON, ("Content-Length", str(len(body)))])
    return [body]


def greet(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def crash(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    raise ValueError("odd")


def wrapped(
    app: Any,  # noqa: ANN401
    log: EventLog,
    policy: Policy | None = None,
    **options: Any,  # noqa: ANN401
) -> AuditMiddleware:
    return AuditMiddleware(app, Auditor(policy or policy_of(), log.writer), **options)


def environ_of(method: str = "GET", body: bytes = b"", **members: str) -> Environ:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": ORDER,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "10.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        **members,
    }


def call(
    app: Any,  # noqa: ANN401
    environ: Environ,
    take: int = sys.maxsize,
) -> tuple[list[tuple[str, list[tuple[str, str]]]], list[bytes]]:
    """Call *app* as a server does, for *take* chunks of its answer."""
    starts: list[tuple[str, list[tuple[str, str]]]] = []
    chunks: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        starts.append((status, headers))
        return chunks.append

    body = app(environ, start_response)
    try:
        for chunk in body:
            chunks.append(chunk)
            take -= 1
            if not take:
                break
    finally:
        if hasattr(body, "close"):
            body.close()
    return starts, chunks


# Over a server.


def test_a_request_has_an_event_a_stage(log: EventLog) -> None:
    app = wrapped(greet, log, user=lambda environ: "alice")

    with wsgi_server(app) as client:
        answer = client.send(
            "GET", ORDER + "?pretty", headers={"User-Agent": "test", "Audit-ID": "id-1"}
        )

    assert (answer.code, answer.body) == (200, b"hello")
    assert answer.headers["audit-id"] == "id-1"
    received, complete = log.events()
    assert received["stage"] == "RequestReceived"
    assert complete["stage"] == "ResponseComplete"
    assert complete["auditID"] == "id-1"
    assert complete["requestURI"] == ORDER + "?pretty"
    assert complete["userAgent"] == "test"
    assert complete["sourceIPs"] == ["127.0.0.1"]
    assert complete["user"]["username"] == "alice"
    assert complete["objectRef"]["name"] == "7"
    assert complete["responseStatus"] == {"metadata": {}, "code": 200}


def test_the_event_is_there_before_the_client_has_the_answer(log: EventLog) -> None:
    with wsgi_server(wrapped(greet, log)) as client:
        client.send("GET", "/")

        assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_events_are_stages_times_requests(log: EventLog) -> None:
    with wsgi_server(wrapped(greet, log)) as client:
        client.send_many("GET", "/orders/{}", 100, 4)

    stages = log.stages()
    assert len(stages) == 2 * 100 * 4
    assert stages.count("ResponseComplete") == 100 * 4


def test_an_exception_is_a_panic_and_goes_on(log: EventLog) -> None:
    with wsgi_server(wrapped(crash, log)) as client:
        answer = client.send("GET", "/")

    assert answer.code == 500
    assert log.stages() == ["RequestReceived", "Panic"]


def test_a_body_is_read_only_when_the_application_wants_it(log: EventLog) -> None:
    def refuse(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("413 Too Large", [("Content-Length", "0")])
        return []

    with wsgi_server(wrapped(refuse, log, policy_of("Request"))) as client:
        connection = socket.create_connection(("127.0.0.1", client.port), LIMIT_S)
        with connection:
            connection.sendall(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n")
            assert b" 413 " in connection.recv(65536)

    assert "requestObject" not in log.events()[-1]


# Answers.


def test_an_exception_in_the_middle_of_an_answer_is_a_panic(log: EventLog) -> None:
    def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        call(wrapped(stream, log), environ_of())

    assert log.stages() == ["RequestReceived", "Panic"]


def test_an_answer_without_length_is_complete_at_its_end(log: EventLog) -> None:
    def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", JSON)
        yield b""
        yield b'{"a":'
        assert log.stages() == ["RequestReceived"]
        yield b"1}"

    call(wrapped(stream, log, policy_of("RequestResponse")), environ_of())

    assert log.stages() == ["RequestReceived", "ResponseComplete"]
    assert log.events()[-1]["responseObject"] == {"a": 1}


def test_an_answer_that_nobody_reads_to_its_end_is_truncated(log: EventLog) -> None:
    class Chunks:
        is_closed = False

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"[", b"]"])

        def close(self) -> None:
            self.is_closed = True

    chunks = Chunks()

    def stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", JSON)
        return chunks

    call(wrapped(stream, log, policy_of("RequestResponse")), environ_of(), take=1)

    assert chunks.is_closed
    assert log.events()[-1]["annotations"] == {
        "audit.platform.vcluster.com/response-object-omitted": "truncated",
        "auditring.io/response-incomplete": "closed-early",
    }


def test_headers_count_when_they_go_out(log: EventLog) -> None:
    def recover(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError("odd")
        except ValueError:
            start_response("503 Sorry", [], sys.exc_info())
        return [b"sorry"]

    call(wrapped(recover, log), environ_of())

    assert log.events()[-1]["responseStatus"]["code"] == 503


def test_what_is_written_the_old_way_counts(log: EventLog) -> None:
    def write(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", JSON)
        write(b'{"a":')
        return [b"1}"]

    _, chunks = call(wrapped(write, log, policy_of("RequestResponse")), environ_of())

    assert chunks == [b'{"a":', b"1}"]
    assert log.events()[-1]["responseObject"] == {"a": 1}


def test_a_stream_of_events_has_started(log: EventLog) -> None:
    def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b"data: 1\n\n"

    call(wrapped(stream, log, policy_of("RequestResponse")), environ_of())

    stages = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert log.stages() == stages
    assert "responseObject" not in log.events()[-1]


def test_a_request_that_is_not_recorded_has_an_audit_id(log: EventLog) -> None:
    app = wrapped(greet, log, policy_of("None"))
    starts, chunks = call(app, environ_of(HTTP_AUDIT_ID="id-1"))

    assert ("Audit-ID", "id-1") in starts[0][1]
    assert chunks == [b"hello"]
    assert log.events() == []


# Requests.


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: [stream.read(4), stream.read(4), stream.read(4)],
        lambda stream: [stream.readline(), stream.readline(100), stream.readline()],
        lambda stream: stream.readlines(),
        list,
    ],
    ids=["at once", "in pieces", "by lines", "all lines", "as an iterator"],
)
def test_a_body_is_recorded_however_it_is_read(
    log: EventLog,
    read: Callable[[Any], object],
) -> None:
    def consume(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        read(environ["wsgi.input"])
        start_response("204 No Content", [])
        return []

    app = wrapped(consume, log, policy_of("Request"))
    call(app, environ_of("PUT", b'{"a":\n1}'))

    assert log.events()[-1]["requestObject"] == {"a": 1}


def test_half_a_body_is_not_recorded(log: EventLog) -> None:
    def consume(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(2)
        start_response("204 No Content", [])
        return []

    app = wrapped(consume, log, policy_of("Request"))
    call(app, environ_of("PUT", b"12345"))

    note = "audit.platform.vcluster.com/request-object-omitted"
    assert log.events()[-1]["annotations"] == {note: "truncated"}


READ_ALL = [
    lambda stream: stream.read(),
    lambda stream: stream.readlines(),
    list,
]


@pytest.mark.parametrize("read", READ_ALL, ids=["at once", "all lines", "by lines"])
def test_a_body_that_ends_before_its_length_is_not_recorded(
    log: EventLog, read: Callable[[Any], object]
) -> None:
    def consume(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        read(environ["wsgi.input"])
        start_response("204 No Content", [])
        return []

    app = wrapped(consume, log, policy_of("Request"))
    call(app, environ_of("PUT", b"12345", CONTENT_LENGTH="9"))

    note = "audit.platform.vcluster.com/request-object-omitted"
    assert log.events()[-1]["annotations"] == {note: "truncated"}


@pytest.mark.parametrize("read", READ_ALL, ids=["at once", "all lines", "by lines"])
def test_a_body_without_a_length_is_recorded(
    log: EventLog, read: Callable[[Any], object]
) -> None:
    def consume(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        read(environ["wsgi.input"])
        start_response("204 No Content", [])
        return []

    app = wrapped(consume, log, policy_of("Request"))
    call(app, environ_of("PUT", b"12345", CONTENT_LENGTH=""))

    assert log.events()[-1]["requestObject"] == 12345


def test_a_path_is_put_together_if_the_server_does_not_keep_it(log: EventLog) -> None:
    environ = environ_of(
        SCRIPT_NAME="/caf\xc3\xa9", PATH_INFO="/a b", QUERY_STRING="x=%20"
    )
    call(wrapped(greet, log), environ)
    call(wrapped(greet, log), environ_of(RAW_URI="/caf%c3%a9?x=1"))

    uris = [event["requestURI"] for event in log.events()[::2]]
    assert uris == ["/caf%C3%A9/a%20b?x=%20", "/caf%c3%a9?x=1"]


def test_the_outermost_of_two_audits(log: EventLog) -> None:
    call(wrapped(wrapped(greet, log), log), environ_of())

    assert log.stages() == ["RequestReceived", "ResponseComplete"]


def test_the_application_finds_its_audited_request(log: EventLog) -> None:
    def annotate(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        audited(environ).annotate("shop.example/basket", "7")
        return greet(environ, start_response)

    call(wrapped(annotate, log), environ_of(REMOTE_USER="alice"))

    complete = log.events()[-1]
    assert complete["annotations"] == {"shop.example/basket": "7"}
    assert complete["user"]["username"] == "alice"


def test_a_request_that_cannot_be_recorded_is_not_carried_out() -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    app = AuditMiddleware(crash, Auditor(policy_of(), strict))

    starts, chunks = call(app, environ_of(HTTP_AUDIT_ID="id-1"))

    assert starts[0][0].startswith("500 ")
    assert ("Audit-ID", "id-1") in starts[0][1]
    assert b"failed to store audit event" in chunks[0]

import logging
import logging.handlers
import pickle
import queue
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from bystander import Bystander
from eventlog import EventLog, FullLog, policy_of

from auditring import LogWriter
from auditring.audit.auditor import Auditor
from auditring.backends.backend import OutgoingEvent
from auditring.backends.handler import HandlerBackend
from auditring.backends.log import LogBackend
from auditring.backends.losses import Losses
from auditring.encode import json_line
from auditring.errors import ClosedError, RefusedError
from auditring.event import Event, Level, Stage, UserInfo
from auditring.event.status import Status
from auditring.redact import Redactor
from auditring.request.attributes import Attributes

TARGET = "/api/v1/namespaces/shop/configmaps/prices"


def attributes_of(method: str = "GET", target: str = TARGET) -> Attributes:
    return Attributes.from_request(method, target, user=UserInfo("alice"))


def ticking(step_ns: int = 1_000_000) -> Iterator[int]:
    """Yield times that are *step_ns* apart."""
    now = 1_700_000_000_000_000_000
    while True:
        yield now
        now += step_ns


class Memory:
    """A backend that keeps the events, and takes them only if told so."""

    def __init__(self, name: str = "memory", *, takes: bool = True) -> None:
        self.name = name
        self.takes = takes
        self.events: list[Event] = []
        self.is_closed = False

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        self.events += [outgoing.event for outgoing in events]
        return self.takes

    def flush(self, timeout: float | None = None) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True

    def losses(self) -> list[Losses]:
        return []

    @property
    def stages(self) -> list[str]:
        return [event.stage for event in self.events]


class Raising(Memory):
    """A backend that breaks its promise."""

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        raise ZeroDivisionError("no backend does this")


# Stages.


def test_an_ordinary_request_is_received_and_completed() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())

    request.receive()
    request.start_response(200)
    request.complete()

    assert memory.stages == ["RequestReceived", "ResponseComplete"]
    received, complete = memory.events
    assert received.stage_timestamp == received.request_received_timestamp
    assert received.response_status is None
    assert complete.response_status == Status(code=200)
    assert received.audit_id == complete.audit_id


def test_a_long_running_request_has_started_in_between() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(
        attributes_of("GET", "/api/v1/namespaces/shop/configmaps?watch=1")
    )
    request.receive()
    request.start_response(200)
    request.start_response(500)
    request.complete()

    assert memory.stages == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert memory.events[-1].response_status == Status(code=200)


def test_nothing_comes_after_the_end() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())
    request.receive()
    request.complete()

    request.annotate("late", "x")
    request.start_response(200)
    request.panic("late")
    request.complete()

    assert memory.stages == ["RequestReceived", "ResponseComplete"]
    assert memory.events[-1].annotations == {}


def test_a_context_records_what_happened_inside() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(), memory)

    with auditor.begin(attributes_of()) as request:
        request.start_response(201)
    with pytest.raises(KeyError), auditor.begin(attributes_of()):
        raise KeyError("shelf")

    assert memory.stages[1] == "ResponseComplete"
    assert memory.stages[3] == "Panic"
    status = memory.events[3].response_status
    assert status is not None
    assert status.message == "APIServer panic'd: KeyError: 'shelf'"


def test_an_error_that_was_answered_for_is_a_panic_if_the_answer_says_so() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(), memory)
    for code in (500, 404):
        request = auditor.begin(attributes_of())
        request.receive()
        request.note_error(ValueError("odd"))
        request.start_response(code)
        request.complete()

    assert memory.stages[1] == "Panic"
    assert memory.stages[3] == "ResponseComplete"


def test_a_failed_login_has_one_event() -> None:
    memory = Memory()
    auditor = Auditor(policy_of("RequestResponse"), memory)
    status = Status(status="Failure", reason="Unauthorized", code=401)

    auditor.record_failure(attributes_of(), status, b'{"kind":"Status"}')

    assert memory.stages == ["ResponseStarted"]
    assert memory.events[0].response_status == status
    assert memory.events[0].response_object == b'{"kind":"Status"}'


def test_omitted_stages_are_not_counted_either() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(omitStages=["RequestReceived"]), memory)

    with auditor.begin(attributes_of()):
        pass

    assert memory.stages == ["ResponseComplete"]
    assert auditor.counts().events[Level.METADATA] == 1


def test_a_reload_leaves_requests_under_way_as_they_are() -> None:
    memory = Memory()
    auditor = Auditor(policy_of("RequestResponse"), memory)
    request = auditor.begin(attributes_of())
    request.receive()

    auditor.reload(policy_of("None"))
    request.complete()
    with auditor.begin(attributes_of()):
        pass

    assert [event.level for event in memory.events] == [Level.REQUEST_RESPONSE] * 2
    assert auditor.counts().requests[Level.NONE] == 1


# Contents.


def test_a_reload_in_the_middle_of_a_decision_is_for_the_next() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(), memory)

    class Reloading:
        """Attributes that have the policy thrown away when they're asked for a verb."""

        def __getattr__(self, name: str) -> object:
            if name == "verb":
                auditor.reload(None)
            return getattr(attributes_of(target="/healthz"), name)

    with auditor.begin(cast(Attributes, Reloading())):
        pass

    assert memory.stages == ["RequestReceived", "ResponseComplete"]
    assert auditor.policy is None


def test_the_first_value_of_an_annotation_stays() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(), memory)
    request = auditor.begin(attributes_of())

    request.annotate("a", "1")
    request.annotate("a", "1")
    request.annotate("a", "2")
    request.complete()

    assert memory.events[0].annotations == {"a": "1"}
    assert auditor.counts().annotation_conflicts == 1


def test_an_event_that_is_kept_does_not_change_with_the_request() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of("POST", TARGET))
    request.annotate("a", "1")
    request.receive()

    request.annotate("b", "2")
    request.fill_object_ref(uid="u")
    request.complete()

    assert memory.events[0].annotations == {"a": "1"}
    first, last = (event.object_ref for event in memory.events)
    assert first is not None
    assert last is not None
    assert (first.uid, last.uid) == ("", "u")


@pytest.mark.parametrize(
    ("level", "request_object", "response_object"),
    [
        ("Metadata", None, None),
        ("Request", b'{"metadata":{"name":"x"}}', None),
        ("RequestResponse", b'{"metadata":{"name":"x"}}', b'["answer"]'),
    ],
)
def test_objects_are_there_as_the_level_says(
    level: str, request_object: bytes | None, response_object: bytes | None
) -> None:
    memory = Memory()
    target = "/api/v1/namespaces/shop/configmaps"
    request = Auditor(policy_of(level), memory).begin(attributes_of("POST", target))

    request.record_request_object({"metadata": {"name": "x"}})
    request.record_response_object(["answer"])
    request.complete()

    assert memory.events[0].request_object == request_object
    assert memory.events[0].response_object == response_object
    reference = memory.events[0].object_ref
    assert reference is not None
    assert reference.name == "x"


def test_a_status_tells_more_than_the_code_at_every_level() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())
    body = {"kind": "Status", "apiVersion": "v1", "reason": "Gone", "code": 410}

    request.record_response_object(body)
    request.start_response(410)
    request.complete()

    assert memory.events[0].response_status == Status(reason="Gone", code=410)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"kind":"Status"', b'{"kind":"Status","code":"x"}', b"\xff"]
)
def test_an_answer_that_is_no_status_leaves_the_code(body: bytes) -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())

    request.record_response_object(body)
    request.start_response(200)
    request.complete()

    assert memory.events[0].response_status == Status(code=200)


def test_managed_fields_are_left_out_where_the_rule_says_so() -> None:
    memory = Memory()
    policy = policy_of("RequestResponse", omitManagedFields=True)
    request = Auditor(policy, memory).begin(attributes_of("PUT"))
    body = {"metadata": {"name": "x", "managedFields": [{"manager": "m"}]}}

    request.record_request_object(body)
    request.record_response_object(body)
    request.complete()

    assert memory.events[0].request_object == b'{"metadata":{"name":"x"}}'
    assert memory.events[0].response_object == b'{"metadata":{"name":"x"}}'


def test_a_user_that_turns_up_late_is_in_later_stages() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())
    request.receive()

    request.identify(UserInfo("bob"))
    request.complete()

    assert [event.user.username for event in memory.events] == ["alice", "bob"]


def test_impersonation_shows_once_it_is_granted() -> None:
    memory = Memory()
    request = Auditor(policy_of(), memory).begin(attributes_of())
    request.receive()

    request.impersonate(UserInfo("bob"), "impersonate:user-info")
    request.complete()

    before, after = memory.events
    assert before.impersonated_user is None
    assert after.impersonated_user == UserInfo("bob")
    assert after.authentication_metadata is not None


def test_a_slow_request_says_where_the_time_went() -> None:
    memory = Memory()
    auditor = Auditor(
        policy_of(),
        memory,
        latencies=True,
        clock_ns=ticking(300_000_000).__next__,
    )
    request = auditor.begin(attributes_of())
    request.start_response(200)
    request.add_latency("authentication", 2_000_000)
    request.complete()
    assert memory.events[0].annotations == {}

    request = auditor.begin(attributes_of(), received_ns=1_700_000_000_000_000_000)
    request.add_latency("authentication", 1_500_000)
    request.add_latency("authentication", 500_000)
    request.complete()

    assert memory.events[1].annotations == {
        "apiserver.latency.k8s.io/authentication": "2ms",
        "apiserver.latency.k8s.io/total": "900ms",
    }


def test_a_gateways_target_is_an_annotation() -> None:
    memory = Memory()
    attributes = Attributes.from_request(
        "GET", TARGET, request_target="Cluster", cluster="north"
    )

    Auditor(policy_of(), memory).begin(attributes).complete()

    assert memory.events[0].annotations == {
        "auditring.io/cluster": "north",
        "auditring.io/request-target": "Cluster",
    }


def test_what_a_redactor_masks_is_in_no_output(tmp_path: Path) -> None:
    secret = "c2VjcmV0LXZhbHVlLW9mLXRoZS10ZXN0"
    memory = Memory()
    target = "/api/v1/namespaces/shop/secrets/key"
    with EventLog(tmp_path) as log:
        auditor = Auditor(
            policy_of("RequestResponse"), [memory, log.writer], redactor=Redactor()
        )
        request = auditor.begin(attributes_of("PUT", target))
        request.record_request_object(
            {"kind": "Secret", "apiVersion": "v1", "data": {"token": secret}}
        )
        request.complete()
        written = log.events()

    assert written[0]["requestObject"]["kind"] == "Secret"
    assert secret not in str(written)
    assert secret not in str(memory.events)


# Backends.


def test_a_log_is_called_before_all_others(tmp_path: Path) -> None:
    memory = Memory()
    with EventLog(tmp_path) as log:
        auditor = Auditor(policy_of(), [memory, log.writer])

    assert [backend.name for backend in auditor.backends] == ["log", "memory"]


def lines_of(folder: Path, *others: Memory, redactor: Redactor | None = None) -> bytes:
    """Return what a log gets of some requests, alone or with *others* beside it."""
    folder.mkdir()
    times = ticking()
    with EventLog(folder) as log:
        auditor = Auditor(
            policy_of(),
            [log.writer, *others],
            redactor=redactor,
            clock_ns=lambda: next(times),
        )
        for target in (TARGET, "/healthz?token=abc", "/x?" + "&" * 3000):
            headers = [("audit-id", "id-1"), ("user-agent", "<a>" * 300)]
            user = UserInfo("alice", groups=("a", "b" * 900), extra={"k": ("v",)})
            attributes = Attributes.from_request(
                "GET", target, headers=headers, user=user
            )
            request = auditor.begin(attributes)
            request.receive()
            request.annotate("note", "\u2028")
            request.start_response(200)
            request.complete()
            request = auditor.begin(attributes)
            request.receive()
            request.impersonate(UserInfo("bob"))
            request.panic("odd")
        log.events()
        return log.path.read_bytes()


@pytest.mark.parametrize("redactor", [None, Redactor()])
def test_a_log_has_the_same_lines_with_a_neighbour_and_without(
    tmp_path: Path, redactor: Redactor | None
) -> None:
    memory = Memory()

    alone = lines_of(tmp_path / "alone", redactor=redactor)
    beside = lines_of(tmp_path / "beside", memory, redactor=redactor)

    assert alone == beside
    assert alone == b"".join(json_line(event) for event in memory.events)
    assert (b"abc" in alone) is (redactor is None)


def test_a_log_that_writes_in_its_own_way_is_asked_to(tmp_path: Path) -> None:
    class CountingLog(LogWriter):
        written = 0

        def write(self, data: bytes, /) -> bool:
            self.written += 1
            return super().write(data)

    with CountingLog(tmp_path / "audit.log") as writer:
        auditor = Auditor(policy_of(), writer)
        with auditor.begin(attributes_of()):
            pass

        assert writer.written == 2


def test_a_line_that_the_log_drops_is_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    # Another process leads the log, and doesn't empty the ring.
    with Bystander(path) as leader:
        leader.stop()
        with LogWriter(path, ring_bytes=64 * 1024, on_full="drop") as writer:
            auditor = Auditor(policy_of(omitStages=["RequestReceived"]), writer)
            for _ in range(1000):
                request = auditor.begin(attributes_of())
                request.start_response(200)
                request.complete()
            dropped = writer.stats().dropped_records

            assert 0 < dropped < 1000
            assert auditor.counts().lost["log"] == dropped
            leader.resume()


def test_a_log_that_is_closed_costs_the_event(tmp_path: Path) -> None:
    lost: list[tuple[str, Exception, Sequence[Event]]] = []
    writer = LogWriter(tmp_path / "audit.log")
    backend = LogBackend(
        writer, mode="blocking-strict", on_loss=lambda *loss: lost.append(loss)
    )
    auditor = Auditor(policy_of(), backend)
    writer.close()

    assert not auditor.begin(attributes_of()).receive()

    ((plugin, error, events),) = lost
    assert (plugin, type(error), len(events)) == ("log", ClosedError, 1)
    assert events[0].stage == Stage.REQUEST_RECEIVED


def test_what_no_line_can_be_made_of_is_a_loss(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        auditor = Auditor(policy_of(), log.writer)
        odd = replace(attributes_of(), verb=5)  # type: ignore[arg-type]

        assert auditor.begin(odd).receive()

        assert auditor.counts().lost == {"auditor": 0, "log": 1}
        assert log.writer.stats().dropped_records == 1


def test_one_backends_failure_does_not_stop_the_next() -> None:
    memory = Memory()
    auditor = Auditor(policy_of(), [LogBackend(FullLog()), Raising("odd"), memory])

    with auditor.begin(attributes_of()):
        pass

    assert memory.stages == ["RequestReceived", "ResponseComplete"]
    counts = auditor.counts()
    assert counts.lost == {"auditor": 2, "log": 2}
    assert counts.events[Level.METADATA] == 2


def test_a_strict_backend_that_fails_has_the_request_refused() -> None:
    memory = Memory()
    strict = LogBackend(FullLog(), mode="blocking-strict")
    auditor = Auditor(policy_of(), [strict, memory])
    request = auditor.begin(attributes_of())

    assert not request.receive()

    request.start_response(200)
    request.complete()
    assert memory.stages == ["RequestReceived"]
    assert auditor.counts().refused == 1
    with pytest.raises(RefusedError), auditor.begin(attributes_of()):
        pytest.fail("it is refused")


def test_only_the_first_stage_can_have_a_request_refused() -> None:
    strict = Memory(takes=False)
    auditor = Auditor(policy_of(omitStages=["RequestReceived"]), strict)
    request = auditor.begin(attributes_of())

    assert request.receive()
    request.complete()

    assert strict.stages == ["ResponseComplete"]
    assert auditor.counts().refused == 0


def test_without_a_policy_everything_is_recorded_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = Memory()
    auditor = Auditor(None, memory)

    with auditor.begin(attributes_of()) as request:
        request.record_request_object(b"{}")
        request.start_response(200)

    assert [event.level for event in memory.events] == ["RequestResponse"] * 2
    assert memory.events[-1].request_object == b"{}"
    assert auditor.policy is None
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("auditring", "WARNING")
    assert "no policy is given, so everything is recorded" in record.getMessage()


def test_without_backends_nothing_is_recorded_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    auditor = Auditor(policy_of())

    with auditor.begin(attributes_of()) as request:
        request.annotate("a", "1")
        request.record_request_object(b"{}")
        request.start_response(200)

    assert not request.is_enabled
    assert request.audit_id
    assert auditor.counts().requests[Level.METADATA] == 0
    assert "NOTHING IS RECORDED" in caplog.text


def test_with_a_policy_and_a_backend_nothing_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Auditor(policy_of(), Memory())

    assert not caplog.records


def test_what_is_no_backend_is_named() -> None:
    with pytest.raises(TypeError, match="backends: expected a Backend"):
        Auditor(policy_of(), ["audit.log"])  # type: ignore[list-item]


def test_closing_closes_every_backend() -> None:
    memories = [Memory(), Memory()]
    auditor = Auditor(policy_of(), memories)

    assert auditor.flush()
    auditor.close()

    assert all(memory.is_closed for memory in memories)


def test_counts_are_exact_with_many_threads(tmp_path: Path) -> None:
    def serve() -> None:
        for _ in range(500):
            with auditor.begin(attributes) as request:
                request.start_response(200)

    attributes = attributes_of()
    with EventLog(tmp_path) as log:
        auditor = Auditor(policy_of(), log.writer)
        threads = [threading.Thread(target=serve) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stages = log.stages()

    counts = auditor.counts()
    assert counts.requests[Level.METADATA] == 8 * 500
    assert counts.events[Level.METADATA] == 2 * 8 * 500
    assert len(stages) == 2 * 8 * 500
    assert stages.count(Stage.RESPONSE_COMPLETE) == 8 * 500


# Handlers of the logging module.


def test_a_record_carries_the_event_and_its_line() -> None:
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(records)
    auditor = Auditor(policy_of(), handler)

    auditor.begin(attributes_of()).complete()

    record = records.get_nowait()
    event = Event.from_json(record.getMessage())
    assert event.stage == "ResponseComplete"
    assert record.event == event  # type: ignore[attr-defined]
    assert record.levelno == logging.INFO


def test_a_syslog_handler_sends_the_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        handler = logging.handlers.SysLogHandler(server.getsockname())
        Auditor(policy_of(), handler).begin(attributes_of()).complete()
        received = server.recv(65536)
        handler.close()

    priority, _, line = received.partition(b">")
    assert priority == b"<14"
    assert Event.from_json(line.rstrip(b"\0")).verb == "get"


def test_a_socket_handler_pickles_no_class_of_this_package() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        handler = logging.handlers.SocketHandler(*server.getsockname())
        Auditor(policy_of(), handler).begin(attributes_of()).complete()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            (size,) = struct.unpack(">L", stream.read(4))
            pickled = stream.read(size)
        handler.close()

    assert b"auditring.event" not in pickled
    members = pickle.loads(pickled)
    assert Event.from_json(members["msg"]).stage == "ResponseComplete"


def test_level_and_filters_of_a_handler_count() -> None:
    handler = logging.handlers.MemoryHandler(100)
    auditor = Auditor(policy_of(), handler)

    handler.setLevel(logging.ERROR)
    auditor.begin(attributes_of()).complete()
    handler.setLevel(logging.INFO)
    handler.addFilter(lambda record: "ResponseComplete" in record.getMessage())
    with auditor.begin(attributes_of()):
        pass

    assert len(handler.buffer) == 1
    assert auditor.counts().lost["MemoryHandler"] == 0


def test_a_handler_in_trouble_has_lost_the_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                raise OSError("unplugged")
            except OSError:
                self.handleError(record)

    lost: list[tuple[str, str]] = []
    backend = HandlerBackend(
        Broken(),
        name="cable",
        mode="blocking-strict",
        on_loss=lambda plugin, error, events: lost.append((plugin, str(error))),
    )
    auditor = Auditor(policy_of(), backend)

    assert not auditor.begin(attributes_of()).receive()

    assert auditor.counts().lost["cable"] == 1
    assert lost == [("cable", "unplugged")]
    # What the handler does about it, it still does.
    assert "unplugged" in capsys.readouterr().err

from collections.abc import Iterator
from pathlib import Path

import pytest
from eventlog import EventLog, FullLog, policy_of
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from auditring import LogWriter, __version__
from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.metrics import Collector, Family, exposition, families
from auditring.request.attributes import Attributes

GET = Attributes.from_request("GET", "/")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path) as log:
        yield log


def read(text: str) -> dict[str, float]:
    """Return every sample of *text* as Prometheus' own library reads it."""
    return {
        sample.name + str(dict(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_kubernetes_counters_count(log: EventLog) -> None:
    strict = LogBackend(FullLog(), mode="blocking-strict")
    auditor = Auditor(policy_of(), [log.writer, strict])
    auditor.begin(GET).receive()
    auditor.reload(policy_of("None"))
    auditor.begin(GET).receive()

    samples = read(exposition(families(auditor)))

    assert samples["apiserver_audit_event_total{}"] == 1
    assert samples["apiserver_audit_error_total{'plugin': 'log'}"] == 1
    assert samples["apiserver_audit_level_total{'level': 'Metadata'}"] == 1
    assert samples["apiserver_audit_level_total{'level': 'None'}"] == 1
    assert samples["apiserver_audit_level_total{'level': 'Request'}"] == 0
    assert samples["apiserver_audit_requests_rejected_total{}"] == 1


def test_our_own_counters_count(log: EventLog) -> None:
    auditor = Auditor(policy_of(), log.writer)
    with auditor.begin(GET) as request:
        request.annotate("a", "1")
        request.annotate("a", "2")
    log.writer.flush()

    samples = read(exposition(families(auditor, {"audit": log.writer})))

    event_key = "auditring_events_total{'backend': 'log', 'level': 'Metadata'}"
    assert samples[event_key] == 2
    assert samples["auditring_annotation_conflicts_total{}"] == 1
    assert samples["auditring_records_total{'log': 'audit'}"] == 2
    size = log.path.stat().st_size
    assert samples["auditring_write_bytes_total{'log': 'audit'}"] == size
    assert samples["auditring_ring_capacity_bytes{'log': 'audit'}"] >= 65536
    assert samples["auditring_health{'health': 'ok', 'log': 'audit'}"] == 1
    assert samples[f"auditring_build_info{{'version': '{__version__}'}}"] == 1


def test_a_closed_log_is_left_out(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "audit.log")
    writer.close()

    assert "log=" not in exposition(families(None, {"audit": writer}))


def test_labels_and_help_are_escaped() -> None:
    family = Family(
        "odd_total", "counter", "a\\b\nc", (({"x": 'q"\\\n'}, 1.5), ({}, 1e20))
    )

    text = exposition([family])

    assert text.splitlines()[0] == r"# HELP odd_total a\\b\nc"
    (parsed,) = text_string_to_metric_families(text)
    assert [(sample.labels, sample.value) for sample in parsed.samples] == [
        ({"x": 'q"\\\n'}, 1.5),
        ({}, 1e20),
    ]


def test_a_registry_collects_the_same(log: EventLog) -> None:
    auditor = Auditor(policy_of(), log.writer)
    logs = {"audit": log.writer}
    registry = CollectorRegistry()
    registry.register(Collector(auditor, logs))

    collected = read(generate_latest(registry).decode())

    assert collected == read(exposition(families(auditor, logs)))

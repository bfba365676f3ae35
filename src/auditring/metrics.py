"""What an auditor and its logs counted, for Prometheus.

Nothing is added up for it: counters that are there anyway are read when somebody asks.
Those of an auditor are of this process. Those of a log are of all processes that write
to it, so one of them tells enough.

The names that begin with ``apiserver_`` are Kubernetes', so that its dashboards work.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ._version import __version__
from .audit.auditor import Auditor
from .audit.reloads import ReloadCounts
from .log.stats import HEALTH, Stats
from .log.writer import LogWriter

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["CONTENT_TYPE", "Collector", "Family", "exposition", "families"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `exposition` returns, in an HTTP response."""

Kind = Literal["counter", "gauge"]
Labels = Mapping[str, str]

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its samples.

    Attributes:
        name: A counter's ends in ``_total``.
        kind: What it is.
        help: What it says, in a line.
        samples: Values by labels.
    """

    name: str
    kind: Kind
    help: str
    samples: tuple[tuple[Labels, float], ...]


# By the member of `Stats` that it's read from: name, kind, help, what to divide by.
_LOG_METRICS: Mapping[str, tuple[str, Kind, str, float]] = {
    "records_written": ("records", "counter", "Records in the file.", 1),
    "bytes_written": ("write_bytes", "counter", "Bytes in the file.", 1),
    "batches_written": ("writes", "counter", "Appends to the file.", 1),
    "gap_events": ("gap_events", "counter", "Gap events in the file.", 1),
    "rotations": ("rotations", "counter", "Backups made.", 1),
    "recovered_records": (
        "recovered_records",
        "counter",
        "Records written for a process that had ended.",
        1,
    ),
    "salvaged_records": (
        "salvaged_records",
        "counter",
        "Records saved after a reboot.",
        1,
    ),
    "oversize_records": (
        "oversize_records",
        "counter",
        "Records larger than a file may be.",
        1,
    ),
    "leader_changes": (
        "leader_changes",
        "counter",
        "Times that another process took over writing.",
        1,
    ),
    "syncs": ("syncs", "counter", "Syncs to the disk.", 1),
    "dropped_bytes": ("dropped_bytes", "counter", "Bytes of dropped records.", 1),
    "blocked_ns": (
        "blocked_seconds",
        "counter",
        "Time that writes waited for room in the ring.",
        _NS_PER_S,
    ),
    "ring_capacity": (
        "ring_capacity_bytes",
        "gauge",
        "Size of this process's ring.",
        1,
    ),
    "ring_used": ("ring_used_bytes", "gauge", "What of it waits to be written.", 1),
    "live_slots": ("ring_processes", "gauge", "Rings that are in use.", 1),
    "leads": ("leader", "gauge", "Whether this process writes for all.", 1),
    "leader_silent_s": (
        "leader_silent_seconds",
        "gauge",
        "Time since the process that writes for all began its last round.",
        1,
    ),
    "backups_compressed": ("backups_compressed", "counter", "Backups compressed.", 1),
    "backups_removed": ("backups_removed", "counter", "Backups removed.", 1),
}
# Reasons that a record isn't in the file, by the member of `Stats`.
_DROPS = {
    "dropped_records": "ring-full",
    "refused_records": "refused",
    "abandoned_reservations": "process-died",
    "damaged_records": "damaged",
}
# What failed in the background, likewise.
_ERRORS = {
    "write_errors": "write",
    "sync_errors": "sync",
    "rotate_errors": "rotate",
    "mill_errors": "backups",
}


def families(
    auditor: Auditor | None = None, logs: Mapping[str, LogWriter] | None = None
) -> list[Family]:
    """Return every metric, as it stands.

    Args:
        auditor: Whose requests and events.
        logs: Open logs by the name that the label ``log`` gives them, besides those
            that the auditor opened itself. One that is closed is left out.
    """
    found = [
        Family(
            "auditring_build_info",
            "gauge",
            "The version, as a label.",
            (({"version": __version__}, 1),),
        )
    ]
    if auditor is not None:
        found += _auditor_families(auditor)
        if auditor.reloads is not None:
            found += _reload_families(auditor.reloads)
    known = {**(auditor.logs if auditor is not None else {}), **(logs or {})}
    stats = {name: log.stats() for name, log in known.items() if not log.closed}
    if stats:
        found += _log_families(stats)
    return found


def _auditor_families(auditor: Auditor) -> Iterator[Family]:
    counts = auditor.counts()
    yield _total(
        "apiserver_audit_event",
        "Audit events generated and sent to the audit backends.",
        [({}, sum(counts.events.values()))],
    )
    yield _total(
        "apiserver_audit_error",
        "Audit events that failed to be audited properly, by plugin.",
        [({"plugin": plugin}, lost) for plugin, lost in counts.lost.items()],
    )
    yield _total(
        "apiserver_audit_level",
        "Policy levels of audited requests.",
        [({"level": str(level)}, count) for level, count in counts.requests.items()],
    )
    yield _total(
        "apiserver_audit_requests_rejected",
        "Requests rejected because of an error in audit logging.",
        [({}, counts.refused)],
    )
    yield _total(
        "auditring_events",
        "Events handed to each backend, by level.",
        [
            ({"backend": backend.name, "level": str(level)}, count)
            for backend in auditor.backends
            for level, count in counts.events.items()
        ],
    )
    yield _total(
        "auditring_annotation_conflicts",
        "Annotations that already had another value.",
        [({}, counts.annotation_conflicts)],
    )


def _reload_families(reloads: ReloadCounts) -> Iterator[Family]:
    yield _total(
        "auditring_config_reloads",
        "Times that the configuration was loaded again, by what became of it.",
        [
            ({"result": result}, getattr(reloads, result))
            for result in ("applied", "unchanged", "refused")
        ],
    )
    yield Family(
        "auditring_config_last_reload_successful",
        "gauge",
        "Whether the last one wasn't refused.",
        (({}, float(reloads.is_good)),),
    )
    yield Family(
        "auditring_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration was last found good.",
        (({}, reloads.good_at_s),),
    )


def _log_families(stats: Mapping[str, Stats]) -> Iterator[Family]:
    for member, (name, kind, text, divisor) in _LOG_METRICS.items():
        suffix = "_total" if kind == "counter" else ""
        samples = [
            ({"log": log}, getattr(each, member) / divisor)
            for log, each in stats.items()
        ]
        yield Family(f"auditring_{name}{suffix}", kind, text, tuple(samples))
    yield _total(
        "auditring_events_dropped",
        "Records that are not in the file, by reason.",
        _by_reason(stats, _DROPS, "reason"),
    )
    yield _total(
        "auditring_errors",
        "Failures in the background, by what failed.",
        _by_reason(stats, _ERRORS, "operation"),
    )
    health = [
        ({"log": log, "health": health}, float(each.health == health))
        for log, each in stats.items()
        for health in HEALTH
    ]
    yield Family("auditring_health", "gauge", "How the log gets on.", tuple(health))


def _by_reason(
    stats: Mapping[str, Stats], members: Mapping[str, str], label: str
) -> list[tuple[Labels, float]]:
    return [
        ({"log": log, label: reason}, getattr(each, member))
        for log, each in stats.items()
        for member, reason in members.items()
    ]


def _total(name: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Family:
    return Family(f"{name}_total", "counter", text, tuple(samples))


def exposition(found: Iterable[Family]) -> str:
    """Write metrics in Prometheus' text format, version 0.0.4."""
    lines: list[str] = []
    for family in found:
        lines.append(f"# HELP {family.name} {_escape(family.help)}\n")
        lines.append(f"# TYPE {family.name} {family.kind}\n")
        for labels, value in family.samples:
            lines.append(f"{family.name}{_labels_text(labels)} {_number(value)}\n")
    return "".join(lines)


def _labels_text(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (
        '{}="{}"'.format(name, _escape(value).replace('"', r"\""))
        for name, value in labels.items()
    )
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


class Collector:
    """Gives the metrics to a registry of prometheus_client.

    ::

        REGISTRY.register(Collector(auditor, {"audit": writer}))
    """

    def __init__(
        self,
        auditor: Auditor | None = None,
        logs: Mapping[str, LogWriter] | None = None,
    ) -> None:
        """Take what `families` takes."""
        self._auditor = auditor
        self._logs = logs

    def collect(self) -> "Iterator[Metric]":
        """Yield every metric, as it stands."""
        # Only programs that have this library have a registry.
        from prometheus_client import Metric

        for family in families(self._auditor, self._logs):
            name = family.name.removesuffix("_total")
            metric = Metric(name, family.help, family.kind)
            for labels, value in family.samples:
                metric.add_sample(family.name, dict(labels), value)
            yield metric

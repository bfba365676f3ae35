"""What the truncating backend passes on of events, for who has no backend behind it."""

from collections.abc import Iterable

from conformance_kinds.truncate import Passed

from auditring.backends.backend import KeptEvent
from auditring.backends.truncate import Truncate
from auditring.encode import json_line
from auditring.event import Event
from auditring.event.truncation import TruncationLimits

__all__ = ["truncate"]


def truncate(events: Iterable[Event], limits: TruncationLimits) -> Passed:
    """Send *events* through the backend."""
    passed = Passed()
    backend = Truncate(
        passed, limits, on_loss=lambda _, __, lost: passed.dropped.extend(lost)
    )
    backend.process([KeptEvent(event, json_line(event)) for event in events])
    return passed

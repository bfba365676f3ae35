"""Keep events below a size, and their batches: what the truncating backend does.

Source: Kubernetes v1.36, the audit truncate backend.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import EventError
from .encode import json_line
from .event import Event, Level

__all__ = ["TRUNCATED", "Truncation", "TruncationLimits", "truncate"]

TRUNCATED = "audit.k8s.io/truncated"
"""The annotation of an event whose bodies were taken out; its value is ``true``."""

_WITH_BODIES = (Level.REQUEST, Level.REQUEST_RESPONSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncationLimits:
    """How long a line and a batch of lines may be.

    Attributes:
        max_event_bytes: Of one line with its newline.
        max_batch_bytes: Of all lines of a batch; not below that of an event.

    Raises:
        ValueError: A limit is out of its range.
    """

    max_event_bytes: int = 100 * 1024
    max_batch_bytes: int = 10 * 1024**2

    def __post_init__(self) -> None:
        if self.max_event_bytes <= 0:
            raise ValueError(
                f"max_event_bytes: expected more than 0, got {self.max_event_bytes}"
            )
        if self.max_batch_bytes < self.max_event_bytes:
            raise ValueError(
                f"max_batch_bytes: expected at least {self.max_event_bytes}, which a "
                f"single event may have, got {self.max_batch_bytes}"
            )


@dataclass(frozen=True, slots=True)
class Truncation:
    """What became of events.

    Attributes:
        batches: The lines to pass on, batch by batch.
        dropped: The events that were too long even without their bodies, or with
            *strict* couldn't be written.
    """

    batches: tuple[tuple[bytes, ...], ...]
    dropped: tuple[Event, ...]


def truncate(
    events: Iterable[Event], limits: TruncationLimits, *, strict: bool = False
) -> Truncation:
    """Write *events* in batches within *limits*.

    An event over the limit loses both bodies if its level is Request or
    RequestResponse, and is marked by the annotation ``audit.k8s.io/truncated``. What is
    still too long is dropped. Nothing is ever shortened.

    With *strict*, an event whose body isn't JSON is dropped as well.
    """
    batches: list[tuple[bytes, ...]] = []
    dropped: list[Event] = []
    batch: list[bytes] = []
    batch_bytes = 0
    for event in events:
        line = _line_within(event, limits.max_event_bytes, strict)
        if line is None:
            dropped.append(event)
            continue
        if batch and batch_bytes + len(line) > limits.max_batch_bytes:
            batches.append(tuple(batch))
            batch, batch_bytes = [], 0
        batch.append(line)
        batch_bytes += len(line)
    if batch:
        batches.append(tuple(batch))
    return Truncation(tuple(batches), tuple(dropped))


def _line_within(event: Event, max_bytes: int, strict: bool) -> bytes | None:
    try:
        line = json_line(event, strict=strict)
    except EventError:
        return None
    if len(line) > max_bytes and event.level in _WITH_BODIES:
        line = json_line(without_bodies(event))
    return line if len(line) <= max_bytes else None


def without_bodies(event: Event) -> Event:
    """Return *event* without its bodies, and marked as such."""
    return replace(
        event,
        request_object=None,
        response_object=None,
        annotations={**event.annotations, TRUNCATED: "true"},
    )

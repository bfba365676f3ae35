"""How long events and their batches may be, and an event without its bodies.

Source: Kubernetes v1.36, the audit truncate backend.
"""

from dataclasses import dataclass, replace

from .event import Event

__all__ = ["TRUNCATED", "TruncationLimits", "without_bodies"]

TRUNCATED = "audit.k8s.io/truncated"
"""The annotation of an event whose bodies were taken out; its value is ``true``."""


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


def without_bodies(event: Event) -> Event:
    """Return *event* without its bodies, and marked as such."""
    return replace(
        event,
        request_object=None,
        response_object=None,
        annotations={**event.annotations, TRUNCATED: "true"},
    )

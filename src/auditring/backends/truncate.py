"""Events to another backend, those that are too long without their bodies.

Source: Kubernetes v1.36, the truncating audit backend.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..event.encode import json_line
from ..event.event import Level
from ..event.truncation import TruncationLimits, without_bodies
from .backend import Backend, KeptEvent, OutgoingEvent
from .losses import Losses, OnLoss

__all__ = ["Truncate"]

_WITH_BODIES = (Level.REQUEST, Level.REQUEST_RESPONSE)


class Truncate:
    """Keeps events and batches within limits; what can't be, is lost."""

    name = "truncate"

    def __init__(
        self,
        delegate: Backend,
        limits: TruncationLimits | None = None,
        *,
        on_loss: OnLoss | None = None,
    ) -> None:
        """Wrap *delegate*.

        Args:
            delegate: Where the events go. It is closed along with this.
            limits: How long they may be; None for Kubernetes' defaults.
            on_loss: See `Losses`.
        """
        self._delegate = delegate
        self._limits = limits or TruncationLimits()
        self._losses = Losses(self.name, on_loss)

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Hand on what is short enough; what the other backend says of it counts."""
        accepted = True
        for batch in self._batches(events):
            accepted = self._delegate.process(batch) and accepted
        return accepted

    def _batches(
        self, events: Sequence[OutgoingEvent]
    ) -> Iterator[Sequence[OutgoingEvent]]:
        batch: list[OutgoingEvent] = []
        size = 0
        for outgoing in events:
            short = self._shortened(outgoing)
            if short is None:
                continue
            length = len(short.line)
            if batch and size + length > self._limits.max_batch_bytes:
                yield batch
                batch, size = [], 0
            batch.append(short)
            size += length
        if batch:
            yield batch

    def _shortened(self, outgoing: OutgoingEvent) -> OutgoingEvent | None:
        limit = self._limits.max_event_bytes
        length = len(outgoing.line)
        if length <= limit:
            return outgoing
        event = outgoing.event
        if event.level in _WITH_BODIES:
            event = without_bodies(event)
            line = json_line(event)
            length = len(line)
            if length <= limit:
                return KeptEvent(event, line)
        error = ValueError(f"an event of {length} bytes; the limit is {limit}")
        self._losses.note(error, [outgoing.event])
        return None

    def flush(self, timeout: float | None = None) -> bool:
        """Flush the other backend."""
        return self._delegate.flush(timeout)

    def close(self) -> None:
        """Close the other backend."""
        self._delegate.close()

    def losses(self) -> Iterable[Losses]:
        """Return what was too long, and what the other backend lost."""
        return (self._losses, *self._delegate.losses())

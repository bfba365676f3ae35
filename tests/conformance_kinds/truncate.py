"""Events and limits to the batches of lines that the truncating backend passes on."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from auditring.backends.backend import KeptEvent, OutgoingEvent
from auditring.backends.losses import Losses
from auditring.backends.truncate import Truncate
from auditring.encode import json_line
from auditring.errors import EventError
from auditring.event import Event
from auditring.event.truncation import TruncationLimits

from . import Case


@dataclass
class Passed:
    """The lines, batch by batch, and the events that were too long for any."""

    name = "passed"

    batches: list[list[bytes]] = field(default_factory=list)
    dropped: list[Event] = field(default_factory=list)

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        self.batches.append([outgoing.line for outgoing in events])
        return True

    def flush(self, timeout: float | None = None) -> bool:
        return True

    def close(self) -> None:
        pass

    def losses(self) -> Iterable[Losses]:
        return ()


def check(case: Case) -> str | None:
    limits = TruncationLimits(
        max_event_bytes=case["maxEventSize"], max_batch_bytes=case["maxBatchSize"]
    )
    passed, outgoing = Passed(), []
    for text in case["events"]:
        event = Event.from_json(text, strict=True)
        # Kubernetes drops what it can't encode.
        with suppress(EventError):
            outgoing.append(KeptEvent(event, json_line(event, strict=True)))

    Truncate(passed, limits).process(outgoing)

    found = [[line.decode() for line in batch] for batch in passed.batches]
    expected = case["expected"]["batches"]
    return None if found == expected else f"batches: {found}, not {expected}"

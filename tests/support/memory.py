"""A backend that keeps what it is given."""

import threading
from collections.abc import Sequence

from auditring.backends.backend import KeptEvent, OutgoingEvent
from auditring.backends.losses import Losses
from auditring.encode import json_line
from auditring.event import Event


def outgoing(number: int, **members: object) -> KeptEvent:
    """Return an event that is known by its number."""
    event = Event(audit_id=str(number), **members)  # type: ignore[arg-type]
    return KeptEvent(event, json_line(event))


def numbers(events: Sequence[OutgoingEvent]) -> list[int]:
    return [int(outgoing.event.audit_id) for outgoing in events]


class Memory:
    """Keeps every call; as long as it is held up, a call waits."""

    name = "memory"

    def __init__(self, *, takes: bool = True) -> None:
        self.calls: list[list[int]] = []
        self.lines: list[bytes] = []
        self.is_closed = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._takes = takes
        self._changed = threading.Condition()

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        assert self.goes_on.wait(20)
        with self._changed:
            self.calls.append(numbers(events))
            self.lines += [outgoing.line for outgoing in events]
            self._changed.notify_all()
        return self._takes

    def wait_for(self, calls: int) -> None:
        """Wait until there were as many calls."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= calls, 20)

    def wait_until_idle(self, seconds: float) -> None:
        """Wait until there was no call for so long."""
        with self._changed:
            while self._changed.wait(seconds):
                pass

    def flush(self, timeout: float | None = None) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True

    def losses(self) -> list[Losses]:
        return []

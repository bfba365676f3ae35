"""Events that a backend could not deliver: counted, and told to whom it concerns."""

import sys
from collections import deque
from collections.abc import Callable, Sequence

from ..event.event import Event
from ..event.legacytext import legacy_line
from ..process._nativethread import NativeLock

__all__ = ["Losses", "OnLoss", "print_loss"]

OnLoss = Callable[[str, Exception, Sequence[Event]], object]
"""Called with the plugin's name, why, and the events."""


class Losses:
    """What one plugin lost since it was made.

    Thread-safety: any thread, and signal handlers: nobody waits for the one who counts.

    Attributes:
        plugin: Its name.
    """

    def __init__(self, plugin: str, on_loss: OnLoss | None = None) -> None:
        """Begin with none.

        Args:
            plugin: Its name.
            on_loss: Called with every loss, in the thread that met it. It must not
                raise.
        """
        self.plugin = plugin
        self._on_loss = on_loss
        # What is to be counted, each time with its reason. Whoever has the turn counts
        # it all, and looks once more when he has given it back.
        self._noted: deque[tuple[int, Exception | None]] = deque()
        self._turn = NativeLock()
        self._events = 0
        self._last_error: Exception | None = None

    @property
    def events(self) -> int:
        """How many events."""
        self._count()
        return self._events

    @property
    def last_error(self) -> Exception | None:
        """Why the last of them were lost; None if none was."""
        self._count()
        return self._last_error

    def note(self, error: Exception, events: Sequence[Event]) -> None:
        """Count *events*, which *error* cost; one if nobody can say which."""
        self._noted.append((len(events) or 1, error))
        self._count()
        if self._on_loss is not None:
            self._on_loss(self.plugin, error, events)

    def add(self, other: "Losses") -> None:
        """Count what *other* lost, which is gone."""
        self._noted.append((other.events, other.last_error))
        self._count()

    def _count(self) -> None:
        while self._noted and self._turn.acquire(0):
            try:
                while self._noted:
                    events, error = self._noted.popleft()
                    self._last_error = error or self._last_error
                    self._events += events
            finally:
                self._turn.release()


def print_loss(plugin: str, error: Exception, events: Sequence[Event]) -> None:
    """Print lost events to standard error in the legacy text, as Kubernetes does."""
    text = "".join(legacy_line(event).decode(errors="replace") for event in events)
    print(
        f"auditring: {plugin}: {len(events)} events lost: {error}\n{text}",
        end="",
        file=sys.stderr,
    )

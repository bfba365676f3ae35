"""Events that a backend could not deliver: counted, and told to whom it concerns."""

import sys
import threading
from collections.abc import Callable, Sequence

from .event import Event
from .legacytext import legacy_line

__all__ = ["Losses", "OnLoss", "print_loss"]

OnLoss = Callable[[str, Exception, Sequence[Event]], object]
"""Called with the plugin's name, why, and the events."""


class Losses:
    """What one plugin lost since it was made.

    Thread-safety: any thread.

    Attributes:
        plugin: Its name.
        events: How many events.
        last_error: Why the last of them were lost; None if none was.
    """

    def __init__(self, plugin: str, on_loss: OnLoss | None = None) -> None:
        """Begin with none.

        Args:
            plugin: Its name.
            on_loss: Called with every loss, in the thread that met it. It must not
                raise.
        """
        self.plugin = plugin
        self.events = 0
        self.last_error: Exception | None = None
        self._on_loss = on_loss
        self._lock = threading.Lock()

    def note(self, error: Exception, events: Sequence[Event]) -> None:
        """Count *events*, which *error* cost; one if nobody can say which."""
        with self._lock:
            self.events += len(events) or 1
            self.last_error = error
        if self._on_loss is not None:
            self._on_loss(self.plugin, error, events)

    def add(self, other: "Losses") -> None:
        """Count what *other* lost, which is gone."""
        with self._lock:
            self.events += other.events
            self.last_error = other.last_error or self.last_error


def print_loss(plugin: str, error: Exception, events: Sequence[Event]) -> None:
    """Print lost events to standard error in the legacy text, as Kubernetes does."""
    text = "".join(legacy_line(event).decode(errors="replace") for event in events)
    print(
        f"auditring: {plugin}: {len(events)} events lost: {error}\n{text}",
        end="",
        file=sys.stderr,
    )

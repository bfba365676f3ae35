"""What a place that events go to has to offer: `Backend`.

Those that come with the package are in `backends`, one a file. A wrapper around a
backend is a backend.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..event.event import Event
from .losses import Losses

__all__ = ["Backend", "KeptEvent", "LineBackend", "Mode", "OutgoingEvent"]

Mode = Literal["blocking", "blocking-strict"]
"""Whether a request hears of it when its event is lost, and is refused: only strict."""


class OutgoingEvent(Protocol):
    """An event on its way; valid only while a backend is called with it."""

    @property
    def event(self) -> Event:
        """The event; may be kept."""
        ...

    @property
    def line(self) -> bytes:
        """The event as `encode.json_line` writes it; may be kept."""
        ...


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An outgoing event that stays valid.

    Attributes:
        event: The event.
        line: How it is written, which may be shorter than `event` would be.
    """

    event: Event
    line: bytes


class Backend(Protocol):
    """A place events go.

    Thread-safety: `process` is called from any thread, several at once.
    """

    name: str
    """As the label `plugin` of the metrics says it."""

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Take *events*, in order.

        Never raises for trouble with an event or with the place: that is counted in
        `losses`.

        Returns:
            False: They weren't all taken, and the request that they are of should be
            refused for it. A backend that isn't strict always returns True.
        """
        ...

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was taken is where it belongs; False if time ran out."""
        ...

    def close(self) -> None:
        """Flush, and take no more."""
        ...

    def losses(self) -> Iterable[Losses]:
        """Return what was lost here, and in the backends that this one wraps."""
        ...


class LineBackend(Backend, Protocol):
    """A backend that a line of JSON can be written to without a word about its event.

    An auditor goes this short way instead of calling `process`.
    """

    write_line: Callable[[bytes], bool] | None
    """Takes the line that an event has; False if it was dropped. May raise anything.
    None if there is no such way after all."""

    def lose(self, event: Event, error: Exception | None, /) -> bool:
        """Count *event*, whose line was dropped or raised *error*.

        Returns:
            What `process` would have.
        """
        ...

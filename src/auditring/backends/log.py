"""Events to a log: one line each, straight to the ring."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

from ..errors import ClosedError
from ..event.encode import json_line, legacy_line
from ..event.event import Event
from ..event.eventsize import MIN_EVENT_BYTES, sized_line
from ..ring._writer import Writer
from .backend import Mode, OutgoingEvent
from .losses import Losses, OnLoss

__all__ = ["Form", "LineWriter", "LogBackend"]

Form = Literal["json", "bare", "legacy"]
"""How a line is written: as Kubernetes does, as Loft does, as text."""


class LineWriter(Protocol):
    """What lines can be written to; a `LogWriter`."""

    def write(self, data: bytes, /) -> bool:
        """Commit a line; False if it was dropped."""
        ...

    def drop(self, size: int = 0, /) -> None:
        """Let the log tell that a line is missing."""
        ...

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was committed is in the file."""
        ...


class LogBackend:
    """Writes each event as one line to a log.

    The log stays its opener's: it is flushed here, and closed by whoever opened it.
    While its ring is full, an event loop is held up for 0.05 seconds at most, once
    until there is room again; what doesn't get into the log by then is lost, and told
    there by a gap event.
    """

    name = "log"

    def __init__(
        self,
        writer: LineWriter,
        *,
        mode: Mode = "blocking",
        form: Form = "json",
        strict: bool = False,
        max_event_bytes: int | None = None,
        on_loss: OnLoss | None = None,
    ) -> None:
        """Take the writer of a log.

        Args:
            writer: An open log.
            mode: Whether a request is refused whose event can't be written.
            form: How a line is written.
            strict: Lose an event whose body isn't JSON, as Kubernetes does, instead of
                keeping the body as a string.
            max_event_bytes: The longest line; None for any. What is longer is
                shortened, by `eventsize`. Only for the forms of JSON.
            on_loss: See `Losses`.

        Raises:
            ValueError: A wrong option; the text names it and its value.
        """
        if mode not in ("blocking", "blocking-strict"):
            raise ValueError(
                f"mode: expected 'blocking' or 'blocking-strict', got {mode!r}"
            )
        if max_event_bytes is not None and max_event_bytes < MIN_EVENT_BYTES:
            raise ValueError(
                f"max_event_bytes: expected at least {MIN_EVENT_BYTES} or None, "
                f"got {max_event_bytes!r}"
            )
        self._line_of = _line_function(form, strict, max_event_bytes)
        self._writer = writer
        if isinstance(writer, Writer):
            writer._spare_event_loops()
        self.write_line = writer.write if self._line_of is _own_line else None
        self._is_strict = mode == "blocking-strict"
        self._losses = Losses(self.name, on_loss)

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Write a line of each of *events*; the loss of one doesn't stop the others."""
        is_taken = True
        for outgoing in events:
            try:
                is_written = self._writer.write(self._line_of(outgoing))
                error: Exception | None = None
            except Exception as raised:  # whatever it is, the request isn't at fault
                is_written, error = False, raised
            if not is_written and not self.lose(outgoing.event, error):
                is_taken = False
        return is_taken

    def lose(self, event: Event, error: Exception | None, /) -> bool:
        """Count *event*, which isn't in the log: dropped, if there is no *error*."""
        if error is not None and not isinstance(error, ClosedError):
            self._writer.drop()  # else the log knows of it, or nobody is left to tell
        self._losses.note(error or BlockingIOError("the ring was full"), [event])
        return not self._is_strict

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the lines are in the file."""
        return self._writer.flush(timeout)

    def close(self) -> None:
        """Flush; the log stays open."""
        self._writer.flush()

    def losses(self) -> Iterable[Losses]:
        """Return what could not be written."""
        return (self._losses,)


def _line_function(
    form: Form, strict: bool, max_event_bytes: int | None
) -> Callable[[OutgoingEvent], bytes]:
    """Return what makes the line of an event."""
    if form == "legacy":
        return lambda outgoing: legacy_line(outgoing.event)
    if form not in ("json", "bare"):
        raise ValueError(f"form: expected 'json', 'bare' or 'legacy', got {form!r}")
    bare = form == "bare"
    if strict:
        return lambda outgoing: json_line(outgoing.event, bare=bare, strict=True)
    if max_event_bytes is not None:
        return lambda outgoing: sized_line(outgoing.event, max_event_bytes, bare=bare)
    if bare:
        return lambda outgoing: json_line(outgoing.event, bare=True)
    return _own_line


def _own_line(outgoing: OutgoingEvent) -> bytes:
    return outgoing.line

"""Events to any `logging.Handler`: syslog, a socket, a queue, memory.

A handler gets one record an event, whose message is the event's line. The event itself
is in the attribute `event`.
"""

import logging
import sys
import threading
from collections.abc import Iterable, Sequence

from ..event.event import Event
from .backend import Mode, OutgoingEvent
from .losses import Losses, OnLoss

__all__ = ["LOGGER_NAME", "AuditRecord", "HandlerBackend"]

LOGGER_NAME = "auditring.audit"
"""The name of records that an event rides on, wherever they were sent."""


class AuditRecord(logging.LogRecord):
    """A record that an event rides on.

    The event isn't among the attributes that a SocketHandler pickles: whoever receives
    the record need not know this package.

    Attributes:
        event: The event.
        line: How it is written.
    """

    __slots__ = ("event", "line")

    def __init__(self, event: Event, line: bytes) -> None:
        """Make a record of *event*, whose *line* is the message."""
        message = line.decode(errors="replace").rstrip("\n")
        super().__init__(LOGGER_NAME, logging.INFO, "", 0, message, None, None)
        self.event = event
        self.line = line
        if event.stage_timestamp is not None:
            microseconds = event.stage_timestamp.microseconds
            self.created = microseconds / 1e6
            self.msecs = float(microseconds // 1000 % 1000)


class HandlerBackend:
    """Hands each event to a handler of the logging module.

    Its level, filters, lock and formatter work as ever. The handler stays its maker's:
    it is flushed here, and closed by whoever made it.
    """

    def __init__(
        self,
        handler: logging.Handler,
        *,
        name: str = "",
        mode: Mode = "blocking",
        on_loss: OnLoss | None = None,
    ) -> None:
        """Take a *handler*.

        Its `handleError` is wrapped, since a handler tells of trouble in no other way;
        what it did, it does.

        Args:
            handler: Where the events go.
            name: As the metrics say it; by default the handler's own name, or that of
                its class.
            mode: Whether a request is refused whose event can't be handled.
            on_loss: See `Losses`.
        """
        self.name = name or handler.name or type(handler).__name__
        self._handler = handler
        self._is_strict = mode == "blocking-strict"
        self._losses = Losses(self.name, on_loss)
        self._trouble = threading.local()
        self._report = handler.handleError
        handler.handleError = self._handle_error  # type: ignore[method-assign]

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Hand a record of each of *events* over."""
        is_whole = True
        for outgoing in events:
            error = self._handle(outgoing)
            if error is not None:
                self._losses.note(error, [outgoing.event])
                is_whole = False
        return is_whole or not self._is_strict

    def _handle(self, outgoing: OutgoingEvent) -> Exception | None:
        """Return what went wrong."""
        self._trouble.error = None
        try:
            record = AuditRecord(outgoing.event, outgoing.line)
            if record.levelno >= self._handler.level:
                self._handler.handle(record)
        except Exception as error:  # of a filter, or a handler that doesn't catch
            return error
        found: Exception | None = self._trouble.error
        return found

    def _handle_error(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        self._trouble.error = error if isinstance(error, Exception) else OSError()
        self._report(record)

    def flush(self, timeout: float | None = None) -> bool:
        """Flush the handler."""
        self._handler.flush()
        return True

    def close(self) -> None:
        """Flush; the handler stays open."""
        self._handler.flush()

    def losses(self) -> Iterable[Losses]:
        """Return what could not be handled."""
        return (self._losses,)

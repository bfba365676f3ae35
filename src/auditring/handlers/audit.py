"""AuditHandler: records of the logging module to an audit log."""

import logging
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..audit.everything import DECIDED, tell_of_everything
from ..backends.backend import Mode, OutgoingEvent
from ..backends.handler import LOGGER_NAME, AuditRecord
from ..backends.losses import Losses, OnLoss
from ..errors import ClosedError, EventError
from ..event.encode import json_line
from ..event.event import Event, Level
from ..event.eventsize import MIN_EVENT_BYTES, sized_line
from ..log.writer import LogWriter
from ..policy.policy import Policy
from ..process.reaper import hand_over
from ..records.event import STAGE, RecordReading
from .audit_options import (
    AuditHandlerOptions,
    PolicySource,
    check_callable,
    read_audit_mode,
    read_event_limit,
    read_log_options,
    read_policy,
)
from .fallback import append_to_file, write_whole
from .patience import flush_while_healthy
from .pickling import reduce_handler

if TYPE_CHECKING:
    from ..redact.redactor import Redactor

__all__ = ["AuditHandler", "AuditHandlerOptions"]

# What a pickled handler makes anew.
_UNPICKLED = ("lock", "_closed", "_writer", "_losses")


class AuditHandler(logging.Handler):
    """Writes each record that the policy lets through as an event, one line each.

    What a record says becomes, with names as in ``extra=`` and, in brackets, the same
    as JSON spells it:

    ===============================  =================================================
    of the record                    in the event of audit.k8s.io/v1
    ===============================  =================================================
    time                             `requestReceivedTimestamp`, `stageTimestamp`
    (always)                         `stage` is ``ResponseComplete``
    (always)                         `verb` is ``create``, unless there is a ``verb``
    logger, level                    `objectRef`, unless there is another or a path: in
                                     group ``log.auditring.io``, resource ``loggers``,
                                     the logger's name, the level as subresource, the
                                     name up to its first dot as namespace;
                                     annotations ``log.auditring.io/logger`` and
                                     ``log.auditring.io/level``
    message                          annotation ``log.auditring.io/message``; with a
                                     formatter, the text that this one makes
    exception                        `responseStatus`: ``Failure``, the class as
                                     `reason`, its text as `message`, 500 as `code`;
                                     annotation ``log.auditring.io/traceback``
    stack                            annotation ``log.auditring.io/stack``
    ``otelTraceID``, ``otelSpanID``  annotations ``log.auditring.io/trace-id`` and
    or ``traceparent``               ``log.auditring.io/span-id``
    ``user``,                        `user`, `impersonatedUser`: a `UserInfo`, a
    ``impersonated_user``            mapping of `username`, `uid`, `groups`, `extra`;
                                     of anything else its text is the name
    ``verb``, ``audit_id``           the same; without an `auditID` a random one
    ``request_uri``                  `requestURI`, and the `objectRef` that it leads to
    ``object_ref``                   `objectRef`: an `ObjectReference`, or a mapping
    ``source_ips``, ``user_agent``   the same; one address may be a string
    ``response_status``              `responseStatus`: a `Status`, an HTTP status, or a
                                     mapping of `code`, `status`, `message`, `reason`
    ``status_code``                  its `code`
    ``request_object``               the same, from level Request on; bytes are JSON
    ``response_object``              the same, of level RequestResponse
    ``annotations``, any other       annotations under their own names; what isn't a
    field                            text as JSON. So are values that don't fit above
    ===============================  =================================================

    A message that is a mapping, as structlog hands on, counts as fields; its ``event``
    or ``message`` is the text.

    A policy decides by user, verb, object or path. Resources ``loggers/debug`` of the
    group ``log.auditring.io`` are the records of level DEBUG; rules for all resources,
    as Loft's presets have, are for records, too.

    A record that an `Auditor` sent, here or from another process by a SocketHandler, is
    written as the event that it is. As a backend of an auditor, a handler gets the
    lines of events and makes no record of them, unless it has filters.

    What can't be written is `handleError`'s, as ever, and counted in `losses()`.

    Thread-safety: any thread. Fork-safe: a child writes through a ring of its own. One
    that becomes another user needs the option `group`, else it loses its events, which
    are reported and counted.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "",
        *,
        policy: PolicySource = None,
        delay: bool = False,
        max_event_bytes: int | None = None,
        audit_mode: Mode = "blocking",
        redactor: "Redactor | None" = None,
        on_loss: OnLoss | None = None,
        **options: Unpack[AuditHandlerOptions],
    ) -> None:
        """Open the log, unless *delay*.

        Args:
            path: The live file; ``"-"`` is standard output. Also called `filename`.
            policy: What is recorded: a `Policy`, the members of one, the number of a
                preset from 1 to 4, the name of a preset or the path of a file. None
                records everything, which is said once on standard error.
            delay: Make nothing before the first event.
            max_event_bytes: The longest line, at least 16,384; None is what a ring
                takes. What is longer is shortened, by `eventsize`.
            audit_mode: As a backend, whether a request is refused whose event is lost:
                only ``"blocking-strict"``.
            redactor: Masks the secrets in events that are made of records.
            on_loss: See `Losses`.
            **options: Those of `LogWriter`, with the defaults of `WriterOptions`;
                `max_bytes` and `max_backups` are also called `maxBytes` and
                `backupCount`.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            PolicyError: The policy isn't one.
            OSError: The log can't be opened, or the policy can't be read.
        """
        self.baseFilename, self._options = read_log_options(path, options)
        self._policy = read_policy(policy)
        self._max_event_bytes = read_event_limit(max_event_bytes)
        self._is_strict = read_audit_mode(audit_mode)
        check_callable("redactor", redactor, getattr(redactor, "redact", None))
        check_callable("on_loss", on_loss, on_loss)
        self._redactor = redactor
        self._on_loss = on_loss
        if self._policy is None:
            tell_of_everything(self.baseFilename)
        self._begin()
        super().__init__()
        if not delay:
            self._open()

    def _begin(self) -> None:
        self.coerced_values = 0
        """Values in records that JSON has no form for, and that became text."""
        self._writer: LogWriter | None = None
        self._losses = Losses("log", self._on_loss)

    @property
    def name(self) -> str:
        """What it is called in a configuration and in metrics; ``log`` by default."""
        return self.get_name() or "log"

    @name.setter
    def name(self, name: str) -> None:
        self.set_name(name)

    @property
    def policy(self) -> Policy | None:
        """What is recorded; None is everything. Assigned to, from then on."""
        return self._policy

    @policy.setter
    def policy(self, policy: PolicySource) -> None:
        self._policy = read_policy(policy)

    @property
    def log_writer(self) -> LogWriter | None:
        """The log writer behind this handler; None while the log isn't open."""
        return self._writer

    # Records.

    def emit(self, record: logging.LogRecord) -> None:
        """Write the event that *record* carries or is, if the policy wants it.

        What goes wrong is `handleError`'s.
        """
        event: Event | None = None
        try:
            event = _carried_event(record)
            if isinstance(record, AuditRecord):
                is_written = self._commit(record.line)
            elif event is not None:
                is_written = self._commit(json_line(event))
            else:
                event = self._event_of(record)
                is_written = event is None or self._commit_event(event)
            if not is_written and event is not None:
                self.lose(event, None)
        except Exception as error:
            self._losses.note(error, () if event is None else (event,))
            if isinstance(error, RecursionError):  # as StreamHandler has it
                raise
            self.handleError(record)

    def _event_of(self, record: logging.LogRecord) -> Event | None:
        """Return the event that a record is, None if the policy wants none."""
        reading = RecordReading(record)
        policy = self._policy
        decision = DECIDED if policy is None else policy.evaluate(reading.attributes)
        if decision.level == Level.NONE or STAGE in decision.omit_stages:
            return None
        if self.formatter is not None:
            event = reading.event(decision, self.format(record))
        else:
            event = reading.event(decision, reading.message(), _traceback_of(record))
        self.coerced_values += reading.coerced_values
        return event if self._redactor is None else self._redactor.redact(event)

    def _commit_event(self, event: Event) -> bool:
        line = json_line(event)
        limit = self._line_limit()
        return self._write(line if len(line) <= limit else sized_line(event, limit))

    # The log.

    def _commit(self, line: bytes) -> bool:
        """Write the line of an event, shortened if it is too long."""
        limit = self._line_limit()
        if len(line) > limit:
            line = sized_line(Event.from_json(line), limit)
        return self._write(line)

    def _line_limit(self) -> int:
        writer = self._writer or self._open()
        try:
            ring_limit = writer.record_limit
        except ClosedError:
            ring_limit = self._max_event_bytes or MIN_EVENT_BYTES
        return min(ring_limit, self._max_event_bytes or ring_limit)

    def _write(self, line: bytes) -> bool:
        while True:
            writer = self._writer or self._open()
            try:
                return writer.write(line)
            except ClosedError:
                if writer is self._writer:
                    # The interpreter is ending, and the ring isn't there any more.
                    self._append(line)
                    return True

    def _open(self) -> LogWriter:
        writer = LogWriter(self.baseFilename, **self._options)
        writer._spare_event_loops()
        self.acquire()
        try:
            if self._writer is None:
                self._writer = writer
                return writer
            opened = self._writer
        finally:
            self.release()
        # Another thread was faster, or a signal handler in this one.
        writer.close()
        return opened

    def _append(self, line: bytes) -> None:
        """Write a line to the file past the ring."""
        if self.baseFilename != "-":
            append_to_file(self.baseFilename, line, self._options.get("mode", 0o600))
            return
        fd = os.dup(1)
        try:
            write_whole(fd, line)
        finally:
            os.close(fd)

    def flush(  # type: ignore[override]  # a Backend's tells how it went
        self, timeout: float | None = None
    ) -> bool:
        """Wait until every event that was written before is in the file.

        Args:
            timeout: Seconds to wait; None for as long as the disk works.

        Returns:
            False: They aren't: time ran out, or the disk is full or failing. They stay
            in the ring until it isn't.

        Raises:
            OSError: This process can't have a ring: a child that gave up its rights.
        """
        writer = self._writer
        if writer is None or writer.closed:
            return True
        if timeout is None:
            return flush_while_healthy(writer) is None
        try:
            return writer.flush(timeout)
        except ClosedError:
            return True  # which flushed

    def close(self) -> None:
        """Wait until every event is in the file, and close it.

        A record that comes later opens it again.

        Raises:
            OSError: It couldn't be. The lines stay for who opens the log next.
        """
        self.acquire()
        try:
            writer = self._writer
            # One that somebody else closed is kept: the interpreter is ending.
            if writer is not None and not writer.closed:
                self._writer = None
        finally:
            self.release()
        try:
            if writer is not None:
                writer.close()
        finally:
            super().close()

    def __del__(self) -> None:
        """Let lines get to the file of a handler that was dropped without `close`."""
        # Without closing it here: the collector may come at any moment (reaper).
        writer = getattr(self, "_writer", None)
        if writer is not None:
            hand_over(writer)

    # A backend of an auditor.

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Write a line of each of *events*; the loss of one doesn't stop the others."""
        is_taken = True
        for outgoing in events:
            error: Exception | None = None
            try:
                is_written = self.write_line(outgoing.line)
            except Exception as raised:  # whatever it is, the request isn't at fault
                is_written, error = False, raised
            if not is_written and not self.lose(outgoing.event, error):
                is_taken = False
        return is_taken

    def write_line(self, line: bytes, /) -> bool:
        """Write the line of an event, unless level or filters keep it out.

        Returns:
            False: It was dropped, since the ring is full.
        """
        writer = self._writer
        if writer is None or self.filters or self.level > logging.INFO:
            return self._filter_line(line)
        if self._max_event_bytes is None:
            try:
                return writer.write(line)
            except (ClosedError, ValueError):  # the second: it is too long
                pass
        return self._commit(line)

    def _filter_line(self, line: bytes) -> bool:
        if self.level > logging.INFO:
            return True
        if self.filters and not self.filter(AuditRecord(Event.from_json(line), line)):
            return True
        return self._commit(line)

    def lose(self, event: Event, error: Exception | None, /) -> bool:
        """Count *event*, which isn't in the log: dropped, if there is no *error*."""
        self._losses.note(error or BlockingIOError("the ring was full"), [event])
        return not self._is_strict

    def losses(self) -> Iterable[Losses]:
        """Return what could not be written, of records and of an auditor's events."""
        return (self._losses,)

    # Configuration.

    def __repr__(self) -> str:
        level = logging.getLevelName(self.level)
        return f"<{type(self).__name__} {self.baseFilename} ({level})>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the configuration; who unpickles it opens the log for itself."""
        return reduce_handler(self, _UNPICKLED)

    def _resume(self) -> None:
        self._begin()


def _carried_event(record: logging.LogRecord) -> Event | None:
    """Return the event that an auditor sent as *record*, None if it is no such."""
    if isinstance(record, AuditRecord):
        return record.event
    if record.name != LOGGER_NAME or not isinstance(record.msg, str) or record.args:
        return None
    try:
        event = Event.from_json(record.msg)
    except EventError:
        return None  # whoever else chose that name for a logger
    return event if event.stage else None


def _traceback_of(record: logging.LogRecord) -> str:
    """Return the text of the exception, as a formatter makes and keeps it."""
    if record.exc_info and not record.exc_text:
        formatter: logging.Formatter = vars(logging)["_defaultFormatter"]
        record.exc_text = formatter.formatException(record.exc_info)
    return record.exc_text or ""

"""A file handler whose lines go through a ring, or the standard library's own way.

Which way is decided with the first record, and anew after any assignment to an
attribute of the handler. The standard library's own way it is

- when a method that takes part in writing is overridden, or `namer`, `rotator` or
  `stream` is set: whoever did that is called as ever;
- when the target is no regular file of one name;
- when its directory can't hold the state of a ring, and no durability was asked for
  that only a ring gives;
- for encodings with a state or a mark at the beginning, and for lines that don't end
  with a newline: a ring holds whole lines;
- once the interpreter is ending and the rings are closed.
"""

import contextlib
import errno
import logging
import logging.handlers
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, ClassVar, Self

from ..errors import ClosedError
from ..log.droppedoptions import OF_BACKUPS, OF_RINGS, given, tell_dropped
from ..log.writer import LogWriter
from ..process.reaper import hand_over
from ..ring.ownership import give_to_owner, is_roots_alone
from ..ring.statedir import state_dir_of
from ._handler import FastHandler
from .fallback import append_to_file, append_to_open_file
from .linecodec import codec_name, is_plain_codec
from .options import FileRights, HandlerSettings, read_options
from .overriding import is_any_overridden
from .patience import flush_while_healthy
from .pickling import reduce_handler
from .ringless import has_others, may_rename, names_held, tell_once
from .state import RingState, Target, is_own_file
from .stream import LogStream

__all__ = ["RingHandler"]

_MODES = frozenset({"a", "at", "ta", "w", "wt", "tw"})
# Overridden, they keep a record off the short way, not out of the ring.
_SHORT_WAY = ("acquire", "filter", "format", "release")
# A file can't be opened, though one that is open can be written.
_UNOPENED = frozenset({errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE})
# What a pickled handler makes anew.
_UNPICKLED = ("lock", "_builtin_open", "_ring")


class RingHandler(FastHandler, logging.FileHandler):
    """What the drop-in handlers have in common.

    Each has it and a class of the standard library as its bases, in this order.

    Thread-safety: any thread. The handler's lock is held on the long way only.
    """

    # Methods that must be this package's or the standard library's for the ring.
    ring_methods: ClassVar[tuple[str, ...]] = ("_open", "emit", "flush")
    writer_class: ClassVar[type[LogWriter]] = LogWriter

    _ring_options: HandlerSettings
    _ring: RingState
    # The standard library's, unknown to its stubs.
    _closed: bool
    _builtin_open: Callable[..., IO[Any]]

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Make a handler that knows of no ring yet."""
        self = super().__new__(cls, *args, **kwargs)
        self._ring = RingState()
        self._ring_options = HandlerSettings({})
        return self

    def _read_options(self, options: Mapping[str, Any]) -> None:
        """Take the options, before the standard library's `__init__`."""
        self._ring_options = read_options(type(self).__name__, options)
        if self._ring_options.terminator is not None:
            self.terminator = self._ring_options.terminator

    def _recover(self) -> None:
        """Finish at once what a killed process may have left in rings of this log."""
        # Who names a group makes the log for its members, who may not be able to; root
        # makes it for a child that gives up root, and can't in a directory of root's.
        if not self.delay and (
            os.path.isdir(self._state_dir())
            or self._ring_options.writer.get("group") is not None
            or is_roots_alone(os.path.dirname(self.baseFilename))
        ):
            with self._locked(), contextlib.suppress(OSError):
                self._choose_way()

    def _state_dir(self) -> str:
        return state_dir_of(self.baseFilename)

    # Attributes of the standard library's handlers.

    @property
    def stream(self) -> Any:  # noqa: ANN401 - as the stdlib's
        """The text stream of the log; None while it isn't open.

        Assigned to, it takes what is emitted from then on.
        """
        return self._ring.stream

    @stream.setter
    def stream(self, stream: Any) -> None:  # noqa: ANN401
        self._ring.stream = stream

    @property
    def log_writer(self) -> LogWriter | None:
        """The log writer behind this handler; None on the standard library's way."""
        return self._ring.writer

    # Records.

    def emit(self, record: logging.LogRecord) -> None:
        """Format a record and commit it as a line.

        What goes wrong is `handleError`'s.
        """
        if not self._put_quickly(record):
            with self._locked():
                self._emit_slowly(record)

    def _handle_slowly(self, record: logging.LogRecord) -> bool:
        return super(FastHandler, self).handle(record)

    def _emit_locked(self, record: logging.LogRecord) -> None:
        with self._locked():
            self.emit(record)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _emit_slowly(self, record: logging.LogRecord) -> None:
        try:
            if self._ring.is_busy:
                # A signal handler logs while its thread opens or rotates the log.
                self._append_past_ring(self._line_of(record))
                return
            if self._is_shut():
                return
            is_ring = self._choose_way()
            if is_ring and self._is_due(record):
                self._roll_over(record)
                is_ring = self._choose_way()
        except Exception as error:
            self._report_error(record, error)
            return
        if not is_ring and (self._is_refused() or self._is_beside_others()):
            self._emit_past_ring(record)
        elif not is_ring:
            super().emit(record)
        elif not self._put_quickly(record):
            try:
                self._write_line(self._line_of(record))
            except Exception as error:
                self._report_error(record, error)

    def _is_refused(self) -> bool:
        """Tell whether lines would go through a ring, could this process have one."""
        state = self._ring
        return (
            state.refused is not None
            and not state.is_over
            and (state.stream is None or state.stream is state.opened)
            and self._is_plain()
        )

    def _is_beside_others(self) -> bool:
        """Tell whether this handler has no ring where others have theirs."""
        return self._ring.refused is not None and has_others(self._state_dir())

    def _emit_past_ring(self, record: logging.LogRecord) -> None:
        """Append a record where a ring should be, and was refused."""
        try:
            if self._is_beside_others() or not may_rename(self.baseFilename):
                self._leave_rollovers()
            else:
                self._roll_over_alone(record)
        except Exception as error:
            self._report_error(record, error)
        try:
            self._append_past_ring(self._line_of(record))
        except Exception as error:
            self._report_error(record, error)

    def _roll_over_alone(self, record: logging.LogRecord) -> None:
        """Make a rollover that is due and that nobody else makes now."""
        with names_held(self._state_dir(), self.baseFilename) as is_held:
            if is_held:
                self._follow_name()
                self._roll_over_if_due(record)

    def _roll_over_if_due(self, record: logging.LogRecord) -> None:
        """Do what the standard library does before it writes a record."""

    def _follow_name(self) -> None:
        """Show the file that has the log's name now, if this process may open it."""
        state = self._ring
        before = state.opened
        if before is None or before.closed or before is not state.stream:
            return
        with contextlib.suppress(OSError):
            named, held = os.stat(self.baseFilename), os.fstat(before.fileno())
            if not os.path.samestat(named, held):
                state.is_continued = True
                state.stream = self._open_file()
                before.close()

    def _leave_rollovers(self) -> None:
        """Make none, beside others or without the right to rename, and say so."""
        if self._rolls_over() or self._is_beside_others():
            on_error = self._ring_options.writer.get("on_error")
            tell_once(self.baseFilename, self._ring.refusal, on_error)
        self._skip_rollover()

    def _rolls_over(self) -> bool:
        """Tell whether a rollover will ever be due."""
        return False

    def _skip_rollover(self) -> None:
        """Leave to others a rollover that is due."""

    def _is_shut(self) -> bool:
        """Tell whether it was closed for good: in mode ``"w"`` it isn't reopened."""
        return self._closed and self.stream is None and self.mode == "w"

    def _is_due(self, record: logging.LogRecord) -> bool:
        """Tell whether a rollover that the ring knows nothing of comes first."""
        return False

    def _roll_over(self, record: logging.LogRecord) -> None:
        """Make that rollover; should it fail, the record still goes to the file."""

    def _line_of(self, record: logging.LogRecord) -> bytes:
        text = self.format(record) + self.terminator
        return text.encode(codec_name(self.encoding), self.errors or "strict")

    def _write_line(self, line: bytes) -> None:
        """Commit a line that the short way couldn't, to whatever takes it now."""
        with self._locked():
            while self._choose_way():
                writer = self._ring.writer
                assert writer is not None
                try:
                    self._commit_whole(writer, line)
                except ClosedError:
                    continue  # in another thread, or by the end of the interpreter
                except OSError as error:
                    self._lose_ring(error)
                    continue
                return
            self._append_past_ring(line)

    def _lose_ring(self, error: OSError) -> None:
        """Go on without a ring: a child needs one of its own, and can't have it.

        Raises:
            OSError: *error*; more durability was asked for than there is without.
        """
        with self._locked():
            state = self._ring
            if state.target is not None and state.target.needs_ring:
                raise error
            state.refused, state.refusal = state.target, error
            state.checked = -1
            with contextlib.suppress(OSError):
                self._leave_ring()

    def _commit_whole(self, writer: LogWriter, line: bytes) -> None:
        """Commit a line of any size."""
        if len(line) <= writer.record_limit:
            writer.write(line)
            return
        if writer._write_long(line):
            return
        # No ring holds it. Lines that were committed before come first.
        writer.flush()
        self._append_past_ring(line)

    def _append_past_ring(self, line: bytes) -> None:
        """Write a line to the file past the ring."""
        try:
            append_to_file(self.baseFilename, line, 0o666)
        except OSError as error:
            if error.errno not in _UNOPENED or not self._append_to_stream(line):
                raise

    def _append_to_stream(self, line: bytes) -> bool:
        """Write a line to the file that was opened while this process might do that."""
        stream = self._ring.opened
        if stream is None or stream.closed or stream is not self._ring.stream:
            return False
        append_to_open_file(
            stream.fileno(),
            self.baseFilename,
            line,
            is_moved_too=not has_others(self._state_dir()),
        )
        return True

    def _report_error(self, record: logging.LogRecord, error: Exception) -> None:
        """Hand an error to `handleError`, from where it sees the caller's stack."""
        try:
            raise error
        except RecursionError:
            # StreamHandler lets it through; BaseRotatingHandler, around it, doesn't.
            if not isinstance(self, logging.handlers.BaseRotatingHandler):
                raise
            self.handleError(record)
        except Exception:
            self.handleError(record)

    # The way that records go.

    def _choose_way(self) -> bool:
        """Tell whether lines go through a ring; make it ready if so."""
        state = self._ring
        changes = self._count_changes()
        if state.checked == changes and not state.has_lost_writer:
            return state.writer is not None
        with state.busy():
            target = self._ring_target()
            is_ring = target is not None and self._enter_ring(target)
            if not is_ring:
                self._leave_ring()
        self._tell_dropped(is_ring=is_ring)
        if is_ring:
            self._arm_short_way(changes)
        state.checked = changes
        return is_ring

    def _tell_dropped(self, *, is_ring: bool) -> None:
        """Say which options are of no effect the way that records go now."""
        options = self._ring_options.writer
        reason = self._unknown_backups() if is_ring else self._ringless_reason()
        if reason:
            names = given(options, OF_BACKUPS if is_ring else OF_RINGS)
            tell_dropped(self.baseFilename, names, reason, options)

    def _unknown_backups(self) -> str:
        """Say why nothing is done with backups although there is a ring; "": it is."""
        return ""

    def _ringless_reason(self) -> str:
        """Say why there is no ring; "" when the interpreter ends."""
        state = self._ring
        if state.is_over:
            return ""
        if state.refusal is not None:
            return f"there is no ring ({state.refusal})"
        if callable(getattr(self, "namer", None) or getattr(self, "rotator", None)):
            return "namer or rotator is set"
        if is_any_overridden(self, self.ring_methods):
            return "a method that takes part in writing is overridden"
        if not self._is_plain():
            return "a ring is for plain lines (mode, terminator, newline, encoding)"
        return "the file is no regular one of one name, or has a stream of its own"

    def _ring_target(self) -> Target | None:
        """Return what a ring would be for, None if the lines can't go through one."""
        state = self._ring
        # Only the end of the interpreter closes a writer of ours behind our back.
        state.is_over = state.is_over or state.has_lost_writer
        if state.is_over or not self._is_plain():
            return None
        if isinstance(state.stream, LogStream):
            if state.stream.closed:
                raise ValueError("I/O operation on closed file.")
        elif state.stream is not None and state.stream is not state.opened:
            return None
        if not is_own_file(self.baseFilename):
            return None
        options = {
            **self._ring_options.writer,
            **self._log_options(),
            "dialect": "stdlib",
        }
        target = Target(self.baseFilename, options)
        return None if target == state.refused else target

    def _log_options(self) -> dict[str, Any]:
        """Return what the handler's own attributes mean for `LogWriter`."""
        return {"max_bytes": 0, "max_backups": 0}

    def _is_plain(self) -> bool:
        """Tell whether a ring does just what the handler would do itself."""
        return (
            self.mode in _MODES
            and isinstance(self.terminator, str)
            and self.terminator.endswith("\n")
            and self._ring_options.newline in (None, "", "\n")
            and is_plain_codec(codec_name(self.encoding))
            and not is_any_overridden(self, self.ring_methods)
        )

    def _enter_ring(self, target: Target) -> bool:
        """Open a ring for *target*, unless that is what is open."""
        state = self._ring
        if state.writer is not None and state.target == target:
            if state.stream is None:
                state.writer.reopen()
        elif not self._open_writer(target):
            return False
        if not isinstance(state.stream, LogStream):
            state.stream = self._log_stream()
        return True

    def _open_writer(self, target: Target) -> bool:
        state = self._ring
        if state.writer is not None:
            self.flush()  # what was emitted keeps to the limits of its time
        options = {**target.options, "mode": self._make_file()}
        try:
            writer = self.writer_class(target.path, **options)
        except OSError as error:
            if target.needs_ring:
                raise
            state.refused, state.refusal = target, error
            return False
        writer._spare_event_loops()
        before, state.writer = state.writer, writer
        state.target = target
        # Not before: who gave up his rights couldn't open it again.
        state.let_go_of_file()
        state.stream = None
        if before is not None:
            before.close()
        return True

    def _make_file(self) -> int:
        """Make the file as the standard library would; return its permissions."""
        state = self._ring
        if state.writer is None and state.stream is None:
            state.stream = self._open_file()
        return state.file_mode(self.baseFilename)

    def _leave_ring(self) -> None:
        """Close the ring, if there is one; every line is in the file then."""
        writer = self._detach_ring()
        if writer is not None:
            writer.close()

    def _detach_ring(self) -> LogWriter | None:
        """Let go of the ring, which is to be closed; return it if there is one."""
        state = self._ring
        self._disarm()
        writer, state.writer = state.writer, None
        if isinstance(state.stream, LogStream):
            state.stream = None
        if writer is not None:
            state.is_continued = True
        return writer

    def _arm_short_way(self, changes: int) -> None:
        writer = self._ring.writer
        assert writer is not None
        if is_any_overridden(self, _SHORT_WAY):
            return
        encoding = codec_name(self.encoding)
        errors = self.errors or "strict"
        self._arm(
            changes,
            writer,
            self.formatter,
            self.filters,
            terminator=self.terminator.encode(encoding, errors),
            encoding=encoding,
            errors=errors,
            limit=min(self._short_limit(), writer.record_limit),
            due=self._due_s(),
            takes_calls=not is_any_overridden(self, ("handle",)),
        )

    def _short_limit(self) -> int:
        """Return the size in bytes above which a line goes the long way."""
        return sys.maxsize

    def _due_s(self) -> float:
        """Return when the short way ends, in seconds since the epoch."""
        return float("inf")

    # Streams.

    def _open(self) -> Any:  # noqa: ANN401 - a text stream
        """Open the log as `stream` shows it."""
        if self._ring.writer is not None:
            return self._log_stream()
        return self._open_file()

    def _open_file(self) -> IO[Any]:
        """Open the file as `mode` says, but never cut off lines of ours."""
        state = self._ring
        is_new = not os.path.exists(self.baseFilename)
        mode = self.mode.replace("w", "a") if state.is_continued else self.mode
        state.is_continued = False
        is_binary = "b" in mode
        stream = self._builtin_open(
            self.baseFilename,
            mode,
            encoding=self.encoding,
            errors=self.errors,
            newline=None if is_binary else self._ring_options.newline,
        )
        if is_new:
            try:
                give_to_owner(stream.fileno(), os.path.dirname(self.baseFilename))
                if self._ring_options.rights != FileRights():
                    self._ring_options.rights.apply(stream.fileno())
            except BaseException:
                stream.close()
                raise
        state.opened = stream
        return stream

    def _log_stream(self) -> LogStream:
        assert self._ring.writer is not None
        return LogStream(
            self._ring.writer,
            self.baseFilename,
            encoding=codec_name(self.encoding),
            errors=self.errors or "strict",
            on_close=weakref.WeakMethod(self._forget_way),
        )

    def _forget_way(self) -> None:
        """Find out about the way anew with the next record."""
        self._disarm()
        self._ring.checked = -1

    def flush(self) -> None:
        """Wait until every line that was emitted before is in the file.

        Raises:
            OSError: The disk is full or failing, or the process that writes the file
                for all is stopped; the text names it.
        """
        writer = self._ring.writer
        if writer is None or writer.closed:
            super().flush()
            return
        trouble = flush_while_healthy(writer)
        if trouble is not None:
            # A leader that doesn't get on has no errno.
            error = trouble.last_error or errno.EAGAIN
            raise OSError(error, trouble.trouble, self.baseFilename)

    def close(self) -> None:
        """Wait until every line is in the file, and close it.

        Raises:
            OSError: It couldn't be. The lines stay for who opens the log next.
        """
        writer = None
        try:
            with self._locked():
                writer = self._detach_ring()
                try:
                    super().close()
                finally:
                    self._ring.checked = -1
        finally:
            # Not with the lock held: what tells of trouble may log meanwhile.
            if writer is not None:
                writer.close()

    def __del__(self) -> None:
        """Let lines get to the file of a handler that was dropped without `close`."""
        # Without closing it here: the collector may come at any moment (reaper).
        if self._ring.writer is not None:
            hand_over(self._ring.writer)

    # Pickling.

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the configuration; who unpickles it opens the log for itself."""
        return reduce_handler(self, _UNPICKLED)

    def _resume(self) -> None:
        self._builtin_open = open
        self._ring.is_continued = True

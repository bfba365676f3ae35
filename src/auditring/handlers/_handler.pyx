"""A logging handler's short way: from a record to the ring in one call.

ringhandler.py arms it, which knows options, files and whatever else a handler may be
asked to do. Any assignment to an attribute of the handler disarms it, and so does a
change of its class or its formatter; the next record then goes the long way once.
"""

cimport cython
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport Py_TYPE, PyObject

from .._native.line cimport (
    line,
    line_begin,
    line_end,
    line_put_bytes,
    line_put_text,
)
from ..records._format cimport LinePlan
from ..records._record cimport call
from .._native.versions cimport type_version
from ..ring._writer cimport Writer

import logging
import sys
import time

from ..records._format import plan_for
from ..errors import ClosedError

cdef extern from "Python.h":
    int PyObject_GenericSetAttr(
        PyObject *owner, PyObject *name, PyObject *value
    ) except -1

cdef object LogRecord = logging.LogRecord
cdef double NEVER = float("inf")
# What a clock is put back by to be in time again doesn't matter to anybody.
cdef double CLOCK_SLACK_S = 60

# Since 3.12 a filter may replace the record, and handle() returns it.
cdef bint REPLACES_RECORDS = sys.version_info >= (3, 12)

cdef unsigned long _last_change = 0


cdef class FastHandler:
    """What a handler needs of C; `ringhandler.RingHandler` is the rest of it.

    Thread-safety: any thread. No lock is held while a record goes the short way: it
    only touches the line that it makes, and the ring.
    """

    def __cinit__(self, *args, **kwargs):
        self._change()

    def __setattr__(self, name, value):
        self._change()
        PyObject_GenericSetAttr(
            <PyObject *> self, <PyObject *> name, <PyObject *> value
        )

    def __delattr__(self, name):
        self._change()
        PyObject_GenericSetAttr(<PyObject *> self, <PyObject *> name, NULL)

    cdef int _change(self) except -1:
        global _last_change
        _last_change += 1
        self.changes = _last_change
        self._is_armed = False
        return 0

    # Arming.

    def _count_changes(self):
        """Return the number of the last assignment; what `_arm` wants to see."""
        return self.changes

    def _arm(
        self,
        changes,
        Writer writer not None,
        formatter,
        filters,
        *,
        bytes terminator not None,
        str encoding not None,
        str errors not None,
        Py_ssize_t limit,
        double due,
        bint takes_calls,
    ):
        """Open the short way, unless an attribute changed since *changes* were counted.

        Args:
            changes: What `_count_changes` said before the rest was found out.
            writer: Where lines go.
            formatter: None for logging's default.
            filters: The list of the handler.
            terminator: What ends a line, encoded.
            encoding: Of a codec that has ASCII as one byte each and no state.
            errors: How it treats what it can't encode.
            limit: Size of the largest line in bytes, its terminator included.
            due: Time since the epoch in seconds from which on no record may go this
                way; infinity for never.
            takes_calls: A logger may hand over a call without making a record.
        """
        self._writer = writer
        self._has_own_formatter = bool(formatter)
        self._formatter = formatter if formatter else logging._defaultFormatter
        self._plan = plan_for(self._formatter)
        self._filters = filters
        self._terminator = terminator
        self._encoding = encoding
        self._errors = errors
        self._is_utf8 = encoding == "utf-8"
        self._limit = limit
        self._due = due
        self._since = time.time() - CLOCK_SLACK_S
        self._takes_calls = takes_calls
        self._version = type_version(type(self))
        self._is_armed = self._version != 0 and self.changes == changes

    def _disarm(self):
        """Close the short way and let go of the writer."""
        self._is_armed = False
        self._writer = None

    cdef bint _is_current(self) except -1:
        """Tell whether the next record may go the short way."""
        if not self._is_armed or type_version(<object> Py_TYPE(self)) != self._version:
            return False
        if self._plan is not None and not self._plan.is_valid():
            return False
        if not self._has_own_formatter:
            if self._formatter is not logging._defaultFormatter:
                return False
        return self._due == NEVER or self._since <= time.time() < self._due

    def _is_before_arming(self):
        """Tell whether the clock was put back since the short way was opened."""
        return time.time() < self._since

    # Records.

    @cython.binding(False)
    def handle(self, record):
        """Filter a record and emit it, as `logging.Handler.handle` does."""
        if not self._is_current():
            return self._handle_slowly(record)
        result = record if REPLACES_RECORDS else True
        if PyList_GET_SIZE(self._filters) > 0:
            result = self.filter(record)
            if not result:
                return result
            if REPLACES_RECORDS and isinstance(result, LogRecord):
                record = result
        if not self._put(record):
            self._emit_locked(record)
        return result

    def _put_quickly(self, record):
        """Put a record into the ring; False when it must go the long way."""
        return self._is_current() and self._put(record)

    cdef bint _put(self, object record) except -1:
        cdef line out
        cdef bint is_done = False
        line_begin(&out)
        try:
            if self._plan is not None:
                try:
                    is_done = self._plan.put_record(record, &out, self._is_utf8)
                except Exception:
                    pass  # the formatter will raise it again, in its own words
            if not is_done:
                out.size = 0
                return self._put_formatted(record, &out)
            return self._commit_record(record, &out)
        finally:
            line_end(&out)

    cdef bint _put_formatted(self, object record, line *out) except -1:
        try:
            text = self._formatter.format(record)
            if type(text) is not str:
                return False
            self._encode(text, out)
        except Exception as error:
            self._report_error(record, error)
            return True
        return self._commit_record(record, out)

    cdef int _encode(self, str text, line *out) except -1:
        try:
            if line_put_text(out, text, self._is_utf8):
                return 0
        except UnicodeEncodeError:
            pass
        return line_put_bytes(out, text.encode(self._encoding, self._errors))

    cdef bint _commit_record(self, object record, line *out) except -1:
        try:
            return self._commit(out)
        except Exception as error:
            self._report_error(record, error)
            return True

    cdef bint _commit(self, line *out) except -1:
        cdef Writer writer = self._writer
        line_put_bytes(out, self._terminator)
        if out.size <= self._limit and writer is not None:
            try:
                writer._commit(out.data, out.size)
                return True
            except ClosedError:
                pass  # in another thread, or by the end of the interpreter
            except OSError as error:
                self._lose_ring(error)
        self._write_line(out.data[:out.size])
        return True

    # Calls.

    cdef bint takes_calls(self) except -1:
        """Tell whether a call may be put without a record."""
        return (
            self._takes_calls
            and self._is_current()
            and PyList_GET_SIZE(self._filters) == 0
            and self._plan is not None
            and self._plan.knows_calls
        )

    cdef bint wants_caller(self) noexcept:
        return self._plan is not None and self._plan.wants_caller

    cdef bint put_call(self, call *given) except -1:
        """Put a call into the ring; False when a record must be made for it.

        Raises what the ring does.
        """
        cdef LinePlan plan = self._plan
        cdef line out
        cdef bint is_done = False
        if plan is None:
            return False
        line_begin(&out)
        try:
            try:
                is_done = plan.put_call(given, &out, self._is_utf8)
            except Exception:
                pass
            return is_done and self._commit(&out)
        finally:
            line_end(&out)

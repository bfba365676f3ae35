"""Binding of csrc/writer.h: lifetime, argument checks, errno to exception.

`writer.LogWriter` builds on it; everything with an idea in it is there or in csrc. The
GIL is kept for a write that succeeds at once, because dropping it costs as much as the
write, and dropped around everything that may wait.
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport (
    EACCES,
    EAGAIN,
    EBUSY,
    EINVAL,
    EMSGSIZE,
    EPERM,
    EPIPE,
    EREMCHG,
    EREMOTE,
    EROFS,
    EUSERS,
)
from libc.math cimport isfinite
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memset

import errno
import os
import time
from sys import _getframe
from sys import modules as _modules

import orjson

from .._native.line cimport line, line_begin, line_end
from ._plainjson cimport put_plain

from ..process.cooperation import has_greenlets, pause
from ..errors import ClosedError, RingFullError

cdef extern from "Python.h":
    int Py_AddPendingCall(int (*function)(void *) except -1, void *argument)

cdef extern from "fcntl.h":
    int AT_FDCWD

cdef object dumps = orjson.dumps

# Between two slices of a wait signal handlers run and a close() is noticed.
cdef uint64_t SLICE_NS = 10 * 1000 * 1000
cdef int64_t FOREVER_NS = INT64_MAX
# How long a wait goes on without a directory, which a leader may still have open.
cdef int64_t GONE_PATIENCE_NS = 1000 * 1000 * 1000
# How long a wait for ever goes on when nobody has the rights that the log takes.
cdef int64_t RIGHTS_PATIENCE_NS = 5 * GONE_PATIENCE_NS
# The same in a program of greenlets, which wait along; and how long these then run.
cdef uint64_t SHORT_SLICE_NS = 1000 * 1000
cdef double GREENLETS_S = 0.002
# How long a fork may take before who waits for the log doesn't wait for it any more.
cdef uint64_t FORK_PATIENCE_NS = 100 * 1000 * 1000

COUNTER_NAMES = tuple(
    control_counter_name(<control_counter> i).decode() for i in range(COUNTER_COUNT)
)

_EXPLANATIONS = {
    EREMOTE: "a network or FUSE file system, where locks and mappings can't be trusted",
    EPERM: "the state directory belongs to another user",
    EINVAL: "not a regular file, or state_dir is not what the log was founded with",
    EUSERS: "all 1024 slots are taken",
    EBUSY: "another process is opening the log and does not get on",
    errno.EUCLEAN: "the state directory holds files of another version or program",
    errno.EMLINK: "the file has a second name (hard link)",
}


# What a write that waits for the disk says of a ring that somebody cut.
_CUT_OFF = "a file of the log was cut; the record may not be on the disk"

# How long a write may hold up an event loop, once until the ring has room again.
cdef int64_t LOOP_LIMIT_NS = 50 * 1000 * 1000
LOOP_LIMIT_S = LOOP_LIMIT_NS / 1e9


cdef bint runs_loop() except -1:
    """Tell whether this thread runs an event loop of asyncio."""
    events = _modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None


cdef bint _is_for_good(int error):
    return error in (-EACCES, -EPERM, -EROFS)


cdef object _error(int error, object path):
    """Make the OSError for a negative errno, with what it means here."""
    code = -error
    text = os.strerror(code)
    if code in _EXPLANATIONS:
        text = f"{text} ({_EXPLANATIONS[code]})"
    return OSError(code, text, str(path))


cdef object _refusal(int error, object path):
    """Make the OSError for a log that can't be opened."""
    if path is None or error not in (-EPERM, -errno.EACCES):
        return _error(error, path)
    from .distrust import explain_refusal, is_anothers

    if error != -EPERM and not is_anothers(path):
        return _error(error, path)
    return PermissionError(-error, explain_refusal(path), str(path))


cdef int64_t _deadline(object timeout) except -1:
    """Turn seconds from now, or None for ever, into monotonic nanoseconds."""
    if timeout is None:
        return FOREVER_NS
    if not timeout >= 0:
        raise ValueError(f"timeout: expected None or seconds >= 0, got {timeout!r}")
    if timeout > 2**31:
        return FOREVER_NS
    return time.monotonic_ns() + <int64_t> (timeout * 1e9)


cdef object _left_s(int64_t deadline):
    """Return the seconds until a deadline; None for ever."""
    if deadline == FOREVER_NS:
        return None
    return max(0, deadline - <int64_t> time.monotonic_ns()) / 1e9


cdef uint64_t _slice_ns(int64_t deadline) except? 0:
    """Return how long to wait at a stretch: until the deadline, but not for long."""
    cdef int64_t left = deadline - <int64_t> time.monotonic_ns()
    cdef uint64_t longest = SHORT_SLICE_NS if has_greenlets() else SLICE_NS
    if left >= <int64_t> longest:
        return longest
    return <uint64_t> left if left > 0 else 0


cdef int _finish(writer *log, int64_t deadline) except -1:
    """Wait until every record is in the file, or the time is up; handlers run."""
    cdef uint64_t limit
    cdef int error = -EBUSY
    while writer_is_parked(0) and time.monotonic_ns() < deadline:
        pause(0.001)
        _end_long_fork()
    while error == -EBUSY and time.monotonic_ns() < deadline:
        limit = _slice_ns(deadline)
        with nogil:
            error = writer_finish(log, limit)
        PyErr_CheckSignals()
        _end_long_fork()
        if error == -EBUSY:
            _let_greenlets_run()
    return 0


cdef Py_ssize_t _count_not_finite(object value) except -1:
    """Count the NaNs and infinities in what orjson made JSON of: it writes null."""
    cdef Py_ssize_t count = 0
    if isinstance(value, float):
        return not isfinite(<double> value)
    if isinstance(value, dict):
        for item in (<dict> value).values():
            count += _count_not_finite(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            count += _count_not_finite(item)
    return count


def _real_path(path):
    """Return the one path of a log, the same for all spellings of it."""
    return path.__class__(os.path.realpath(path.parent), path.name)


GONE = "the log's directory was removed or replaced while it was open"


cdef class Writer:
    """One reference to a log's writer, as `writer.LogWriter` opens it.

    Thread-safety: any thread; `_close` waits for calls that are under way.
    """

    def __cinit__(self, *args, **kwargs):
        self._writer = NULL

    def _open(self, path, options):
        """Open *path* (None: standard output) with checked *options*."""
        cdef writer_options c_options
        cdef writer *opened = NULL
        cdef int error
        path_bytes = None if path is None else os.fsencode(path)
        rings = options["rings_path"]
        rings_bytes = None if rings is None else os.fsencode(rings)
        c_options.path = NULL
        if path_bytes is not None:
            c_options.path = path_bytes
        c_options.rings_path = NULL
        if rings_bytes is not None:
            c_options.rings_path = rings_bytes
        c_options.ring_bytes = options["ring_bytes"]
        c_options.first_ring_bytes = 0
        c_options.durability = <durability> <int> options["durability"]
        c_options.adopt_settings = options["adopt_settings"]
        c_options.allow_network_fs = options["allow_network_fs"]
        c_options.stream_fd = 1
        _fill_settings(&c_options.settings, options)
        with nogil:
            error = writer_open(&opened, &sys_posix, &c_options)
        if error < 0:
            raise _refusal(error, path)
        self._writer = opened
        self._spelled = path
        self.path = "-" if path is None else _real_path(path)
        self._is_stream = path is None
        self._waits_for_disk = options["durability"] == 2
        self._given_up_at = self._given_up_in_loop_at = -1
        self._adjust(options)

    def _adjust(self, options):
        """Take what is this writer's own and may change while it's open."""
        self._on_full = options["on_full"]
        self._drops_on_timeout = options["drops_on_timeout"]
        self._block_ns = (
            -1 if options["block_ns"] is None else <int64_t> options["block_ns"]
        )

    def __dealloc__(self):
        cdef writer *left = self._writer
        self._writer = NULL
        if left != NULL:
            # What is in the ring is safe there; waiting here could hang the collector.
            with nogil:
                writer_close(left, 0)

    # Writing.

    def write(self, data, /):
        """Commit one record: what the log keeps whole, in one file.

        Returns when the record is in the ring and survives the death of the process;
        with ``durability="sync"``, when it is on the disk. Newlines in it stay, and
        one is added to its end if there is none.

        Thread-safety: any thread. While it waits, signal handlers run.

        Args:
            data: A bytes-like object; with its newline up to `record_limit` bytes.

        Returns:
            True: It is committed. False: It was dropped, with ``on_full="drop"`` or
            ``on_timeout="drop"``; a gap event in the log will tell.

        Raises:
            TypeError: It isn't bytes-like; text needs an encoding.
            BufferError: It isn't contiguous.
            ValueError: It is empty or too large.
            RingFullError: There was no room, at once with ``on_full="raise"``, or for
                `block_timeout`.
            ClosedError: The writer was closed, before the call or while it waited.
            BrokenPipeError: It waited for standard output, which nobody reads.
            FileNotFoundError: It waited for a log whose directory was removed or
                replaced.
            OSError: The process needs a new ring, after a fork, and can't have it.
        """
        if type(data) is bytes:
            return self._commit(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return self._with_buffer(data, False)

    def drop(self, size=0, /):
        """Give a record up: it counts as dropped, and a gap event in the log will tell.

        For records that can't be written: too long, or with no form that a line has.

        Thread-safety: any thread.

        Args:
            size: Its bytes, 0 if nobody knows.

        Raises:
            OverflowError: *size* is negative, or larger than memory.
            ClosedError: The writer was closed.
        """
        self._check_open()
        writer_drop(self._writer, size)

    def write_lines(self, chunk, /):
        """Commit every line of a chunk as a record of its own.

        A line ends with its newline; the last one gets it if it has none. Empty lines
        are lines.

        Thread-safety: any thread. Lines of other threads may come in between.

        Args:
            chunk: A bytes-like object of any size; none of its lines is larger than
                `record_limit`.

        Returns:
            How many were committed; the others were dropped, as `write` does it. With
            ``durability="sync"`` all of them are on the disk.

        Raises:
            TypeError, BufferError, ValueError, RingFullError, ClosedError, OSError:
                As `write` does. The lines before the one in question are committed,
                those after it are not.
        """
        return self._with_buffer(chunk, True)

    def write_json(self, value, /):
        """Commit a mapping as one record, a line of compact JSON in UTF-8.

        What JSON has no form for becomes something that it has one for, and is counted
        in ``stats().coerced_values``: bytes and broken text, sets, keys that are no
        text, unknown objects, what is nested too deep or in itself. NaN and infinities
        are null.

        Thread-safety: any thread; nobody may change *value* meanwhile.

        Args:
            value: Anything that consists of mappings, lists and values; dates, UUIDs,
                enums and dataclasses have forms of their own.

        Returns:
            As `write` does.

        Raises:
            ValueError: The line is too large.
            RingFullError, ClosedError, OSError: As `write` does.
        """
        cdef line text
        cdef Py_ssize_t nulled = 0
        line_begin(&text)
        try:
            if put_plain(&text, value, &nulled):
                self.coerced_values += nulled
                return self._commit(text.data, text.size)
        finally:
            line_end(&text)
        return self._write_odd(value)

    cdef object _write_odd(self, object value):
        """Commit a value that isn't plain (`_plainjson`)."""
        cdef bytes dumped
        try:
            dumped = dumps(value)
        except Exception:  # Foreign code may run in it: the event stays, come what may.
            dumped = self._coerced(value)
        else:
            if b"null" in dumped:
                self.coerced_values += _count_not_finite(value)
        return self._commit(PyBytes_AS_STRING(dumped), PyBytes_GET_SIZE(dumped))

    cdef bytes _coerced(self, object value):
        # Imported where it is needed: a well-behaved program never does.
        from .coerce import coerce

        coerced, count = coerce(value)
        self.coerced_values += count
        return dumps(coerced)

    def _write_long(self, data, /):
        """Commit a record that may be larger than `record_limit`, for handlers.

        Args:
            data: Bytes that end with a newline.

        Returns:
            False: This process can't have a ring that holds it, and nothing was done.

        Raises:
            RingFullError, ClosedError, OSError: As `write` does.
        """
        cdef size_t size = <size_t> PyBytes_GET_SIZE(data)
        cdef writer *log
        cdef int error
        self._check_open()
        self._look()
        log = self._writer
        self._calls += 1
        writer_hold(log)
        try:
            with nogil:
                error = writer_make_room(log, size)
        finally:
            writer_let_go(log)
            self._calls -= 1
        if error < 0 or log != self._writer:
            return False
        self._commit(PyBytes_AS_STRING(data), <Py_ssize_t> size)
        return True

    cdef object _with_buffer(self, object data, bint is_lines):
        cdef Py_buffer view
        if not PyObject_CheckBuffer(data):
            raise TypeError(f"data: expected a bytes-like object, got {data!r:.80}")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if is_lines:
                return self._commit_lines(<const char *> view.buf, view.len)
            return self._commit(<const char *> view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef bint _commit(self, const char *data, Py_ssize_t size) except -1:
        cdef writer_ticket ticket
        if not self._take(data, size, &ticket):
            return False
        if self._waits_for_disk:
            self._wait_durable(&ticket)
        return True

    cdef object _commit_lines(self, const char *data, Py_ssize_t size):
        cdef const char *end
        cdef writer_ticket last
        cdef Py_ssize_t length, committed = 0
        try:
            while size > 0:
                end = <const char *> memchr(data, 10, <size_t> size)
                length = size if end == NULL else end - data + 1
                committed += self._take(data, length, &last)
                data += length
                size -= length
        except RingFullError as error:
            error.committed = committed
            raise
        # The last one on the disk means that those before it are.
        if committed > 0 and self._waits_for_disk:
            self._wait_durable(&last)
        return committed

    cdef bint _take(
        self, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except -1:
        cdef int error
        if self._writer == NULL or self._is_closing:
            raise ClosedError(f"{self.path}: write after close()")
        if size == 0:
            raise ValueError("data: expected at least one byte, got none")
        error = writer_write(
            self._writer, data, <size_t> size, data[size - 1] != 10, ticket
        )
        return error == 0 or self._take_slowly(error, data, size, ticket)

    cdef bint _take_slowly(
        self, int error, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except -1:
        """Go on after a refusal: wait, drop or raise as the options say."""
        cdef int64_t limit_ns, deadline
        cdef bint in_loop
        if error == -EREMCHG:
            error = self._write_elsewhere(data, size, ticket)
        if error == 0:
            return True
        if error != -EAGAIN:
            self._refuse(error, size)
        if self._on_full == 1:
            writer_drop(self._writer, <size_t> size)
            return False
        if self._on_full == 2:
            writer_count_refused(self._writer)
            raise RingFullError(f"{self.path}: no room for a record of {size} bytes")
        in_loop = self._spares_loops and runs_loop()
        limit_ns = self._block_ns
        if in_loop and not 0 <= limit_ns < LOOP_LIMIT_NS:
            limit_ns = LOOP_LIMIT_NS
        deadline = FOREVER_NS if limit_ns < 0 else time.monotonic_ns() + limit_ns
        while error == -EAGAIN:
            if limit_ns >= 0 and (
                self._is_useless(in_loop) or time.monotonic_ns() >= deadline
            ):
                if in_loop:
                    self._given_up_in_loop_at = writer_drained(self._writer)
                else:
                    self._given_up_at = writer_drained(self._writer)
                return self._give_up(size, limit_ns)
            self._wait_space(size, deadline)
            if limit_ns < 0 and self._is_hopeless():
                writer_count_refused(self._writer)
                raise _error(self._last_error(), self.path)
            error = writer_write(
                self._writer, data, <size_t> size, data[size - 1] != 10, ticket
            )
            if error == -EREMCHG:
                error = self._write_elsewhere(data, size, ticket)
        if error < 0:
            self._refuse(error, size)
        return True

    cdef int _write_elsewhere(
        self, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except? -1:
        """Write to the log at its path; return 0, or a negative errno.

        Without a ring in the past log (a forked child) and without the right to open
        the present one there is nowhere to go: that error is the answer.
        """
        cdef int error = -EREMCHG
        cdef bint in_loop = self._spares_loops and runs_loop()
        cdef int64_t deadline = time.monotonic_ns()
        deadline += LOOP_LIMIT_NS if in_loop else GONE_PATIENCE_NS
        while error == -EREMCHG:
            self._go_on()
            error = writer_write(
                self._writer, data, <size_t> size, data[size - 1] != 10, ticket
            )
            if error != -EREMCHG or self._renewal_error == 0:
                continue
            # A directory that is being made anew is there in a moment.
            if _is_for_good(self._renewal_error) or time.monotonic_ns() >= deadline:
                return self._renewal_error
            pause(0.001)
        return error

    cdef bint _is_useless(self, bint in_loop):
        """Tell whether somebody waited in vain, and nothing was drained since."""
        cdef int64_t drained
        if not (self._drops_on_timeout or in_loop):
            return False  # who is raised to may count on the wait
        drained = writer_drained(self._writer)
        return self._given_up_at == drained or (
            in_loop and self._given_up_in_loop_at == drained
        )

    cdef int _wait_space(self, Py_ssize_t size, int64_t deadline) except -1:
        cdef uint64_t limit = _slice_ns(deadline)
        cdef writer *log = self._writer
        self._calls += 1
        writer_hold(log)
        try:
            with nogil:
                writer_wait_space(log, <size_t> size, limit)
        finally:
            writer_let_go(log)
            self._calls -= 1
        return self._look_around()

    cdef bint _give_up(self, Py_ssize_t size, int64_t limit_ns) except -1:
        writer_count_timeout(self._writer)
        if self._drops_on_timeout:
            writer_drop(self._writer, <size_t> size)
            return False
        writer_count_refused(self._writer)
        raise RingFullError(
            f"{self.path}: no room for a record of {size} bytes within "
            f"block_timeout={limit_ns / 1e9}"
        )

    cdef int _refuse(self, int error, Py_ssize_t size) except -1:
        if error == -EMSGSIZE:
            writer_count_refused(self._writer)
            raise ValueError(
                f"data: a record of {size} bytes, the limit is "
                f"{writer_record_limit(self._writer)} (half of ring_bytes less 64)"
            )
        raise _error(error, self.path)

    cdef int _look_around(self) except -1:
        """Between two slices of a wait: whatever may let it end without an answer."""
        cdef writer_statistics stats
        cdef writer *log
        finish_fork()
        _end_long_fork()
        _let_greenlets_run()
        PyErr_CheckSignals()
        if self._is_closing:
            raise ClosedError(f"{self.path}: closed while waiting")
        log = self._writer
        writer_hold(log)
        with nogil:
            writer_look(log)
        writer_let_go(log)
        read_stats(self._writer, &stats)
        if stats.health == HEALTH_OK and not self._is_long_gone():
            return 0
        if self._is_stream and stats.last_error == -EPIPE:
            raise _error(-EPIPE, self.path)
        if self._look() == WRITER_GONE:
            raise OSError(errno.ENOENT, GONE, str(self.path))
        return 0

    cdef bint _is_long_gone(self) except -1:
        """Tell whether the path leads nowhere, and did a second ago in this wait."""
        cdef int64_t now = time.monotonic_ns()
        if self._is_stream or self._look() != WRITER_GONE:
            self._gone_since_ns = 0
        elif self._gone_since_ns == 0:
            self._gone_since_ns = now
        return self._gone_since_ns != 0 and now - self._gone_since_ns > GONE_PATIENCE_NS

    cdef bint _is_hopeless(self) except -1:
        """Tell whether rights have been missing for RIGHTS_PATIENCE_NS.

        Nobody who has them came in that time, and a wait for ever would be one.
        """
        cdef int64_t now = time.monotonic_ns()
        cdef uint64_t drained = writer_drained(self._writer)
        if (
            self._stuck_since_ns == 0
            or drained != self._stuck_at
            or not _is_for_good(self._last_error())
        ):
            self._stuck_since_ns = now
            self._stuck_at = drained
        return now - self._stuck_since_ns > RIGHTS_PATIENCE_NS

    cdef int _last_error(self) except? -1:
        """Return what is wrong with the log, a negative errno; 0 if nothing is."""
        cdef writer_statistics stats
        read_stats(self._writer, &stats)
        return 0 if stats.health == HEALTH_OK else stats.last_error

    cdef int _go_on(self) except -1:
        """Go on where the log is now, or where it was as long as that can't be."""
        if self._is_renewing:
            pause(0.001)  # another thread is at it
            return 0
        self._is_renewing = True
        try:
            self._renew()
        finally:
            self._is_renewing = False
        return 0

    cdef bint _renew(self) except -1:
        """Leave a past writer for the one at its path; False: there is none yet."""
        cdef writer *past = self._writer
        cdef writer *opened = NULL
        cdef int error
        self._calls += 1  # close() waits for it
        try:
            with nogil:
                error = writer_renew(past, &opened)
        finally:
            self._calls -= 1
        self._renewal_error = error
        if error < 0:
            writer_put_off(past, error)
            return False
        # Writes hold the GIL: none of this handle is under way.
        self._writer = opened
        self.path = _real_path(self._spelled)
        writer_leave(past)
        with nogil:
            writer_wake_rotation(past)
            writer_give_back(past)
        return True

    cdef writer_place _look(self) except *:
        """Tell where the log's path leads, and go on there if it is elsewhere."""
        cdef writer_place place = writer_find(self._writer)
        if place == WRITER_PAST:
            self._go_on()
        return place

    def _is_gone(self):
        """Tell whether the log's path leads nowhere."""
        return self._writer != NULL and writer_find(self._writer) == WRITER_GONE

    cdef int _wait_durable(self, writer_ticket *ticket) except -1:
        cdef bint is_durable = False
        cdef uint64_t limit = _slice_ns(FOREVER_NS)
        cdef writer *log = self._writer
        writer_hold(log)  # the ring of the ticket is its, whatever the handle's is then
        try:
            while not is_durable:
                self._calls += 1
                try:
                    with nogil:
                        is_durable = writer_wait_durable(log, ticket, limit)
                finally:
                    self._calls -= 1
                if not is_durable and writer_is_cut_off(ticket):
                    raise OSError(errno.EIO, _CUT_OFF, str(self.path))
                if not is_durable:
                    self._look_around()
        finally:
            writer_let_go(log)
        return 0

    # Asking.

    cdef bint _ask(self, request what, object timeout) except -1:
        cdef int64_t deadline = _deadline(timeout)
        cdef writer *asked = NULL
        cdef uint64_t ticket = 0
        cdef int error = 0
        self._check_open()
        self._look()
        self._gone_since_ns = 0
        self._stuck_since_ns = 0
        while True:
            self._check_open()
            if asked != self._writer:
                asked = self._writer
                error = writer_ask(asked, what, &ticket)
                if error == -EREMCHG:
                    asked = NULL
                    self._go_on()
                    if _is_for_good(self._renewal_error):
                        raise _error(self._renewal_error, self.path)
                    if self._renewal_error < 0:
                        pause(0.001)
                        self._look_around()
                        if time.monotonic_ns() >= deadline:
                            return False
                    continue
                if error < 0:
                    raise _error(error, self.path)
            if self._wait_answer(what, ticket, deadline, &error):
                break
            self._look_around()
            if time.monotonic_ns() >= deadline:
                return False
            if deadline == FOREVER_NS and self._is_hopeless():
                raise _error(self._last_error(), self.path)
        if error < 0:
            raise _error(error, self.path)
        return True

    cdef bint _wait_answer(
        self, request what, uint64_t ticket, int64_t deadline, int *error
    ) except -1:
        cdef uint64_t limit = _slice_ns(deadline)
        cdef writer *log = self._writer
        cdef bint is_answered
        # Not across _look_around: a signal handler may close the writer there.
        self._calls += 1
        writer_hold(log)
        try:
            with nogil:
                is_answered = writer_wait_answer(log, what, ticket, limit, error)
        finally:
            writer_let_go(log)
            self._calls -= 1
        return is_answered

    cdef int _have_done(self, request what) except -1:
        """Ask for what has to be done sooner or later."""
        limit = None if self._block_ns < 0 else self._block_ns / 1e9
        if self._spares_loops and runs_loop():
            limit = LOOP_LIMIT_S if limit is None else min(limit, LOOP_LIMIT_S)
        if not self._ask(what, limit):
            raise TimeoutError(
                errno.ETIMEDOUT, self._trouble() or "not done yet", str(self.path)
            )
        return 0

    def flush(self, timeout=None):
        """Wait until every record that was committed before is in the file.

        Records of all processes count, dead ones too. In the file means handed to the
        kernel; `sync` means the disk. Gap events that tell of drops of this process,
        made before the call, are in the file as well; those of other losses follow.

        Thread-safety: any thread. While it waits, signal handlers run.

        Args:
            timeout: Seconds to wait; None is for ever.

        Returns:
            True: They are. False: Not within *timeout*.

        Raises:
            ClosedError: The writer was closed, before the call or while it waited.
            BrokenPipeError: It is standard output, which nobody reads.
            FileNotFoundError: The log's directory was removed or replaced.
            PermissionError: For 5 seconds of a wait for ever, nobody had the rights to
                write to the log; the records stay in the ring.
        """
        cdef int64_t deadline = _deadline(timeout)
        cdef uint64_t drops
        cdef int error = -EAGAIN
        self._check_open()
        drops = writer_drops(self._writer)
        while error == -EAGAIN or error == -EBUSY:
            # What is told after the question may not be in the answer.
            error = writer_tell_drops(self._writer, drops)
            if not self._ask(REQUEST_FLUSH, _left_s(deadline)):
                return False
            self._check_open()
        return True

    def sync(self, timeout=None):
        """Wait until every record that was committed before is on the disk.

        Whatever `durability` is. Standard output is only flushed.

        Thread-safety: any thread. While it waits, signal handlers run.

        Args:
            timeout: Seconds to wait; None is for ever.

        Returns:
            True: They are. False: Not within *timeout*.

        Raises:
            OSError: The disk failed. What was written since the last sync may be lost
                when the machine stops; a gap event in the log says so.
            ClosedError: The writer was closed, before the call or while it waited.
        """
        return self._ask(REQUEST_SYNC, timeout)

    def rotate(self):
        """Make the live file a backup now, an empty one too, and begin a new one.

        Waits until that is done, by whichever process leads. Records that were
        committed before are in the backup. Standard output stays as it is, and so does
        a log of the stdlib dialect with a `max_backups` of 0.

        Thread-safety: any thread. While it waits, signal handlers run.

        Raises:
            OSError: The file can't be renamed; it stays in use.
            TimeoutError: `block_timeout` is over and it isn't done yet, which it will
                be once the log gets on.
            ClosedError: The writer was closed, before the call or while it waited.
        """
        self._have_done(REQUEST_ROTATE)

    def _ask_reopen(self):
        """Ask for a reopen and don't wait: for signal handlers."""
        cdef uint64_t ticket = 0
        self._check_open()
        writer_ask(self._writer, REQUEST_REOPEN, &ticket)

    def reopen(self):
        """Open the live file by its name again, after somebody renamed it.

        For an external logrotate; `reopen_on` ties it to a signal. Waits until that is
        done, by whichever process leads. Without it a rename is noticed with the next
        record, or within half a second.

        Thread-safety: any thread. While it waits, signal handlers run.

        Raises:
            OSError: The file can't be opened; it is tried again and again.
            TimeoutError: `block_timeout` is over and it isn't done yet, which it will
                be once the log gets on.
            ClosedError: The writer was closed, before the call or while it waited.
        """
        self._have_done(REQUEST_REOPEN)

    # Looking.

    cdef int _check_open(self) except -1:
        if self._writer == NULL or self._is_closing:
            raise ClosedError(f"{self.path}: use after close()")
        return 0

    @property
    def closed(self):
        """Whether `close()` was called."""
        return self._writer == NULL or self._is_closing

    @property
    def record_limit(self):
        """Bytes that a record may have at most."""
        self._check_open()
        return writer_record_limit(self._writer)

    def _statistics(self):
        """Return the counters by name, and the rest of struct writer_stats."""
        cdef writer_statistics stats
        self._check_open()
        read_stats(self._writer, &stats)
        counters = {
            name: stats.counters[i] for i, name in enumerate(COUNTER_NAMES)
        }
        return counters, {
            "ring_capacity": stats.ring_capacity,
            "ring_used": stats.ring_used,
            "live_slots": stats.live_slots,
            "health": stats.health,
            "last_error": -stats.last_error,
            "leads": stats.leads != 0,
            "leader_pid": stats.leader_pid,
            "leader_silent_s": stats.leader_silent_ns // 1_000_000_000,
            "trouble": self._trouble() if stats.health != HEALTH_OK else "",
        }

    def _trouble(self):
        """Return what is wrong with the log now, in words; "" for nothing."""
        cdef char text[1024]
        self._check_open()
        writer_describe(self._writer, text, sizeof(text))
        return (<bytes> text).decode(errors="replace")

    def _said(self):
        """Return how often trouble was said, and the last text and its errno."""
        cdef char text[1024]
        cdef int error = 0
        if self._writer == NULL:
            return 0, "", 0
        count = writer_said(self._writer, text, sizeof(text), &error)
        return count, (<bytes> text).decode(errors="replace"), -error

    def _spare_event_loops(self):
        """Wait for room for LOOP_LIMIT_NS at most in a thread that runs an event loop.

        Whoever writes for others, as handlers and auditors do, wants that.
        """
        self._spares_loops = True

    def _settings(self):
        """Return the settings in force, by name."""
        cdef control_settings settings
        self._check_open()
        writer_settings(self._writer, &settings)
        return settings

    # For the mill.

    def wait_rotation(self, seen, timeout):
        """Wait until the count of rotations differs from *seen*; return it."""
        cdef uint32_t before = <uint32_t> (seen & 0xFFFFFFFF), now
        cdef uint64_t limit = <uint64_t> (timeout * 1e9)
        cdef writer *log = self._writer
        if log == NULL:
            return before
        self._calls += 1
        writer_hold(log)
        try:
            with nogil:
                now = writer_wait_rotation(log, before, limit)
        finally:
            writer_let_go(log)
            self._calls -= 1
        return now

    def wake(self):
        """Make a `wait_rotation` of another thread return."""
        if self._writer != NULL:
            writer_wake_rotation(self._writer)

    def try_mill_lock(self):
        """Tell whether this process is the one that works on backups."""
        # The lock is to be that of the directory which the path leads to now.
        if self._writer == NULL or self._look() != WRITER_HERE:
            return False
        return self._writer != NULL and writer_lock_mill(self._writer) == 0

    def leave_mill_lock(self):
        """Leave the work on backups to another process."""
        if self._writer != NULL:
            writer_unlock_mill(self._writer)

    def _note_unread(self, count, size_bytes):
        """Count backups that were removed unread; a gap event will tell of them."""
        if self._writer != NULL:
            writer_note_unread(self._writer, count, size_bytes)

    # Ending.

    def _close(self, double flush_limit):
        """Flush for so many seconds and give the reference back; 0 or an errno."""
        cdef writer *left = self._writer
        cdef int64_t deadline
        cdef uint64_t left_ns
        cdef int error
        if left == NULL or self._is_closing:
            return 0
        self._is_closing = True
        try:
            while self._calls > 0:
                writer_wake_rotation(left)
                pause(0.001)
            left = self._writer  # a call may have gone on in another one
            self._writer = NULL
        finally:
            # A signal handler that raises leaves the writer open.
            self._is_closing = self._writer == NULL
        deadline = _deadline(flush_limit)
        try:
            _finish(left, deadline)
        except BaseException:  # of a signal handler; what is left stays in the ring
            with nogil:
                writer_close(left, 0)
            raise
        left_ns = max(0, deadline - time.monotonic_ns())
        with nogil:
            error = writer_close(left, left_ns)
        return -error

    def _forget_calls(self):
        """In a forked child: the threads that were in calls do not exist here."""
        self._calls = 0


def rename_noreplace(int directory, bytes old not None, bytes new not None):
    """Rename a file of a directory, unless there is one of the new name.

    Raises:
        FileExistsError: There is.
        OSError: It can't be renamed.
    """
    cdef const char *source = old
    cdef const char *target = new
    cdef int error
    with nogil:
        error = sys_posix.rename_noreplace(directory, source, target)
    if error != 0:
        raise OSError(-error, os.strerror(-error), os.fsdecode(new))


def append_line(
    int fd, bytes text not None, bytes path, bint is_inherited, bint ends_torn
):
    """Append a line past the rings, as a whole or not at all (csrc/appending.h).

    Args:
        fd: The live file, opened to append.
        text: Bytes that end with a newline.
        path: Where the file must be; None: wherever it is.
        is_inherited: Other processes have the open file, too.
        ends_torn: What has no newline at the end of the file gets one.

    Returns:
        0, or the errno.
    """
    cdef appending_line one
    memset(&one, 0, sizeof(one))
    one.sys = &sys_posix
    one.fd = fd
    one.is_inherited = is_inherited
    one.ends_torn = ends_torn
    one.dir = AT_FDCWD
    one.name = NULL if path is None else PyBytes_AS_STRING(path)
    one.parts[0].iov_base = PyBytes_AS_STRING(text)
    one.parts[0].iov_len = <size_t> PyBytes_GET_SIZE(text)
    cdef int error
    with nogil:
        error = appending_put(&one)
    return -error


def count_news():
    """Return how often trouble was said, of any log of this process, modulo 2**32."""
    return speaker_news()


def wait_news(uint32_t seen, double timeout):
    """Wait until the count of news differs from *seen*, or `wake_news`; or so long."""
    cdef uint64_t limit_ns = <uint64_t> (timeout * 1e9)
    with nogil:
        speaker_wait_news(seen, limit_ns)


def wake_news():
    """Make a `wait_news` of another thread return."""
    speaker_wake_news()


def before_fork():
    """Park the threads behind all writers, until after the fork."""
    with nogil:
        writer_before_fork()


cdef int _let_greenlets_run() except -1:
    if has_greenlets():
        pause(GREENLETS_S)
    return 0


cdef int _end_long_fork() except -1:
    """Start the threads early when a fork takes long: it may wait for who waits."""
    if writer_is_parked(FORK_PATIENCE_NS):
        after_fork_in_parent()
    return 0


def after_fork_in_parent():
    """Start the parked threads again."""
    with nogil:
        writer_after_fork_parent()


def after_fork_in_child():
    """Make all writers open rings of their own at the next write."""
    writer_after_fork_child()


# What is put off until the fork under way has returned to the frame that forks. Only
# the main thread comes here, under the GIL.
cdef object _put_off = None
cdef object _forking_frame = None
cdef int64_t _put_off_until = 0
cdef int64_t FORK_LIMIT_NS = 20 * 1000 * 1000


def call_after_fork(function, frame):
    """Call *function* as soon as the fork that *frame* asked for has returned to it.

    For the main thread of a process that has no other. Should the fork's hooks run for
    longer than FORK_LIMIT_NS, *function* is called between two of their instructions.
    """
    global _put_off, _forking_frame, _put_off_until
    _put_off, _forking_frame = function, frame
    _put_off_until = time.monotonic_ns() + FORK_LIMIT_NS
    if Py_AddPendingCall(_on_pending_call, NULL) != 0:
        finish_fork()


def finish_fork():
    """Call now what is put off, if anything is: somebody is going to wait for it."""
    global _put_off, _forking_frame
    function, _put_off, _forking_frame = _put_off, None, None
    if function is not None:
        _call_as_hook(function)


cdef void _call_as_hook(object function) noexcept:
    """Call; what is raised is printed, as of a fork's hooks, and not the caller's."""
    function()


cdef int _on_pending_call(void *unused) except -1:
    """Between two instructions of Python code in the main thread."""
    if (
        _put_off is not None
        and time.monotonic_ns() < _put_off_until
        and _is_called_from(_forking_frame)
        and Py_AddPendingCall(_on_pending_call, NULL) == 0
    ):
        return 0
    finish_fork()
    return 0


cdef bint _is_called_from(object frame) except -1:
    """Tell whether the code that runs was called, over any steps, from *frame*."""
    caller = _getframe().f_back
    while caller is not None and caller is not frame:
        caller = caller.f_back
    return caller is not None


cdef int _fill_settings(control_settings *settings, object options) except -1:
    settings.max_bytes = options["max_bytes"]
    settings.max_backups = options["max_backups"]
    settings.max_age_s = options["max_age_s"]
    settings.max_total_bytes = options["max_total_bytes"]
    settings.dialect = options["dialect"]
    settings.compress = options["compress"]
    settings.compress_level = options["compress_level"]
    settings.mode = options["mode"]
    settings.gid = options["gid"]
    settings.wipe_on_drain = options["wipe_on_drain"]
    settings.keep_for_followers = options["keep_for_followers"]
    settings.unused = 0
    settings.sync_interval_ns = options["sync_interval_ns"]
    return 0

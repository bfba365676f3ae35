"""The contract of csrc/writer.h, in Cython's words, and what C code sees of Writer."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "sys.h" nogil:
    cdef struct sys:
        int (*rename_noreplace)(
            int dir, const char *old, const char *new
        ) noexcept nogil

    const sys sys_posix


cdef extern from "appending.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len

    cdef struct appending_line:
        const sys *sys
        int fd
        bint is_inherited
        bint ends_torn
        int dir
        const char *name
        iovec parts[2]

    int appending_put(const appending_line *line)


cdef extern from "control.h" nogil:
    enum:
        COUNTER_COUNT
        HEALTH_OK
        HEALTH_DISK_FULL

    cdef enum durability:
        pass

    cdef enum request:
        REQUEST_FLUSH
        REQUEST_SYNC
        REQUEST_ROTATE
        REQUEST_REOPEN

    cdef enum control_counter:
        pass

    cdef struct control_settings:
        uint64_t max_bytes
        uint64_t max_backups
        uint64_t max_age_s
        uint64_t max_total_bytes
        uint32_t dialect
        uint32_t compress
        int32_t compress_level
        uint32_t mode
        uint32_t gid
        uint32_t wipe_on_drain
        uint32_t keep_for_followers
        uint32_t unused
        uint64_t sync_interval_ns

    const char *control_counter_name(control_counter counter)


cdef extern from "speaker.h" nogil:
    uint32_t speaker_news()
    void speaker_wait_news(uint32_t seen, uint64_t limit_ns)
    void speaker_wake_news()


cdef extern from "writer.h" nogil:
    cdef struct writer:
        pass

    cdef struct writer_options:
        const char *path
        const char *rings_path
        uint64_t ring_bytes
        uint64_t first_ring_bytes
        durability durability
        control_settings settings
        bint adopt_settings
        bint allow_network_fs
        int stream_fd

    cdef struct writer_ticket:
        void *ring
        uint64_t end

    cdef struct writer_statistics "writer_stats":
        uint64_t counters[COUNTER_COUNT]
        uint64_t ring_capacity
        uint64_t ring_used
        uint32_t live_slots
        uint32_t health
        int32_t last_error
        uint32_t leads
        int32_t leader_pid
        uint64_t leader_silent_ns

    int writer_open(writer **out, const sys *sys, const writer_options *options)
    int writer_finish(writer *writer, uint64_t limit_ns)
    int writer_close(writer *writer, uint64_t flush_limit_ns)
    int writer_write(
        writer *writer,
        const void *data,
        size_t size,
        bint terminate,
        writer_ticket *ticket,
    )
    uint64_t writer_record_limit(writer *writer)
    int writer_make_room(writer *writer, size_t size)
    void writer_wait_space(writer *writer, size_t size, uint64_t limit_ns)
    void writer_drop(writer *writer, size_t size)
    uint64_t writer_drops(writer *writer)
    int writer_tell_drops(writer *writer, uint64_t count)
    void writer_count_refused(writer *writer)
    void writer_count_timeout(writer *writer)
    bint writer_wait_durable(
        writer *writer, const writer_ticket *ticket, uint64_t limit_ns
    )
    bint writer_is_cut_off(const writer_ticket *ticket)
    int writer_ask(writer *writer, request request, uint64_t *ticket)
    int writer_wait_answer(
        writer *writer, request request, uint64_t ticket, uint64_t limit_ns, int *error
    )
    void writer_describe(writer *writer, char *text, size_t size)
    void writer_look(writer *writer)
    uint64_t writer_drained(writer *writer)
    uint32_t writer_said(writer *writer, char *text, size_t size, int *error)
    void read_stats "writer_stats"(writer *writer, writer_statistics *out)
    void writer_settings(writer *writer, control_settings *out)
    uint32_t writer_wait_rotation(writer *writer, uint32_t seen, uint64_t limit_ns)
    void writer_wake_rotation(writer *writer)
    int writer_lock_mill(writer *writer)
    void writer_unlock_mill(writer *writer)
    void writer_note_unread(writer *writer, uint64_t count, uint64_t bytes)
    void writer_before_fork()
    void writer_after_fork_parent()
    void writer_after_fork_child()
    bint writer_is_parked(uint64_t limit_ns)


cdef extern from "renewal.h" nogil:
    cdef enum writer_place:
        WRITER_HERE
        WRITER_GONE
        WRITER_PAST

    writer_place writer_find(writer *writer)
    int writer_renew(writer *past, writer **out)
    void writer_leave(writer *past)
    void writer_give_back(writer *past)
    void writer_put_off(writer *past, int error)
    void writer_hold(writer *writer)
    void writer_let_go(writer *writer)


cdef class Writer:
    cdef writer *_writer
    cdef object __weakref__
    cdef readonly object path
    cdef object _spelled  # as it was given: links on the way may lead elsewhere later
    cdef int _calls  # under way without the GIL
    cdef bint _is_closing
    cdef bint _is_stream
    cdef bint _is_renewing
    cdef int _renewal_error
    cdef int64_t _stuck_since_ns
    cdef uint64_t _stuck_at
    cdef int64_t _gone_since_ns  # in the wait under way; 0: it isn't
    cdef bint _waits_for_disk
    cdef int _on_full  # 0 block, 1 drop, 2 raise
    cdef bint _drops_on_timeout
    cdef int64_t _block_ns
    cdef bint _spares_loops  # waits only so long where an event loop runs
    # Room was waited for in vain while so much was drained; -1: it wasn't.
    cdef int64_t _given_up_at
    cdef int64_t _given_up_in_loop_at
    cdef readonly uint64_t coerced_values

    # Commits as write() does; False: the record was dropped.
    cdef bint _commit(self, const char *data, Py_ssize_t size) except -1

    cdef object _write_odd(self, object value)
    cdef bytes _coerced(self, object value)
    cdef object _with_buffer(self, object data, bint is_lines)
    cdef object _commit_lines(self, const char *data, Py_ssize_t size)
    cdef bint _take(
        self, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except -1
    cdef bint _take_slowly(
        self, int error, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except -1
    cdef int _write_elsewhere(
        self, const char *data, Py_ssize_t size, writer_ticket *ticket
    ) except? -1
    cdef bint _is_useless(self, bint in_loop)
    cdef bint _is_hopeless(self) except -1
    cdef int _last_error(self) except? -1
    cdef int _wait_space(self, Py_ssize_t size, int64_t deadline) except -1
    cdef bint _give_up(self, Py_ssize_t size, int64_t limit_ns) except -1
    cdef int _refuse(self, int error, Py_ssize_t size) except -1
    cdef int _look_around(self) except -1
    cdef bint _is_long_gone(self) except -1
    cdef int _go_on(self) except -1
    cdef writer_place _look(self) except *
    cdef bint _renew(self) except -1
    cdef int _wait_durable(self, writer_ticket *ticket) except -1
    cdef bint _ask(self, request what, object timeout) except -1
    cdef int _have_done(self, request what) except -1
    cdef bint _wait_answer(
        self, request what, uint64_t ticket, int64_t deadline, int *error
    ) except -1
    cdef int _check_open(self) except -1

/* writer.h - a log as a process uses it: open, write, flush, rotate, close.
 *
 * Behind it runs one thread a log and process. It drains the rings of all processes
 * while it leads, and stands by to lead otherwise. The thread never calls back.
 *
 * Ownership:  writer_open gives a reference, writer_close takes it back. Opening the
 *             same log again in one process, by whatever path, gives the same writer;
 *             its settings become the newest opener's.
 * Threads:    everything may be called from any thread, except that nobody may be in
 *             a call on a reference while it is closed.
 * Fork:       call writer_before_fork, fork, then writer_after_fork_parent or
 *             writer_after_fork_child. A child that forked without is noticed by
 *             pthread_atfork. The first write in a child opens a ring of its own, or
 *             takes the one that root made for it (spare.h).
 * Errors:     0 or a negative errno.
 * Units:      bytes, nanoseconds.
 */
#ifndef AUDITRING_WRITER_H
#define AUDITRING_WRITER_H

#include "control.h"
#include "sys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer;

struct writer_options {
    const char *path; /* absolute; NULL: standard output */
    const char *rings_path; /* directory for the rings; NULL: the state directory */
    uint64_t ring_bytes;
    uint64_t first_ring_bytes; /* of a process's first ring; 0: a quarter of a MiB */
    enum durability durability;
    struct control_settings settings;
    bool adopt_settings; /* those are for a new log only; an old one keeps its own */
    bool allow_network_fs;
    int stream_fd; /* when path is NULL */
};

/* What a producer waits for after a write. */
struct writer_ticket {
    void *ring;
    uint64_t end;
};

/* What the process sees of its log; `counters` are the log's, of all processes. */
struct writer_stats {
    uint64_t counters[COUNTER_COUNT];
    uint64_t ring_capacity;
    uint64_t ring_used;
    uint32_t live_slots;
    uint32_t health;
    int32_t last_error;
    uint32_t leads;
    int32_t leader_pid; /* as it is called in its own container; 0: nobody leads */
    uint64_t leader_silent_ns; /* since it began its last pass */
};

/* Opens a log. Finishes what dead processes left, if nobody else leads, before it
 * returns. -EREMOTE: a network file system. -EINVAL: rings_path differs from the one
 * the log was founded with. -EPERM: the state directory belongs to somebody else. */
int writer_open(struct writer **out, const struct sys *sys,
                const struct writer_options *options);

/* Waits until every record is in the file, as writer_close does: 0, -EPIPE, or -EBUSY
 * when the time is up. In between a caller can look at what else it has to do. */
int writer_finish(struct writer *writer, uint64_t limit_ns);

/* Flushes for `flush_limit_ns` at most and gives the reference back; with the last one
 * the thread ends. 0, or -EBUSY when records stayed in the ring: they are not lost, the
 * next opener writes them. -EPIPE: they are, standard output has no reader. */
int writer_close(struct writer *writer, uint64_t flush_limit_ns);

/* Commits one record, never waiting. `terminate` adds a newline.
 * -EAGAIN: full; -EMSGSIZE: above writer_record_limit; -EREMCHG: the log is elsewhere
 * by now, renewal.h. */
int writer_write(struct writer *writer, const void *data, size_t size, bool terminate,
                 struct writer_ticket *ticket);
uint64_t writer_record_limit(struct writer *writer);

/* Has a ring that holds a record of `size`, which may be above writer_record_limit.
 * -EMSGSIZE: none can; other errors: this process can't have it. */
int writer_make_room(struct writer *writer, size_t size);

/* After -EAGAIN: waits until there may be room. Counts the time as blocked. */
void writer_wait_space(struct writer *writer, size_t size, uint64_t limit_ns);

/* After -EAGAIN: gives the record up; a gap event will tell. */
void writer_drop(struct writer *writer, size_t size);

/* Drops of this process so far. */
uint64_t writer_drops(struct writer *writer);

/* 0: gap events of so many drops are committed, so that a flush brings them to the
 * file. -EBUSY: another thread is committing one; -EAGAIN: there is no room. */
int writer_tell_drops(struct writer *writer, uint64_t count);

/* Counts a record that the caller was told about instead. */
void writer_count_refused(struct writer *writer);
void writer_count_timeout(struct writer *writer);

/* Waits until the ticket's record is on the disk; tells whether it is. */
bool writer_wait_durable(struct writer *writer, const struct writer_ticket *ticket,
                         uint64_t limit_ns);

/* Whether it will never be: the file of its ring was cut, and nobody can tell what was
 * on the pages that are gone. */
bool writer_is_cut_off(const struct writer_ticket *ticket);

/* Asks the leader, whoever it is. */
int writer_ask(struct writer *writer, enum request request, uint64_t *ticket);

/* Waits for an answer: 1 and *error when it came, 0 when not within the limit. */
int writer_wait_answer(struct writer *writer, enum request request, uint64_t ticket,
                       uint64_t limit_ns, int *error);

void writer_stats(struct writer *writer, struct writer_stats *out);
/* What is wrong now, in words; empty for nothing. */
void writer_describe(struct writer *writer, char *text, size_t size);

/* For who waits: the writer's own thread may be what does not get on. */
void writer_look(struct writer *writer);

/* Bytes that were drained from the ring: while a full ring's do not change, there is no
 * use in waiting for room again. */
uint64_t writer_drained(struct writer *writer);

/* What was said last (speaker.h), with the errno behind it, 0 when it is over; returns
 * how often something was said. */
uint32_t writer_said(struct writer *writer, char *text, size_t size, int *error);

void writer_settings(struct writer *writer, struct control_settings *out);

/* Waits until a file was rotated since `seen`, or somebody calls writer_wake_rotation;
 * returns the count to pass next time. */
uint32_t writer_wait_rotation(struct writer *writer, uint32_t seen, uint64_t limit_ns);
void writer_wake_rotation(struct writer *writer);

/* 0: this process compresses and removes backups; -EAGAIN: another one does. */
int writer_lock_mill(struct writer *writer);

/* Leaves that to another process, also while this one keeps the log open. */
void writer_unlock_mill(struct writer *writer);

/* The mill removed backups that a follower had not read; a gap event will tell. */
void writer_note_unread(struct writer *writer, uint64_t count, uint64_t bytes);

/* All writers of the process at once. */
void writer_before_fork(void);
void writer_after_fork_parent(void);
void writer_after_fork_child(void);

/* Whether the threads have been parked for longer than that: the fork waits for another
 * hook, and that perhaps for who asks. writer_after_fork_parent may then be called
 * early: a thread that runs during the fork does no harm. */
bool writer_is_parked(uint64_t limit_ns);

#endif

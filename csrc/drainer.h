/* drainer.h - the thread behind a writer: leads when it can, and then drains all rings.
 *
 * Private to the files of this room (those that include this one) and their tests: the
 * inside of `struct writer`.
 *
 * Threads:  `mutex` guards the list of own rings and the lock file's descriptor. What
 *           stands under "thread" is used by the thread, or by others while it does
 *           not run.
 */
#ifndef AUDITRING_DRAINER_H
#define AUDITRING_DRAINER_H

#include "batch.h"
#include "checksum.h"
#include "control.h"
#include "leader.h"
#include "logfile.h"
#include "ring.h"
#include "ringmap.h"
#include "speaker.h"
#include "syncer.h"
#include "wait.h"
#include "writer.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITER_NAME_SIZE = 200 };

/* What has to be done before the next record. */
enum due {
    DUE_GAP = 1, /* a drop was not told yet */
    DUE_THREAD = 2, /* the thread could not be started */
    DUE_GROWTH = 4, /* the thread gets a larger ring */
    DUE_CUT = 8, /* a file that we have mapped was cut */
    DUE_ANEW = 16 /* the log is elsewhere by now (generation.h) */
};

/* A ring that this process writes to, or wrote to before it moved on. Never freed while
 * the writer is open: producers may still look at it. */
struct own_ring {
    struct ring ring;
    uint32_t slot;
    _Atomic bool is_left; /* it contradicts itself: not written to any more */
    _Atomic bool is_telling; /* a thread commits a gap event for drops */
    uint64_t dropped_told; /* of that thread: what events were committed for */
    uint64_t dropped_bytes_told;
    struct own_ring *next;
};

/* A live file whose last name went, until it is known what became of it. */
struct departed {
    bool is_open;
    int fd;
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    struct timespec written; /* to it, for the last time */
    int past_dir; /* where it had its last name, if that is another; -1 */
    uint64_t past_device;
    uint64_t past_inode;
    uint64_t lines; /* that were counted as lost */
    uint64_t told_bytes;
    uint64_t next_look_ns;
    uint64_t end_ns;
    uint64_t end_all_ns;
    uint64_t growth; /* of what may be its packed form */
    bool has_sum;
    struct checksum sum; /* of its first bytes, up to all */
};

struct writer {
    const struct sys *sys;
    struct writer_options options;
    char *directory; /* absolute */
    char *rings_path;
    char name[WRITER_NAME_SIZE + 1];
    int references;
    struct writer *next; /* in the registry */
    _Atomic uint32_t past; /* enum past */
    _Atomic uint32_t users; /* references that are written to; not those that left */
    _Atomic uint32_t callers; /* calls under way that may outlast a reference */
    _Atomic bool is_over; /* a past one that has settled */

    int dir, state_dir, rings_dir;
    uint64_t dir_device, dir_inode;
    uint64_t state_device, state_inode;
    mode_t state_mode;
    int kept_fd; /* of a live file that was inherited (keptfile.h); -1: none */
    uint64_t kept_device, kept_inode;
    uint64_t rings_device, rings_inode;
    bool is_private; /* standard output: no files, no other processes */
    bool needs_control; /* private, and forked: the control block is the parent's */
    struct control control;
    struct leader leader;

    pthread_mutex_t mutex;
    struct own_ring *own_rings;
    _Atomic(struct own_ring *) current; /* NULL: this process has to attach */
    struct spare *spares; /* for children, or of the parents (spare.h) */
    struct spare *offered; /* the one for the next child */
    struct spare *spare; /* the one that is entered for this process */
    _Atomic uint32_t due; /* enum due: the next write sees to it */
    _Atomic uint64_t untrusted_flush; /* up to this ticket a leader may have answered
                                         without a ring of ours (ownring_enter_again) */

    struct speaker speaker;

    pthread_mutex_t thread_mutex; /* starting and stopping; never inside `mutex` */
    pthread_t thread;
    _Atomic bool has_thread; /* changes under thread_mutex */
    bool has_left; /* it ended by itself and is to be joined: under thread_mutex */
    _Atomic bool is_parked; /* a fork is under way; set under thread_mutex */
    bool is_kept; /* by the keeper; this and the next three are its own */
    uint64_t kept_round;
    struct writer *kept_before, *kept_after;
    _Atomic int32_t thread_id;
    _Atomic uint32_t must_stop; /* enum stop of thread.c */
    _Atomic uint32_t thread_word; /* futex: the sleep of a thread that does not lead */

    /* thread */
    struct ringmap map;
    struct logfile file;
    struct departed departed;
    int path_dir; /* the directory at the path, once the live file had to go there */
    struct batch batch;
    struct syncer syncer;
    struct wait_backoff backoff;
    struct batch_source sources[CONTROL_SLOTS];
    uint32_t source_count;
    uint32_t next_source;
    uint64_t next_try_ns; /* to lead */
    uint64_t next_orphans_ns; /* to look for dead owners */
    uint64_t next_look_ns; /* at the live file while idle */
    uint64_t quiet_since_ns; /* nothing was drained, nor written here */
    uint64_t quiet_tail; /* of the current ring since then */
    bool is_only_asked; /* the thread began for an answer, and nothing was written */
    uint32_t asked_seen; /* leader_word as the rest began, or as others saw to it */
    uint32_t next_owner; /* slot to look at while it rests */
    int wake_error; /* of the last try to open what a rest closed */
    uint64_t next_adopt_ns; /* to look for rings that no slot names */
    uint64_t next_where_ns; /* to look where the path leads */
    bool has_looked_back; /* a past one: at what became of its live file */
    bool led_last; /* nobody else has led since it did, as far as it knows */
    uint32_t settling_steps; /* of a past one whose rings are closed */
    uint64_t next_retry_ns; /* after a failed write */
    uint64_t next_sync_ns; /* of durability interval */
    uint64_t next_rotate_ns; /* after a failed rotation */
    uint32_t busy_rotations; /* failed as somebody held the names, in a row */
    uint32_t rotation_failures; /* in a row */
    uint32_t rotation_settings; /* the version of the settings that it failed with */
    uint32_t failures; /* of the outstanding batch, in a row */
    uint64_t limited_inode; /* a live file that grew too large for this process */
    bool must_recover; /* it began to lead and has not looked back yet */
    bool is_suspect; /* a sync of the live file failed */
    bool wants_rotation; /* and it is to be left for that */
    uint32_t sync_failures; /* in a row */
    bool is_settled; /* since it leads, all rings were drained once */
    uint64_t told[GAP_REASONS]; /* losses that gap events were committed for */
    uint64_t told_bytes[GAP_REASONS];
    uint64_t synced_size; /* of the live file; what was told as suspect counts, too */
    uint64_t syncer_inode; /* the file that the background sync works on */
    bool is_paused; /* it handed leadership over: others first */
    bool has_marked; /* a ring that it may not open, in this pass */
    bool wants_to_yield; /* it lacks a right or room that others may have */
    uint64_t next_ask_ns; /* to lead instead of the leader */
    bool has_unread; /* a ring could not be read in this pass */
    bool has_more; /* this pass did not get to all rings */
    int unread_error[CONTROL_SLOTS];
    bool is_gone[CONTROL_SLOTS]; /* the owner is dead */
    uint64_t hole_position[CONTROL_SLOTS];
    uint64_t hole_since_ns[CONTROL_SLOTS];
};

/* Starts and ends the thread (thread.c); starting twice or ending nothing is harmless.
 */
int drainer_start(struct writer *writer);
void drainer_stop(struct writer *writer);

/* Around a fork: ends the thread and keeps it from being started until resumed. One
 * that does not end before the deadline, as its disk hangs, goes on during the fork, as
 * does who steps in its place (helping.h, keeper.h). -EBUSY: that one still does. */
void drainer_park(struct writer *writer, uint64_t deadline);
int drainer_resume(struct writer *writer);

/* One round of the thread's work, for callers while it does not run. Returns how long
 * the thread would sleep now; 0: there is more to do. */
uint64_t drainer_step(struct writer *writer);

/* The same for a thread that has all signals blocked. */
uint64_t drainer_step_blocked(struct writer *writer);

/* Leaves the outstanding intent to whoever leads next, which may be ourselves, after
 * the pause. */
void drainer_step_down(struct writer *writer, uint64_t pause_ns);

/* Drains and retires all slots of this process that are CLOSING, if it leads. */
void drainer_finish(struct writer *writer);

/* Whether rings of this process are CLOSING. */
bool drainer_has_closing(struct writer *writer);

#endif

/* control.h - the control file of a log: what its processes know in common.
 *
 * `ctl` in the state directory is mapped by every process that has the log open. It
 * holds the settings, the slot table (one slot a ring), the requests to the leader, the
 * counters, and the intent: what the leader is about to append, so that whoever leads
 * next can finish exactly that.
 *
 * Ownership:  control_open maps, control_close unmaps. The file is never removed.
 * Threads:    fields marked "leader" are written by the leader only; slots by their
 *             owner until CLOSING and by the leader afterwards; the rest by anybody,
 *             atomically.
 * Ordering:   a slot's fields are visible before its state (slot:B / slot:A). A process
 *             that is killed loses no store that it made, in the order it made them.
 * Trust:      whoever may write the log may write here. What is read is copied once,
 *             checked on the copy, then used; it is never an index, a length or a bound
 *             as it stands.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_CONTROL_H
#define AUDITRING_CONTROL_H

#include "gap.h"
#include "mapping.h"
#include "sys.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CONTROL_VERSION = 3,
    CONTROL_SLOTS = 1024,
    CONTROL_PATH_SIZE = 1024,
    CONTROL_BOOT_SIZE = 40
};

enum dialect { DIALECT_LUMBERJACK = 0, DIALECT_STDLIB = 1 };

enum durability {
    DURABILITY_PROCESS = 0,  /* survives the death of the process */
    DURABILITY_INTERVAL = 1, /* and is synced every sync_interval */
    DURABILITY_SYNC = 2      /* a write waits for the disk */
};

enum slot_state {
    SLOT_FREE = 0,
    SLOT_CLAIMED = 1, /* has an owner and no ring that was written to */
    SLOT_LIVE = 2,
    SLOT_CLOSING = 3, /* its owner promised not to write any more */
    SLOT_RETIRED = 4
};

/* Those of the leader are not stored: each process sees them for itself (speaker.h). */
enum health {
    HEALTH_OK = 0,
    HEALTH_DISK_FULL = 1,
    HEALTH_DISK_ERROR = 2,
    HEALTH_ROTATION_FAILS = 3, /* lines get to the file all the same */
    HEALTH_LEADER_STOPPED = 4,
    HEALTH_LEADER_HANGS = 5
};
enum { HEALTH_COUNT = 6 };

/* What a request asks of the leader. */
enum request { REQUEST_FLUSH, REQUEST_SYNC, REQUEST_ROTATE, REQUEST_REOPEN };
enum { REQUEST_COUNT = 4 };

/* Every counter of the log, over all its processes since the control file was made.
 * Producers' counters are added when their ring retires; until then they stand in it.
 */
#define CONTROL_COUNTERS(X)                                                            \
    X(records_written)                                                                 \
    X(bytes_written)                                                                   \
    X(batches_written)                                                                 \
    X(gap_events)                                                                      \
    X(rotations)                                                                       \
    X(leader_changes)                                                                  \
    X(recovered_records)                                                               \
    X(batches_forwarded)                                                               \
    X(batches_completed)                                                               \
    X(batches_redone)                                                                  \
    X(batches_settled)                                                                 \
    X(recovery_conflicts)                                                              \
    X(abandoned_reservations)                                                          \
    X(damaged_records)                                                                 \
    X(dropped_records)                                                                 \
    X(dropped_bytes)                                                                   \
    X(refused_records)                                                                 \
    X(blocked_ns)                                                                      \
    X(block_timeouts)                                                                  \
    X(oversize_records)                                                                \
    X(false_deaths)                                                                    \
    X(stalled_slots)                                                                   \
    X(retired_slots)                                                                   \
    X(live_file_moved)                                                                 \
    X(live_file_unlinked)                                                              \
    X(live_file_cut)                                                                   \
    X(foreign_bytes)                                                                   \
    X(foreign_lines_completed)                                                         \
    X(short_writes)                                                                    \
    X(write_errors)                                                                    \
    X(sync_errors)                                                                     \
    X(rotate_errors)                                                                   \
    X(syncs)                                                                           \
    X(locks_reopened)                                                                  \
    X(handovers)                                                                       \
    X(salvaged_records)                                                                \
    X(settings_changes)                                                                \
    X(unread_backups_removed)                                                          \
    X(adopted_rings)

enum control_counter {
#define AS_COUNTER(name) COUNTER_##name,
    CONTROL_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
        COUNTER_COUNT
};

struct control_settings {
    uint64_t max_bytes; /* 0: never rotate */
    uint64_t max_backups;
    uint64_t max_age_s;
    uint64_t max_total_bytes;
    uint32_t dialect;
    uint32_t compress; /* 0 none, 1 gzip, 2 zstd, 3 lz4 */
    int32_t compress_level;
    uint32_t mode;
    uint32_t gid; /* (uint32_t)-1: as the process has it */
    uint32_t wipe_on_drain;
    uint32_t keep_for_followers;
    uint32_t unused; /* 0 */
    uint64_t sync_interval_ns;
};
enum { CONTROL_SETTINGS_WORDS = sizeof(struct control_settings) / sizeof(uint64_t) };
_Static_assert(sizeof(struct control_settings) % sizeof(uint64_t) == 0, "whole words");

struct control_slot {
    _Atomic uint32_t state;
    _Atomic uint32_t stalled; /* the leader waits at a hole: the owner moves on */
    int32_t pid;
    _Atomic uint32_t durability;
    uint64_t nonce;
    uint64_t start_time;
    uint64_t start_stack;
    uint64_t pid_namespace;
    _Atomic uint32_t unread; /* leader: it may not open the ring (yielding.h) */
    uint32_t unused_0;
    uint64_t unused_1[9];
};
_Static_assert(sizeof(struct control_slot) == 128, "own pair of cache lines");

/* Losses of one reason. What was reported is in a gap event that is in the log. */
struct control_loss {
    _Atomic uint64_t count;
    _Atomic uint64_t bytes;
    _Atomic uint64_t count_reported;
    _Atomic uint64_t bytes_reported;
};

/* What a batch takes from one ring: the records in [from, to). */
struct control_range {
    uint32_t slot;
    uint32_t owner_gone;
    uint64_t nonce;
    uint64_t from;
    uint64_t to;
    uint64_t dropped_count_reported; /* of that ring, once this is written */
    uint64_t dropped_bytes_reported;
};

/* A batch, said before it is written (intentblock.h). The bytes are those of the
 * records of its ranges, in this order and no other. All "after" values are absolute,
 * so that applying them twice is applying them once. */
struct control_intent {
    _Atomic uint32_t valid;
    uint32_t crc; /* of all that follows, up to the last range */
    uint64_t sequence;
    uint64_t device;
    uint64_t inode;
    uint64_t start;
    uint64_t length;
    uint32_t digest; /* CRC-32C over the records' CRC-32C */
    uint32_t range_count;
    uint32_t gaps_aside; /* gap events go to a file of their own, not into the bytes */
    uint32_t block; /* of a private copy: which of the two it is said in */
    uint64_t records_after;
    uint64_t bytes_after;
    uint64_t recovered_after;
    uint64_t lines_after; /* of the live file, as far as we wrote them */
    uint64_t gap_events_after;
    uint64_t abandoned_after;
    uint64_t damaged_after;
    uint64_t loss_count_reported[GAP_REASONS];
    uint64_t loss_bytes_reported[GAP_REASONS];
    struct control_range ranges[CONTROL_SLOTS];
};

/* Drops that a dead process did not tell, on their way from its ring to the losses of
 * the log; absolute, so that whoever leads next can do it again. */
struct control_inheritance {
    _Atomic uint32_t valid;
    uint32_t slot;
    uint64_t nonce;
    uint64_t dropped_count; /* of that ring */
    uint64_t dropped_bytes;
    uint64_t loss_count_after;
    uint64_t loss_bytes_after;
};

struct control_request {
    _Atomic uint64_t requested; /* tickets handed out */
    _Atomic uint64_t done; /* leader: the last ticket that was answered */
    _Atomic uint64_t failed; /* leader: the last ticket that was answered by an error */
    _Atomic int32_t error; /* leader: that error, a negative errno */
    uint32_t unused;
};

struct control_shared {
    uint64_t magic;
    uint32_t version;
    uint32_t slot_count;
    uint64_t identity; /* random, of this file */
    char boot_id[CONTROL_BOOT_SIZE];
    char rings_path[CONTROL_PATH_SIZE]; /* "": the state directory itself */
    _Atomic uint32_t founded;

    _Atomic uint32_t settings_version; /* its lowest bit tells which of two counts */
    _Atomic uint64_t settings[2][CONTROL_SETTINGS_WORDS];

    _Atomic uint32_t leader; /* slot + 1 of who leads, 0: nobody */
    _Atomic uint32_t leader_word; /* futex: work for the leader */
    _Atomic uint32_t leader_sleeps;
    _Atomic uint32_t done_word; /* futex: a request was fulfilled */
    _Atomic uint32_t rotation_word; /* futex: a backup came to be */
    _Atomic uint32_t health;
    _Atomic int32_t
        last_error; /* negative errno of the last trouble in the background */
    _Atomic uint32_t error_word; /* counts troubles */
    _Atomic uint64_t heartbeat_ns;
    _Atomic uint32_t yield_to; /* slot + 1 of who should lead instead, 0: nobody */
    _Atomic uint32_t unread_rings; /* leader: some slot is marked `unread` */
    _Atomic uint32_t slots_version; /* changes with every state of every slot */
    _Atomic uint32_t slots_used; /* slots from here on were never used */
    struct control_request requests[REQUEST_COUNT];

    /* leader: the live file as the last batch left it; inode 0: not known yet */
    uint64_t live_device;
    uint64_t live_inode;
    uint64_t live_size;
    uint64_t live_lines;
    uint64_t live_since_ns; /* its mtime when it was opened; 0: not known */
    uint64_t last_backup_ms;
    _Atomic uint32_t syncing; /* a sync of the live file is under way */
    _Atomic uint32_t unsynced_rotation; /* a file was rotated that nobody synced */

    _Atomic uint64_t counters[COUNTER_COUNT];
    struct control_loss losses[GAP_REASONS];
    struct control_inheritance inheritance; /* leader */
    struct control_slot slots[CONTROL_SLOTS];
    struct control_intent
        intents[2]; /* the valid one with the higher sequence counts */
};

extern const char control_name[]; /* in the state directory */

struct control {
    const struct sys *sys;
    struct mapping *mapping;
    struct control_shared *shared; /* NULL: closed */
    uint64_t device; /* of the file */
    uint64_t inode;
    bool is_new; /* this open founded it */
    bool is_replaced; /* and an unusable one was put aside for that */
    bool rebooted; /* it is of an earlier boot: salvage before use */
    char boot_id[CONTROL_BOOT_SIZE]; /* of this boot */
};

/* Maps the control file, or founds it (fill `ctl.tmp`, allocate, rename) with
 * `rings_path`, "" for the state directory. A file that is damaged or of another
 * version is put aside as `ctl.unusable`, because the log must go on. The caller holds
 * the opening lock (leader.h). -EINVAL: it was founded with another rings_path. */
int control_open(struct control *control, const struct sys *sys, int state_dir,
                 const char *rings_path, mode_t mode, gid_t gid);

/* A control block of this process alone, for standard output. */
int control_open_private(struct control *control, const struct sys *sys);

void control_close(struct control *control);

/* Starts over after a reboot: clears intents and requests, keeps counters. The slots
 * are the caller's. */
void control_reset(struct control *control);

/* Under the opening lock: one process stores at a time. */
void control_store_settings(struct control *control,
                            const struct control_settings *settings);
void control_load_settings(const struct control *control, struct control_settings *out);

void control_set_slot(struct control *control, uint32_t slot, enum slot_state state);
enum slot_state control_slot_state(const struct control *control, uint32_t slot);

/* What the slot's owner wants; nonsense counts as the strictest. */
enum durability control_slot_durability(const struct control *control, uint32_t slot);

/* The counter's name, as listed above. */
const char *control_counter_name(enum control_counter counter);

uint64_t control_count(const struct control *control, enum control_counter counter);
void control_add(struct control *control, enum control_counter counter, uint64_t by);

/* Notes a loss; the leader will write a gap event about it. */
void control_add_loss(struct control *control, enum gap_reason reason, uint64_t count,
                      uint64_t bytes);

/* Takes back what the leader noted and didn't tell. */
void control_retract_loss(struct control *control, enum gap_reason reason,
                          uint64_t count, uint64_t bytes);

/* Notes trouble in the background, for `last_error` and those who wait for it. */
void control_note_error(struct control *control, int error);

/* Asks the leader, and tells the ticket to wait for. */
uint64_t control_ask(struct control *control, enum request request);
bool control_is_done(const struct control *control, enum request request,
                     uint64_t ticket);

/* How a ticket that is done was answered: 0 or a negative errno. A late reader may be
 * told of an error that came after its own answer, never the other way round. */
int control_answer(const struct control *control, enum request request,
                   uint64_t ticket);
void control_fulfil(struct control *control, enum request request, uint64_t ticket,
                    int error);

/* Cuts the leader's sleep short. */
void control_wake_leader(struct control *control);

#endif

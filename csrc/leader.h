/* leader.h - who leads a log, and which owners of slots are still alive.
 *
 * One lock file, locked by the byte (POSIX record locks: they vanish with the process
 * at the moment of its death and a forked child does not have them). Byte 0 is
 * leadership, byte 1 + slot the life of that slot's owner; two more bytes serialise
 * opening and elect the process that compresses backups.
 *
 * Closing any descriptor of the lock file in a process drops all of its locks, so every
 * holder asserts them again at each pass, and a lock that is free is no proof of death
 * while the process that took the slot is still running. For the same reason leading
 * takes two things: byte 0, and one's own name in control->leader, which a refused or
 * retiring leader clears itself and others only when that leader is dead.
 *
 * Ownership:  the descriptor is private and kept for life; forked children keep it too.
 * Threads:    all calls from one thread at a time.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_LEADER_H
#define AUDITRING_LEADER_H

#include "control.h"
#include "ringfile.h"
#include "sys.h"

#include <stdbool.h>
#include <stdint.h>

struct leader {
    const struct sys *sys;
    struct control *control;
    int state_dir; /* borrowed */
    int lock_fd;
    uint64_t lock_device;
    uint64_t lock_inode;
    bool leads;
    bool is_past; /* the present log may have the same lock file (leader_set_past) */
    bool mills; /* it has the lock of the one mill */
    bool has_rested; /* it led, and stepped down with nothing left to do */
    bool goes_on; /* and nobody has led since until it does again */
    uint64_t changes_seen; /* COUNTER_leader_changes then */
    uint32_t slot; /* the slot that this process leads under */
    int32_t pid;
    uint64_t start_time;
    uint64_t start_stack;
    uint64_t pid_namespace;
};

/* This process, as rings and slots tell whose they are. */
struct ring_owner leader_self(const struct leader *leader);

/* Opens (or makes) the lock file. */
int leader_open(struct leader *leader, const struct sys *sys, struct control *control,
                int state_dir, mode_t mode, gid_t gid);

/* Closes the lock file, and with it gives up every lock of this process. */
void leader_close(struct leader *leader);

/* In a forked child: it holds none of the parent's locks and has another pid. */
void leader_forget(struct leader *leader);

/* The lock around opening: founding, settings, claiming. Waits 30 s, then -EBUSY. */
int leader_lock_opening(struct leader *leader);
void leader_unlock_opening(struct leader *leader);

/* Takes a free or retired slot and marks it CLAIMED. -EUSERS: the table is full. */
int leader_claim_slot(struct leader *leader, uint64_t nonce, enum durability durability,
                      uint32_t *slot);

/* Takes the byte of a slot that is free or retired, `wanted` if it can be. -EUSERS: the
 * table is full. */
int leader_offer_slot(struct leader *leader, uint32_t wanted, uint32_t *slot);

/* Says whose ring a slot names, but not its state. The caller has its byte. */
void leader_fill_slot(struct leader *leader, uint32_t slot, uint64_t nonce,
                      const struct ring_owner *owner, enum durability durability);

/* Whether the owner of a ring that no slot names is gone; `slot` is the one that its
 * file is named after. */
bool leader_misses(struct leader *leader, uint32_t slot,
                   const struct ring_owner *owner);

/* Gives the byte of a slot back that this process retired. */
void leader_release_slot(struct leader *leader, uint32_t slot);

/* Takes the byte of a slot again, in case it was dropped. -EAGAIN: somebody has it. */
int leader_assert_slot(struct leader *leader, uint32_t slot);

/* Whether the owner of somebody else's slot is gone. Never ask for an own slot: the
 * kernel does not report one's own locks. */
bool leader_is_gone(struct leader *leader, uint32_t slot);

/* Whether the slot carries the marks of this very process. */
bool leader_owns(const struct leader *leader, uint32_t slot);

/* Tries to lead under `slot`: 1 leads, 0 somebody else does, or a negative errno.
 * CONTROL_SLOTS: without a slot, by the lock alone, to clear a table that is full. */
int leader_try(struct leader *leader, uint32_t slot);

/* Before every intent: -EPERM when leadership was lost (it is stepped down from). */
int leader_assert(struct leader *leader);

/* From here on leading takes the name alone, because another log, founded in the same
 * state directory, has the leader's byte. While a past leader leads it shares one more
 * byte; nobody adopts rings meanwhile. */
void leader_set_past(struct leader *leader);

/* 0: no past leader of another process is at work, nor begins to until
 * leader_end_adopting; -EAGAIN: one is. */
int leader_begin_adopting(struct leader *leader);
void leader_end_adopting(struct leader *leader);

/* Goes on leading under another slot. */
void leader_rename(struct leader *leader, uint32_t slot);

void leader_step_down(struct leader *leader);

/* Before it steps down with nothing left to do: if it is the next to lead, too, that is
 * no change. */
void leader_rest(struct leader *leader);

/* Whether another process leads, as far as its locks tell. */
bool leader_is_led(struct leader *leader);

/* 0: the lock file is the one at its path, or can't be asked; -ESTALE: it was replaced;
 * -EBADF: our descriptor was closed, or is another file now. */
int leader_check_lock_file(struct leader *leader);

/* Opens the lock file again: it was replaced, or its descriptor closed. All locks but
 * the mill's are to be taken again. */
int leader_reopen(struct leader *leader, mode_t mode, gid_t gid);

/* 0: this process compresses backups; -EAGAIN: another one does. */
int leader_lock_mill(struct leader *leader);
void leader_unlock_mill(struct leader *leader);

#endif

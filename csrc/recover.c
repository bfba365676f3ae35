#include "recover.h"

#include "intent.h"
#include "intentblock.h"
#include "intentprefix.h"
#include "mutant.h"
#include "packsearch.h"
#include "ring.h"
#include "rotate.h"
#include "testpoint.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looks for a file of the directory by its inode. */
struct search {
    const struct logfile *live;
    uint64_t device;
    uint64_t inode;
    char name[256];
    bool is_found;
};

static int
compare_inode(void *context, const char *name)
{
    struct search *search = context;
    struct stat status;
    int error = search->live->sys->fstatat(search->live->dir, name, &status);

    if (error < 0) {
        /* What can't be looked at may be the one. */
        return error == -ENOENT ? 0 : error;
    }
    if (status.st_dev == search->device && status.st_ino == search->inode &&
        S_ISREG(status.st_mode)) {
        snprintf(search->name, sizeof(search->name), "%s", name);
        search->is_found = true;
    }
    return search->is_found;
}

static int
search_inode(const struct logfile *live, uint64_t device, uint64_t inode,
             struct search *search)
{
    int error;

    *search = (struct search){.live = live, .device = device, .inode = inode};
    error = live->sys->list(live->dir, compare_inode, search);
    return error < 0 ? error : 0;
}

/* Opens the file that the intent names: the live one, or one renamed since. -ENOENT:
 * it has no name any more. */
static int
open_target(struct logfile *live, const struct control_intent *intent,
            struct logfile *target, struct search *search)
{
    int error;

    *target = *live;
    if (live->device == intent->device && live->inode == intent->inode) {
        return 0;
    }
    error = search_inode(live, intent->device, intent->inode, search);
    if (error < 0) {
        return error;
    }
    if (!search->is_found) {
        return -ENOENT;
    }
    target->name = search->name;
    target->fd = -1;
    return logfile_open_existing(target);
}

/* Walks the records of the intent along the file. */
struct completion {
    struct logfile *file;
    uint64_t position; /* of the record at hand, in the file */
    uint64_t end;      /* where the file ended as recovery began */
};

static int
append_missing(void *context, const uint8_t *data, uint64_t size)
{
    struct completion *at = context;
    uint64_t present = at->end > at->position ? at->end - at->position : 0;
    uint64_t written = 0, short_writes = 0;
    struct iovec part;
    struct logfile_parts parts = {.next = &part, .count = 1};
    int error;

    if (present > size) {
        present = size;
    }
    at->position += size;
    if (present == size) {
        return 0;
    }
    part.iov_base = (void *)(uintptr_t)(data + present);
    part.iov_len = size - present;
    error = logfile_append(at->file, &parts, &written, &short_writes);
    TEST_POINT(recover_appended);
    return error;
}

/* Appends what the torn batch lacks. -EUCLEAN: file or rings hold something else. */
static int
complete(const struct control_intent *intent, struct ring *const *rings,
         struct logfile *file)
{
    struct completion at = {.file = file, .position = intent->start, .end = file->size};
    uint64_t same;
    int error = intentprefix_measure(intent, rings, file, &same);

    TEST_POINT(recover_rebuilt);
    if (error < 0) {
        return error;
    }
    if (same < file->size - intent->start) {
        return -EUCLEAN;
    }
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 1
    return 0;
#endif
    return intent_walk(intent, rings, append_missing, &at);
}

static int
map_rings(struct ringmap *map, const struct control_intent *intent, struct ring **rings)
{
    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];
        int error = ringmap_get(map, range->slot, range->nonce, &rings[i]);

        if (error < 0) {
            return error == -ENOENT ? -EUCLEAN : error;
        }
        if (!ring_is_consistent(rings[i], range->from, range->to) ||
            range->to > ring_tail(rings[i])) {
            return -EUCLEAN;
        }
    }
    return 0;
}

static void
clear(struct control *control, const struct control_intent *intent,
      enum control_counter counter)
{
    control_add(control, counter, 1);
    intentblock_clear(control, intent);
    TEST_POINT(recover_cleared);
}

/* Nothing more is written to the live file. It becomes a backup, if it holds anything
 * before the batch. */
static int
leave_live(struct control *control, struct logfile *live, int state_dir, uint64_t size)
{
    int error = size > 0 ? rotate_away(live, control, state_dir, true)
                         : rotate_discard(live, control, state_dir);

    return error == -ENOENT ? 0 : error;
}

/* The live file is shorter than we left it. */
static void
note_cut(struct control *control, const struct logfile *live)
{
    const struct control_shared *shared = control->shared;

    control_add_loss(control, GAP_CUT, live->size == 0 ? shared->live_lines : 1,
                     shared->live_size - live->size);
    control_add(control, COUNTER_live_file_cut, 1);
}

static bool
has_sync_slot(const struct control *control, const struct control_intent *intent)
{
    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_slot *entry =
            &control->shared->slots[intent->ranges[i].slot];
        if (entry->nonce == intent->ranges[i].nonce &&
            control_slot_durability(control, intent->ranges[i].slot) ==
                DURABILITY_SYNC) {
            return true;
        }
    }
    return false;
}

/* The part of the batch that is whole in the file, whatever follows it there; NULL:
 * none. One that is to be synced is written again as a whole. An error is one of the
 * file or of memory: not knowing the part would be writing it twice. */
static int
find_part(struct control *control, const struct control_intent *intent,
          struct ring *const *rings, const struct logfile *target,
          struct control_intent **part)
{
    struct intentprefix_known known = {0};
    uint8_t *bytes = NULL;
    int error;

    *part = NULL;
    if (rings == NULL || has_sync_slot(control, intent)) {
        return 0;
    }
    error = intentprefix_measure(intent, rings, target, &known.size);
    if (error < 0 || known.size == 0) {
        return error == -EUCLEAN ? 0 : error;
    }
    error = intentprefix_read(intent, target, known.size, &bytes);
    if (error == 0) {
        *part = calloc(1, sizeof(**part));
        error = *part == NULL ? -ENOMEM : 0;
    }
    if (error == 0) {
        known.bytes = bytes;
        error = intentprefix_say(*part, intent, control, target, rings, &known);
    }
    free(bytes);
    return error;
}

/* The rest of the batch stays in the rings. */
static void
publish_part(struct control *control, const struct control_intent *intent,
             struct control_intent *part, struct ring *const *rings)
{
    if (part == NULL || part->length == 0) {
        clear(control, intent, COUNTER_recovery_conflicts);
        return;
    }
    intentblock_say(control, part);
    clear(control, intent, COUNTER_recovery_conflicts);
    intent_publish(control, part, rings, false);
}

/* Other bytes than ours are in the file: they stay as they are, and what is not whole
 * before them is written to a new file. `rings`: NULL if they aren't there. */
static int
leave_conflict(struct control *control, const struct control_intent *intent,
               struct ring *const *rings, struct logfile *target, struct logfile *live,
               int state_dir)
{
    bool is_live = target->fd == live->fd;
    /* Then lines of before the batch are missing as well; or the file was removed, and
     * the new one has its inode. */
    bool is_cut = is_live && control->shared->live_inode == live->inode &&
                  live->size < control->shared->live_size;
    struct control_intent *part;
    int error = find_part(control, intent, rings, target, &part);
    uint64_t kept = part != NULL ? part->length : 0;
    bool is_fixed;

    if (error == 0 && is_live) {
        error = leave_live(control, live, state_dir, live->size);
    }
    is_fixed = error == -EBUSY;
    if (error < 0 && !is_fixed) {
        free(part);
        return error;
    }
    if (is_cut) {
        note_cut(control, live);
    }
    control_add_loss(control, GAP_CONFLICT, 1, intent->length - kept);
    publish_part(control, intent, part, rings);
    free(part);
    if (is_fixed) {
        control->shared->live_size = live->size;
    }
    return is_live && !is_fixed ? rotate_reopen(live, control) : 0;
}

/* The file can't be written on, or not be trusted to be on the disk. Its part of the
 * batch is cut off once it is a backup, so that the batch stands only in the new one.
 */
static int
leave_unfinished(struct control *control, const struct control_intent *intent,
                 struct logfile *target, struct logfile *live, int state_dir)
{
    bool is_live = target->fd == live->fd;
    int error = is_live ? leave_live(control, live, state_dir, intent->start) : 0;

    if (error == 0 && target->size > intent->start) {
        error = target->sys->ftruncate(target->fd, intent->start);
    }
    if (error < 0) {
        return error;
    }
    clear(control, intent, COUNTER_batches_redone);
    /* syncing:B */
    atomic_store_explicit(&control->shared->syncing, 0, memory_order_release);
    return is_live ? rotate_reopen(live, control) : 0;
}

/* Publishing began, so everything before it, a sync too, was done. */
static bool
is_being_published(const struct control_intent *intent, struct ring *const *rings)
{
    for (uint32_t i = 0; i < intent->range_count; i++) {
        if (ring_head(rings[i]) == intent->ranges[i].to &&
            intent->ranges[i].to > intent->ranges[i].from) {
            return true;
        }
    }
    return false;
}

/* What the dead leader did not get to: its writers may still wait for the disk. */
static int
sync_target(struct control *control, struct logfile *target)
{
    int error;

    /* syncing:B */
    atomic_store_explicit(&control->shared->syncing, 1, memory_order_release);
    error = target->sys->fdatasync(target->fd);
    if (error < 0) {
        control_add(control, COUNTER_sync_errors, 1);
        return -EREMOTEIO;
    }
    /* syncing:B */
    atomic_store_explicit(&control->shared->syncing, 0, memory_order_release);
    control_add(control, COUNTER_syncs, 1);
    return 0;
}

/* All of it was done but for the counters; or by somebody who knew the batch by what
 * the rings say. Then what came behind it in the file says nothing. */
static bool
is_published(const struct control_intent *intent, struct ring *const *rings)
{
    for (uint32_t i = 0; i < intent->range_count; i++) {
        if (ring_head(rings[i]) < intent->ranges[i].to || MUTANT_LACKS(published)) {
            return false;
        }
    }
    return true;
}

/* Somebody appended something: 0 if the whole batch stands before that. */
static int
look_before(const struct control_intent *intent, struct ring *const *rings,
            const struct logfile *target)
{
    uint64_t same;
    int error = intentprefix_measure(intent, rings, target, &same);

    return error < 0 ? error : same == intent->length ? 0 : -EUCLEAN;
}

static int
finish(struct control *control, const struct control_intent *intent,
       struct ring **rings, struct logfile *target)
{
    enum control_counter counter = COUNTER_batches_forwarded;
    bool must_sync = has_sync_slot(control, intent);
    int error = 0;

    if (is_published(intent, rings)) {
        intent_publish(control, intent, rings, must_sync);
        control_add(control, counter, 1);
        return 0;
    }
    if (target->size == intent->start && intent->length > 0) {
        clear(control, intent, COUNTER_batches_redone);
        return 0;
    }
    if (target->size < intent->start) {
        return -EUCLEAN;
    }
    if (target->size < intent->start + intent->length) {
        error = complete(intent, rings, target);
        counter = COUNTER_batches_completed;
    } else if (target->size > intent->start + intent->length) {
        error = look_before(intent, rings, target);
    }
    if (error < 0) {
        return error;
    }
    error = must_sync && !is_being_published(intent, rings)
                ? sync_target(control, target)
                : 0;
    if (error < 0) {
        return error;
    }
    intent_publish(control, intent, rings, must_sync);
    control_add(control, counter, 1);
    return 0;
}

static int
recover_in(struct control *control, const struct control_intent *intent,
           struct ringmap *map, struct logfile *target, struct logfile *live,
           int state_dir, bool give_up)
{
    struct ring *rings[CONTROL_SLOTS];
    int error, are_there;

    /* syncing:A */
    if (atomic_load_explicit(&control->shared->syncing, memory_order_acquire)) {
        error = leave_unfinished(control, intent, target, live, state_dir);
        if (error != -EBUSY) {
            return error;
        }
        control_add_loss(control, GAP_SUSPECT, 1, intent->length);
        /* syncing:B */
        atomic_store_explicit(&control->shared->syncing, 0, memory_order_release);
    }
    are_there = map_rings(map, intent, rings);
    error = are_there;
    if (error == 0 && give_up && !is_being_published(intent, rings)) {
        return leave_unfinished(control, intent, target, live, state_dir);
    }
    if (error == 0) {
        error = finish(control, intent, rings, target);
    }
    if (error == -EREMOTEIO) {
        control_add_loss(control, GAP_SUSPECT, 1, intent->length);
        return leave_unfinished(control, intent, target, live, state_dir);
    }
    if (error == -EUCLEAN) {
        return leave_conflict(control, intent, are_there == 0 ? rings : NULL, target,
                              live, state_dir);
    }
    return error;
}

/* Nothing of it can be believed; its batch is still in the rings. */
static int
leave_damaged(struct control *control)
{
    control_add_loss(control, GAP_CONFLICT, 1, 0);
    control_add(control, COUNTER_recovery_conflicts, 1);
    intentblock_clear_all(control);
    return 0;
}

static int
recover_found(struct control *control, const struct control_intent *intent,
              struct ringmap *map, struct logfile *live, int state_dir, bool give_up)
{
    struct logfile target;
    struct search search;
    int error = open_target(live, intent, &target, &search);

    if (error == -ENOENT) {
        /* The file is gone with what it held; the batch itself is still in the rings.
         */
        clear(control, intent, COUNTER_batches_redone);
        /* syncing:B */
        atomic_store_explicit(&control->shared->syncing, 0, memory_order_release);
        return 0;
    }
    if (error < 0) {
        return error;
    }
    if (target.fd != live->fd) {
        error = recover_in(control, intent, map, &target, live, state_dir, give_up);
        logfile_close(&target);
        return error;
    }
    return recover_in(control, intent, map, live, live, state_dir, give_up);
}

int
recover_batch(struct control *control, const struct control_intent *intent,
              struct ringmap *map, struct logfile *live, int state_dir)
{
    return recover_found(control, intent, map, live, state_dir, false);
}

int
recover_intent(struct control *control, struct ringmap *map, struct logfile *live,
               int state_dir, bool give_up)
{
    struct control_intent *intent = calloc(1, sizeof(*intent));
    int error = intent != NULL ? intentblock_find(control, intent) : -ENOMEM;

    if (error == -EUCLEAN) {
        error = leave_damaged(control);
    } else if (error == -ENOENT) {
        /* syncing:B */
        atomic_store_explicit(&control->shared->syncing, 0, memory_order_release);
        error = 0;
    } else if (error == 0) {
        error = recover_found(control, intent, map, live, state_dir, give_up);
    }
    free(intent);
    return error;
}

static bool
was_packed(const struct control *control, const struct logfile *live)
{
    return packsearch_by_size(live, control->shared->live_size,
                              control->shared->live_since_ns);
}

/* It has the number that it had. */
static void
compare_size(struct control *control, const struct logfile *live)
{
    const struct control_shared *shared = control->shared;

    if (live->size > shared->live_size) {
        control_add(control, COUNTER_foreign_bytes, live->size - shared->live_size);
    } else if (live->size < shared->live_size) {
        if (was_packed(control, live)) {
            /* A new file got the number of the one that was packed. */
            control_add(control, COUNTER_live_file_moved, 1);
        } else {
            note_cut(control, live);
        }
    }
}

/* A directory that was copied or restored has other inodes and the same content. A file
 * that somebody put in the place of ours is hardly of the very same size. */
static bool
is_copy(const struct control *control, const struct logfile *live)
{
    return live->size > 0 && live->size == control->shared->live_size;
}

int
recover_live_file(struct control *control, struct logfile *live)
{
    struct control_shared *shared = control->shared;
    struct search search;
    int error;

    if (shared->live_inode == 0) {
        return 0;
    }
    if (shared->live_inode == live->inode && shared->live_device == live->device) {
        compare_size(control, live);
        return 0;
    }
    error = search_inode(live, shared->live_device, shared->live_inode, &search);
    if (error < 0) {
        return error;
    }
    if (search.is_found || was_packed(control, live)) {
        control_add(control, COUNTER_live_file_moved, 1);
    } else if (!is_copy(control, live)) {
        control_add_loss(control, GAP_UNLINKED, shared->live_lines, shared->live_size);
        control_add(control, COUNTER_live_file_unlinked, 1);
    }
    return 0;
}

/* drainer.c - one step is: stand by, or lead: recover, drain, retire, tell, serve. */
#include "drainer.h"

#include "recover.h"
#include "rotate.h"
#include "testpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t ms = 1000000U;
static const uint64_t standby_ns = 50 * ms, orphans_every_ns = 50 * ms,
                      look_every_ns = 500 * ms, hole_limit_ns = 2000 * ms,
                      retry_min_ns = 50 * ms, retry_max_ns = 1000 * ms,
                      handover_pause_ns = 1000 * ms;
static const uint64_t quota_min = 64 * 1024, busy_bytes = 128 * 1024;
static const uint32_t settle_after_failures = 4;
enum { thread_stack_size = 512 * 1024 };

static void
note_failure(struct writer *writer, int error)
{
    uint64_t pause = retry_min_ns << (writer->failures < 5 ? writer->failures : 5);

    writer->failures++;
    writer->next_retry_ns =
        writer->sys->now_mono() + (pause < retry_max_ns ? pause : retry_max_ns);
    control_note_error(&writer->control, error);
    atomic_store_explicit(&writer->control.shared->health,
                          error == -ENOSPC || error == -EDQUOT ? HEALTH_DISK_FULL
                                                               : HEALTH_DISK_ERROR,
                          memory_order_relaxed);
}

static void
note_success(struct writer *writer)
{
    if (writer->failures > 0) {
        writer->failures = 0;
        writer->next_retry_ns = 0;
        atomic_store_explicit(&writer->control.shared->health, HEALTH_OK,
                              memory_order_relaxed);
    }
}

static bool
is_asked(const struct writer *writer, enum request request, uint64_t *ticket)
{
    const struct control_request *asked = &writer->control.shared->requests[request];

    *ticket = atomic_load_explicit(&asked->requested, memory_order_acquire);
    return *ticket != atomic_load_explicit(&asked->done, memory_order_relaxed);
}

static bool
is_anything_asked(const struct writer *writer)
{
    uint64_t ticket;

    for (int request = 0; request < REQUEST_COUNT; request++) {
        if (is_asked(writer, (enum request)request, &ticket)) {
            return true;
        }
    }
    return false;
}

/* --- the live file -------------------------------------------------------------- */

static int
open_file(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    struct control_settings settings;
    int error;

    control_load_settings(&writer->control, &settings);
    error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
    if (error < 0) {
        return error;
    }
    if (shared->live_inode != writer->file.inode ||
        shared->live_device != writer->file.device) {
        shared->live_lines = 0;
    }
    shared->live_device = writer->file.device;
    shared->live_size = writer->file.size;
    shared->live_inode = writer->file.inode;
    writer->synced_size = writer->file.size;
    return 0;
}

static void
note_unlinked(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    control_add_loss(&writer->control, GAP_UNLINKED, shared->live_lines,
                     shared->live_size);
    control_add(&writer->control, COUNTER_live_file_unlinked, 1);
}

static void
note_cut(struct writer *writer, uint64_t size_now)
{
    struct control_shared *shared = writer->control.shared;

    control_add_loss(&writer->control, GAP_CUT, size_now == 0 ? shared->live_lines : 1,
                     writer->file.size - size_now);
    control_add(&writer->control, COUNTER_live_file_cut, 1);
    writer->file.size = size_now;
    shared->live_size = size_now;
    shared->live_lines = 0;
}

static void
note_grown(struct writer *writer, uint64_t size_now)
{
    control_add(&writer->control, COUNTER_foreign_bytes, size_now - writer->file.size);
    writer->file.size = size_now;
    writer->control.shared->live_size = size_now;
}

static int
complete_last_line(struct writer *writer)
{
    int result = logfile_complete_last_line(&writer->file);

    if (result > 0) {
        control_add(&writer->control, COUNTER_foreign_lines_completed, 1);
        writer->control.shared->live_size = writer->file.size;
    }
    return result < 0 ? result : 0;
}

/* Our descriptor was closed, perhaps by closing every number there is, and may show
 * somebody else's file now: it is left alone. */
static int
reopen_lost(struct writer *writer)
{
    writer->file.fd = -1;
    return 0;
}

static int
react(struct writer *writer, const struct logfile_look *look)
{
    switch (look->change) {
    case LOGFILE_SAME:
        return 0;
    case LOGFILE_GREW:
        note_grown(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_CUT:
        note_cut(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_MOVED:
        control_add(&writer->control, COUNTER_live_file_moved, 1);
        logfile_close(&writer->file);
        return 0;
    case LOGFILE_UNLINKED:
        note_unlinked(writer);
        logfile_close(&writer->file);
        return 0;
    case LOGFILE_LOST:
        return reopen_lost(writer);
    }
    return 0;
}

/* The live file, open and as we believe it to be. */
static int
prepare_file(struct writer *writer)
{
    struct logfile_look look;
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    if (writer->file.fd >= 0) {
        error = logfile_look(&writer->file, &look);
        if (error == 0) {
            error = react(writer, &look);
        }
        if (error < 0 || writer->file.fd >= 0) {
            return error;
        }
    }
    error = open_file(writer);
    return error < 0 ? error : complete_last_line(writer);
}

/* The old file must reach the disk before its descriptor goes, if anybody relies on it. */
static int
sync_before_rotation(struct writer *writer)
{
    int error;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        if (writer->sources[i].durability != DURABILITY_PROCESS) {
            error = writer->sys->fdatasync(writer->file.fd);
            if (error < 0) {
                control_add(&writer->control, COUNTER_sync_errors, 1);
                control_add_loss(&writer->control, GAP_SUSPECT, 0,
                                 writer->file.size - writer->synced_size);
            }
            return error;
        }
    }
    return 0;
}

static int
rotate(struct writer *writer)
{
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    (void)sync_before_rotation(writer); /* told in the log; the rotation goes on */
    error = rotate_away(&writer->file, &writer->control, writer->state_dir);
    if (error == -ENOENT) {
        error = 0; /* somebody else took the name away first */
    }
    if (error == 0) {
        error = rotate_reopen(&writer->file, &writer->control);
        writer->synced_size = 0;
    }
    return error;
}

/* --- slots ------------------------------------------------------------------------ */

static struct own_ring *
find_own(struct writer *writer, uint32_t slot, uint64_t nonce)
{
    struct own_ring *own;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (own->slot == slot && own->ring.nonce == nonce) {
            break;
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return own;
}

static void
free_claimed(struct writer *writer, uint32_t slot)
{
    char name[RING_NAME_SIZE];

    ring_name(slot, writer->control.shared->slots[slot].nonce, name);
    writer->sys->unlinkat(writer->rings_dir, name);
    control_set_slot(&writer->control, slot, SLOT_FREE);
}

static bool
is_own_slot(struct writer *writer, uint32_t slot)
{
    return leader_owns(&writer->leader, slot) &&
           find_own(writer, slot, writer->control.shared->slots[slot].nonce) != NULL;
}

/* Asks the kernel about every owner but ourselves: it never reports our own locks. */
static void
find_orphans(struct writer *writer)
{
    uint32_t used = atomic_load_explicit(&writer->control.shared->slots_used,
                                         memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);

        if ((state != SLOT_LIVE && state != SLOT_CLAIMED) || writer->is_gone[slot]) {
            continue;
        }
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 3
        if (!leader_is_gone(&writer->leader, slot)) {
#else
        if (is_own_slot(writer, slot) || !leader_is_gone(&writer->leader, slot)) {
#endif
            continue;
        }
        TEST_POINT(orphan_found);
        if (state == SLOT_CLAIMED) {
            free_claimed(writer, slot);
        } else {
            writer->is_gone[slot] = true;
        }
    }
}

/* A ring file that is not there any more can't be drained; its slot must not hold up
 * the others for ever. */
static void
lose_slot(struct writer *writer, uint32_t slot, int error)
{
    control_note_error(&writer->control, error);
    control_add_loss(&writer->control, GAP_DAMAGED, 1, 0);
    control_set_slot(&writer->control, slot, SLOT_FREE);
    writer->is_gone[slot] = false;
}

static void
add_source(struct writer *writer, uint32_t slot, enum slot_state state)
{
    const struct control_slot *entry = &writer->control.shared->slots[slot];
    struct batch_source *source = &writer->sources[writer->source_count];
    bool owner_gone = state == SLOT_CLOSING || writer->is_gone[slot];
    struct own_ring *own = find_own(writer, slot, entry->nonce);
    struct ring *ring = own != NULL ? &own->ring : NULL;
    int error =
        own != NULL ? 0 : ringmap_get(&writer->map, slot, entry->nonce, &ring);

    if (error < 0) {
        if (owner_gone && (error == -ENOENT || error == -EUCLEAN)) {
            lose_slot(writer, slot, error);
        }
        return;
    }
    *source = (struct batch_source){.ring = ring,
                                    .slot = slot,
                                    .owner_gone = owner_gone,
                                    .durability = (enum durability)atomic_load_explicit(
                                        &entry->durability, memory_order_relaxed)};
    /* Sealing is the one change after which the tail of a dead owner's ring is final,
     * even if it was only thought dead. */
    source->end = owner_gone ? ring_seal(ring) : ring_tail(ring);
    if (owner_gone) {
        TEST_POINT(orphan_sealed);
    }
    if (source->end - ring_head(ring) > ring->capacity) {
        control_note_error(&writer->control, -EUCLEAN);
        return;
    }
    writer->source_count++;
}

static void
find_sources(struct writer *writer)
{
    uint32_t used = atomic_load_explicit(&writer->control.shared->slots_used,
                                         memory_order_acquire);

    writer->source_count = 0;
    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);
        if (state == SLOT_LIVE || state == SLOT_CLOSING) {
            add_source(writer, slot, state);
        }
    }
}

/* A producer's counters join the log's when its ring ends. */
static void
inherit_counters(struct writer *writer, struct ring_shared *shared)
{
    struct control *control = &writer->control;
    uint64_t count = atomic_load_explicit(&shared->dropped_count, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&shared->dropped_bytes, memory_order_relaxed);
    uint64_t told = atomic_load_explicit(&shared->dropped_count_reported,
                                         memory_order_relaxed);
    uint64_t told_bytes = atomic_load_explicit(&shared->dropped_bytes_reported,
                                               memory_order_relaxed);

    if (count > told) {
        control_add_loss(control, GAP_DROPPED_BY_DEAD, count - told, bytes - told_bytes);
        atomic_store_explicit(&shared->dropped_count_reported, count,
                              memory_order_relaxed);
        atomic_store_explicit(&shared->dropped_bytes_reported, bytes,
                              memory_order_relaxed);
    }
    control_add(control, COUNTER_dropped_records, count);
    control_add(control, COUNTER_dropped_bytes, bytes);
    control_add(control, COUNTER_refused_records,
                atomic_load_explicit(&shared->refused_count, memory_order_relaxed));
    control_add(control, COUNTER_blocked_ns,
                atomic_load_explicit(&shared->blocked_ns, memory_order_relaxed));
    control_add(control, COUNTER_block_timeouts,
                atomic_load_explicit(&shared->block_timeouts, memory_order_relaxed));
}

static void
retire(struct writer *writer, struct batch_source *source)
{
    uint32_t slot = source->slot;
    char name[RING_NAME_SIZE];

    TEST_POINT(retire_drained);
    inherit_counters(writer, source->ring->shared);
    ring_name(slot, source->ring->nonce, name);
    writer->sys->unlinkat(writer->rings_dir, name);
    TEST_POINT(retire_unlinked);
    ringmap_drop(&writer->map, slot);
    writer->is_gone[slot] = false;
    control_add(&writer->control, COUNTER_retired_slots, 1);
    control_set_slot(&writer->control, slot, SLOT_RETIRED);
    TEST_POINT(retire_done);
}

/* Ends the rings that are drained and nobody writes to. True: all such rings are. */
static bool
retire_drained(struct writer *writer)
{
    bool all = true;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        struct batch_source *source = &writer->sources[i];
        if (!source->owner_gone) {
            continue;
        }
        if (ring_head(source->ring) < source->end) {
            all = false;
        } else {
            retire(writer, source);
        }
    }
    return all;
}

/* --- draining ----------------------------------------------------------------------- */

/* A hole in a live ring that stays: its owner is asked to go on in another ring. */
static void
watch_hole(struct writer *writer, const struct batch_source *source)
{
    uint32_t slot = source->slot;
    uint64_t head = ring_head(source->ring), now = writer->sys->now_mono();
    struct control_slot *entry = &writer->control.shared->slots[slot];

    if (writer->hole_position[slot] != head || writer->hole_since_ns[slot] == 0) {
        writer->hole_position[slot] = head;
        writer->hole_since_ns[slot] = now;
    } else if (now - writer->hole_since_ns[slot] >= hole_limit_ns &&
               atomic_exchange_explicit(&entry->stalled, 1, memory_order_relaxed) == 0) {
        control_add(&writer->control, COUNTER_stalled_slots, 1);
    }
}

/* Stages from every source in turn, starting after the one where the last batch ended.
 * `complete`: no source has anything left within this pass. */
static enum batch_taken
fill(struct writer *writer, bool *complete)
{
    uint32_t count = writer->source_count;
    uint64_t quota = count > 0 ? BATCH_SIZE_LIMIT / count : BATCH_SIZE_LIMIT;
    enum batch_taken taken = BATCH_TOOK_ALL;

    *complete = true;
    quota = quota > quota_min ? quota : quota_min;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (writer->next_source + i) % count;
        struct batch_source *source = &writer->sources[index];

        if (ring_head(source->ring) >= source->end) {
            continue;
        }
        *complete = false;
        taken = batch_take(&writer->batch, source, quota);
        if (taken == BATCH_FULL || taken == BATCH_FILE_FULL) {
            writer->next_source = (index + 1) % count;
            return taken;
        }
        if (taken == BATCH_AT_HOLE) {
            watch_hole(writer, source);
        }
    }
    return BATCH_TOOK_ALL;
}

static bool
others_live(struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        struct batch_source *source = &writer->sources[i];
        if (!source->owner_gone && !leader_owns(&writer->leader, source->slot)) {
            return true;
        }
    }
    return false;
}

/* Leaves the outstanding intent to whoever leads next, which may be ourselves. */
static void
step_down(struct writer *writer, uint64_t pause_ns)
{
    writer->batch.is_outstanding = false;
    logfile_close(&writer->file);
    if (!writer->is_private) {
        leader_step_down(&writer->leader);
    }
    writer->must_recover = true;
    writer->next_try_ns = writer->sys->now_mono() + pause_ns;
}

/* Gives up on the live file: what is whole in it stays, the rest goes to a new one. */
static void
settle(struct writer *writer, bool keep)
{
    int error = rotate_away(&writer->file, &writer->control, writer->state_dir);

    if (error < 0 && error != -ENOENT) {
        return; /* stays outstanding and is tried again */
    }
    batch_settle(&writer->batch, keep);
    if (rotate_reopen(&writer->file, &writer->control) == 0) {
        note_success(writer);
    }
}

static void
fail_write(struct writer *writer, int error)
{
    control_add(&writer->control, COUNTER_write_errors, 1);
    note_failure(writer, error);
    if (writer->file.is_stream) {
        return;
    }
    if (error == -EBADF || error == -ESTALE) {
        if (error == -EBADF) {
            writer->file.fd = -1;
        }
        step_down(writer, 0);
    } else if (error == -EREMOTEIO) {
        control_add_loss(&writer->control, GAP_SUSPECT, 0, writer->batch.size);
        settle(writer, false);
    } else if ((error == -EFBIG || error == -EDQUOT) && others_live(writer)) {
        control_add(&writer->control, COUNTER_handovers, 1);
        step_down(writer, handover_pause_ns);
    } else if (error == -EFBIG ||
               (error != -ENOSPC && error != -EDQUOT && error != -EAGAIN &&
                writer->failures >= settle_after_failures)) {
        settle(writer, true);
    }
}

static bool
write_batch(struct writer *writer)
{
    int error = batch_write(&writer->batch);

    if (error < 0) {
        fail_write(writer, error);
        return false;
    }
    note_success(writer);
    return true;
}

/* Drains everything up to the ends of the sources. Returns the bytes written. */
static uint64_t
drain(struct writer *writer, bool *complete)
{
    uint64_t bytes = 0;

    *complete = false;
    while (!atomic_load_explicit(&writer->must_stop, memory_order_relaxed)) {
        enum batch_taken taken;
        int error = prepare_file(writer);

        if (error < 0) {
            note_failure(writer, error);
            return bytes;
        }
        batch_begin(&writer->batch);
        taken = fill(writer, complete);
        if (batch_is_empty(&writer->batch)) {
            if (taken != BATCH_FILE_FULL) {
                return bytes;
            }
            error = rotate(writer);
            if (error < 0) {
                note_failure(writer, error);
                return bytes;
            }
            continue;
        }
        if (!writer->is_private && leader_assert(&writer->leader) < 0) {
            step_down(writer, 0);
            return bytes;
        }
        if (!write_batch(writer)) {
            return bytes;
        }
        bytes += writer->batch.size;
    }
    return bytes;
}

/* --- telling losses ----------------------------------------------------------------- */

static int
commit_gap(struct writer *writer, struct ring *ring, struct gap *gap)
{
    char record[sizeof(struct gap_mark) + GAP_LINE_MAX];
    struct ring_reservation reservation;
    size_t size;

    gap->pid = (uint32_t)writer->leader.pid;
    gap->real_ns = writer->sys->now_real();
    if (writer->sys->random(gap->random, sizeof(gap->random)) < 0) {
        gap->random[0] = gap->real_ns;
        gap->random[1] = gap->total_count;
    }
    size = gap_format(gap, record);
    return ring_write(ring, RING_GAP, record, size, false, &reservation);
}

int
drainer_tell_drops(struct writer *writer, struct own_ring *own)
{
    struct ring_shared *shared = own->ring.shared;
    uint64_t told = atomic_load_explicit(&own->dropped_told, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&shared->dropped_count, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&shared->dropped_bytes, memory_order_relaxed);
    struct gap gap = {.reason = GAP_DROPPED,
                      .count = count - told,
                      .bytes = bytes - atomic_load_explicit(&own->dropped_bytes_told,
                                                            memory_order_relaxed),
                      .total_count = count,
                      .total_bytes = bytes};
    int error;

    /* Whoever moves `told` writes the event; another thread then has nothing to tell. */
    if (count <= told ||
        !atomic_compare_exchange_strong_explicit(&own->dropped_told, &told, count,
                                                 memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return 0;
    }
    if (atomic_load_explicit(&writer->control.shared->health, memory_order_relaxed) ==
        HEALTH_DISK_FULL) {
        gap.detail = "disk full";
    }
    error = commit_gap(writer, &own->ring, &gap);
    TEST_POINT(gap_written);
    if (error < 0) {
        atomic_store_explicit(&own->dropped_told, told, memory_order_release);
        return error;
    }
    atomic_store_explicit(&own->dropped_bytes_told, bytes, memory_order_relaxed);
    return 0;
}

static void
tell_own_drops(struct writer *writer)
{
    struct own_ring *own =
        atomic_load_explicit(&writer->current, memory_order_acquire);

    if (own != NULL &&
        atomic_load_explicit(&writer->gap_due, memory_order_relaxed) != 0 &&
        drainer_tell_drops(writer, own) == 0) {
        atomic_store_explicit(&writer->gap_due, 0, memory_order_relaxed);
    }
}

/* What the leader found missing goes through its own ring, like any record. Returns
 * whether it wrote something. */
static bool
tell_losses(struct writer *writer)
{
    struct own_ring *own =
        atomic_load_explicit(&writer->current, memory_order_acquire);
    bool told = false;

    if (own == NULL) {
        return false;
    }
    for (int reason = GAP_DROPPED + 1; reason < GAP_REASONS; reason++) {
        struct control_loss *loss = &writer->control.shared->losses[reason];
        uint64_t count = atomic_load_explicit(&loss->count, memory_order_acquire);
        uint64_t bytes = atomic_load_explicit(&loss->bytes, memory_order_relaxed);
        struct gap gap = {.reason = (enum gap_reason)reason,
                          .count = count - writer->told[reason],
                          .bytes = bytes - writer->told_bytes[reason],
                          .total_count = count,
                          .total_bytes = bytes};

        if (gap.count == 0 && gap.bytes == 0) {
            continue;
        }
        if (commit_gap(writer, &own->ring, &gap) < 0) {
            break;
        }
        TEST_POINT(gap_written);
        writer->told[reason] = count;
        writer->told_bytes[reason] = bytes;
        told = true;
    }
    return told;
}

/* A gap event that an earlier leader committed may still be in its ring: only when all
 * rings were drained once is it clear what has not been told. */
static void
learn_told(struct writer *writer)
{
    for (int reason = 0; reason < GAP_REASONS; reason++) {
        struct control_loss *loss = &writer->control.shared->losses[reason];
        writer->told[reason] =
            atomic_load_explicit(&loss->count_reported, memory_order_relaxed);
        writer->told_bytes[reason] =
            atomic_load_explicit(&loss->bytes_reported, memory_order_relaxed);
    }
    writer->is_settled = true;
}

/* --- requests and syncs --------------------------------------------------------------- */

static int
sync_all(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    /* Backups have no descriptor any more; the file system syncs them all. */
    error = atomic_exchange_explicit(&shared->unsynced_rotation, 0,
                                     memory_order_relaxed)
                ? writer->sys->syncfs(writer->file.fd)
                : writer->sys->fdatasync(writer->file.fd);
    if (error < 0) {
        control_add(&writer->control, COUNTER_sync_errors, 1);
        control_note_error(&writer->control, error);
        control_add_loss(&writer->control, GAP_SUSPECT, 0,
                         writer->file.size - writer->synced_size);
        writer->wants_rotation = true;
        return error;
    }
    control_add(&writer->control, COUNTER_syncs, 1);
    writer->synced_size = writer->file.size;
    return 0;
}

static int
reopen(struct writer *writer)
{
    if (writer->file.is_stream) {
        return 0;
    }
    logfile_close(&writer->file);
    return prepare_file(writer);
}

static int
answer(struct writer *writer, enum request request)
{
    switch (request) {
    case REQUEST_FLUSH:
        return 0;
    case REQUEST_SYNC:
        return sync_all(writer);
    case REQUEST_ROTATE:
        return rotate(writer);
    case REQUEST_REOPEN:
        return reopen(writer);
    }
    return -EINVAL;
}

/* Answers what was asked before the tails were read. */
static void
serve(struct writer *writer, const uint64_t tickets[REQUEST_COUNT])
{
    for (int request = 0; request < REQUEST_COUNT; request++) {
        if (tickets[request] != 0) {
            control_fulfil(&writer->control, (enum request)request, tickets[request],
                           answer(writer, (enum request)request));
        }
    }
}

static bool
wants_interval(const struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        if (writer->sources[i].durability == DURABILITY_INTERVAL) {
            return true;
        }
    }
    return false;
}

static void
sync_at_interval(struct writer *writer, uint64_t now)
{
    int result = syncer_poll(&writer->syncer);

    if (result == 0) {
        control_add(&writer->control, COUNTER_syncs, 1);
        if (writer->syncer.size > writer->synced_size) {
            writer->synced_size = writer->syncer.size;
        }
    } else if (result != -EINPROGRESS) {
        control_add(&writer->control, COUNTER_sync_errors, 1);
        control_note_error(&writer->control, result);
        control_add_loss(&writer->control, GAP_SUSPECT, 0,
                         writer->syncer.size - writer->synced_size);
        writer->wants_rotation = true;
    }
    if (now >= writer->next_sync_ns && writer->file.fd >= 0 &&
        !writer->syncer.has_thread && writer->file.size > writer->synced_size &&
        wants_interval(writer)) {
        struct control_settings settings;

        control_load_settings(&writer->control, &settings);
        writer->next_sync_ns = now + settings.sync_interval_ns;
        (void)syncer_start(&writer->syncer, writer->sys, writer->file.fd,
                           writer->file.size);
    }
}

/* --- leading --------------------------------------------------------------------------- */

static int
recover(struct writer *writer)
{
    struct control_settings settings;
    int error;

    control_load_settings(&writer->control, &settings);
    logfile_close(&writer->file);
    error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
#if !defined(AUDITRING_MUTANT) || AUDITRING_MUTANT != 2
    if (error == 0) {
        error = recover_intent(&writer->control, &writer->map, &writer->file,
                               writer->state_dir);
    }
#else
    control_clear(&writer->control.shared->intents[0]);
    control_clear(&writer->control.shared->intents[1]);
#endif
    if (error == 0 && writer->file.fd >= 0) {
        error = recover_live_file(&writer->control, &writer->file);
    }
    logfile_close(&writer->file);
    if (error == 0) {
        error = prepare_file(writer);
    }
    if (error < 0) {
        note_failure(writer, error);
        return error;
    }
    TEST_POINT(lead_recovered);
    note_success(writer);
    writer->must_recover = false;
    return 0;
}

static void
try_to_lead(struct writer *writer, uint64_t now)
{
    struct own_ring *own =
        atomic_load_explicit(&writer->current, memory_order_acquire);

    if (own == NULL || (now < writer->next_try_ns && !is_anything_asked(writer))) {
        return;
    }
    if (leader_try(&writer->leader, own->slot) != 1) {
        writer->next_try_ns = now + standby_ns;
        return;
    }
    writer->must_recover = true;
    writer->is_settled = false;
    writer->batch.is_outstanding = false;
    writer->failures = 0;
    writer->next_retry_ns = 0;
    writer->next_orphans_ns = 0;
    memset(writer->is_gone, 0, sizeof(writer->is_gone));
    memset(writer->hole_since_ns, 0, sizeof(writer->hole_since_ns));
}

/* After a pass in which everything was drained. Returns whether it made new work. */
static bool
settle_pass(struct writer *writer, const uint64_t tickets[REQUEST_COUNT], uint64_t now)
{
    bool all_retired = retire_drained(writer);

    if (writer->wants_rotation && rotate(writer) == 0) {
        writer->wants_rotation = false;
    }
    serve(writer, tickets);
    if (!writer->is_private) {
        sync_at_interval(writer, now);
    }
    if (all_retired && !writer->is_settled) {
        learn_told(writer);
    }
    tell_own_drops(writer);
    return writer->is_settled && tell_losses(writer);
}

static uint64_t
remaining(uint64_t until, uint64_t now)
{
    return until > now ? until - now : 1;
}

static uint64_t
lead(struct writer *writer, uint64_t now)
{
    uint64_t tickets[REQUEST_COUNT] = {0}, ticket, bytes;
    bool complete, asked = false, told = false;

    atomic_store_explicit(&writer->control.shared->heartbeat_ns, now,
                          memory_order_relaxed);
    if (now < writer->next_retry_ns) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->must_recover && recover(writer) < 0) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->batch.is_outstanding && !write_batch(writer)) {
        return remaining(writer->next_retry_ns, now);
    }
    for (int request = 0; request < REQUEST_COUNT; request++) {
        if (is_asked(writer, (enum request)request, &ticket)) {
            tickets[request] = ticket;
            asked = true;
        }
    }
    if (!writer->is_private && (asked || now >= writer->next_orphans_ns)) {
        find_orphans(writer);
        writer->next_orphans_ns = now + orphans_every_ns;
    }
    find_sources(writer);
    if (now >= writer->next_look_ns) {
        int error = prepare_file(writer);
        writer->next_look_ns = now + look_every_ns;
        if (error < 0) {
            note_failure(writer, error);
        }
    }
    bytes = drain(writer, &complete);
    if (complete) {
        told = settle_pass(writer, tickets, now);
    }
    if (bytes >= busy_bytes || told) {
        return 0;
    }
    return wait_backoff_next(&writer->backoff, bytes > 0, now);
}

/* --- the thread -------------------------------------------------------------------------- */

/* Holds what is ours: locks that were dropped are taken again, a ring that was sealed
 * or stalled is left for a new one. */
static void
maintain(struct writer *writer)
{
    struct own_ring *own;
    int error = 0;

    if (leader_check_lock_file(&writer->leader) < 0) {
        error = writer_repair(writer);
        if (error < 0) {
            note_failure(writer, error);
            return;
        }
    }
    own = atomic_load_explicit(&writer->current, memory_order_acquire);
    if (own == NULL) {
        return;
    }
    if (leader_assert_slot(&writer->leader, own->slot) == -EAGAIN ||
        ring_is_sealed(&own->ring)) {
        control_add(&writer->control, COUNTER_false_deaths, 1);
        error = writer_attach(writer);
    } else if (atomic_load_explicit(
                   &writer->control.shared->slots[own->slot].stalled,
                   memory_order_relaxed)) {
        error = writer_attach(writer);
    }
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
}

uint64_t
drainer_step(struct writer *writer)
{
    uint64_t now = writer->sys->now_mono();

    if (writer->is_private) {
        return lead(writer, now);
    }
    maintain(writer);
    if (writer->leader.leads && leader_assert(&writer->leader) < 0) {
        step_down(writer, 0);
    }
    if (!writer->leader.leads) {
        try_to_lead(writer, now);
    }
    if (writer->leader.leads) {
        return lead(writer, now);
    }
    tell_own_drops(writer);
    return standby_ns;
}

static void
doze(struct writer *writer, bool leads, uint32_t seen, uint64_t sleep_ns)
{
    struct control_shared *shared = writer->control.shared;

    if (!leads) {
        wait_word(writer->sys, &writer->thread_word, seen, sleep_ns);
        return;
    }
    atomic_store_explicit(&shared->leader_sleeps, 1, memory_order_relaxed);
    wait_word(writer->sys, &shared->leader_word, seen, sleep_ns);
    atomic_store_explicit(&shared->leader_sleeps, 0, memory_order_relaxed);
}

static void *
run(void *context)
{
    struct writer *writer = context;

    (void)pthread_setname_np(pthread_self(), "auditring");
    atomic_store_explicit(&writer->thread_id, (int32_t)syscall(SYS_gettid),
                          memory_order_release);
    while (!atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
        struct control_shared *shared = writer->control.shared;
        uint32_t asked =
            atomic_load_explicit(&shared->leader_word, memory_order_acquire);
        uint32_t woken =
            atomic_load_explicit(&writer->thread_word, memory_order_acquire);
        uint64_t sleep_ns = drainer_step(writer);
        bool leads = writer->is_private || writer->leader.leads;

        if (sleep_ns > 0 &&
            !atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
            doze(writer, leads, leads ? asked : woken, sleep_ns);
        }
    }
    return NULL;
}

/* Signals are the program's: SIGXFSZ shows as EFBIG here and SIGPIPE as EPIPE. Faults
 * of our own must still kill. */
static void
block_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

int
drainer_start(struct writer *writer)
{
    sigset_t before;
    int error;

    if (atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        return 0;
    }
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->thread_id, 0, memory_order_relaxed);
    block_signals(&before);
    error = writer->sys->thread_start(&writer->thread, thread_stack_size, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store_explicit(&writer->has_thread, error == 0, memory_order_relaxed);
    return error;
}

/* Joining returns before the kernel has taken the thread off the process; CPython
 * counts threads right after a fork, and warns. */
static void
wait_until_gone(const struct writer *writer)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%d",
             (int)atomic_load_explicit(&writer->thread_id, memory_order_acquire));
    for (int i = 0; i < 10000 && stat(path, &status) == 0; i++) {
        sched_yield();
    }
}

void
drainer_stop(struct writer *writer)
{
    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        return;
    }
    atomic_store_explicit(&writer->must_stop, 1, memory_order_release);
    wait_wake(writer->sys, &writer->thread_word);
    control_wake_leader(&writer->control);
    writer->sys->thread_join(writer->thread);
    syncer_join(&writer->syncer);
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    wait_until_gone(writer);
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
}

static bool
has_closing(struct writer *writer)
{
    struct own_ring *own;

    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (control_slot_state(&writer->control, own->slot) == SLOT_CLOSING &&
            writer->control.shared->slots[own->slot].nonce == own->ring.nonce) {
            return true;
        }
    }
    return false;
}

void
drainer_finish(struct writer *writer)
{
    /* Losses found meanwhile can't go through a ring that is closing: the next leader
     * tells them. */
    for (int i = 0; i < 100 && has_closing(writer); i++) {
        if (drainer_step(writer) == standby_ns || writer->failures > 0) {
            return;
        }
    }
}

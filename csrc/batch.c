#include "batch.h"

#include "intent.h"
#include "intentblock.h"
#include "ringreader.h"
#include "ringstake.h"
#include "testpoint.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int
batch_open(struct batch *batch, const struct sys *sys, struct control *control,
           struct logfile *file)
{
    *batch = (struct batch){
        .sys = sys, .control = control, .file = file, .file_limit = UINT64_MAX};
    batch->staging = malloc(BATCH_STAGING_SIZE);
    batch->staging_size = BATCH_STAGING_SIZE;
    batch->intent = calloc(1, sizeof(*batch->intent));
    batch->part = calloc(1, sizeof(*batch->part));
    if (batch->staging == NULL || batch->intent == NULL || batch->part == NULL ||
        gapfile_open(&batch->gaps) < 0) {
        batch_close(batch);
        return -ENOMEM;
    }
    return 0;
}

void
batch_close(struct batch *batch)
{
    free(batch->staging);
    free(batch->intent);
    free(batch->part);
    batch->staging = NULL;
    batch->intent = batch->part = NULL;
    gapfile_close(&batch->gaps);
}

void
batch_begin(struct batch *batch)
{
    control_load_settings(batch->control, &batch->settings);
    batch->intent->sequence++;
    batch->intent->block = 0;
    intent_begin(batch->intent, batch->control, batch->file,
                 batch->settings.dialect == DIALECT_STDLIB);
    batch->size = 0;
    batch->written = 0;
    gapfile_begin(&batch->gaps);
    batch->must_sync = false;
    batch->sync_error = 0;
    batch->is_at_limit = false;
}

bool
batch_is_empty(const struct batch *batch)
{
    return batch->intent->range_count == 0;
}

/* Does the line belong into the next file? A line larger than the limit gets a file of
 * its own. Sources: lumberjack rotates at `>` (but at `>=` on the first write to a file
 * that it found), RotatingFileHandler at `>=`. */
static bool
exceeds_file(struct batch *batch, uint64_t size)
{
    uint64_t limit = batch->settings.max_bytes;
    uint64_t before = batch->file->size + batch->size, after = before + size;

    if (after > batch->file_limit && before > 0) {
        batch->is_at_limit = true;
        return true;
    }
    if (limit == 0 || before == 0 || size == 0 || batch->file->is_stream ||
        batch->may_exceed) {
        return false;
    }
    if (batch->settings.dialect == DIALECT_STDLIB) {
        return after >= limit && batch->settings.max_backups > 0;
    }
    return after > limit ||
           (after == limit && batch->file->is_adopted && batch->size == 0);
}

static bool
has_room(const struct batch *batch, uint64_t size)
{
    return batch->size == 0 || batch->size + size <= BATCH_SIZE_LIMIT;
}

/* The line stands behind what is staged. */
static enum batch_taken
stage(struct batch *batch, uint64_t size)
{
    if (exceeds_file(batch, size)) {
        return BATCH_FILE_FULL;
    }
    if (!has_room(batch, size)) {
        return BATCH_FULL;
    }
    if (batch->settings.max_bytes > 0 && size > batch->settings.max_bytes) {
        control_add(batch->control, COUNTER_oversize_records, 1);
    }
    batch->size += size;
    return BATCH_TOOK_ALL;
}

static enum batch_taken
stage_gap(struct batch *batch, const struct ring_record *record,
          struct control_range *range)
{
    struct control_intent *intent = batch->intent;
    enum batch_taken taken = BATCH_TOOK_ALL;
    struct gap_mark mark;
    const uint8_t *line = gap_line(record->data, record->size, &mark);

    if (line == NULL) {
        return BATCH_TOOK_ALL;
    }
    if (!intent->gaps_aside) {
        memmove(batch->staging + batch->size, line, mark.line_size);
        taken = stage(batch, mark.line_size);
    } else if (!gapfile_add(&batch->gaps, line, mark.line_size)) {
        taken = BATCH_FULL;
    }
    if (taken != BATCH_TOOK_ALL) {
        return taken;
    }
    intent_report(intent, range, &mark);
    return BATCH_TOOK_ALL;
}

/* Room for a record larger than all that is staged usually. */
static bool
grow(struct batch *batch, uint64_t size)
{
    uint8_t *staging = realloc(batch->staging, size);

    if (staging == NULL) {
        return false;
    }
    batch->staging = staging;
    batch->staging_size = size;
    return true;
}

/* The next record, its bytes behind what is staged: they are written from there,
 * because those in the ring may change, or be gone, at any moment. */
static int
next_record(struct batch *batch, const struct batch_source *source, uint64_t from,
            struct ring_record *record)
{
    int found;

    do {
        found = ring_next_into(source->ring, from, source->end, source->owner_gone,
                               batch->staging + batch->size,
                               batch->staging_size - batch->size, record);
    } while (found && !record->is_copied && batch->size == 0 &&
             grow(batch, record->size));
    return found;
}

static enum batch_taken
stage_record(struct batch *batch, const struct ring_record *record,
             struct control_range *range)
{
    if (!record->is_copied) {
        return exceeds_file(batch, record->size) ? BATCH_FILE_FULL : BATCH_FULL;
    }
    return record->type == RING_GAP ? stage_gap(batch, record, range)
                                    : stage(batch, record->size);
}

static enum batch_taken
take_records(struct batch *batch, const struct batch_source *source, uint64_t quota,
             struct control_range *range)
{
    struct ring_record record;
    enum batch_taken taken = BATCH_TOOK_ALL;

    while (next_record(batch, source, range->to, &record)) {
        if (range->to > range->from && record.next - range->from > quota) {
            return BATCH_TOOK_ALL;
        }
        taken = stage_record(batch, &record, range);
        if (taken != BATCH_TOOK_ALL) {
            return taken;
        }
        intent_add(batch->intent, range, &record);
    }
    /* Pads and abandoned reservations at the end. */
    intent_skip(batch->intent, &record);
    range->to = record.next;
    return record.next < source->end ? BATCH_AT_HOLE : BATCH_TOOK_ALL;
}

enum batch_taken
batch_take(struct batch *batch, const struct batch_source *source, uint64_t quota)
{
    struct control_intent *intent = batch->intent;
    struct control_range *range = &intent->ranges[intent->range_count];
    enum batch_taken taken;

    if (intent->range_count == CONTROL_SLOTS) {
        return BATCH_FULL;
    }
    *range = intent_range(source->slot, source->owner_gone, source->ring);
    taken = take_records(batch, source, quota, range);
    if (range->to > range->from) {
        batch->ends[intent->range_count] = batch->size;
        batch->rings[intent->range_count++] = source->ring;
        /* Read after the records: a slot that was raised to sync before one of them was
         * written is seen here. */
        batch->must_sync |=
            control_slot_durability(batch->control, source->slot) == DURABILITY_SYNC;
    }
    return taken;
}

static int
say_intent(struct batch *batch)
{
    struct control_intent *intent = batch->intent;
    int error = gapfile_write(&batch->gaps, batch->file, &batch->settings);

    if (error < 0) {
        return error;
    }
    intent->length = batch->size;
    intent->bytes_after += batch->size;
    TEST_POINT(batch_staged);
    if (!batch->file->is_stream) {
        ringstake_say(batch->control, intent, batch->rings, &batch->leader,
                      batch->leader_slot, batch->must_sync);
    }
    intentblock_say(batch->control, intent);
    batch->rest = (struct iovec){.iov_base = batch->staging, .iov_len = batch->size};
    batch->missing = (struct logfile_parts){.next = &batch->rest, .count = 1};
    batch->is_outstanding = true;
    return 0;
}

/* Continuing takes a file that holds exactly what we wrote so far. */
static int
check_outstanding(struct batch *batch)
{
    struct logfile_look look;
    int error = logfile_look(batch->file, &look);

    if (error < 0) {
        return error;
    }
    if (look.change == LOGFILE_LOST) {
        return -EBADF;
    }
    return look.change == LOGFILE_SAME || look.change == LOGFILE_MOVED ? 0 : -ESTALE;
}

static int
append(struct batch *batch)
{
    struct logfile *file = batch->file;
    uint64_t short_writes = 0;
    int error;

    if (!file->is_stream &&
        !sys_is_file(batch->sys, file->fd, file->device, file->inode)) {
        return -EBADF;
    }
    if (!file->is_stream) {
        logfile_reserve(file, batch->size - batch->written, batch->settings.max_bytes);
    }
    error = logfile_append(file, &batch->missing, &batch->written, &short_writes);

    if (short_writes > 0) {
        control_add(batch->control, COUNTER_short_writes, short_writes);
    }
    return error;
}

static int
sync_file(struct batch *batch)
{
    struct control_shared *shared = batch->control->shared;
    int error;

    /* A leader that dies in here may have consumed the kernel's one report of a failed
     * write-back; the mark tells the next one not to trust the file. */
    atomic_store_explicit(&shared->syncing, 1, memory_order_release); /* syncing:B */
    error = batch->sys->fdatasync(batch->file->fd);
    TEST_POINT(batch_synced);
    if (error < 0) {
        control_add(batch->control, COUNTER_sync_errors, 1);
        batch->sync_error = error;
        return -EREMOTEIO;
    }
    atomic_store_explicit(&shared->syncing, 0, memory_order_release); /* syncing:B */
    control_add(batch->control, COUNTER_syncs, 1);
    return 0;
}

/* Overwrites what was drained, while nobody can reserve it yet. */
static void
wipe(struct batch *batch)
{
    const struct control_intent *intent = batch->intent;

    for (uint32_t i = 0; i < intent->range_count; i++) {
        ring_wipe(batch->rings[i], intent->ranges[i].from, intent->ranges[i].to);
    }
}

int
batch_write(struct batch *batch)
{
    int error = 0;

    if (!batch->is_outstanding) {
        error = say_intent(batch);
    } else if (batch->sync_error < 0) {
        error = -EREMOTEIO; /* a second sync that succeeds would prove nothing */
    } else {
        error = check_outstanding(batch);
    }
    if (error == 0) {
        error = append(batch);
    }
    if (error == 0) {
        TEST_POINT(batch_written);
    }
    if (error == 0 && batch->must_sync && !batch->file->is_stream) {
        error = sync_file(batch);
    }
    if (error < 0) {
        return error;
    }
    if (batch->settings.wipe_on_drain) {
        wipe(batch);
    }
    intent_publish(batch->control, batch->intent, batch->rings, batch->must_sync);
    control_add(batch->control, COUNTER_batches_written, 1);
    batch->is_outstanding = false;
    return 0;
}

#include "batch.h"

#include "testpoint.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int
batch_open(struct batch *batch, const struct sys *sys, struct control *control,
           struct logfile *file)
{
    *batch = (struct batch){.sys = sys, .control = control, .file = file};
    batch->staging = malloc(BATCH_STAGING_SIZE);
    if (batch->staging == NULL || gapfile_open(&batch->gaps) < 0) {
        batch_close(batch);
        return -ENOMEM;
    }
    return 0;
}

void
batch_close(struct batch *batch)
{
    free(batch->staging);
    batch->staging = NULL;
    gapfile_close(&batch->gaps);
}

/* Everything "after" as it is now: what is staged adds to it. */
static void
begin_intent(struct batch *batch, struct control_intent *intent)
{
    struct control *control = batch->control;

    intent->device = batch->file->device;
    intent->inode = batch->file->inode;
    intent->length = 0;
    intent->digest = 0;
    intent->range_count = 0;
    intent->gaps_aside = batch->settings.dialect == DIALECT_STDLIB;
    intent->records_after = control_count(control, COUNTER_records_written);
    intent->bytes_after = control_count(control, COUNTER_bytes_written);
    intent->recovered_after = control_count(control, COUNTER_recovered_records);
    intent->gap_events_after = control_count(control, COUNTER_gap_events);
    intent->lines_after = control->shared->live_lines;
    intent->abandoned_after = control_count(control, COUNTER_abandoned_reservations);
    intent->damaged_after = control_count(control, COUNTER_damaged_records);
    for (int i = 0; i < GAP_REASONS; i++) {
        const struct control_loss *loss = &control->shared->losses[i];
        intent->loss_count_reported[i] =
            atomic_load_explicit(&loss->count_reported, memory_order_relaxed);
        intent->loss_bytes_reported[i] =
            atomic_load_explicit(&loss->bytes_reported, memory_order_relaxed);
    }
}

void
batch_begin(struct batch *batch)
{
    control_load_settings(batch->control, &batch->settings);
    batch->intent = control_next_intent(batch->control);
    begin_intent(batch, batch->intent);
    batch->intent->start = batch->file->size;
    batch->staged = 0;
    batch->part_count = 0;
    batch->size = 0;
    batch->written = 0;
    gapfile_begin(&batch->gaps);
    batch->must_sync = false;
    batch->sync_error = 0;
}

bool
batch_is_empty(const struct batch *batch)
{
    return batch->intent->range_count == 0;
}

/* The line in a gap record; NULL when its mark contradicts its size. */
static const uint8_t *
gap_line(const struct ring_record *record, struct gap_mark *mark)
{
    if (record->size < sizeof(*mark)) {
        return NULL;
    }
    memcpy(mark, record->data, sizeof(*mark));
    if (mark->reason >= GAP_REASONS ||
        mark->line_size != record->size - sizeof(*mark)) {
        return NULL;
    }
    return record->data + sizeof(*mark);
}

/* The digest of a batch is of its records' CRCs in their order. It tells whether two
 * readings of the same rings found the same, nothing more. */
static uint32_t
add_to_digest(uint32_t digest, uint32_t crc)
{
    return ((digest << 5 | digest >> 27) ^ crc) *
           0x9e3779b1; /* 2^32 by the golden ratio */
}

/* What of a record goes into the log. */
static void
line_of(const struct ring_record *record, bool gaps_aside, const uint8_t **data,
        uint64_t *size)
{
    struct gap_mark mark;

    *data = record->data;
    *size = record->size;
    if (record->type == RING_GAP) {
        *data = gap_line(record, &mark);
        *size = *data == NULL || gaps_aside ? 0 : mark.line_size;
    }
}

/* Does the line belong into the next file? A line larger than the limit gets a file of
 * its own. Sources: lumberjack rotates at `>` (but at `>=` on the first write to a file
 * that it found), RotatingFileHandler at `>=`. */
static bool
exceeds_file(const struct batch *batch, uint64_t size)
{
    uint64_t limit = batch->settings.max_bytes;
    uint64_t before = batch->file->size + batch->size, after = before + size;

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

static void
add_part(struct batch *batch, const uint8_t *data, uint64_t size)
{
    struct iovec *part = &batch->parts[batch->part_count++];

    part->iov_base = (void *)(uintptr_t)data;
    part->iov_len = size;
}

/* Does it stand right behind what was staged last? */
static bool
continues_part(const struct batch *batch, const uint8_t *data)
{
    const struct iovec *last;

    if (batch->part_count == 0) {
        return false;
    }
    last = &batch->parts[batch->part_count - 1];
    return (const uint8_t *)last->iov_base + last->iov_len == data;
}

static const uint8_t *
copy_line(struct batch *batch, const uint8_t *data, uint64_t size)
{
    uint8_t *to = batch->staging + batch->staged;

    memcpy(to, data, size);
    batch->staged += size;
    return to;
}

static bool
has_room(const struct batch *batch, uint64_t size)
{
    return batch->size == 0 ||
           (batch->part_count < BATCH_PARTS && batch->size + size <= BATCH_SIZE_LIMIT &&
            (size >= BATCH_COPY_LIMIT || size <= BATCH_STAGING_SIZE - batch->staged));
}

static enum batch_taken
stage(struct batch *batch, const uint8_t *data, uint64_t size)
{
    if (exceeds_file(batch, size)) {
        return BATCH_FILE_FULL;
    }
    if (!has_room(batch, size)) {
        return BATCH_FULL;
    }
    if (size < BATCH_COPY_LIMIT && !continues_part(batch, data)) {
        data = copy_line(batch, data, size);
    }
    if (continues_part(batch, data)) {
        batch->parts[batch->part_count - 1].iov_len += size;
    } else {
        add_part(batch, data, size);
    }
    if (batch->settings.max_bytes > 0 && size > batch->settings.max_bytes) {
        control_add(batch->control, COUNTER_oversize_records, 1);
    }
    batch->size += size;
    return BATCH_TOOK_ALL;
}

/* Once this gap event is in the log, these losses are told. */
static void
note_reported(struct control_intent *intent, struct control_range *range,
              const struct gap_mark *mark)
{
    intent->gap_events_after++;
    if (mark->reason == GAP_DROPPED) {
        range->dropped_count_reported = mark->count;
        range->dropped_bytes_reported = mark->bytes;
    } else {
        intent->loss_count_reported[mark->reason] = mark->count;
        intent->loss_bytes_reported[mark->reason] = mark->bytes;
    }
}

static enum batch_taken
stage_gap(struct batch *batch, const struct ring_record *record,
          struct control_range *range)
{
    struct control_intent *intent = batch->intent;
    enum batch_taken taken = BATCH_TOOK_ALL;
    struct gap_mark mark;
    const uint8_t *line = gap_line(record, &mark);

    if (line == NULL) {
        return BATCH_TOOK_ALL;
    }
    if (!intent->gaps_aside) {
        taken = stage(batch, line, mark.line_size);
    } else if (!gapfile_add(&batch->gaps, line, mark.line_size)) {
        taken = BATCH_FULL;
    }
    if (taken != BATCH_TOOK_ALL) {
        return taken;
    }
    note_reported(intent, range, &mark);
    return BATCH_TOOK_ALL;
}

static void
note_skipped(struct control_intent *intent, const struct ring_record *record)
{
    intent->abandoned_after += record->skipped;
    intent->damaged_after += record->damaged;
}

/* Adds a record's place in the intent, whatever is done with its bytes. */
static void
note_taken(struct control_intent *intent, struct control_range *range,
           const struct ring_record *record)
{
    note_skipped(intent, record);
    intent->digest = add_to_digest(intent->digest, record->crc);
    intent->lines_after++;
    if (record->type == RING_DATA) {
        intent->records_after++;
        intent->recovered_after += range->owner_gone;
    }
    range->to = record->next;
}

static enum batch_taken
take_records(struct batch *batch, const struct batch_source *source, uint64_t quota,
             struct control_range *range)
{
    struct ring_record record;
    enum batch_taken taken = BATCH_TOOK_ALL;

    while (
        ring_next(source->ring, range->to, source->end, source->owner_gone, &record)) {
        if (range->to > range->from && record.next - range->from > quota) {
            return BATCH_TOOK_ALL;
        }
        taken = record.type == RING_GAP ? stage_gap(batch, &record, range)
                                        : stage(batch, record.data, record.size);
        if (taken != BATCH_TOOK_ALL) {
            return taken;
        }
        note_taken(batch->intent, range, &record);
    }
    /* Pads and abandoned reservations at the end. */
    note_skipped(batch->intent, &record);
    range->to = record.next;
    return record.next < source->end ? BATCH_AT_HOLE : BATCH_TOOK_ALL;
}

static enum durability
durability_of(const struct control *control, uint32_t slot)
{
    return (enum durability)atomic_load_explicit(
        &control->shared->slots[slot].durability, memory_order_acquire);
}

static struct control_range
begin_range(uint32_t slot, bool owner_gone, const struct ring *ring)
{
    uint64_t head = ring_head(ring);

    return (struct control_range){
        .slot = slot,
        .owner_gone = owner_gone,
        .nonce = ring->nonce,
        .from = head,
        .to = head,
        .dropped_count_reported = atomic_load_explicit(
            &ring->shared->dropped_count_reported, memory_order_relaxed),
        .dropped_bytes_reported = atomic_load_explicit(
            &ring->shared->dropped_bytes_reported, memory_order_relaxed)};
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
    *range = begin_range(source->slot, source->owner_gone, source->ring);
    taken = take_records(batch, source, quota, range);
    if (range->to > range->from) {
        batch->rings[intent->range_count++] = source->ring;
        /* Read after the records: a slot that was raised to sync before one of them was
         * written is seen here. */
        batch->must_sync |=
            durability_of(batch->control, source->slot) == DURABILITY_SYNC;
    }
    return taken;
}

int
batch_walk(const struct control_intent *intent, struct ring *const *rings,
           batch_each each, void *context)
{
    uint32_t digest = 0;

    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];
        uint64_t position = range->from;
        struct ring_record record;

        while (
            ring_next(rings[i], position, range->to, range->owner_gone != 0, &record)) {
            const uint8_t *data;
            uint64_t size;
            int result;

            line_of(&record, intent->gaps_aside != 0, &data, &size);
            digest = add_to_digest(digest, record.crc);
            result = each(context, data, size);
            if (result != 0) {
                return result;
            }
            position = record.next;
        }
        if (record.next != range->to) {
            return -EUCLEAN;
        }
    }
    return digest == intent->digest ? 0 : -EUCLEAN;
}

/* The live file as it is once the intent is written. */
static void
publish_live_file(struct control_shared *shared, const struct control_intent *intent)
{
    shared->live_device = intent->device;
    shared->live_inode = intent->inode;
    shared->live_size = intent->start + intent->length;
    shared->live_lines = intent->lines_after;
}

static void
set_counter(struct control *control, enum control_counter counter, uint64_t value)
{
    atomic_store_explicit(&control->shared->counters[counter], value,
                          memory_order_relaxed);
}

/* Losses found while reading rings are told like all others: by a gap event. */
static void
set_loss(struct control *control, enum gap_reason reason, uint64_t count)
{
    atomic_store_explicit(&control->shared->losses[reason].count, count,
                          memory_order_release);
}

static void
publish_counters(struct control *control, const struct control_intent *intent)
{
    set_counter(control, COUNTER_records_written, intent->records_after);
    set_counter(control, COUNTER_bytes_written, intent->bytes_after);
    set_counter(control, COUNTER_recovered_records, intent->recovered_after);
    set_counter(control, COUNTER_gap_events, intent->gap_events_after);
    set_counter(control, COUNTER_abandoned_reservations, intent->abandoned_after);
    set_counter(control, COUNTER_damaged_records, intent->damaged_after);
    set_loss(control, GAP_ABANDONED, intent->abandoned_after);
    set_loss(control, GAP_DAMAGED, intent->damaged_after);
    for (int i = 0; i < GAP_REASONS; i++) {
        struct control_loss *loss = &control->shared->losses[i];
        atomic_store_explicit(&loss->count_reported, intent->loss_count_reported[i],
                              memory_order_relaxed);
        atomic_store_explicit(&loss->bytes_reported, intent->loss_bytes_reported[i],
                              memory_order_relaxed);
    }
}

static void
publish_range(struct ring *ring, const struct control_range *range, bool is_durable)
{
    struct ring_shared *shared = ring->shared;

    atomic_store_explicit(&shared->dropped_count_reported,
                          range->dropped_count_reported, memory_order_relaxed);
    atomic_store_explicit(&shared->dropped_bytes_reported,
                          range->dropped_bytes_reported, memory_order_relaxed);
    if (ring_head(ring) < range->to) {
        ring_publish(ring, range->to);
    }
    if (is_durable) {
        ring_publish_durable(ring, range->to);
    }
    TEST_POINT(batch_head_published);
}

void
batch_publish(struct control *control, struct control_intent *intent,
              struct ring *const *rings, bool is_durable)
{
    publish_live_file(control->shared, intent);
    for (uint32_t i = 0; i < intent->range_count; i++) {
        publish_range(rings[i], &intent->ranges[i], is_durable);
    }
    TEST_POINT(batch_heads_published);
    publish_counters(control, intent);
    TEST_POINT(batch_counted);
    control_clear(intent);
    TEST_POINT(batch_cleared);
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
    control_validate(batch->control, intent);
    batch->missing =
        (struct logfile_parts){.next = batch->parts, .count = batch->part_count};
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
    atomic_store_explicit(&shared->syncing, 1, memory_order_release);
    error = batch->sys->fdatasync(batch->file->fd);
    TEST_POINT(batch_synced);
    if (error < 0) {
        control_add(batch->control, COUNTER_sync_errors, 1);
        batch->sync_error = error;
        return -EREMOTEIO;
    }
    atomic_store_explicit(&shared->syncing, 0, memory_order_release);
    control_add(batch->control, COUNTER_syncs, 1);
    return 0;
}

/* Overwrites what was drained, while nobody can reserve it yet. */
static void
wipe(struct batch *batch)
{
    const struct control_intent *intent = batch->intent;

    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];
        uint64_t position = range->from;
        struct ring_record record;

        while (ring_next(batch->rings[i], position, range->to, range->owner_gone != 0,
                         &record)) {
            memset((void *)(uintptr_t)record.data, 0, record.size);
            position = record.next;
        }
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
    batch_publish(batch->control, batch->intent, batch->rings, batch->must_sync);
    control_add(batch->control, COUNTER_batches_written, 1);
    batch->is_outstanding = false;
    return 0;
}

/* Adds the records of one range that are whole within `limit` bytes; false at the
 * first that is not. */
static bool
extend_prefix(struct control_intent *part, const struct control_range *whole,
              struct ring *ring, uint64_t limit)
{
    struct control_range *range = &part->ranges[part->range_count++];
    struct ring_record record;

    *range = begin_range(whole->slot, whole->owner_gone != 0, ring);
    while (ring_next(ring, range->to, whole->to, range->owner_gone != 0, &record)) {
        struct gap_mark mark;
        const uint8_t *data;
        uint64_t size;

        line_of(&record, part->gaps_aside != 0, &data, &size);
        if (part->length + size > limit) {
            return false;
        }
        part->length += size;
        if (record.type == RING_GAP && gap_line(&record, &mark) != NULL) {
            note_reported(part, range, &mark);
        }
        note_taken(part, range, &record);
    }
    note_skipped(part, &record);
    range->to = record.next;
    return true;
}

/* The part of the outstanding intent that is whole in the file's first `limit` bytes
 * after its start. */
static void
say_prefix(struct batch *batch, struct control_intent *part, uint64_t limit)
{
    const struct control_intent *whole = batch->intent;

    begin_intent(batch, part);
    part->start = whole->start;
    part->gaps_aside = whole->gaps_aside;
    for (uint32_t i = 0; i < whole->range_count; i++) {
        if (!extend_prefix(part, &whole->ranges[i], batch->rings[i], limit)) {
            break;
        }
    }
    part->bytes_after += part->length;
}

uint64_t
batch_whole(struct batch *batch)
{
    struct control_intent *part = control_next_intent(batch->control);

    say_prefix(batch, part, batch->written);
    return part->length;
}

void
batch_settle(struct batch *batch, bool keep)
{
    struct control_intent *whole = batch->intent;
    struct control_intent *part = control_next_intent(batch->control);
    int error;

    say_prefix(batch, part, keep ? batch->written : 0);
    error = batch->sys->ftruncate(batch->file->fd, whole->start + part->length);
    if (error < 0) {
        /* A disk that can't even do that keeps a torn line; the log says so. */
        control_add_loss(batch->control, GAP_CONFLICT, 1,
                         batch->written - part->length);
    }
    batch->file->size = whole->start + part->length;
    TEST_POINT(batch_settled);
    if (part->length > 0) {
        control_validate(batch->control, part);
        control_clear(whole);
        batch_publish(batch->control, part, batch->rings, false);
    } else {
        control_clear(whole);
    }
    control_add(batch->control, COUNTER_batches_settled, 1);
    atomic_store_explicit(&batch->control->shared->syncing, 0, memory_order_release);
    batch->is_outstanding = false;
}

#include "intent.h"

#include "intentblock.h"
#include "ringhead.h"
#include "ringwait.h"
#include "testpoint.h"

#include <errno.h>
#include <stdlib.h>

void
intent_begin(struct control_intent *intent, const struct control *control,
             const struct logfile *file, bool gaps_aside)
{
    intent->device = file->device;
    intent->inode = file->inode;
    intent->start = file->size;
    intent->length = 0;
    intent->digest = 0;
    intent->range_count = 0;
    intent->gaps_aside = gaps_aside;
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

struct control_range
intent_range(uint32_t slot, bool owner_gone, const struct ring *ring)
{
    uint64_t head = ringhead_at(ring);

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

void
intent_report(struct control_intent *intent, struct control_range *range,
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

void
intent_line(const struct control_intent *intent, const struct ring_record *record,
            const uint8_t **data, uint64_t *size)
{
    struct gap_mark mark;

    *data = record->data;
    *size = record->size;
    if (record->type == RING_GAP) {
        *data = gap_line(record->data, record->size, &mark);
        *size = *data == NULL || intent->gaps_aside ? 0 : mark.line_size;
    }
}

int
intent_next(struct intent_copy *copied, const struct ring *ring, uint64_t from,
            const struct control_range *range, struct ring_record *record)
{
    for (;;) {
        uint8_t *larger;
        int found = ring_next_into(ring, from, range->to, range->owner_gone != 0,
                                   copied->bytes, copied->size, record);

        if (found == 0 || record->is_copied) {
            return found;
        }
        larger = realloc(copied->bytes, record->size);
        if (larger == NULL) {
            return -ENOMEM;
        }
        copied->bytes = larger;
        copied->size = record->size;
    }
}

static int
walk_range(const struct control_intent *intent, const struct control_range *range,
           const struct ring *ring, struct intent_copy *copied, uint32_t *digest,
           intent_each each, void *context)
{
    uint64_t position = range->from;
    struct ring_record record;
    int found;

    while ((found = intent_next(copied, ring, position, range, &record)) > 0) {
        const uint8_t *data;
        uint64_t size;
        int result;

        intent_line(intent, &record, &data, &size);
        *digest = intent_digest(*digest, record.crc);
        result = each(context, data, size);
        if (result != 0) {
            return result;
        }
        position = record.next;
    }
    if (found < 0) {
        return found;
    }
    return record.next == range->to ? 0 : -EUCLEAN;
}

int
intent_walk(const struct control_intent *intent, struct ring *const *rings,
            intent_each each, void *context)
{
    struct intent_copy copied = {0};
    uint32_t digest = 0;
    int result = 0;

    for (uint32_t i = 0; i < intent->range_count && result == 0; i++) {
        result = walk_range(intent, &intent->ranges[i], rings[i], &copied, &digest,
                            each, context);
    }
    free(copied.bytes);
    if (result != 0) {
        return result;
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
                          memory_order_release); /* loss:B */
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
    ringhead_publish(ring, range->to);
    if (is_durable) {
        ring_publish_durable(ring, range->to);
    }
    TEST_POINT(batch_head_published);
}

void
intent_publish(struct control *control, const struct control_intent *intent,
               struct ring *const *rings, bool is_durable)
{
    publish_live_file(control->shared, intent);
    for (uint32_t i = 0; i < intent->range_count; i++) {
        publish_range(rings[i], &intent->ranges[i], is_durable);
    }
    TEST_POINT(batch_heads_published);
    publish_counters(control, intent);
    TEST_POINT(batch_counted);
    intentblock_clear(control, intent);
    TEST_POINT(batch_cleared);
}

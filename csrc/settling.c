#include "settling.h"

#include "intent.h"
#include "intentblock.h"
#include "ringreader.h"
#include "testpoint.h"

#include <stddef.h>

/* Adds the records of one range that are whole within `limit` bytes; false at the
 * first that is not. */
static bool
extend_prefix(struct control_intent *part, const struct control_range *whole,
              struct ring *ring, uint64_t limit)
{
    struct control_range *range = &part->ranges[part->range_count++];
    struct ring_record record;

    *range = intent_range(whole->slot, whole->owner_gone != 0, ring);
    while (ring_next(ring, range->to, whole->to, range->owner_gone != 0, &record)) {
        struct gap_mark mark;
        const uint8_t *data;
        uint64_t size;

        intent_line(part, &record, &data, &size);
        if (part->length + size > limit) {
            return false;
        }
        part->length += size;
        if (record.type == RING_GAP &&
            gap_line(record.data, record.size, &mark) != NULL) {
            intent_report(part, range, &mark);
        }
        intent_add(part, range, &record);
    }
    intent_skip(part, &record);
    range->to = record.next;
    return true;
}

/* In batch->part, what of the outstanding intent is whole in the file's first `limit`
 * bytes after its start. */
static void
say_prefix(struct batch *batch, uint64_t limit)
{
    const struct control_intent *whole = batch->intent;
    struct control_intent *part = batch->part;

    intent_begin(part, batch->control, batch->file, whole->gaps_aside != 0);
    part->start = whole->start;
    part->sequence = whole->sequence + 1;
    part->block = 1 - whole->block;
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
    say_prefix(batch, batch->written);
    return batch->part->length;
}

void
batch_settle(struct batch *batch, bool keep)
{
    const struct control_intent *whole = batch->intent;
    struct control_intent *part = batch->part;
    int error;

    say_prefix(batch, keep ? batch->written : 0);
    error = batch->sys->ftruncate(batch->file->fd, whole->start + part->length);
    if (error < 0) {
        /* A disk that can't even do that keeps a torn line; the log says so. */
        control_add_loss(batch->control, GAP_CONFLICT, 1,
                         batch->written - part->length);
    }
    batch->file->size = whole->start + part->length;
    TEST_POINT(batch_settled);
    if (part->length > 0) {
        intentblock_say(batch->control, part);
        intentblock_clear(batch->control, whole);
        intent_publish(batch->control, part, batch->rings, false);
    } else {
        intentblock_clear(batch->control, whole);
    }
    control_add(batch->control, COUNTER_batches_settled, 1);
    atomic_store_explicit(&batch->control->shared->syncing, 0, memory_order_release);
    batch->is_outstanding = false;
}

#include "settling.h"

#include "intent.h"
#include "intentblock.h"
#include "intentprefix.h"
#include "mutant.h"
#include "testpoint.h"

/* In batch->part, what of the outstanding intent is whole in the file's first `limit`
 * bytes after its start. */
static void
say_prefix(struct batch *batch, uint64_t limit)
{
    const struct intentprefix_known known = {
        .bytes = batch->staging,
        .size = limit,
        .ends = MUTANT_LACKS(private_ends) ? NULL : batch->ends};

    (void)intentprefix_say(batch->part, batch->intent, batch->control, batch->file,
                           batch->rings, &known);
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
    /* syncing:B */
    atomic_store_explicit(&batch->control->shared->syncing, 0, memory_order_release);
    batch->is_outstanding = false;
}

#include "drain.h"

#include "appending.h"
#include "durability.h"
#include "filelimit.h"
#include "generation.h"
#include "livefile.h"
#include "ringhead.h"
#include "rotate.h"
#include "settling.h"
#include "sources.h"
#include "trouble.h"

#include <errno.h>

static const uint64_t ms = 1000000U;
static const uint64_t handover_pause_ns = 1000 * ms, stream_pause_ns = 1 * ms;
static const uint64_t quota_min = 64 * 1024;

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

        if (ringhead_at(source->ring) >= source->end) {
            continue;
        }
        *complete = false;
        taken = batch_take(&writer->batch, source, quota);
        if (taken == BATCH_FULL || taken == BATCH_FILE_FULL) {
            writer->next_source = (index + 1) % count;
            return taken;
        }
        if (taken == BATCH_AT_HOLE) {
            sources_watch_hole(writer, source);
        }
    }
    return BATCH_TOOK_ALL;
}

/* Gives up on the live file: what is whole in it stays, the rest goes to a new one. */
static void
settle(struct writer *writer, bool keep)
{
    uint64_t kept = keep ? batch_whole(&writer->batch) : 0;
    uint64_t size = writer->batch.intent->start + kept;
    int error;

    if (size == 0 && writer->batch.sync_error == 0) {
        return; /* an empty file is as good as a new one */
    }
    error = size > 0
                ? rotate_away(&writer->file, &writer->control, writer->state_dir, true)
                : rotate_discard(&writer->file, &writer->control, writer->state_dir);
    if (error < 0 && error != -ENOENT) {
        if (error == -EBUSY) {
            /* Something is mounted on it. That it is suspect is told: it is synced
             * again where it is. */
            writer->batch.sync_error = 0;
        }
        return; /* stays outstanding and is tried again */
    }
    batch_settle(&writer->batch, keep);
    (void)livefile_renew(writer); /* else the next pass opens or makes it */
    if (kept > 0) {
        /* It gets on, if only a file at a time: no reason to wait. */
        writer->failures = 0;
        writer->next_retry_ns = 0;
    }
}

static bool
is_hopeless(const struct writer *writer, int error)
{
    return error == -EFBIG ||
           (!trouble_is_full_disk(error) && writer->failures >= DRAIN_PATIENCE);
}

static void
fail_write(struct writer *writer, int error)
{
    if (writer->file.is_stream && error == -EAGAIN) {
        writer->next_retry_ns = writer->sys->now_mono() + stream_pause_ns;
        return; /* a slow reader is no failure */
    }
    control_add(&writer->control, COUNTER_write_errors, 1);
    trouble_note(writer, error == -EREMOTEIO ? writer->batch.sync_error : error);
    if (writer->file.is_stream || !writer->batch.is_outstanding) {
        return;
    }
    if (error == -EBADF || error == -ESTALE) {
        drainer_step_down(writer, trouble_pause_ns);
    } else if (error == -EREMOTEIO) {
        settle(writer, false);
    } else if ((error == -EFBIG || error == -EDQUOT) && sources_have_others(writer)) {
        control_add(&writer->control, COUNTER_handovers, 1);
        drainer_step_down(writer, handover_pause_ns);
    } else if (is_hopeless(writer, error)) {
        /* A kept part would count as synced once the rest is. */
        settle(writer, !writer->batch.must_sync);
    }
}

bool
drain_outstanding(struct writer *writer)
{
    bool was_suspect = writer->batch.sync_error < 0;
    int error;

    appending_begin(&writer->file);
    error = batch_write(&writer->batch);
    if (error == -EREMOTEIO && !was_suspect) {
        durability_note_failed_sync(writer);
    }
    if (error < 0) {
        fail_write(writer, error);
        return false;
    }
    if (writer->batch.must_sync) {
        durability_note_sync(writer, writer->file.size);
    }
    appending_end(&writer->file);
    trouble_end(writer);
    return true;
}

static bool
has_cut(const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->intent->range_count; i++) {
        if (ring_is_cut(batch->rings[i])) {
            return true;
        }
    }
    return false;
}

/* Writes one batch, or finds that there is none; false when the pass has to end. */
static bool
drain_batch(struct writer *writer, bool *complete, uint64_t *bytes)
{
    enum batch_taken taken;
    int error = livefile_prepare(writer);

    if (error < 0) {
        trouble_note(writer, error);
        *complete = false;
        return false;
    }
    batch_begin(&writer->batch);
    writer->batch.may_exceed =
        writer->sys->now_mono() < writer->next_rotate_ns || generation_is_past(writer);
    taken = fill(writer, complete);
    if (batch_is_empty(&writer->batch)) {
        if (taken == BATCH_FILE_FULL && writer->batch.is_at_limit) {
            *complete = false;
            return filelimit_leave(writer);
        }
        if (taken == BATCH_FILE_FULL) {
            (void)livefile_rotate(writer, false);
        }
        return taken == BATCH_FILE_FULL;
    }
    if (has_cut(&writer->batch)) {
        /* A record that was committed there in private memory is written again by its
         * owner, which may be us: the next pass leaves the ring. */
        *complete = false;
        writer->has_more = true;
        return false;
    }
    if (!writer->is_private && leader_assert(&writer->leader) < 0) {
        drainer_step_down(writer, 0);
        *complete = false;
        return false;
    }
    if (!drain_outstanding(writer)) {
        *complete = false;
        return false;
    }
    *bytes += writer->batch.size;
    /* At once: when leaders die faster than they can drain everything, the table of
     * slots would fill up. */
    (void)sources_retire(writer);
    return true;
}

bool
drain_has_anything(const struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        if (ringhead_at(writer->sources[i].ring) < writer->sources[i].end) {
            return true;
        }
    }
    return false;
}

uint64_t
drain_sources(struct writer *writer, bool *complete)
{
    uint64_t bytes = 0;

    *complete = !drain_has_anything(writer);
    while (!*complete) {
        if (atomic_load_explicit(&writer->must_stop, memory_order_relaxed) ||
            !drain_batch(writer, complete, &bytes)) {
            break;
        }
    }
    return bytes;
}

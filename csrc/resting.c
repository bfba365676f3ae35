#include "resting.h"

#include "directories.h"
#include "generation.h"
#include "pass.h"
#include "registry.h"
#include "ring.h"

static const uint64_t rest_after_ns = 5 * 1000 * 1000;
/* Whoever is dead by then is found, and what others did to the log's files. */
static const uint64_t look_every_ns = 500 * 1000 * 1000;

static bool
rests(const struct writer *writer)
{
    return writer->state_dir < 0;
}

/* In a ring that was drained when the rest began. */
static bool
has_records(const struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        const struct batch_source *source = &writer->sources[i];
        if (ring_head(source->ring) < ring_tail(source->ring)) {
            return true;
        }
    }
    return false;
}

bool
resting_goes_on(struct writer *writer, uint64_t now)
{
    const struct control_shared *shared = writer->control.shared;

    return rests(writer) && !generation_is_past(writer) &&
           now < writer->next_look_around_ns &&
           atomic_load_explicit(&shared->slots_version, memory_order_acquire) ==
               writer->slots_seen &&
           atomic_load_explicit(&writer->due, memory_order_relaxed) == 0 &&
           !pass_is_asked_for(writer) &&
           (!writer->leader.leads || !has_records(writer));
}

void
resting_begin(struct writer *writer, uint64_t sleep_ns, uint64_t now)
{
    /* What a past log closes it can't open again. */
    if (!registry_is_crowded() || sleep_ns < rest_after_ns || rests(writer) ||
        generation_is_past(writer) || writer->failures > 0 ||
        writer->batch.is_outstanding || writer->has_unread ||
        (writer->leader.leads && (writer->must_recover || !writer->is_settled))) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    directories_rest(writer);
    pthread_mutex_unlock(&writer->mutex);
    writer->slots_seen = atomic_load_explicit(&writer->control.shared->slots_version,
                                              memory_order_acquire);
    writer->next_look_around_ns = now + look_every_ns;
}

int
resting_wake(struct writer *writer)
{
    return rests(writer) ? directories_wake(writer) : 0;
}

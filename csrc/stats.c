#include "stats.h"

#include "ownring.h"

static void
add_ring_counters(uint64_t counters[COUNTER_COUNT], const struct ring_shared *shared)
{
    counters[COUNTER_dropped_records] +=
        atomic_load_explicit(&shared->dropped_count, memory_order_relaxed);
    counters[COUNTER_dropped_bytes] +=
        atomic_load_explicit(&shared->dropped_bytes, memory_order_relaxed);
    counters[COUNTER_refused_records] +=
        atomic_load_explicit(&shared->refused_count, memory_order_relaxed);
    counters[COUNTER_blocked_ns] +=
        atomic_load_explicit(&shared->blocked_ns, memory_order_relaxed);
    counters[COUNTER_block_timeouts] +=
        atomic_load_explicit(&shared->block_timeouts, memory_order_relaxed);
}

void
stats_collect(struct writer *writer, struct writer_stats *out)
{
    const struct control_shared *shared = writer->control.shared;
    struct speaker_view view;
    struct own_ring *own;

    speaker_view(writer, &view);
    *out = (struct writer_stats){
        .health = view.health,
        .leader_pid = view.leader_pid,
        .leader_silent_ns = view.silent_ns,
        .last_error = atomic_load_explicit(&shared->last_error, memory_order_relaxed),
        .leads = writer->is_private};
    for (int i = 0; i < COUNTER_COUNT; i++) {
        out->counters[i] = control_count(&writer->control, (enum control_counter)i);
    }
    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        out->live_slots += control_slot_state(&writer->control, slot) == SLOT_LIVE;
    }
    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (writer->control.shared->slots[own->slot].nonce == own->ring.nonce &&
            control_slot_state(&writer->control, own->slot) == SLOT_LIVE) {
            add_ring_counters(out->counters, own->ring.shared);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    own = ownring_current(writer);
    if (own != NULL) {
        out->ring_capacity = own->ring.capacity;
        out->ring_used = ring_tail(&own->ring) - ring_head(&own->ring);
        out->leads |= atomic_load_explicit(&shared->leader, memory_order_relaxed) ==
                      own->slot + 1;
    }
}

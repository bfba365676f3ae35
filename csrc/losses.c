#include "losses.h"

#include "departed.h"
#include "losscount.h"
#include "ownring.h"
#include "testpoint.h"

#include <errno.h>

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

/* Our own count, in a file where others can write. */
static void
mend_drops(struct ring_shared *shared, const struct own_ring *own, struct gap *gap)
{
    if (losscount_is_possible(gap->total_count, own->dropped_told) &&
        losscount_has_bytes(gap->total_bytes, own->dropped_bytes_told)) {
        return;
    }
    gap->count = 1;
    gap->bytes = 0;
    gap->total_count = own->dropped_told + 1;
    gap->total_bytes = own->dropped_bytes_told;
    gap->detail = LOSSCOUNT_DETAIL;
    atomic_store_explicit(&shared->dropped_bytes, gap->total_bytes,
                          memory_order_relaxed);
    atomic_store_explicit(&shared->dropped_count, gap->total_count,
                          memory_order_release); /* drops:B */
}

static int
tell_drops(struct writer *writer, struct own_ring *own)
{
    struct ring_shared *shared = own->ring.shared;
    /* drops:A */
    uint64_t count = atomic_load_explicit(&shared->dropped_count, memory_order_acquire);
    uint64_t bytes = atomic_load_explicit(&shared->dropped_bytes, memory_order_relaxed);
    struct gap gap = {.reason = GAP_DROPPED,
                      .count = count - own->dropped_told,
                      .bytes = bytes - own->dropped_bytes_told,
                      .total_count = count,
                      .total_bytes = bytes};
    int error;

    /* Less than was told: the ring was retired under us, and its counters went on. */
    if (count <= own->dropped_told) {
        return 0;
    }
    if (atomic_load_explicit(&writer->control.shared->health, memory_order_relaxed) ==
        HEALTH_DISK_FULL) {
        gap.detail = "disk full";
    }
    mend_drops(shared, own, &gap);
    error = commit_gap(writer, &own->ring, &gap);
    TEST_POINT(gap_written);
    if (error == 0) {
        own->dropped_told = gap.total_count;
        own->dropped_bytes_told = gap.total_bytes;
    }
    return error;
}

/* One thread at a time: an event's mark counts every drop before it, so the events must
 * stand in the ring in the order of their marks, and none may fail behind another.
 * Nobody waits for that; what is dropped meanwhile is due again. */
int
losses_tell_drops(struct writer *writer, struct own_ring *own)
{
    int error;

    /* Taken back before looking: a drop that comes meanwhile sets it again. */
    atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_GAP, memory_order_relaxed);
    /* telling:RMW */
    if (atomic_exchange_explicit(&own->is_telling, 1, memory_order_acq_rel) != 0) {
        /* Another thread is at it, or the one that this signal handler interrupted; it
         * may not know of the last drop. */
        atomic_fetch_or_explicit(&writer->due, DUE_GAP, memory_order_relaxed);
        return 0;
    }
    error = tell_drops(writer, own);
    atomic_store_explicit(&own->is_telling, 0, memory_order_release); /* telling:B */
    if (error < 0) {
        atomic_fetch_or_explicit(&writer->due, DUE_GAP, memory_order_relaxed);
    }
    return error;
}

int
losses_have_told(struct writer *writer, struct own_ring *own, uint64_t count)
{
    int error;

    /* A thread that is at it has taken DUE_GAP back already, but may not have committed
     * the event. */
    /* telling:RMW */
    if (atomic_exchange_explicit(&own->is_telling, 1, memory_order_acq_rel) != 0) {
        return -EBUSY;
    }
    error = own->dropped_told < count ? tell_drops(writer, own) : 0;
    atomic_store_explicit(&own->is_telling, 0, memory_order_release); /* telling:B */
    return error;
}

void
losses_tell_own_drops(struct writer *writer)
{
    /* current:A */
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);

    if (own != NULL &&
        (atomic_load_explicit(&writer->due, memory_order_relaxed) & DUE_GAP) != 0) {
        (void)losses_tell_drops(writer, own); /* full: the next round tries again */
    }
}

void
losses_learn_told(struct writer *writer)
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

bool
losses_are_told(const struct writer *writer)
{
    for (int reason = GAP_DROPPED + 1; reason < GAP_REASONS; reason++) {
        const struct control_loss *loss = &writer->control.shared->losses[reason];

        if (writer->leader.leads && writer->is_settled &&
            (atomic_load_explicit(&loss->count, memory_order_acquire) != /* loss:A */
                 writer->told[reason] ||
             atomic_load_explicit(&loss->bytes, memory_order_relaxed) !=
                 writer->told_bytes[reason])) {
            return false;
        }
    }
    return (atomic_load_explicit(&writer->due, memory_order_relaxed) & DUE_GAP) == 0;
}

/* The log's count, that every process adds to. */
static void
mend_loss(struct control *control, uint64_t told, uint64_t told_bytes, struct gap *gap)
{
    struct control_loss *loss = &control->shared->losses[gap->reason];

    if (losscount_is_possible(gap->total_count, told) &&
        losscount_has_bytes(gap->total_bytes, told_bytes)) {
        return;
    }
    gap->count = 1;
    gap->bytes = 0;
    gap->total_count = losscount_base(told) + 1;
    gap->total_bytes = losscount_base(told_bytes);
    gap->detail = LOSSCOUNT_DETAIL;
    atomic_store_explicit(&loss->bytes, gap->total_bytes, memory_order_relaxed);
    /* loss:B */
    atomic_store_explicit(&loss->count, gap->total_count, memory_order_release);
    if (gap->reason == GAP_ABANDONED || gap->reason == GAP_DAMAGED) {
        /* Each batch makes the loss the same as its counter. */
        atomic_store_explicit(
            &control->shared->counters[gap->reason == GAP_ABANDONED
                                           ? COUNTER_abandoned_reservations
                                           : COUNTER_damaged_records],
            gap->total_count, memory_order_relaxed);
    }
}

bool
losses_tell(struct writer *writer)
{
    /* current:A */
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    bool has_told = false;

    for (int reason = GAP_DROPPED + 1; own != NULL && reason < GAP_REASONS; reason++) {
        struct control_loss *loss = &writer->control.shared->losses[reason];
        /* loss:A */
        uint64_t count = atomic_load_explicit(&loss->count, memory_order_acquire);
        uint64_t bytes = atomic_load_explicit(&loss->bytes, memory_order_relaxed);
        uint64_t told = writer->told[reason], told_bytes = writer->told_bytes[reason];
        struct gap gap = {.reason = (enum gap_reason)reason,
                          .count = count - told,
                          .bytes = bytes - told_bytes,
                          .total_count = count,
                          .total_bytes = bytes};

        if (gap.count == 0 && gap.bytes == 0) {
            continue;
        }
        mend_loss(&writer->control, told, told_bytes, &gap);
        if (reason == GAP_UNLINKED && !departed_is_decided(writer)) {
            continue; /* it may be taken back */
        }
        if (reason == GAP_SUSPECT && writer->sync_failures > 1) {
            continue; /* the event would be the next thing that can't be synced */
        }
        if (commit_gap(writer, &own->ring, &gap) < 0) {
            break;
        }
        TEST_POINT(gap_written);
        writer->told[reason] = gap.total_count;
        writer->told_bytes[reason] = gap.total_bytes;
        has_told = true;
    }
    return has_told;
}

void
writer_drop(struct writer *writer, size_t size)
{
    struct own_ring *own = ownring_current(writer);

    if (own == NULL) {
        return;
    }
    atomic_fetch_add_explicit(&own->ring.shared->dropped_bytes, size,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&own->ring.shared->dropped_count, 1,
                              memory_order_release); /* drops:B */
    atomic_fetch_or_explicit(&writer->due, DUE_GAP, memory_order_release); /* due:B */
}

uint64_t
writer_drops(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    return own == NULL ? 0
                       : atomic_load_explicit(&own->ring.shared->dropped_count,
                                              memory_order_acquire); /* drops:A */
}

int
writer_tell_drops(struct writer *writer, uint64_t count)
{
    struct own_ring *own = ownring_current(writer);

    return own == NULL || count == 0 ? 0 : losses_have_told(writer, own, count);
}

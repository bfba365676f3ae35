#include "closing.h"

#include "departed.h"
#include "durability.h"
#include "generation.h"
#include "keeper.h"
#include "opening.h"
#include "ownring.h"
#include "spare.h"

#include <errno.h>

static const uint64_t slice_ns = 10 * 1000 * 1000, leader_pause_ns = 1000 * 1000;
enum { close_step_limit = 20 };

/* Standard output without a reader: no patience helps. */
static bool
is_cut_off(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    return writer->is_private &&
           atomic_load_explicit(&shared->health, memory_order_relaxed) != HEALTH_OK &&
           atomic_load_explicit(&shared->last_error, memory_order_relaxed) == -EPIPE;
}

int
closing_flush(struct writer *writer, uint64_t deadline)
{
    uint64_t ticket;
    int error, answered;

    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed) &&
        !(keeper_has(writer) && ownring_has_left(writer))) {
        return 0;
    }
    error = writer_ask(writer, REQUEST_FLUSH, &ticket);
    if (error < 0) {
        return error;
    }
    do {
        answered = writer_wait_answer(writer, REQUEST_FLUSH, ticket, slice_ns, &error);
    } while (answered == 0 && !is_cut_off(writer) &&
             writer->sys->now_mono() < deadline);
    return answered ? 0 : is_cut_off(writer) ? -EPIPE : -EBUSY;
}

/* Gap events go through our ring: before it is closed, what is not told yet is. */
static void
tell_what_is_left(struct writer *writer)
{
    for (int i = 0; i < close_step_limit && writer->failures == 0; i++) {
        if (drainer_step(writer) > 0) {
            return;
        }
    }
}

/* Another process leads and is alive: what was committed after the flush, like the gap
 * event of late drops, it drains in a moment. */
static void
wait_for_leader(struct writer *writer, uint64_t deadline)
{
    _Atomic uint32_t never = 0;

    while (!writer->is_private && !writer->leader.leads && ownring_has_left(writer) &&
           writer->sys->now_mono() < deadline) {
        control_wake_leader(&writer->control);
        wait_word(writer->sys, &never, 0, leader_pause_ns);
    }
}

/* One that nobody here can read is left to who can. */
static bool
has_slot_closing(const struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;
    /* used:A */
    uint32_t used = atomic_load_explicit(&shared->slots_used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        if (control_slot_state(&writer->control, slot) == SLOT_CLOSING &&
            writer->unread_error[slot] == 0) {
            return true;
        }
    }
    return false;
}

/* Who closed a ring while we led, and found that we did, counts on us. It marks the
 * slot before it tries to lead, we look after we stepped down: one of the two sees the
 * other, as the kernel's lock of the lock file orders both. */
static void
step_down(struct writer *writer, uint64_t deadline)
{
    leader_step_down(&writer->leader);
    for (int i = 0; i < close_step_limit && !generation_is_past(writer) &&
                    has_slot_closing(writer) && writer->sys->now_mono() < deadline;
         i++) {
        writer->next_try_ns = 0;
        drainer_step(writer);
        if (!writer->leader.leads || writer->failures > 0) {
            break; /* another leads, who looks as we did */
        }
        leader_step_down(&writer->leader);
    }
    leader_step_down(&writer->leader);
    control_wake_leader(&writer->control);
}

int
closing_end(struct writer *writer, uint64_t deadline)
{
    int left;

    drainer_stop(writer);
    if (ownring_current(writer) == NULL && !drainer_has_closing(writer)) {
        if (writer->leader.leads) {
            step_down(writer, deadline);
        }
        spare_give_back(writer);
        opening_free(writer); /* a child that never wrote */
        return 0;
    }
    if (!writer->is_private && !writer->leader.leads) {
        writer->next_try_ns = 0;
        drainer_step(writer); /* nobody may be left to lead */
    }
    spare_end(writer);
    departed_end(writer); /* nobody else can look into that file */
    tell_what_is_left(writer);
    ownring_close_all(writer);
    drainer_finish(writer);
    wait_for_leader(writer, deadline);
    durability_end(writer);
    left = !ownring_has_left(writer) ? 0 : is_cut_off(writer) ? -EPIPE : -EBUSY;
    if (generation_is_past(writer)) {
        ownring_remove_closed(writer); /* nobody else may know of them */
    }
    if (!writer->is_private) {
        step_down(writer, deadline);
    }
    opening_free(writer);
    return left;
}

#include "asking.h"

#include "directories.h"
#include "generation.h"
#include "helping.h"
#include "keeper.h"
#include "keptfile.h"
#include "ownring.h"
#include "spare.h"
#include "thread.h"

#include <errno.h>

void
asking_ensure_thread(struct writer *writer)
{
    int error = 0;

    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        error = thread_try_start(writer);
    }
    if (error == -EBUSY) {
        keeper_wake(); /* the thread leaves at this moment, or the keeper is there */
    } else if (error < 0) {
        control_note_error(&writer->control, error);
        atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_relaxed);
    }
}

static bool
is_over(const struct own_ring *own)
{
    return ring_is_sealed(&own->ring) || ring_is_cut(&own->ring) ||
           atomic_load_explicit(&own->is_left, memory_order_relaxed);
}

int
asking_find_ring(struct writer *writer, struct own_ring **out)
{
    struct own_ring *own = ownring_current(writer);
    int error = 0;

    if ((own == NULL || ring_is_sealed(&own->ring)) && generation_is_past(writer)) {
        return -EREMCHG;
    }
    if (own == NULL && !writer->is_private) {
        error = directories_repair(writer); /* a daemon closes what it inherited */
    }
    if (error == 0 && (own == NULL || is_over(own))) {
        error = ownring_attach(writer, own,
                               own != NULL && !ring_is_cut(&own->ring)
                                   ? COUNTER_false_deaths
                                   : COUNTER_COUNT);
    }
    if (error < 0 && own == NULL) {
        /* It may not open the live file either: what it inherited it may lead with. */
        error = spare_attach(writer, error);
    } else if (error == 0 && own != ownring_current(writer)) {
        spare_give_back(writer);
        keptfile_drop(writer);
    }
    own = ownring_current(writer);
    if (error == 0) {
        asking_ensure_thread(writer); /* a child has none yet */
    }
    *out = own;
    return error;
}

int
writer_ask(struct writer *writer, enum request request, uint64_t *ticket)
{
    struct own_ring *own;
    int error = asking_find_ring(writer, &own);

    if (error < 0 && own == NULL && request == REQUEST_FLUSH &&
        keptfile_helps(writer, error)) {
        *ticket = 0; /* each write was in the file as it returned */
        return 0;
    }
    if (error < 0) {
        return error;
    }
    *ticket = control_ask(&writer->control, request);
    /* Nobody may be leading: then our own thread has to try now. */
    wait_wake(writer->sys, &writer->thread_word);
    return 0;
}

/* A flush counts only if the leader knew of our rings as it answered. */
static bool
is_answered(struct writer *writer, enum request request, uint64_t ticket)
{
    if (!control_is_done(&writer->control, request, ticket) ||
        generation_has_left(writer)) {
        return false;
    }
    if ((request != REQUEST_FLUSH && request != REQUEST_SYNC) ||
        ownring_trusts_flush(writer, request == REQUEST_FLUSH ? ticket : UINT64_MAX)) {
        return true;
    }
    wait_wake(writer->sys, &writer->thread_word); /* it enters them again */
    return false;
}

int
writer_wait_answer(struct writer *writer, enum request request, uint64_t ticket,
                   uint64_t limit_ns, int *error)
{
    struct control_shared *shared = writer->control.shared;
    /* wake:A */
    uint32_t seen = atomic_load_explicit(&shared->done_word, memory_order_acquire);

    helping_step(writer);
    if (!is_answered(writer, request, ticket)) {
        wait_word(writer->sys, &shared->done_word, seen, limit_ns);
        if (!is_answered(writer, request, ticket)) {
            return 0;
        }
    }
    *error = control_answer(&writer->control, request, ticket);
    return 1;
}

/* writer.c - what the callers of a writer do; its thread is drainer.c's. */
#include "writer.h"

#include "asking.h"
#include "closing.h"
#include "directories.h"
#include "drainer.h"
#include "forking.h"
#include "generation.h"
#include "growth.h"
#include "helping.h"
#include "keeper.h"
#include "keptfile.h"
#include "losses.h"
#include "opening.h"
#include "ownring.h"
#include "registry.h"
#include "revival.h"
#include "ringwait.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

/* Rings that one record is tried in, while somebody damages each. */
enum { write_tries = 16 };

static void
raise_durability(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if (own != NULL) {
        atomic_store_explicit(&writer->control.shared->slots[own->slot].durability,
                              writer->options.durability, memory_order_relaxed);
    }
}

/* The same log is open here already: its settings become ours. */
static int
join(struct writer *writer, const struct writer *newcomer)
{
    const char *mine = newcomer->rings_path != NULL ? newcomer->rings_path : "";
    const char *theirs = writer->rings_path != NULL ? writer->rings_path : "";
    int error;

    if (strcmp(mine, theirs) != 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&writer->mutex);
    error = leader_lock_opening(&writer->leader);
    if (error == 0) {
        writer->options.settings = newcomer->options.settings;
        writer->options.adopt_settings = newcomer->options.adopt_settings;
        if (newcomer->options.durability > writer->options.durability) {
            writer->options.durability = newcomer->options.durability;
            raise_durability(writer);
        }
        opening_store_settings(writer);
        leader_unlock_opening(&writer->leader);
        writer->references++;
        atomic_fetch_add_explicit(&writer->users, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

static int
open_registered(struct writer *writer, struct writer **out)
{
    struct writer *known;
    int error;

    if (writer->options.path == NULL) {
        error = opening_private(writer);
    } else {
        error = directories_open(writer);
        if (error < 0) {
            return error;
        }
        known = registry_find(writer);
        if (known == NULL) {
            known = revival_run(writer);
        }
        if (known != NULL) {
            error = join(known, writer);
            *out = known;
            return error;
        }
        error = opening_shared(writer);
    }
    writer->is_parked = forking_is_under_way();
    if (error == 0) {
        error = drainer_start(writer);
    }
    if (error == 0) {
        registry_add(writer);
        *out = writer;
    }
    return error;
}

int
writer_open(struct writer **out, const struct sys *sys,
            const struct writer_options *options)
{
    struct writer *writer, *opened = NULL;
    int error = opening_new(&writer, sys, options);

    if (error < 0) {
        return error;
    }
    forking_watch();
    registry_lock();
    error = open_registered(writer, &opened);
    writer->options.path = NULL; /* borrowed from the caller until here */
    writer->options.rings_path = NULL;
    if (error < 0 || opened != writer) {
        leader_step_down(&writer->leader);
        ownring_close_all(writer);
        opening_free(writer);
    }
    registry_unlock();
    if (error == 0) {
        *out = opened;
    }
    return error;
}

int
writer_finish(struct writer *writer, uint64_t limit_ns)
{
    return closing_flush(writer, writer->sys->now_mono() + limit_ns);
}

int
writer_close(struct writer *writer, uint64_t flush_limit_ns)
{
    uint64_t deadline = writer->sys->now_mono() + flush_limit_ns;
    int error = closing_flush(writer, deadline);

    registry_lock();
    atomic_fetch_sub_explicit(&writer->users, 1, memory_order_release); /* users:B */
    if (--writer->references == 0) {
        generation_finish(writer, deadline);
        registry_remove(writer);
        error = closing_end(writer, deadline);
    }
    if (registry_first() == NULL) {
        keeper_end();
    }
    registry_unlock();
    return error;
}

/* The log rests: nobody looked where its path leads. Other processes see that somebody
 * is about to write, should he not live to drain it. */
static void
end_rest(struct writer *writer)
{
    if (!writer->is_private && keeper_has(writer)) {
        (void)generation_look(writer);
        control_wake_leader(&writer->control);
    }
    asking_ensure_thread(writer);
}

/* What has to be done before the next record. */
static int
see_to_what_is_due(struct writer *writer, struct own_ring *own)
{
    uint32_t due = atomic_load_explicit(&writer->due, memory_order_acquire); /* due:A */

    if ((due & DUE_THREAD) != 0) {
        end_rest(writer);
        due = atomic_load_explicit(&writer->due, memory_order_acquire); /* due:A */
    }
    if ((due & DUE_ANEW) != 0) {
        return -EREMCHG;
    }
    if ((due & DUE_CUT) != 0) {
        atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_CUT,
                                  memory_order_relaxed);
    }
    if (ring_is_cut(&own->ring)) {
        return -ESTALE; /* what is written there nobody reads */
    }
    /* The gap event stands where the drops happened. */
    return (due & DUE_GAP) != 0 ? losses_tell_drops(writer, own) : 0;
}

/* And behind it: its thread may have left meanwhile. */
static int
see_to_what_came(struct writer *writer, struct own_ring *own,
                 const struct ring_reservation *reservation)
{
    uint32_t due = atomic_load_explicit(&writer->due, memory_order_relaxed);

    if ((due & DUE_THREAD) != 0) {
        asking_ensure_thread(writer);
    }
    /* Nobody read it: once more, into another ring. */
    return ring_has_lost(&own->ring, reservation) ? -ESTALE : 0;
}

/* Makes another try of a record that could not be reserved worth it: 0, or the error
 * that stays. */
static int
overcome(struct writer *writer, struct own_ring **own, uint64_t size, int error)
{
    if (error == -EUCLEAN) {
        /* Head and tail contradict each other. Whoever wrote them may do so again, over
         * the seal too: we remember it ourselves. */
        ring_seal(&(*own)->ring);
        atomic_store_explicit(&(*own)->is_left, true, memory_order_relaxed);
    }
    if (error == -EUCLEAN || error == -ESTALE) {
        return asking_find_ring(writer, own);
    }
    if ((error != -EAGAIN && error != -EMSGSIZE) || !growth_helps(writer, *own, size)) {
        return error;
    }
    error = growth_grow(writer, *own);
    if (error < 0) {
        control_note_error(&writer->control, error);
        return -EAGAIN; /* with room for a larger ring it fits */
    }
    *own = ownring_current(writer);
    return 0;
}

/* This record filled the ring past its middle. */
static void
see_half_full(struct writer *writer, const struct own_ring *own)
{
    if (own->ring.capacity < writer->options.ring_bytes) {
        atomic_fetch_or_explicit(&writer->due, DUE_GROWTH, memory_order_relaxed);
        wait_wake(writer->sys, &writer->thread_word);
    }
    if (atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
}

int
writer_make_room(struct writer *writer, size_t size)
{
    struct own_ring *own;
    int error = asking_find_ring(writer, &own);

    return error < 0 ? error : growth_make_room(writer, size);
}

int
writer_write(struct writer *writer, const void *data, size_t size, bool terminate,
             struct writer_ticket *ticket)
{
    struct own_ring *own = ownring_current(writer);
    struct ring_reservation reservation;
    int error, tries = 0;

    for (;;) {
        error = own == NULL ? -ESTALE : 0;
        if (error == 0 &&
            atomic_load_explicit(&writer->due, memory_order_relaxed) != 0) {
            error = see_to_what_is_due(writer, own);
        }
        if (error == 0) {
            error =
                ring_write(&own->ring, RING_DATA, data, size, terminate, &reservation);
        }
        if (error == 0 &&
            atomic_load_explicit(&writer->due, memory_order_relaxed) != 0) {
            error = see_to_what_came(writer, own, &reservation);
        }
        if (error == 0) {
            break;
        }
        error = overcome(writer, &own, size + terminate, error);
        if (error == 0 && ++tries == write_tries) {
            return -EUCLEAN;
        }
        if (error < 0) {
            return ownring_current(writer) == NULL
                       ? keptfile_append(writer, data, size, terminate, error)
                       : error;
        }
    }
    if (reservation.crossed_half) {
        see_half_full(writer, own);
    }
    ticket->ring = &own->ring;
    ticket->end = reservation.end;
    return 0;
}

uint64_t
writer_record_limit(struct writer *writer)
{
    return ring_record_limit(writer->options.ring_bytes);
}

void
writer_wait_space(struct writer *writer, size_t size, uint64_t limit_ns)
{
    uint64_t begin = writer->sys->now_mono();
    struct own_ring *own;

    if (asking_find_ring(writer, &own) < 0) {
        return;
    }
    if (atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
    if ((atomic_load_explicit(&writer->due, memory_order_relaxed) & DUE_GAP) != 0) {
        /* A gap event goes first. */
        size = ring_span(size + 1) + ring_span(sizeof(struct gap_mark) + GAP_LINE_MAX);
    }
    helping_step(writer);
    ring_wait_space(&own->ring, size + 1, limit_ns);
    atomic_fetch_add_explicit(&own->ring.shared->blocked_ns,
                              writer->sys->now_mono() - begin, memory_order_relaxed);
}

void
writer_count_refused(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if (own != NULL) {
        atomic_fetch_add_explicit(&own->ring.shared->refused_count, 1,
                                  memory_order_relaxed);
    }
}

void
writer_count_timeout(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if (own != NULL) {
        atomic_fetch_add_explicit(&own->ring.shared->block_timeouts, 1,
                                  memory_order_relaxed);
    }
}

bool
writer_wait_durable(struct writer *writer, const struct writer_ticket *ticket,
                    uint64_t limit_ns)
{
    if (atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
    helping_step(writer);
    return ring_wait_durable(ticket->ring, ticket->end, limit_ns);
}

bool
writer_is_cut_off(const struct writer_ticket *ticket)
{
    return ring_is_cut(ticket->ring);
}

void
writer_stats(struct writer *writer, struct writer_stats *out)
{
    stats_collect(writer, out);
}

uint64_t
writer_drained(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    return own == NULL ? 0 : ring_head(&own->ring);
}

void
writer_settings(struct writer *writer, struct control_settings *out)
{
    control_load_settings(&writer->control, out);
}

uint32_t
writer_wait_rotation(struct writer *writer, uint32_t seen, uint64_t limit_ns)
{
    _Atomic uint32_t *word = &writer->control.shared->rotation_word;

    wait_word(writer->sys, word, seen, limit_ns);
    return atomic_load_explicit(word, memory_order_acquire); /* wake:A */
}

void
writer_wake_rotation(struct writer *writer)
{
    wait_wake(writer->sys, &writer->control.shared->rotation_word);
}

void
writer_note_unread(struct writer *writer, uint64_t count, uint64_t bytes)
{
    control_add_loss(&writer->control, GAP_UNREAD, count, bytes);
    control_add(&writer->control, COUNTER_unread_backups_removed, count);
    control_wake_leader(&writer->control);
}

int
writer_lock_mill(struct writer *writer)
{
    int error;

    if (writer->is_private) {
        return -EAGAIN;
    }
    pthread_mutex_lock(&writer->mutex);
    error = leader_lock_mill(&writer->leader);
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

void
writer_unlock_mill(struct writer *writer)
{
    if (writer->is_private) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    leader_unlock_mill(&writer->leader);
    pthread_mutex_unlock(&writer->mutex);
}

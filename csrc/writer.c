/* writer.c - what the callers of a writer do; its thread is drainer.c's. */
#include "writer.h"

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
#include "spare.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
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

int
writer_repair(struct writer *writer)
{
    int error = 0, broken;

    pthread_mutex_lock(&writer->mutex);
    if (directories_are_lost(writer)) {
        error = directories_reopen(writer);
    }
    broken = leader_check_lock_file(&writer->leader);
    if (error == 0 && broken < 0) {
        if (broken == -EBADF) {
            /* The number may be somebody else's file by now. */
            writer->leader.lock_fd = -1;
        }
        leader_step_down(&writer->leader);
        error = leader_reopen(&writer->leader, directories_file_mode(writer),
                              (gid_t)writer->options.settings.gid);
        if (error == 0) {
            control_add(&writer->control, COUNTER_locks_reopened, 1);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

/* A ring without a thread is no reason to refuse a record: it is safe there, another
 * process may lead, and the next write tries again. */
static void
ensure_thread(struct writer *writer)
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

/* The ring to write to; a forked child, or a process whose ring was sealed, gets a new
 * one. */
static int
find_ring(struct writer *writer, struct own_ring **out)
{
    struct own_ring *own = ownring_current(writer);
    int error = 0;

    if ((own == NULL || ring_is_sealed(&own->ring)) && generation_is_past(writer)) {
        return -EREMCHG;
    }
    if (own == NULL && !writer->is_private) {
        error = writer_repair(writer); /* a daemon closes what it inherited */
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
        ensure_thread(writer); /* a child has none yet */
    }
    *out = own;
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
    ensure_thread(writer);
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
        ensure_thread(writer);
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
        return find_ring(writer, own);
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
    int error = find_ring(writer, &own);

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

    if (find_ring(writer, &own) < 0) {
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

int
writer_ask(struct writer *writer, enum request request, uint64_t *ticket)
{
    struct own_ring *own;
    int error = find_ring(writer, &own);

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

void
writer_stats(struct writer *writer, struct writer_stats *out)
{
    stats_collect(writer, out);
}

void
writer_describe(struct writer *writer, char *text, size_t size)
{
    char whole[SPEAKER_TEXT_SIZE];

    speaker_describe(writer, whole);
    snprintf(text, size, "%s", whole);
}

void
writer_look(struct writer *writer)
{
    speaker_look(writer);
}

uint64_t
writer_drained(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    return own == NULL ? 0 : ring_head(&own->ring);
}

uint32_t
writer_said(struct writer *writer, char *text, size_t size, int *error)
{
    /* said:A */
    uint32_t said = atomic_load_explicit(&writer->speaker.said, memory_order_acquire);

    pthread_mutex_lock(&writer->mutex);
    snprintf(text, size, "%s", writer->speaker.said_text);
    *error = writer->speaker.said_error;
    pthread_mutex_unlock(&writer->mutex);
    return said;
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

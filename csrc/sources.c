#include "sources.h"

#include "generation.h"
#include "heir.h"
#include "losscount.h"
#include "ringhead.h"
#include "ringlabel.h"
#include "testpoint.h"
#include "yielding.h"

#include <errno.h>

/* What is done for rings not seen before, in one pass: so that a leader that may be
 * killed soon gets on with some of a thousand orphans rather than begins with all. */
enum { orphans_per_pass = 64, mappings_per_pass = 32 };

static const uint64_t hole_limit_ns = 2000U * 1000 * 1000;

static struct own_ring *
find_own(struct writer *writer, uint32_t slot, uint64_t nonce)
{
    struct own_ring *own;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (own->slot == slot && own->ring.nonce == nonce) {
            break;
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return own;
}

/* A CLAIMED slot holds nothing but a file. As long as that can't be removed the slot
 * stays as it is: nobody else would know of the file. */
static void
free_claimed(struct writer *writer, uint32_t slot, uint64_t nonce,
             enum slot_state state)
{
    char name[RING_NAME_SIZE];
    int error;

    ring_name(slot, nonce, name);
    error = writer->sys->unlinkat(writer->rings_dir, name);
    TEST_POINT(retire_unlinked);
    if (error == 0 || error == -ENOENT) {
        control_set_slot(&writer->control, slot, state);
    }
}

/* The kernel never reports our own locks, so our own slots are not asked about. */
static bool
is_own(struct writer *writer, uint32_t slot)
{
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 3
    (void)writer, (void)slot;
    return false;
#else
    return leader_owns(&writer->leader, slot) &&
           find_own(writer, slot, writer->control.shared->slots[slot].nonce) != NULL;
#endif
}

/* A slot is CLAIMED by us for no longer than we hold the mutex (ownring_attach), but
 * for one whose ring is retired and could not be removed. */
static bool
is_left_over(struct writer *writer, uint32_t slot)
{
    enum slot_state state;

    pthread_mutex_lock(&writer->mutex);
    state = control_slot_state(&writer->control, slot);
    pthread_mutex_unlock(&writer->mutex);
    return state == SLOT_CLAIMED;
}

static bool
is_orphan(struct writer *writer, uint32_t slot, enum slot_state state)
{
    if (state == SLOT_CLAIMED && leader_owns(&writer->leader, slot)) {
        return is_left_over(writer, slot);
    }
    return (state == SLOT_LIVE || state == SLOT_CLAIMED) && !writer->is_gone[slot] &&
           !is_own(writer, slot) && leader_is_gone(&writer->leader, slot);
}

void
sources_find_orphans(struct writer *writer)
{
    /* used:A */
    uint32_t used =
        atomic_load_explicit(&writer->control.shared->slots_used, memory_order_acquire);
    int found = 0;

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);

        if (found == orphans_per_pass) {
            writer->has_more = true;
            return;
        }
        if (!is_orphan(writer, slot, state)) {
            continue;
        }
        TEST_POINT(orphan_found);
        found++;
        if (state == SLOT_CLAIMED) {
            free_claimed(writer, slot, writer->control.shared->slots[slot].nonce,
                         SLOT_FREE);
        } else {
            writer->is_gone[slot] = true;
        }
    }
}

/* In the past files go with their directory, but rings are closed empty there; and
 * those of the dead are an heir's. */
static bool
is_settled_elsewhere(struct writer *writer, uint32_t slot)
{
    return generation_is_past(writer) &&
           (control_slot_state(&writer->control, slot) == SLOT_CLOSING ||
            heir_has_had(writer, writer->control.shared->slots[slot].nonce));
}

/* A ring file that is not there any more can't be drained; its slot must not hold up
 * the others for ever. */
static void
lose_slot(struct writer *writer, uint32_t slot, int error)
{
    if (error != -ENOENT || !is_settled_elsewhere(writer, slot)) {
        control_note_error(&writer->control, error);
        control_add(&writer->control, COUNTER_damaged_records, 1);
        control_add_loss(&writer->control, GAP_DAMAGED, 1, 0);
    }
    control_set_slot(&writer->control, slot, SLOT_FREE);
    writer->is_gone[slot] = false;
}

/* Head and tail contradict each other: no record of it can be told from rubbish. */
static void
lose_damaged(struct writer *writer, uint32_t slot, uint64_t nonce)
{
    char name[RING_NAME_SIZE];

    ring_name(slot, nonce, name);
    lose_slot(writer, slot, -EUCLEAN);
    ringmap_drop(&writer->map, slot);
    (void)writer->sys->unlinkat(writer->rings_dir, name); /* else it is found again */
}

/* Somebody cut its file. Nobody knows what it held on the pages that are gone, nor how
 * its owner went on in memory of his own. */
static void
lose_cut(struct writer *writer, uint32_t slot, uint64_t nonce)
{
    control_add_loss(&writer->control, GAP_LOST_RING, 1, 0);
    ringmap_drop(&writer->map, slot);
    writer->is_gone[slot] = false;
    control_set_slot(&writer->control, slot, SLOT_CLAIMED);
    free_claimed(writer, slot, nonce, SLOT_RETIRED);
}

/* A ring that can't be read now: a flush must not claim that it was; but one that is
 * another user's is its owner's to wait for. */
static void
note_unread(struct writer *writer, uint32_t slot, int error)
{
    if (error == -EACCES || error == -EPERM) {
        yielding_mark(writer, slot);
    } else {
        writer->has_unread = true;
        yielding_note(writer, error);
    }
    if (writer->unread_error[slot] != error) {
        writer->unread_error[slot] = error;
        control_note_error(&writer->control, error);
    }
}

/* -EINPROGRESS: another pass will map it. */
static int
find_ring(struct writer *writer, uint32_t slot, int *mappings, struct ring **out)
{
    uint64_t nonce = writer->control.shared->slots[slot].nonce;
    struct own_ring *own = find_own(writer, slot, nonce);

    if (own != NULL) {
        *out = &own->ring;
        return 0;
    }
    if (!ringmap_has(&writer->map, slot, nonce) && ++*mappings > mappings_per_pass) {
        return -EINPROGRESS;
    }
    return ringmap_get(&writer->map, slot, nonce, out);
}

/* A dead owner's ring whose label alone is damaged can be read once that is written
 * again. */
static int
find_mended(struct writer *writer, uint32_t slot, int *mappings, struct ring **out)
{
    struct ringlabel label = {.slot = slot,
                              .nonce = writer->control.shared->slots[slot].nonce};
    int error = ringlabel_mend(writer->sys, writer->rings_dir, &label);

    return error < 0 ? -EUCLEAN : find_ring(writer, slot, mappings, out);
}

/* The slot that names a ring; CONTROL_SLOTS: it was drained, and retired. */
static uint32_t
find_named(const struct writer *writer, uint64_t nonce)
{
    const struct control_shared *shared = writer->control.shared;
    /* used:A */
    uint32_t used = atomic_load_explicit(&shared->slots_used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);
        if ((state == SLOT_LIVE || state == SLOT_CLOSING) &&
            shared->slots[slot].nonce == nonce) {
            return slot;
        }
    }
    return CONTROL_SLOTS;
}

/* What its process wrote to another ring before comes first; but for a thread that is
 * stopped there in the middle of a write, or if that ring can't be read. */
static bool
must_wait(struct writer *writer, struct ring *ring)
{
    const struct control_slot *slots = writer->control.shared->slots;
    /* Its own nonce: nobody made that ring. */
    bool has_one = ring->predecessor != 0 && ring->predecessor != ring->nonce;
    uint32_t before = has_one ? find_named(writer, ring->predecessor) : CONTROL_SLOTS;

#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 4
    return false;
#endif
    if (before == CONTROL_SLOTS || writer->unread_error[before] != 0 ||
        atomic_load_explicit(&slots[before].stalled, memory_order_relaxed) != 0) {
        ring->predecessor = 0;
        return false;
    }
    return true;
}

static bool
is_kept_here(const struct writer *writer, const struct ring *ring)
{
    /* keeper:A */
    uint64_t keeper = atomic_load_explicit(&ring->shared->keeper, memory_order_acquire);

    return keeper == writer->control.shared->identity || keeper == 0;
}

/* False: it was another leader who wrote there. */
static bool
put_back(struct writer *writer, struct ring *ring)
{
    if (!writer->is_private && leader_assert(&writer->leader) < 0) {
        ringhead_forget(ring);
        return false;
    }
    ringhead_put_back(ring);
    control_note_error(&writer->control, -EUCLEAN);
    return true;
}

/* Where the leader goes on in it; false: it can't be read, which is told. */
static bool
find_place(struct writer *writer, const struct batch_source *source)
{
    struct ring *ring = source->ring;

    switch (ringhead_find(ring, source->end)) {
    case RINGHEAD_GOOD:
        return true;
    case RINGHEAD_WRITTEN_OVER:
        return put_back(writer, ring);
    case RINGHEAD_MOVED:
        control_note_error(&writer->control, -EUCLEAN);
        control_add(&writer->control, COUNTER_damaged_records, 1);
        control_add_loss(&writer->control, GAP_DAMAGED, 1, 0);
        return true;
    case RINGHEAD_BAD:
        break;
    }
    if (source->owner_gone) {
        ringhead_publish(ring, source->end); /* nobody waits for it any more */
        lose_damaged(writer, source->slot, ring->nonce);
    } else {
        note_unread(writer, source->slot, -EUCLEAN);
    }
    return false;
}

static void
add_source(struct writer *writer, uint32_t slot, enum slot_state state, int *mappings)
{
    struct batch_source *source = &writer->sources[writer->source_count];
    bool owner_gone = state == SLOT_CLOSING || writer->is_gone[slot];
    struct ring *ring;
    int error = find_ring(writer, slot, mappings, &ring);

    if (error == -EUCLEAN && owner_gone) {
        error = find_mended(writer, slot, mappings, &ring);
    }
    if (error == -EINPROGRESS) {
        writer->has_more = true;
        return;
    }
    if (error < 0) {
        if (owner_gone && (error == -ENOENT || error == -EUCLEAN)) {
            lose_slot(writer, slot, error);
        } else {
            note_unread(writer, slot, error);
        }
        return;
    }
    if (!writer->is_private && !is_kept_here(writer, ring)) {
        /* It was adopted by another log in this place. */
        ringhead_forget(ring);
        control_set_slot(&writer->control, slot, SLOT_FREE);
        return;
    }
    if (must_wait(writer, ring)) {
        writer->has_unread = true;
        return;
    }
    /* Sealing is the one change after which the tail of a dead owner's ring is final,
     * even if it was only thought dead. */
    *source = (struct batch_source){
        .ring = ring,
        .slot = slot,
        .owner_gone = owner_gone,
        .is_final = owner_gone || ring_is_sealed(ring),
    };
    source->end = owner_gone ? ring_seal(ring) : ring_tail(ring);
    if (owner_gone) {
        TEST_POINT(orphan_sealed);
    }
    if (ring_is_cut(ring)) {
        lose_cut(writer, slot, ring->nonce);
        return;
    }
    if (!find_place(writer, source)) {
        return;
    }
    writer->unread_error[slot] = 0;
    writer->source_count++;
}

void
sources_find(struct writer *writer)
{
    /* used:A */
    uint32_t used =
        atomic_load_explicit(&writer->control.shared->slots_used, memory_order_acquire);

    int mappings = 0;

    writer->source_count = 0;
    writer->has_marked = false;
    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);
        if (state == SLOT_LIVE || state == SLOT_CLOSING) {
            add_source(writer, slot, state, &mappings);
        }
    }
    yielding_end_marking(writer);
}

static uint64_t
take(_Atomic uint64_t *counter)
{
    return atomic_exchange_explicit(counter, 0, memory_order_acq_rel); /* drops:RMW */
}

/* Does what the inheritance says, for the first time or once more. */
static void
apply_inheritance(struct writer *writer, struct ring_shared *ring)
{
    struct control_shared *shared = writer->control.shared;
    struct control_inheritance *said = &shared->inheritance;
    struct control_loss *loss = &shared->losses[GAP_DROPPED_BY_DEAD];

    atomic_store_explicit(&loss->bytes, said->loss_bytes_after, memory_order_relaxed);
    /* loss:B */
    atomic_store_explicit(&loss->count, said->loss_count_after, memory_order_release);
    TEST_POINT(gap_counted);
    if (ring != NULL) {
        atomic_store_explicit(&ring->dropped_bytes_reported, said->dropped_bytes,
                              memory_order_relaxed);
        atomic_store_explicit(&ring->dropped_count_reported, said->dropped_count,
                              memory_order_relaxed);
    }
    atomic_store_explicit(&said->valid, 0, memory_order_release); /* inheritance:B */
}

void
sources_finish_inheritance(struct writer *writer)
{
    const struct control_inheritance *said = &writer->control.shared->inheritance;
    struct ring *ring = NULL;

    /* inheritance:A */
    if (atomic_load_explicit(&said->valid, memory_order_acquire) == 0) {
        return;
    }
    if (ringmap_get(&writer->map, said->slot, said->nonce, &ring) < 0) {
        ring = NULL; /* it was removed: all was done but to say so */
    }
    apply_inheritance(writer, ring != NULL ? ring->shared : NULL);
}

/* Drops that the owner did not live to tell become a loss that the leader tells. */
static void
inherit_drops(struct writer *writer, const struct batch_source *source)
{
    struct control_shared *shared = writer->control.shared;
    struct control_inheritance *said = &shared->inheritance;
    const struct control_loss *loss = &shared->losses[GAP_DROPPED_BY_DEAD];
    struct ring_shared *ring = source->ring->shared;
    uint64_t told =
        atomic_load_explicit(&ring->dropped_count_reported, memory_order_relaxed);
    uint64_t told_bytes =
        atomic_load_explicit(&ring->dropped_bytes_reported, memory_order_relaxed);

    said->slot = source->slot;
    said->nonce = source->ring->nonce;
    said->dropped_count =
        atomic_load_explicit(&ring->dropped_count, memory_order_acquire); /* drops:A */
    said->dropped_bytes =
        atomic_load_explicit(&ring->dropped_bytes, memory_order_relaxed);
    if (said->dropped_count <= told) {
        return; /* less: its counters were taken by a leader that was killed then */
    }
    if (!losscount_is_possible(said->dropped_count, told) ||
        !losscount_has_bytes(said->dropped_bytes, told_bytes)) {
        said->dropped_count = losscount_base(told) + 1;
        said->dropped_bytes = told_bytes;
        told = losscount_base(told);
    }
    said->loss_count_after = atomic_load_explicit(&loss->count, memory_order_relaxed) +
                             said->dropped_count - told;
    said->loss_bytes_after = atomic_load_explicit(&loss->bytes, memory_order_relaxed) +
                             said->dropped_bytes - told_bytes;
    atomic_store_explicit(&said->valid, 1, memory_order_release); /* inheritance:B */
    apply_inheritance(writer, ring);
}

/* A producer's counters join the log's when its ring ends. */
static void
inherit_counters(struct writer *writer, const struct batch_source *source)
{
    struct control *control = &writer->control;
    struct ring_shared *shared = source->ring->shared;

    inherit_drops(writer, source);
    control_add(control, COUNTER_dropped_records, take(&shared->dropped_count));
    control_add(control, COUNTER_dropped_bytes, take(&shared->dropped_bytes));
    control_add(control, COUNTER_refused_records, take(&shared->refused_count));
    control_add(control, COUNTER_blocked_ns, take(&shared->blocked_ns));
    control_add(control, COUNTER_block_timeouts, take(&shared->block_timeouts));
}

static void
retire(struct writer *writer, struct batch_source *source)
{
    uint32_t slot = source->slot;
    uint64_t nonce = source->ring->nonce;

    TEST_POINT(retire_drained);
    inherit_counters(writer, source);
    ringmap_drop(&writer->map, slot);
    writer->is_gone[slot] = false;
    /* From here on whoever leads next removes the file, if we don't get to it. */
    control_set_slot(&writer->control, slot, SLOT_CLAIMED);
    control_add(&writer->control, COUNTER_retired_slots, 1);
    free_claimed(writer, slot, nonce, SLOT_RETIRED);
    TEST_POINT(retire_done);
}

bool
sources_retire(struct writer *writer)
{
    uint32_t kept = 0;
    bool all = true;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        struct batch_source *source = &writer->sources[i];

        if (source->is_final && ringhead_at(source->ring) >= source->end) {
            retire(writer, source);
            continue;
        }
        all &= !source->owner_gone;
        writer->sources[kept++] = *source;
    }
    writer->source_count = kept;
    return all;
}

bool
sources_have_others(const struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        const struct batch_source *source = &writer->sources[i];
        if (!source->owner_gone && !leader_owns(&writer->leader, source->slot)) {
            return true;
        }
    }
    return false;
}

void
sources_watch_hole(struct writer *writer, const struct batch_source *source)
{
    uint32_t slot = source->slot;
    uint64_t head = ringhead_at(source->ring), now = writer->sys->now_mono();
    struct control_slot *entry = &writer->control.shared->slots[slot];

    if (writer->hole_position[slot] != head || writer->hole_since_ns[slot] == 0) {
        writer->hole_position[slot] = head;
        writer->hole_since_ns[slot] = now;
    } else if (now - writer->hole_since_ns[slot] >= hole_limit_ns &&
               atomic_exchange_explicit(&entry->stalled, 1, memory_order_relaxed) ==
                   0) {
        control_add(&writer->control, COUNTER_stalled_slots, 1);
    }
}

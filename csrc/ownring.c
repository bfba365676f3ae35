#include "ownring.h"

#include "directories.h"
#include "growth.h"
#include "ownership.h"
#include "resting.h"
#include "ringhead.h"
#include "testpoint.h"
#include "yielding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
ownring_open_control(struct writer *writer)
{
    struct control fresh;
    int error = control_open_private(&fresh, writer->sys);

    if (error < 0) {
        return error;
    }
    control_close(&writer->control);
    writer->control = fresh;
    writer->needs_control = false;
    control_store_settings(&writer->control, &writer->options.settings);
    return 0;
}

/* What a new ring is like. */
struct shape {
    uint64_t capacity;
    uint64_t predecessor; /* nonce; 0: none */
    bool is_spare;
};

static int
create_ring(struct writer *writer, struct ring *ring, uint32_t slot, uint64_t nonce,
            const struct shape *shape)
{
    struct ring_options options = {.capacity = shape->capacity,
                                   .predecessor = shape->predecessor,
                                   .is_spare = shape->is_spare,
                                   .nonce = nonce,
                                   .slot = slot};
    int error;

    if (writer->is_private) {
        return ring_create_private(ring, writer->sys, &options);
    }
    memcpy(options.boot_id, writer->control.boot_id, sizeof(options.boot_id));
    options.owner = leader_self(&writer->leader);
    error = ownership_of(writer->sys, writer->state_dir, &options.uid);
    if (error < 0) {
        return error;
    }
    options.is_given = options.uid != (uid_t)-1;
    options.keeper = writer->control.shared->identity;
    return ring_create(ring, writer->sys, writer->rings_dir, &options,
                       directories_file_mode(writer),
                       (gid_t)writer->options.settings.gid);
}

int
ownring_make_spare(struct writer *writer, struct ring *ring, uint32_t slot,
                   uint64_t nonce)
{
    struct shape shape = {.capacity = writer->options.ring_bytes, .is_spare = true};

    return create_ring(writer, ring, slot, nonce, &shape);
}

/* A private control block has one user: its first slot is his. */
static int
claim_slot(struct writer *writer, uint64_t nonce, uint32_t *slot)
{
    struct control_slot *entry;

    if (!writer->is_private) {
        return leader_claim_slot(&writer->leader, nonce, writer->options.durability,
                                 slot);
    }
    if (writer->needs_control) {
        int error = ownring_open_control(writer);
        if (error < 0) {
            return error;
        }
    }
    *slot = 0;
    entry = &writer->control.shared->slots[0];
    if (control_slot_state(&writer->control, 0) == SLOT_LIVE) {
        return -EUSERS;
    }
    entry->nonce = nonce;
    entry->pid = writer->leader.pid;
    atomic_store_explicit(&entry->durability, writer->options.durability,
                          memory_order_relaxed);
    control_set_slot(&writer->control, 0, SLOT_CLAIMED);
    return 0;
}

static void
link_in(struct writer *writer, struct own_ring *own)
{
    mapping_tell(own->ring.mapping, &writer->due, DUE_CUT);
    own->next = writer->own_rings;
    writer->own_rings = own;
}

void
ownring_adopt(struct writer *writer, struct own_ring *own)
{
    link_in(writer, own);
    atomic_store_explicit(&writer->current, own, memory_order_release); /* current:B */
}

/* Lock the slot, claim it, make the ring, go live: in this order a slot without a lock
 * is a corpse, and a claimed one holds nothing. */
static int
attach(struct writer *writer, const struct shape *shape)
{
    struct own_ring *own = calloc(1, sizeof(*own));
    uint64_t nonce;
    int error;

    if (own == NULL) {
        return -ENOMEM;
    }
    error = writer->is_private ? 0 : resting_wake(writer);
    if (error == 0) {
        error = writer->sys->random(&nonce, sizeof(nonce));
    }
    if (error == 0) {
        error = claim_slot(writer, nonce, &own->slot);
    }
    if (error < 0) {
        free(own);
        return error;
    }
    error = create_ring(writer, &own->ring, own->slot, nonce, shape);
    if (error < 0) {
        control_set_slot(&writer->control, own->slot, SLOT_FREE);
        if (!writer->is_private) {
            leader_release_slot(&writer->leader, own->slot);
        }
        free(own);
        return error;
    }
    TEST_POINT(slot_ring_created);
    link_in(writer, own);
    control_set_slot(&writer->control, own->slot, SLOT_LIVE);
    TEST_POINT(slot_live);
    atomic_store_explicit(&writer->current, own, memory_order_release); /* current:B */
    return 0;
}

static bool
is_named(const struct writer *writer, const struct own_ring *own)
{
    const struct control_slot *entry = &writer->control.shared->slots[own->slot];
    enum slot_state state = control_slot_state(&writer->control, own->slot);

    return entry->nonce == own->ring.nonce &&
           (state == SLOT_LIVE || state == SLOT_CLOSING);
}

/* A ring that was cut, or contradicts itself: what a leader finds of it it tells, and
 * waits for no more. */
static void
leave_broken(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if (own == NULL || (!ring_is_cut(&own->ring) &&
                        !atomic_load_explicit(&own->is_left, memory_order_relaxed))) {
        return;
    }
    ring_seal(&own->ring); /* for the other threads here */
    if (is_named(writer, own)) {
        control_set_slot(&writer->control, own->slot, SLOT_CLOSING);
    }
}

int
ownring_attach(struct writer *writer, const struct own_ring *seen,
               enum control_counter counter)
{
    struct shape shape = {.capacity = growth_first(writer)};
    int error = 0;

    pthread_mutex_lock(&writer->mutex);
    /* current:A */
    if (atomic_load_explicit(&writer->current, memory_order_acquire) == seen) {
        leave_broken(writer);
        error = attach(writer, &shape);
        if (error == 0 && counter != COUNTER_COUNT) {
            control_add(&writer->control, counter, 1);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

int
ownring_succeed(struct writer *writer, const struct own_ring *seen, uint64_t capacity)
{
    struct shape shape = {.capacity = capacity, .predecessor = seen->ring.nonce};
    int error = 0;

    pthread_mutex_lock(&writer->mutex);
    /* current:A */
    if (atomic_load_explicit(&writer->current, memory_order_acquire) == seen) {
        leave_broken(writer);
        error = attach(writer, &shape);
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

/* Whoever takes a ring for dead, or retires it, has sealed it before. */
static bool
is_forgotten(const struct writer *writer, const struct own_ring *own)
{
    return !ring_is_sealed(&own->ring) && !ring_is_cut(&own->ring) &&
           !atomic_load_explicit(&own->is_left, memory_order_relaxed) &&
           !is_named(writer, own);
}

/* Whether another process named the slot's ring since. */
static bool
is_taken(const struct writer *writer, const struct own_ring *own)
{
    const struct control_slot *entry = &writer->control.shared->slots[own->slot];
    enum slot_state state = control_slot_state(&writer->control, own->slot);

    return entry->nonce != own->ring.nonce && entry->nonce != 0 &&
           state >= SLOT_CLAIMED && state <= SLOT_CLOSING;
}

/* Our own slot, whatever its state says, as long as nobody else has it: else its file
 * would have to move under a leader that knows it by its name. */
static int
find_slot(struct writer *writer, const struct own_ring *own, uint32_t *slot)
{
    char from[RING_NAME_SIZE], to[RING_NAME_SIZE];
    int error;

    *slot = own->slot;
    if (!is_taken(writer, own) && leader_assert_slot(&writer->leader, own->slot) == 0) {
        return 0;
    }
    error = leader_offer_slot(&writer->leader, own->slot, slot);
    if (error < 0 || *slot == own->slot) {
        return error;
    }
    ring_name(own->slot, own->ring.nonce, from);
    ring_name(*slot, own->ring.nonce, to);
    error = writer->sys->rename_noreplace(writer->rings_dir, from, to);
    /* Without a file the entry still tells the leader that there is a ring. */
    return error == -ENOENT ? 0 : error;
}

static int
enter_again(struct writer *writer, struct own_ring *own)
{
    struct ring_owner self = leader_self(&writer->leader);
    uint32_t slot;
    int error = find_slot(writer, own, &slot);

    if (error < 0) {
        return error;
    }
    own->slot = slot;
    atomic_store_explicit(&own->ring.shared->keeper, writer->control.shared->identity,
                          memory_order_release); /* keeper:B */
    leader_fill_slot(&writer->leader, slot, own->ring.nonce, &self,
                     writer->options.durability);
    /* Before the ring is in the table: whatever is answered until then is in doubt. */
    atomic_store_explicit(
        &writer->untrusted_flush,
        atomic_load_explicit(&writer->control.shared->requests[REQUEST_FLUSH].requested,
                             memory_order_acquire) + /* ask:A */
            1,
        memory_order_release); /* doubt:B */
    control_set_slot(&writer->control, slot, SLOT_LIVE);
    control_add(&writer->control, COUNTER_adopted_rings, 1);
    return 1;
}

int
ownring_enter_again(struct writer *writer)
{
    struct own_ring *own;
    int error = 0;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL && error >= 0; own = own->next) {
        if (is_forgotten(writer, own)) {
            error = enter_again(writer, own);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    if (error > 0) {
        /* Who waits for a flush that is in doubt is answered by this one. */
        (void)control_ask(&writer->control, REQUEST_FLUSH);
    }
    return error < 0 ? error : 0;
}

bool
ownring_trusts_flush(struct writer *writer, uint64_t ticket)
{
    uint64_t doubted;
    bool all = true;

    pthread_mutex_lock(&writer->mutex);
    for (struct own_ring *own = writer->own_rings; own != NULL; own = own->next) {
        all &= writer->is_private || !is_forgotten(writer, own);
        all &= !yielding_is_unread(writer, own);
    }
    /* doubt:A */
    doubted = atomic_load_explicit(&writer->untrusted_flush, memory_order_acquire);
    pthread_mutex_unlock(&writer->mutex);
    return all && (ticket > doubted ||
                   control_is_done(&writer->control, REQUEST_FLUSH, doubted));
}

void
ownring_close_all(struct writer *writer)
{
    struct own_ring *own;

    atomic_store_explicit(&writer->current, NULL, memory_order_release); /* current:B */
    for (own = writer->own_rings; own != NULL; own = own->next) {
        const struct control_slot *entry = &writer->control.shared->slots[own->slot];

        if (entry->nonce == own->ring.nonce &&
            control_slot_state(&writer->control, own->slot) == SLOT_LIVE) {
            TEST_POINT(slot_sealing);
            ring_seal(&own->ring);
            control_set_slot(&writer->control, own->slot, SLOT_CLOSING);
            TEST_POINT(slot_closing);
        }
    }
}

void
ownring_remove_closed(struct writer *writer)
{
    char name[RING_NAME_SIZE];

    for (struct own_ring *own = writer->own_rings; own != NULL; own = own->next) {
        if (ring_is_sealed(&own->ring) && is_named(writer, own) &&
            ring_head(&own->ring) >= ring_tail(&own->ring)) {
            ring_name(own->slot, own->ring.nonce, name);
            (void)writer->sys->unlinkat(writer->rings_dir, name);
            control_set_slot(&writer->control, own->slot, SLOT_RETIRED);
        }
    }
}

bool
ownring_has_left(struct writer *writer)
{
    struct own_ring *own;
    bool has_left = false;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        has_left |=
            ring_head(&own->ring) < ring_tail(&own->ring) && !ring_is_cut(&own->ring);
    }
    pthread_mutex_unlock(&writer->mutex);
    return has_left;
}

void
ownring_forget_heads(struct writer *writer)
{
    struct own_ring *own;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        ringhead_forget(&own->ring);
    }
    pthread_mutex_unlock(&writer->mutex);
}

void
ownring_check(struct own_ring *own)
{
    uint64_t head = ring_head(&own->ring), tail = ring_tail(&own->ring);

    if (ring_head(&own->ring) == head && !ring_is_consistent(&own->ring, head, tail)) {
        atomic_store_explicit(&own->is_left, true, memory_order_relaxed);
    }
}

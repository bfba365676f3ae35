/* spare.c - made, entered, taken or given back.
 *
 * `spare` of a ring is 0 until it is entered for a child, then that one's pid, TAKEN or
 * GIVEN_BACK. Only who makes it TAKEN writes to it.
 */
#include "spare.h"

#include "directories.h"
#include "generation.h"
#include "ownring.h"
#include "testpoint.h"
#include "yielding.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKEN ((uint64_t)1 << 32)
#define GIVEN_BACK ((uint64_t)2 << 32)

/* A child's first instructions are its hook's; the next fork may come before them. */
static const uint64_t hook_limit_ns = 10U * 1000 * 1000 * 1000;

/* Children beyond that many that neither wrote nor ended find none. */
enum { spares_limit = 64 };

struct spare {
    _Atomic bool is_open; /* the rest is valid */
    bool is_own;          /* this process made it */
    uint32_t slot;
    struct ring ring;
    struct ring_owner maker;
    uint64_t offered_ns; /* before the fork whose child it is for */
    struct spare *next;
};

static uint64_t
state_of(const struct spare *spare)
{
    /* spare:A */
    return atomic_load_explicit(&spare->ring.shared->spare, memory_order_acquire);
}

static bool
change(struct spare *spare, uint64_t before, uint64_t after)
{
    return atomic_compare_exchange_strong_explicit(&spare->ring.shared->spare, &before,
                                                   after,
                                                   memory_order_acq_rel, /* spare:RMW */
                                                   memory_order_relaxed);
}

static bool
is_nobodys(const struct spare *spare)
{
    uint64_t state = state_of(spare);

    return state == 0 || state == GIVEN_BACK;
}

static bool
is_open(const struct spare *spare)
{
    return atomic_load_explicit(&spare->is_open, memory_order_acquire); /* open:A */
}

/* A forked child must not find it open without its mapping. */
static void
forget(struct spare *spare)
{
    /* open:B */
    atomic_store_explicit(&spare->is_open, false, memory_order_release);
    ring_close(&spare->ring);
}

/* Nobody took it for a dead process's, nor its slot. */
static bool
is_good(const struct writer *writer, const struct spare *spare)
{
    return writer->control.shared->slots[spare->slot].nonce == spare->ring.nonce &&
           control_slot_state(&writer->control, spare->slot) == SLOT_LIVE &&
           !ring_is_sealed(&spare->ring) && !ring_is_cut(&spare->ring);
}

static void
enter(struct writer *writer, const struct spare *spare, const struct ring_owner *owner)
{
    leader_fill_slot(&writer->leader, spare->slot, spare->ring.nonce, owner,
                     writer->options.durability);
}

/* Where everybody may make a ring nobody needs one. */
static bool
is_needed(struct writer *writer)
{
    return !writer->is_private && geteuid() == 0 && ownring_current(writer) != NULL &&
           !generation_is_past(writer) &&
           ((writer->state_mode & S_IWOTH) == 0 || writer->rings_path != NULL);
}

/* The child has not come to its hook, as far as one can tell. */
static bool
is_offered(const struct writer *writer, const struct spare *spare)
{
    return state_of(spare) == 0 &&
           writer->sys->now_mono() - spare->offered_ns < hook_limit_ns;
}

static bool
is_free(const struct writer *writer, struct spare *spare)
{
    uint64_t state = state_of(spare);

    return state == GIVEN_BACK ? change(spare, state, 0)
                               : state == 0 && !is_offered(writer, spare);
}

/* One that is nobody's, or room for another in the list. */
static struct spare *
find_free(struct writer *writer, struct spare **room, int *count)
{
    for (struct spare *spare = writer->spares; spare != NULL; spare = spare->next) {
        if (is_open(spare) && (!is_good(writer, spare) || state_of(spare) == TAKEN)) {
            forget(spare);
        }
        if (!is_open(spare)) {
            *room = spare;
        } else if (spare->is_own) {
            ++*count;
            if (is_free(writer, spare)) {
                return spare;
            }
        }
    }
    return NULL;
}

/* Its byte stays free: the child will hold it. Until then both are known by their
 * marks. */
static int
make(struct writer *writer, struct spare *spare)
{
    uint64_t nonce;
    int error = directories_wake(writer);

    if (error == 0) {
        error = writer->sys->random(&nonce, sizeof(nonce));
    }
    if (error == 0) {
        error = leader_claim_slot(&writer->leader, nonce, writer->options.durability,
                                  &spare->slot);
    }
    if (error < 0) {
        return error;
    }
    error = ownring_make_spare(writer, &spare->ring, spare->slot, nonce);
    TEST_POINT(slot_ring_created);
    control_set_slot(&writer->control, spare->slot, error == 0 ? SLOT_LIVE : SLOT_FREE);
    leader_release_slot(&writer->leader, spare->slot);
    spare->maker = leader_self(&writer->leader);
    spare->is_own = true;
    return error;
}

static struct spare *
add(struct writer *writer, struct spare *room)
{
    struct spare *spare = room != NULL ? room : calloc(1, sizeof(*spare));

    if (spare == NULL || make(writer, spare) < 0) {
        if (room == NULL) {
            free(spare);
        }
        return NULL; /* the child is told if it needs one */
    }
    /* open:B */
    atomic_store_explicit(&spare->is_open, true, memory_order_release);
    if (room == NULL) {
        spare->next = writer->spares;
        writer->spares = spare;
    }
    return spare;
}

void
spare_prepare(struct writer *writer)
{
    struct spare *room = NULL, *found;
    int count = 0;
    bool rests;

    if (!is_needed(writer)) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    rests = writer->state_dir < 0;
    found = find_free(writer, &room, &count);
    if (found == NULL && count < spares_limit) {
        found = add(writer, room);
    }
    if (found != NULL) {
        found->offered_ns = writer->sys->now_mono();
        writer->offered = found;
    }
    if (rests) {
        directories_rest(writer);
    }
    pthread_mutex_unlock(&writer->mutex);
}

/* What is nobody's, or the parent's who has not taken it either. */
static bool
reserve(struct writer *writer, struct spare *spare, bool is_inherited)
{
    struct ring_owner self = leader_self(&writer->leader);
    uint64_t state = spare != NULL && is_open(spare) ? state_of(spare) : TAKEN;

    if (state == TAKEN || (!is_inherited && !is_nobodys(spare)) ||
        !is_good(writer, spare) || !change(spare, state, (uint64_t)self.pid)) {
        return false;
    }
    enter(writer, spare, &self);
    writer->spare = spare;
    return true;
}

void
spare_reserve(struct writer *writer)
{
    struct spare *inherited = writer->spare;

    writer->spare = NULL;
    for (struct spare *spare = writer->spares; spare != NULL; spare = spare->next) {
        spare->is_own = false;
    }
    if (reserve(writer, inherited, true) || reserve(writer, writer->offered, false)) {
        return;
    }
    for (struct spare *spare = writer->spares; spare != NULL; spare = spare->next) {
        if (reserve(writer, spare, false)) {
            return;
        }
    }
}

/* All of it is on the disk now, or can't be: -ENOSPC. */
static int
give_room(struct ring *ring)
{
    uint8_t *page = (uint8_t *)ring->shared;
    size_t size = ring_file_size(ring->capacity), step = ring->sys->page_size();
    int error = ring->sys->populate(page, size);

    if (error < 0 && error != -EFAULT) {
        /* A kernel before 5.14. What has no room is cut off (mapping.h). */
        for (size_t at = 0; at < size; at += step) {
            atomic_fetch_or_explicit((_Atomic uint32_t *)(void *)(page + at), 0,
                                     memory_order_relaxed);
        }
        error = 0;
    }
    ring->populated = ring->capacity;
    return error < 0 || ring_is_cut(ring) ? -ENOSPC : 0;
}

/* The slot's byte keeps others from the slot; marks and label say whose ring it is. */
static int
take(struct writer *writer, struct spare *spare)
{
    struct ring_owner self = leader_self(&writer->leader);
    struct ring_shared *shared = spare->ring.shared;
    uint64_t state = state_of(spare);
    int error;

    if (state == TAKEN || !change(spare, state, TAKEN)) {
        return -EBUSY;
    }
    TEST_POINT(slot_claimed);
    error = leader_assert_slot(&writer->leader, spare->slot);
    if (error == 0 && !is_good(writer, spare)) {
        error = -ESTALE;
    }
    if (error == 0) {
        error = give_room(&spare->ring);
    }
    if (error < 0) {
        leader_release_slot(&writer->leader, spare->slot);
        (void)change(spare, TAKEN, state);
        return error;
    }
    shared->owner = self;
    shared->label_crc = ring_label_crc(shared);
    enter(writer, spare, &self);
    TEST_POINT(slot_live);
    return is_good(writer, spare) ? 0 : -ESTALE;
}

/* Its own, or one that is nobody's. */
static struct spare *
take_any(struct writer *writer, int *error)
{
    int result = writer->spare != NULL && is_open(writer->spare)
                     ? take(writer, writer->spare)
                     : -ENOENT;

    if (result == 0) {
        return writer->spare;
    }
    for (struct spare *spare = writer->spares; spare != NULL; spare = spare->next) {
        if (is_open(spare) && is_nobodys(spare) && is_good(writer, spare) &&
            take(writer, spare) == 0) {
            return spare;
        }
    }
    *error = result == -ENOSPC ? result : *error;
    return NULL;
}

int
spare_attach(struct writer *writer, int error)
{
    struct own_ring *own;
    struct spare *spare = NULL;

    if (writer->is_private || !yielding_may_help(error) || writer->spares == NULL) {
        return error;
    }
    own = calloc(1, sizeof(*own));
    pthread_mutex_lock(&writer->mutex);
    if (ownring_current(writer) != NULL) {
        error = 0;
    } else if (own != NULL) {
        spare = take_any(writer, &error);
    }
    if (spare != NULL) {
        /* open:B */
        atomic_store_explicit(&spare->is_open, false, memory_order_release);
        own->ring = spare->ring;
        own->slot = spare->slot;
        mapping_keep_from_children(own->ring.mapping);
        ownring_adopt(writer, own);
        writer->spare = NULL;
        own = NULL;
        error = 0;
    }
    pthread_mutex_unlock(&writer->mutex);
    free(own);
    return error;
}

/* It is the maker's again; if that is gone, whoever leads retires it. */
static void
give_back(struct writer *writer)
{
    struct spare *spare = writer->spare;

    if (!is_open(spare) || !is_good(writer, spare) ||
        state_of(spare) != (uint64_t)writer->leader.pid) {
        return;
    }
    enter(writer, spare, &spare->maker);
    (void)change(spare, (uint64_t)writer->leader.pid, GIVEN_BACK);
}

void
spare_give_back(struct writer *writer)
{
    if (writer->spare == NULL) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    if (writer->spare != NULL) {
        give_back(writer);
        writer->spare = NULL;
    }
    pthread_mutex_unlock(&writer->mutex);
}

/* Sealed, so that it holds nothing for good. */
static void
end(struct writer *writer, struct spare *spare)
{
    char name[RING_NAME_SIZE];

    if (!is_good(writer, spare) || is_offered(writer, spare) ||
        (!change(spare, 0, TAKEN) && !change(spare, GIVEN_BACK, TAKEN))) {
        return;
    }
    ring_seal(&spare->ring);
    ring_name(spare->slot, spare->ring.nonce, name);
    control_set_slot(&writer->control, spare->slot, SLOT_CLAIMED);
    if (writer->sys->unlinkat(writer->rings_dir, name) == 0) {
        control_set_slot(&writer->control, spare->slot, SLOT_RETIRED);
    }
}

void
spare_end(struct writer *writer)
{
    if (writer->spares == NULL) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    (void)directories_wake(writer);
    for (struct spare *spare = writer->spares; spare != NULL; spare = spare->next) {
        if (is_open(spare) && spare->is_own) {
            end(writer, spare);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
}

void
spare_drop(struct writer *writer)
{
    struct spare *spare, *next;

    for (spare = writer->spares; spare != NULL; spare = next) {
        next = spare->next;
        if (is_open(spare)) {
            forget(spare);
        }
        free(spare);
    }
    writer->spares = writer->spare = writer->offered = NULL;
}

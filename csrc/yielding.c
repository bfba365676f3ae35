#include "yielding.h"

#include "ownring.h"

#include <errno.h>

static const uint64_t pause_ns = 1000U * 1000 * 1000,
                      ask_every_ns = 1000U * 1000 * 1000;

bool
yielding_may_help(int error)
{
    switch (error) {
    case -EACCES:
    case -EPERM:
    case -EROFS:
    case -EFBIG:
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return true;
    default:
        return false;
    }
}

void
yielding_note(struct writer *writer, int error)
{
    writer->wants_to_yield |= !writer->is_private && yielding_may_help(error);
}

void
yielding_mark(struct writer *writer, uint32_t slot)
{
    struct control_shared *shared = writer->control.shared;

    writer->has_marked = true;
    atomic_store_explicit(&shared->slots[slot].unread, 1, memory_order_relaxed);
    /* unread:B */
    atomic_store_explicit(&shared->unread_rings, 1, memory_order_release);
}

void
yielding_end_marking(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    if (!writer->has_marked &&
        atomic_load_explicit(&shared->unread_rings, memory_order_relaxed) != 0) {
        atomic_store_explicit(&shared->unread_rings, 0, memory_order_relaxed);
    }
}

void
yielding_unmark(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        _Atomic uint32_t *unread = &shared->slots[writer->sources[i].slot].unread;

        if (atomic_load_explicit(unread, memory_order_relaxed) != 0) {
            atomic_store_explicit(unread, 0, memory_order_relaxed);
        }
    }
}

static bool
has_others(struct writer *writer)
{
    /* used:A */
    uint32_t used =
        atomic_load_explicit(&writer->control.shared->slots_used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        if (control_slot_state(&writer->control, slot) == SLOT_LIVE &&
            !leader_owns(&writer->leader, slot) &&
            !leader_is_gone(&writer->leader, slot)) {
            return true;
        }
    }
    return false;
}

void
yielding_run(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);
    uint32_t to = atomic_exchange_explicit(&writer->control.shared->yield_to, 0,
                                           memory_order_relaxed);
    bool is_asked = to != 0 && own != NULL && to != own->slot + 1;

    if (!is_asked && !writer->wants_to_yield) {
        return;
    }
    writer->wants_to_yield = false;
    if (has_others(writer)) {
        control_add(&writer->control, COUNTER_handovers, 1);
        drainer_step_down(writer, pause_ns);
    }
}

static bool
can_open(struct writer *writer, uint32_t slot)
{
    char name[RING_NAME_SIZE];
    int fd;

    ring_name(slot, writer->control.shared->slots[slot].nonce, name);
    fd = writer->sys->openat(writer->rings_dir, name,
                             O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd >= 0) {
        writer->sys->close(fd);
    }
    return fd >= 0;
}

static bool
has_what_nobody_read(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    /* used:A */
    uint32_t used = atomic_load_explicit(&shared->slots_used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&writer->control, slot);

        if ((state == SLOT_LIVE || state == SLOT_CLOSING) &&
            atomic_load_explicit(&shared->slots[slot].unread, memory_order_relaxed) !=
                0 &&
            (leader_owns(&writer->leader, slot) || can_open(writer, slot))) {
            return true;
        }
    }
    return false;
}

void
yielding_ask(struct writer *writer, uint64_t now)
{
    struct control_shared *shared = writer->control.shared;
    struct own_ring *own = ownring_current(writer);

    /* unread:A */
    if (atomic_load_explicit(&shared->unread_rings, memory_order_acquire) == 0 ||
        own == NULL || now < writer->next_ask_ns || writer->is_paused) {
        return;
    }
    writer->next_ask_ns = now + ask_every_ns;
    if (has_what_nobody_read(writer)) {
        atomic_store_explicit(&shared->yield_to, own->slot + 1, memory_order_relaxed);
        control_wake_leader(&writer->control);
        writer->next_try_ns = now;
    }
}

bool
yielding_is_unread(const struct writer *writer, const struct own_ring *own)
{
    const struct control_slot *entry = &writer->control.shared->slots[own->slot];

    return !writer->is_private && entry->nonce == own->ring.nonce &&
           atomic_load_explicit(&entry->unread, memory_order_relaxed) != 0 &&
           ring_head(&own->ring) < ring_tail(&own->ring);
}

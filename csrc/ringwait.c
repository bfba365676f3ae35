#include "ringwait.h"

#include "wait.h"

static void
wake(const struct sys *sys, _Atomic uint32_t *word, _Atomic uint32_t *waiters)
{
    atomic_fetch_add_explicit(word, 1, memory_order_seq_cst); /* space:RMW */
    if (atomic_load_explicit(waiters, memory_order_seq_cst) != 0) { /* space:A */
        sys->futex_wake(word, INT32_MAX);
    }
}

/* A producer that is woken for each batch fills its room at once and sleeps again, and
 * both sides pay for it. With half a ring free it has something to do. Until then its
 * own limit ends its wait, if the consumer gets no further. */
void
ring_publish(struct ring *ring, uint64_t head)
{
    struct ring_shared *shared = ring->shared;

    atomic_store_explicit(&shared->head, head, memory_order_release); /* publish:B */
    if (ring_tail(ring) - head <= ring->capacity / 2) {
        wake(ring->sys, &shared->space_word, &shared->space_waiters);
    }
}

void
ring_publish_durable(struct ring *ring, uint64_t position)
{
    /* durable:B */
    atomic_store_explicit(&ring->shared->durable, position, memory_order_release);
    wake(ring->sys, &ring->shared->durable_word, &ring->shared->durable_waiters);
}

/* Whether a payload of any alignment would fit; a pad may still be in the way. */
static bool
has_space(const struct ring *ring, uint64_t size)
{
    uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
    uint64_t used = (tail & ~RING_SEALED) - ring_head(ring);
    uint64_t room = ring->capacity - (tail & (ring->capacity - 1));
    uint64_t span = ring_span(size);

    return (tail & RING_SEALED) != 0 || used > ring->capacity ||
           used + span + (room < span ? room : 0) <= ring->capacity;
}

void
ring_wait_space(struct ring *ring, uint64_t size, uint64_t limit_ns)
{
    struct ring_shared *shared = ring->shared;
    uint32_t seen;

    /* wait:RMW */
    atomic_fetch_add_explicit(&shared->space_waiters, 1, memory_order_seq_cst);
    seen = atomic_load_explicit(&shared->space_word, memory_order_seq_cst); /* wait:A */
    if (!has_space(ring, size)) {
        wait_word(ring->sys, &shared->space_word, seen, limit_ns);
    }
    atomic_fetch_sub_explicit(&shared->space_waiters, 1, memory_order_relaxed);
}

bool
ring_wait_durable(struct ring *ring, uint64_t position, uint64_t limit_ns)
{
    struct ring_shared *shared = ring->shared;
    uint32_t seen;

    /* wait:RMW */
    atomic_fetch_add_explicit(&shared->durable_waiters, 1, memory_order_seq_cst);
    seen =
        atomic_load_explicit(&shared->durable_word, memory_order_seq_cst); /* wait:A */
    /* durable:A */
    if (atomic_load_explicit(&shared->durable, memory_order_acquire) < position) {
        wait_word(ring->sys, &shared->durable_word, seen, limit_ns);
    }
    atomic_fetch_sub_explicit(&shared->durable_waiters, 1, memory_order_relaxed);
    /* durable:A */
    return atomic_load_explicit(&shared->durable, memory_order_acquire) >= position;
}

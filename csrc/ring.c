/* ring.c - the record protocol.
 *
 * A record is a payload in the data and an entry in the index. Payloads stand back to
 * back, so that the consumer can hand many of them to one write; the entry of a record
 * is that of the unit its payload begins in. A record takes up at least one unit, so no
 * two begin in the same, and before one is reserved again all that began there a lap
 * ago was consumed: the reservation reaches beyond the unit, and head is at most a
 * capacity behind.
 *
 * A record changes state once: its commit word becomes `position XOR nonce`. An entry
 * left from an earlier lap holds another position, so nothing is ever zeroed; payloads
 * have no influence on entries.
 *
 * Invariants: tail - head <= capacity; [head, tail) is a sequence of reservations; no
 * reservation crosses the wrap.
 *
 * Pairs (next stands in ringreader.c, publish, space and wait in ringwait.c):
 *   commit:B / next:A      a record's bytes are visible before its commit word
 *   publish:B / reserve:A  the consumer has read the old bytes before a producer
 *                          overwrites them
 *   seal:RMW / reserve:RMW one order of all changes of tail: after the seal nobody
 *                          reserves, so the tail that seal returns is final
 *   space:RMW / wait:A     a producer that saw the old space_word either finds it
 *                          changed in the kernel or is seen in space_waiters
 *
 * A thread stalled between reserve and commit holds up the records behind it in this
 * ring, no other ring, and no other producer until the ring is full.
 */
#include "ring.h"

#include "testpoint.h"

#include <errno.h>
#include <string.h>

enum {
    LOOKS_MAX = 1000,
    /* at a tail that never stands still */ PREFETCH_MAX = 2048,
    POPULATE_FIRST = 1024 * 1024
};

/* Prefetching for a write is an instruction of its own, a no-op where it is unknown. */
#if defined(__x86_64__)
#define PREFETCH_TARGET __attribute__((target("prfchw")))
#else
#define PREFETCH_TARGET
#endif

static void
commit_record(struct ring *ring, uint64_t position, uint32_t size, uint16_t type)
{
    struct ring_entry *entry = ring_entry_at(ring, position);

    entry->size = size;
    entry->type = type;
    entry->crc = ring_record_crc(position, size, type, ring_payload_at(ring, position));
    TEST_POINT(emit_before_commit);
    atomic_store_explicit(&entry->commit, position ^ ring->nonce,
                          memory_order_release); /* commit:B */
    TEST_POINT(emit_after_commit);
}

/* Full, or damaged, or only an old tail: head may have passed the tail that was read
 * first, and then tail - head is no size at all. 1: look again. */
static int
judge_full(const struct ring *ring, uint64_t tail, uint64_t head)
{
    if (atomic_load_explicit(&ring->shared->tail, memory_order_relaxed) != tail) {
        return 1;
    }
    return tail - head > ring->capacity ? -EUCLEAN : -EAGAIN;
}

int
ring_reserve(struct ring *ring, uint64_t size, struct ring_reservation *out)
{
    struct ring_shared *shared = ring->shared;
    const uint64_t capacity = ring->capacity, span = ring_span(size);
    uint64_t tail, head, room, pad;
    int verdict, looks = 0;

    if (size > ring_record_limit(capacity)) {
        return -EMSGSIZE;
    }
    tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
    for (;;) {
        if (tail & RING_SEALED) {
            return -ESTALE;
        }
        head =
            atomic_load_explicit(&shared->head, memory_order_acquire); /* reserve:A */
        room = capacity - (tail & (capacity - 1));
        pad = room < span ? room : 0;
        if (tail - head > capacity || tail - head + pad + span > capacity) {
            verdict = judge_full(ring, tail, head);
            if (verdict < 0 || ++looks == LOOKS_MAX) {
                return verdict < 0 ? verdict : -EUCLEAN;
            }
            tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
            continue;
        }
        if (atomic_compare_exchange_weak_explicit(
                &shared->tail, &tail, tail + pad + span, memory_order_relaxed,
                memory_order_relaxed)) { /* reserve:RMW */
            break;
        }
    }
    TEST_POINT(emit_reserved);
    if (pad > 0) {
        commit_record(ring, tail, 0, RING_PAD);
    }
    out->position = tail + pad;
    out->end = tail + pad + span;
    out->crossed_half = tail - head < capacity / 2 && out->end - head >= capacity / 2;
    return 0;
}

uint8_t *
ring_payload(const struct ring *ring, const struct ring_reservation *at)
{
    return ring_payload_at(ring, at->position);
}

void
ring_commit(struct ring *ring, const struct ring_reservation *at, uint32_t size,
            enum ring_type type)
{
    commit_record(ring, at->position, size, (uint16_t)type);
}

/* The consumer read the next bytes a lap ago, so its core has their cache lines: asked
 * for now, they are here when a record like this one is written next. */
PREFETCH_TARGET static void
prefetch_next(const struct ring *ring, uint64_t position, uint64_t size)
{
    uint64_t ahead = size < PREFETCH_MAX ? size + RING_CACHE_LINE : PREFETCH_MAX;

    __builtin_prefetch(ring_entry_at(ring, position), 1, 3);
    for (uint64_t at = 0; at < ahead; at += RING_CACHE_LINE) {
        __builtin_prefetch(ring_payload_at(ring, position + at), 1, 3);
    }
}

int
ring_write(struct ring *ring, enum ring_type type, const void *data, size_t size,
           bool terminate, struct ring_reservation *out)
{
    uint8_t *payload;
    int error = ring_reserve(ring, size + terminate, out);

    if (error < 0) {
        return error;
    }
    payload = ring_payload(ring, out);
    memcpy(payload, data, size);
    if (terminate) {
        payload[size++] = '\n';
    }
    TEST_POINT(emit_copied);
    ring_commit(ring, out, (uint32_t)size, type);
    prefetch_next(ring, out->end, size);
    return 0;
}

bool
ring_has_lost(const struct ring *ring, const struct ring_reservation *at)
{
    return ring_is_cut(ring) &&
           (mapping_has_lost(ring->mapping, ring->shared, RING_HEADER_SIZE) ||
            mapping_has_lost(ring->mapping, ring_entry_at(ring, at->position),
                             sizeof(struct ring_entry)) ||
            mapping_has_lost(ring->mapping, ring_payload_at(ring, at->position),
                             at->end - at->position));
}

void
ring_populate(struct ring *ring)
{
    uint64_t begin = ring->populated, end = ring->capacity;

    if (begin == end) {
        return;
    }
    if (begin == 0) {
        end = POPULATE_FIRST < end ? POPULATE_FIRST : end;
    } else if (ring_tail(ring) - ring->shared->first_position <= begin / 2) {
        return;
    }
    /* A kernel that can't (before 5.14) gives each page when it is written to. */
    (void)ring->sys->populate((uint8_t *)ring->index + ring_index_size(begin),
                              ring_index_size(end) - ring_index_size(begin));
    (void)ring->sys->populate(ring->data + begin, end - begin);
    ring->populated = end;
}

uint64_t
ring_seal(struct ring *ring)
{
    return atomic_fetch_or_explicit(&ring->shared->tail, RING_SEALED,
                                    memory_order_acq_rel) & /* seal:RMW */
           ~RING_SEALED;
}

bool
ring_is_sealed(const struct ring *ring)
{
    return (atomic_load_explicit(&ring->shared->tail, memory_order_relaxed) &
            RING_SEALED) != 0;
}

uint64_t
ring_tail(const struct ring *ring)
{
    /* tail:A */
    return atomic_load_explicit(&ring->shared->tail, memory_order_acquire) &
           ~RING_SEALED;
}

uint64_t
ring_head(const struct ring *ring)
{
    /* publish:A */
    return atomic_load_explicit(&ring->shared->head, memory_order_acquire);
}

bool
ring_is_consistent(const struct ring *ring, uint64_t head, uint64_t tail)
{
    return tail - head <= ring->capacity;
}

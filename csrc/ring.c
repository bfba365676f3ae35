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
 * Pairs:
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

#include "crc32c.h"
#include "testpoint.h"
#include "wait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CACHE_LINE = 64,
    PREFETCH_MAX = 2048,
    /* How far the consumer's prefetching is ahead of its reading: about what it reads
     * while a line comes from another core. */
    READ_AHEAD = 4096,
    POPULATE_FIRST = 1024 * 1024
};

/* Prefetching for a write is an instruction of its own, a no-op where it is unknown. */
#if defined(__x86_64__)
#define PREFETCH_TARGET __attribute__((target("prfchw")))
#else
#define PREFETCH_TARGET
#endif

static const uint64_t ring_magic = 0x31676e6972647561; /* "audring1" */
static const uint64_t sealed_bit = (uint64_t)1 << 63;

struct ring_entry {
    _Atomic uint64_t commit;
    uint32_t size;
    uint16_t type;
    uint16_t unused_0;
    uint32_t crc;
    uint32_t unused_1[3];
};
_Static_assert(sizeof(struct ring_entry) == RING_UNIT / 2,
               "the index is half the data");

uint64_t
ring_capacity_for(uint64_t bytes)
{
    uint64_t capacity = RING_CAPACITY_MIN;

    while (capacity < bytes && capacity < RING_CAPACITY_MAX) {
        capacity *= 2;
    }
    return capacity;
}

uint64_t
ring_record_limit(uint64_t capacity)
{
    return capacity / 2 - 64;
}

uint64_t
ring_span(uint64_t size)
{
    return size < RING_UNIT ? RING_UNIT : size;
}

static uint64_t
index_size(uint64_t capacity)
{
    return capacity / RING_UNIT * sizeof(struct ring_entry);
}

uint64_t
ring_file_size(uint64_t capacity)
{
    return RING_HEADER_SIZE + index_size(capacity) + capacity;
}

void
ring_name(uint32_t slot, uint64_t nonce, char out[RING_NAME_SIZE])
{
    snprintf(out, RING_NAME_SIZE, "ring.%" PRIu32 ".%016" PRIx64, slot, nonce);
}

/* Capacity and nonce are the checked ones: the file may change under us. */
static void
adopt(struct ring *ring, const struct sys *sys, void *address, uint64_t capacity,
      uint64_t nonce)
{
    ring->sys = sys;
    ring->shared = address;
    ring->index = (void *)((uint8_t *)address + RING_HEADER_SIZE);
    ring->data = (uint8_t *)ring->index + index_size(capacity);
    ring->capacity = capacity;
    ring->nonce = nonce;
    ring->populated = 0;
    /* A child must not write to its parent's ring; failing here harms nobody. */
    (void)sys->keep_from_children(address, ring_file_size(capacity));
}

static void
fill_header(struct ring_shared *shared, const struct ring_options *options)
{
    shared->magic = ring_magic;
    shared->version = RING_VERSION;
    shared->slot = options->slot;
    shared->capacity = options->capacity;
    shared->nonce = options->nonce;
    shared->first_position = options->first_position;
    memcpy(shared->boot_id, options->boot_id, sizeof(shared->boot_id));
    atomic_store_explicit(&shared->tail, options->first_position, memory_order_relaxed);
    atomic_store_explicit(&shared->head, options->first_position, memory_order_relaxed);
    atomic_store_explicit(&shared->durable, options->first_position,
                          memory_order_relaxed);
}

static int
map_new_file(struct ring *ring, const struct sys *sys, int fd,
             const struct ring_options *options, mode_t mode, gid_t gid)
{
    size_t size = ring_file_size(options->capacity);
    void *address;
    int error = sys->fchmod(fd, mode);

    if (error == 0 && gid != (gid_t)-1) {
        error = sys->fchown(fd, (uid_t)-1, gid);
    }
    if (error == 0) {
        error = sys->fallocate(fd, size);
    }
    if (error == 0) {
        error = sys->mmap_shared(fd, size, &address);
    }
    if (error == 0) {
        fill_header(address, options);
        adopt(ring, sys, address, options->capacity, options->nonce);
    }
    return error;
}

int
ring_create(struct ring *ring, const struct sys *sys, int dir,
            const struct ring_options *options, mode_t mode, gid_t gid)
{
    char name[RING_NAME_SIZE];
    int fd, error;

    ring_name(options->slot, options->nonce, name);
    fd = sys->openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     mode);
    if (fd < 0) {
        return fd;
    }
    error = map_new_file(ring, sys, fd, options, mode, gid);
    sys->close(fd);
    if (error < 0) {
        sys->unlinkat(dir, name);
    }
    return error;
}

int
ring_create_private(struct ring *ring, const struct sys *sys,
                    const struct ring_options *options)
{
    void *address;
    int error = sys->mmap_shared(-1, ring_file_size(options->capacity), &address);

    if (error == 0) {
        fill_header(address, options);
        adopt(ring, sys, address, options->capacity, options->nonce);
    }
    return error;
}

/* Everything in the file is input: another program may have written it. */
static bool
is_plausible(const struct ring_shared *shared, uint64_t file_size, uint32_t slot,
             uint64_t nonce)
{
    uint64_t capacity = shared->capacity;

    return shared->magic == ring_magic && shared->version == RING_VERSION &&
           shared->slot == slot && shared->nonce == nonce &&
           capacity >= RING_CAPACITY_MIN && capacity <= RING_CAPACITY_MAX &&
           (capacity & (capacity - 1)) == 0 && file_size == ring_file_size(capacity);
}

static int
map_old_file(struct ring *ring, const struct sys *sys, int fd, uint32_t slot,
             uint64_t nonce)
{
    struct stat status;
    uint64_t capacity;
    void *address;
    int error = sys->fstat(fd, &status);

    if (error < 0) {
        return error;
    }
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 ||
        status.st_size < RING_HEADER_SIZE) {
        return -EUCLEAN;
    }
    error = sys->mmap_shared(fd, (size_t)status.st_size, &address);
    if (error < 0) {
        return error;
    }
    if (!is_plausible(address, (uint64_t)status.st_size, slot, nonce)) {
        sys->munmap(address, (size_t)status.st_size);
        return -EUCLEAN;
    }
    capacity = ((uint64_t)status.st_size - RING_HEADER_SIZE) / 3 * 2;
    adopt(ring, sys, address, capacity, nonce);
    return 0;
}

int
ring_open(struct ring *ring, const struct sys *sys, int dir, uint32_t slot,
          uint64_t nonce)
{
    char name[RING_NAME_SIZE];
    int fd, error;

    ring_name(slot, nonce, name);
    fd = sys->openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        return fd;
    }
    error = map_old_file(ring, sys, fd, slot, nonce);
    sys->close(fd);
    return error;
}

void
ring_close(struct ring *ring)
{
    if (ring->shared != NULL) {
        ring->sys->munmap(ring->shared, ring_file_size(ring->capacity));
        ring->shared = NULL;
    }
}

static struct ring_entry *
entry_at(const struct ring *ring, uint64_t position)
{
    return &ring->index[(position & (ring->capacity - 1)) / RING_UNIT];
}

static uint8_t *
payload_at(const struct ring *ring, uint64_t position)
{
    return ring->data + (position & (ring->capacity - 1));
}

/* Place, size and type go into what the payload's CRC is continued from: a 64-bit hash
 * of them costs less than their CRC. */
static uint32_t
record_crc(uint64_t position, uint32_t size, uint16_t type, const uint8_t *payload)
{
    uint64_t place = position ^ (uint64_t)size << 32 ^ (uint64_t)type << 61;

    return crc32c((uint32_t)(place * 0x9e3779b97f4a7c15 >> 32), payload, size);
}

static void
commit_record(struct ring *ring, uint64_t position, uint32_t size, uint16_t type)
{
    struct ring_entry *entry = entry_at(ring, position);

    entry->size = size;
    entry->type = type;
    entry->crc = record_crc(position, size, type, payload_at(ring, position));
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
    int verdict;

    if (size > ring_record_limit(capacity)) {
        return -EMSGSIZE;
    }
    tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
    for (;;) {
        if (tail & sealed_bit) {
            return -ESTALE;
        }
        head =
            atomic_load_explicit(&shared->head, memory_order_acquire); /* reserve:A */
        room = capacity - (tail & (capacity - 1));
        pad = room < span ? room : 0;
        if (tail - head > capacity || tail - head + pad + span > capacity) {
            verdict = judge_full(ring, tail, head);
            if (verdict < 0) {
                return verdict;
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
    return payload_at(ring, at->position);
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
    uint64_t ahead = size < PREFETCH_MAX ? size + CACHE_LINE : PREFETCH_MAX;

    __builtin_prefetch(entry_at(ring, position), 1, 3);
    for (uint64_t at = 0; at < ahead; at += CACHE_LINE) {
        __builtin_prefetch(payload_at(ring, position + at), 1, 3);
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
    (void)ring->sys->populate((uint8_t *)ring->index + index_size(begin),
                              index_size(end) - index_size(begin));
    (void)ring->sys->populate(ring->data + begin, end - begin);
    ring->populated = end;
}

uint64_t
ring_seal(struct ring *ring)
{
    return atomic_fetch_or_explicit(&ring->shared->tail, sealed_bit,
                                    memory_order_acq_rel) & /* seal:RMW */
           ~sealed_bit;
}

bool
ring_is_sealed(const struct ring *ring)
{
    return (atomic_load_explicit(&ring->shared->tail, memory_order_relaxed) &
            sealed_bit) != 0;
}

uint64_t
ring_tail(const struct ring *ring)
{
    return atomic_load_explicit(&ring->shared->tail, memory_order_acquire) &
           ~sealed_bit;
}

uint64_t
ring_head(const struct ring *ring)
{
    return atomic_load_explicit(&ring->shared->head, memory_order_acquire);
}

/* What was written on another core is asked for before it is read. Never beyond what
 * was reserved as the reading began: producers need those lines for themselves. */
static void
read_ahead(const struct ring *ring, uint64_t position, uint64_t size, uint64_t end)
{
    uint64_t from = position + READ_AHEAD;

    if (size > READ_AHEAD || from + size > end) {
        return;
    }
    __builtin_prefetch(entry_at(ring, from), 0, 2);
    for (uint64_t at = 0; at < size; at += CACHE_LINE) {
        __builtin_prefetch(payload_at(ring, from + at), 0, 2);
    }
}

enum verdict { IS_RECORD, IS_HOLE, IS_DAMAGED };

/* Checks the record at `position` against everything that must hold before `end`. */
static enum verdict
examine(const struct ring *ring, uint64_t position, uint64_t end,
        struct ring_record *record)
{
    struct ring_entry *entry = entry_at(ring, position);
    uint64_t room = ring->capacity - (position & (ring->capacity - 1));
    uint64_t span;

    if (atomic_load_explicit(&entry->commit, memory_order_acquire) !=
        (position ^ ring->nonce)) { /* next:A */
        return IS_HOLE;
    }
    record->data = payload_at(ring, position);
    record->size = entry->size;
    record->type = entry->type;
    record->crc = entry->crc;
    read_ahead(ring, position, record->size, end);
    record->position = position;
    span = record->type == RING_PAD ? room : ring_span(record->size);
    if (record->size > ring_record_limit(ring->capacity) || span > room ||
        span > end - position || record->type > RING_GAP ||
        (record->type == RING_PAD && record->size != 0) ||
        record->crc != record_crc(position, record->size, record->type, record->data)) {
        return IS_DAMAGED;
    }
    record->next = position + span;
    return IS_RECORD;
}

bool
ring_begins_at(const struct ring *ring, uint64_t offset, uint64_t *position)
{
    *position = atomic_load_explicit(&entry_at(ring, offset)->commit,
                                     memory_order_acquire) ^ /* next:A */
                ring->nonce;
    return ((*position ^ offset) & (ring->capacity - 1)) / RING_UNIT == 0;
}

/* The next position after a hole whose record is whole, or end. */
static uint64_t
scan(const struct ring *ring, uint64_t from, uint64_t end)
{
    struct ring_record found;
    uint64_t position;

    for (uint64_t at = from & ~(uint64_t)(RING_UNIT - 1); at < end; at += RING_UNIT) {
        if (ring_begins_at(ring, at, &position) && position > from && position < end &&
            examine(ring, position, end, &found) == IS_RECORD) {
            return position;
        }
    }
    return end;
}

/* Where the record after a damaged one stands, if its size can be believed. In a ring
 * with an owner nothing is searched for: what is not committed yet must not be passed
 * over. */
static uint64_t
step_over(const struct ring *ring, uint64_t position, uint64_t end)
{
    uint64_t span = ring_span(entry_at(ring, position)->size);
    uint64_t room = ring->capacity - (position & (ring->capacity - 1));

    return span <= room && span <= end - position ? position + span
                                                  : scan(ring, position, end);
}

bool
ring_is_consistent(const struct ring *ring, uint64_t head, uint64_t tail)
{
    return tail - head <= ring->capacity;
}

int
ring_next(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
          struct ring_record *record)
{
    uint64_t position = from;

    record->skipped = 0;
    record->damaged = 0;
    while (position < end) {
        switch (examine(ring, position, end, record)) {
        case IS_RECORD:
            if (record->type != RING_PAD) {
                return 1;
            }
            position = record->next;
            break;
        case IS_HOLE:
            if (!owner_gone) {
                record->next = position;
                return 0;
            }
            record->skipped++;
            position = scan(ring, position, end);
            break;
        case IS_DAMAGED:
            record->damaged++;
            position =
                owner_gone ? scan(ring, position, end) : step_over(ring, position, end);
            break;
        }
    }
    record->next = position;
    return 0;
}

static void
wake(const struct sys *sys, _Atomic uint32_t *word, _Atomic uint32_t *waiters)
{
    atomic_fetch_add_explicit(word, 1, memory_order_seq_cst); /* space:RMW */
    if (atomic_load_explicit(waiters, memory_order_seq_cst) != 0) {
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
    atomic_store_explicit(&ring->shared->durable, position, memory_order_release);
    wake(ring->sys, &ring->shared->durable_word, &ring->shared->durable_waiters);
}

/* Whether a payload of any alignment would fit; a pad may still be in the way. */
static bool
has_space(const struct ring *ring, uint64_t size)
{
    uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
    uint64_t used = (tail & ~sealed_bit) - ring_head(ring);
    uint64_t room = ring->capacity - (tail & (ring->capacity - 1));
    uint64_t span = ring_span(size);

    return (tail & sealed_bit) != 0 || used > ring->capacity ||
           used + span + (room < span ? room : 0) <= ring->capacity;
}

void
ring_wait_space(struct ring *ring, uint64_t size, uint64_t limit_ns)
{
    struct ring_shared *shared = ring->shared;
    uint32_t seen;

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

    atomic_fetch_add_explicit(&shared->durable_waiters, 1, memory_order_seq_cst);
    seen =
        atomic_load_explicit(&shared->durable_word, memory_order_seq_cst); /* wait:A */
    if (atomic_load_explicit(&shared->durable, memory_order_acquire) < position) {
        wait_word(ring->sys, &shared->durable_word, seen, limit_ns);
    }
    atomic_fetch_sub_explicit(&shared->durable_waiters, 1, memory_order_relaxed);
    return atomic_load_explicit(&shared->durable, memory_order_acquire) >= position;
}

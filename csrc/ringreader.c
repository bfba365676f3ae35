#include "ringreader.h"

#include <string.h>

/* How far prefetching is ahead of reading: about what is read while a line comes from
 * another core. */
enum { READ_AHEAD = 4096 };

/* What was written on another core is asked for before it is read. Never beyond what
 * was reserved as the reading began: producers need those lines for themselves. */
static void
read_ahead(const struct ring *ring, uint64_t position, uint64_t size, uint64_t end)
{
    uint64_t from = position + READ_AHEAD;

    if (size > READ_AHEAD || from + size > end) {
        return;
    }
    __builtin_prefetch(ring_entry_at(ring, from), 0, 2);
    for (uint64_t at = 0; at < size; at += RING_CACHE_LINE) {
        __builtin_prefetch(ring_payload_at(ring, from + at), 0, 2);
    }
}

/* Where a record's bytes go; NULL: they stay. */
struct copy_target {
    uint8_t *to;
    uint64_t room;
};

/* The CRC of the payload, if it goes somewhere that of the copy. */
static inline uint32_t
take_payload(struct ring_record *record, const struct copy_target *copy)
{
    uint32_t place = ring_place_crc(record->position, record->size, record->type);
    const uint8_t *payload = record->data;

    if (copy == NULL) {
        return crc32c(place, payload, record->size);
    }
    record->data = copy->to;
    record->is_copied = true;
    return crc32c_copy(place, copy->to, payload, record->size);
}

enum verdict { IS_RECORD, IS_HOLE, IS_DAMAGED };

/* Checks the record at `position` against everything that must hold before `end`. */
static enum verdict
examine(const struct ring *ring, uint64_t position, uint64_t end,
        const struct copy_target *copy, struct ring_record *record)
{
    /* Each field is read once. */
    volatile struct ring_entry *entry = ring_entry_at(ring, position);
    uint64_t room = ring->capacity - (position & (ring->capacity - 1));
    uint64_t span;

    if (atomic_load_explicit(&entry->commit, memory_order_acquire) != /* next:A */
        (position ^ ring->nonce)) {
        return IS_HOLE;
    }
    record->data = ring_payload_at(ring, position);
    record->size = entry->size;
    record->type = entry->type;
    record->crc = entry->crc;
    read_ahead(ring, position, record->size, end);
    record->position = position;
    record->is_copied = false;
    span = record->type == RING_PAD ? room : ring_span(record->size);
    if (record->size > ring_record_limit(ring->capacity) || span > room ||
        span > end - position || record->type > RING_GAP ||
        (record->type == RING_PAD && record->size != 0)) {
        return IS_DAMAGED;
    }
    record->next = position + span;
    if (copy != NULL && record->size > copy->room) {
        return IS_RECORD;
    }
    return record->crc == take_payload(record, copy) ? IS_RECORD : IS_DAMAGED;
}

bool
ring_begins_at(const struct ring *ring, uint64_t offset, uint64_t *position)
{
    *position = atomic_load_explicit(&ring_entry_at(ring, offset)->commit,
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
            examine(ring, position, end, NULL, &found) == IS_RECORD) {
            return position;
        }
    }
    return end;
}

/* Where the record after a damaged one of that size stands, if it can be believed. In a
 * ring with an owner nothing is searched for: what is not committed yet must not be
 * passed over. */
static uint64_t
step_over(const struct ring *ring, uint64_t position, uint64_t end, uint32_t size)
{
    uint64_t span = ring_span(size);
    uint64_t room = ring->capacity - (position & (ring->capacity - 1));

    return span <= room && span <= end - position ? position + span
                                                  : scan(ring, position, end);
}

static int
find_next(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
          const struct copy_target *copy, struct ring_record *record)
{
    uint64_t position = from;

    record->skipped = 0;
    record->damaged = 0;
    while (position < end) {
        switch (examine(ring, position, end, copy, record)) {
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
            position = owner_gone ? scan(ring, position, end)
                                  : step_over(ring, position, end, record->size);
            break;
        }
    }
    record->next = position;
    return 0;
}

int
ring_next(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
          struct ring_record *record)
{
    return find_next(ring, from, end, owner_gone, NULL, record);
}

int
ring_next_into(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
               uint8_t *to, uint64_t room, struct ring_record *record)
{
    struct copy_target copy = {.to = to, .room = room};

    return find_next(ring, from, end, owner_gone, &copy, record);
}

void
ring_wipe(const struct ring *ring, uint64_t from, uint64_t to)
{
    uint64_t size = to - from < ring->capacity ? to - from : ring->capacity;
    uint64_t at = from & (ring->capacity - 1), room = ring->capacity - at;
    uint64_t first = size < room ? size : room;

    memset(ring->data + at, 0, first);
    memset(ring->data, 0, size - first);
}

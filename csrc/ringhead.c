#include "ringhead.h"

#include "mutant.h"
#include "ring.h"
#include "ringreader.h"
#include "ringwait.h"

static void
keep(struct ring *ring, uint64_t head)
{
    ring->drained = head;
    ring->knows_drained = true;
}

/* Where the record ends that begins last before `position`; 0: there is none, or it is
 * not whole. What was drained in the last lap still stands there. */
static uint64_t
end_of_record_before(const struct ring *ring, uint64_t position, uint64_t end)
{
    uint64_t unit = position & ~(uint64_t)(RING_UNIT - 1);
    uint64_t looks = ring_record_limit(ring->capacity) / RING_UNIT;
    uint64_t first = ring->shared->first_position;
    struct ring_record record;
    uint64_t begin;

    for (; looks > 0 && unit >= first; looks--, unit -= RING_UNIT) {
        if (ring_begins_at(ring, unit, &begin) && begin < position &&
            position - begin < ring->capacity) {
            bool is_whole = ring_next(ring, begin, end, false, &record) != 0 &&
                            record.position == begin;
            return is_whole ? record.next : 0;
        }
        if (unit < RING_UNIT) {
            break;
        }
    }
    return 0;
}

/* The head in the file, for the first time. */
static enum ringhead
take(struct ring *ring, uint64_t end)
{
    uint64_t head = ring_head(ring), behind;

    if (!ring_is_consistent(ring, head, end)) {
        return RINGHEAD_BAD;
    }
    behind = end_of_record_before(ring, head, end);
    if (behind > head) {
        ringhead_publish(ring, behind);
        keep(ring, behind);
        return RINGHEAD_MOVED;
    }
    keep(ring, head);
    return RINGHEAD_GOOD;
}

enum ringhead
ringhead_find(struct ring *ring, uint64_t end)
{
    if (!ring->knows_drained || MUTANT_LACKS(private_head)) {
        return take(ring, end);
    }
    if (!ring_is_consistent(ring, ring->drained, end)) {
        return RINGHEAD_BAD;
    }
    return ring_head(ring) == ring->drained ? RINGHEAD_GOOD : RINGHEAD_WRITTEN_OVER;
}

void
ringhead_put_back(struct ring *ring)
{
    ring_publish(ring, ring->drained);
}

uint64_t
ringhead_at(const struct ring *ring)
{
    return ring->knows_drained ? ring->drained : ring_head(ring);
}

void
ringhead_publish(struct ring *ring, uint64_t head)
{
    if (ring_head(ring) != head) {
        ring_publish(ring, head);
    }
    if (ring->knows_drained) {
        ring->drained = head;
    }
}

void
ringhead_forget(struct ring *ring)
{
    ring->knows_drained = false;
}

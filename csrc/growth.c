#include "growth.h"

#include "mutant.h"
#include "ownring.h"

#include <errno.h>

static const uint64_t first_bytes = 256U * 1024;

uint64_t
growth_first(const struct writer *writer)
{
    uint64_t wanted = writer->options.ring_bytes;
    uint64_t first = writer->options.first_ring_bytes;

    first = ring_capacity_for(first > 0 ? first : first_bytes);
    /* Standard output has no file to save, and one ring. */
    return writer->is_private || wanted < first ? wanted : first;
}

bool
growth_helps(const struct writer *writer, const struct own_ring *own, uint64_t size)
{
    return !MUTANT_LACKS(growth) && own->ring.capacity < writer->options.ring_bytes &&
           size <= ring_record_limit(writer->options.ring_bytes);
}

static int
grow_to(struct writer *writer, struct own_ring *seen, uint64_t capacity)
{
    int error = ownring_succeed(writer, seen, capacity);

    if (error == 0) {
        /* Behind the change of the current ring: what is reserved here until now was
         * reserved before anything in the new one. */
        ring_seal(&seen->ring);
    }
    return error;
}

int
growth_grow(struct writer *writer, struct own_ring *seen)
{
    return grow_to(writer, seen, writer->options.ring_bytes);
}

int
growth_make_room(struct writer *writer, uint64_t size)
{
    struct own_ring *own = ownring_current(writer);
    uint64_t capacity;

    if (writer->is_private || size > ring_record_limit(RING_CAPACITY_MAX)) {
        return -EMSGSIZE;
    }
    if (own == NULL || size <= ring_record_limit(own->ring.capacity)) {
        return 0;
    }
    capacity = ring_capacity_for(2 * (size + 64));
    return grow_to(writer, own,
                   capacity > writer->options.ring_bytes ? capacity
                                                         : writer->options.ring_bytes);
}

int
growth_run(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if ((atomic_load_explicit(&writer->due, memory_order_relaxed) & DUE_GROWTH) == 0) {
        return 0;
    }
    atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_GROWTH,
                              memory_order_relaxed);
    return own != NULL && growth_helps(writer, own, 0) ? growth_grow(writer, own) : 0;
}

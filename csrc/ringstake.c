#include "ringstake.h"

#include <string.h>

static uint32_t
crc_of(const struct ring_stake *stake)
{
    return crc32c(0, stake, offsetof(struct ring_stake, crc));
}

/* The CRC comes last: who is killed before leaves nothing that is whole. */
static void
say(struct ring *ring, struct ring_stake *stake)
{
    struct ring_stake *said = &ring->shared->stake;

    atomic_store_explicit(&said->crc, 0, memory_order_release); /* stake:B */
    memcpy(said, stake, offsetof(struct ring_stake, crc));
    /* stake:B */
    atomic_store_explicit(&said->crc, crc_of(stake), memory_order_release);
}

void
ringstake_say(const struct control *control, const struct control_intent *intent,
              struct ring *const *rings, const struct ring_owner *leader,
              uint32_t leader_slot, bool must_sync)
{
    struct ring_stake stake = {.identity = control->shared->identity,
                               .sequence = intent->sequence,
                               .device = intent->device,
                               .inode = intent->inode,
                               .start = intent->start,
                               .length = intent->length,
                               .digest = intent->digest,
                               .range_count = intent->range_count,
                               .gaps_aside = intent->gaps_aside,
                               .must_sync = must_sync,
                               .leader = *leader,
                               .leader_slot = leader_slot};

    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];

        stake.index = i;
        stake.owner_gone = range->owner_gone;
        stake.from = range->from;
        stake.to = range->to;
        stake.dropped_count_reported = range->dropped_count_reported;
        stake.dropped_bytes_reported = range->dropped_bytes_reported;
        say(rings[i], &stake);
    }
}

bool
ringstake_is_good(const struct ring_stake *stake)
{
    return atomic_load_explicit(&stake->crc, memory_order_relaxed) == crc_of(stake) &&
           stake->range_count > 0 && stake->range_count <= CONTROL_SLOTS &&
           stake->index < stake->range_count && stake->from <= stake->to &&
           stake->to <= INT64_MAX && stake->start <= INT64_MAX &&
           stake->length <= INT64_MAX - stake->start;
}

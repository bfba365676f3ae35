#include "intentblock.h"

#include "crc32c.h"
#include "testpoint.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const size_t head_size = offsetof(struct control_intent, ranges);

static uint32_t
digest(const struct control_intent *intent)
{
    size_t first = offsetof(struct control_intent, sequence);
    size_t last = head_size + intent->range_count * sizeof(struct control_range);

    return crc32c(0, (const uint8_t *)intent + first, last - first);
}

/* One ring in two ranges would be taken twice, and mapped in place of itself. */
static bool
has_twice(const struct control_intent *intent)
{
    bool is_named[CONTROL_SLOTS] = {false};

    for (uint32_t i = 0; i < intent->range_count; i++) {
        uint32_t slot = intent->ranges[i].slot;

        if (is_named[slot]) {
            return true;
        }
        is_named[slot] = true;
    }
    return false;
}

/* A private copy: nobody changes it between its check and its use. */
static bool
is_plausible(const struct control_intent *intent)
{
    if (intent->start > INT64_MAX || intent->length > INT64_MAX - intent->start) {
        return false;
    }
    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];

        if (range->slot >= CONTROL_SLOTS || range->from > range->to ||
            range->to > INT64_MAX) {
            return false;
        }
    }
    return !has_twice(intent);
}

static int
copy_in(const struct control_intent *said, uint32_t block, struct control_intent *out)
{
    if (atomic_load_explicit(&said->valid, memory_order_acquire) == 0) { /* intent:A */
        return -ENOENT;
    }
    memcpy(out, said, head_size);
    if (out->range_count > CONTROL_SLOTS) {
        return -EUCLEAN;
    }
    memcpy(out->ranges, said->ranges, out->range_count * sizeof(out->ranges[0]));
    if (out->crc != digest(out) || !is_plausible(out)) {
        return -EUCLEAN;
    }
    out->block = block;
    return 0;
}

static void
clear(struct control *control, uint32_t block)
{
    atomic_store_explicit(&control->shared->intents[block].valid, 0,
                          memory_order_release); /* intent:B */
}

/* The later one took the other's place (batch_settle). Only where to look first: what
 * that finds is checked. */
static uint32_t
guess_later(const struct control_intent *said)
{
    return said[1].sequence > said[0].sequence ? 1 : 0;
}

/* A damaged one beside a good one is nobody's: both are said only while the one holds
 * what the other does. */
int
intentblock_find(struct control *control, struct control_intent *out)
{
    const struct control_intent *said = control->shared->intents;
    uint32_t later = guess_later(said), earlier = 1 - later;
    int error = copy_in(&said[later], later, out), other_error;

    if (error == 0) {
        clear(control, earlier);
        return 0;
    }
    other_error = copy_in(&said[earlier], earlier, out);
    if (other_error == 0) {
        clear(control, later);
        return 0;
    }
    return error == -EUCLEAN ? error : other_error;
}

void
intentblock_say(struct control *control, struct control_intent *intent)
{
    struct control_intent *said = &control->shared->intents[intent->block];
    size_t ranges_size = intent->range_count * sizeof(intent->ranges[0]);

    intent->crc = digest(intent);
    memcpy(&said->crc, &intent->crc,
           head_size - offsetof(struct control_intent, crc) + ranges_size);
    TEST_POINT(batch_intent_filled);
    atomic_store_explicit(&said->valid, 1, memory_order_release); /* intent:B */
    TEST_POINT(batch_intent_valid);
}

void
intentblock_clear(struct control *control, const struct control_intent *intent)
{
    clear(control, intent->block);
}

void
intentblock_clear_all(struct control *control)
{
    clear(control, 0);
    clear(control, 1);
}

#include "ringmap.h"

#include <errno.h>
#include <stdlib.h>

int
ringmap_get(struct ringmap *map, uint32_t slot, uint64_t nonce, struct ring **out)
{
    struct ring *ring;
    int error;

    if (slot >= CONTROL_SLOTS) {
        return -EUCLEAN;
    }
    ring = map->rings[slot];
    if (ring != NULL && ring->nonce == nonce) {
        *out = ring;
        return 0;
    }
    ringmap_drop(map, slot);
    ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        return -ENOMEM;
    }
    error = ring_open(ring, map->sys, map->dir, slot, nonce);
    if (error < 0) {
        free(ring);
        return error;
    }
    map->rings[slot] = ring;
    *out = ring;
    return 0;
}

bool
ringmap_has(const struct ringmap *map, uint32_t slot, uint64_t nonce)
{
    return map->rings[slot] != NULL && map->rings[slot]->nonce == nonce;
}

void
ringmap_drop(struct ringmap *map, uint32_t slot)
{
    struct ring *ring = map->rings[slot];

    map->rings[slot] = NULL;
    if (ring != NULL) {
        ring_close(ring);
        free(ring);
    }
}

void
ringmap_drop_all(struct ringmap *map)
{
    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        ringmap_drop(map, slot);
    }
}

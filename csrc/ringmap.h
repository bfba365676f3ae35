/* ringmap.h - the rings of a log, by slot, as its leader has them mapped.
 *
 * Ownership:  rings opened here are closed here.
 * Threads:    the leader's.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_RINGMAP_H
#define AUDITRING_RINGMAP_H

#include "control.h"
#include "ringfile.h"

struct ringmap {
    const struct sys *sys;
    int dir;
    struct ring *rings[CONTROL_SLOTS];
};

/* The ring of that slot and nonce, mapped on first use. */
int ringmap_get(struct ringmap *map, uint32_t slot, uint64_t nonce, struct ring **out);

/* Whether it is mapped already. */
bool ringmap_has(const struct ringmap *map, uint32_t slot, uint64_t nonce);

void ringmap_drop(struct ringmap *map, uint32_t slot);
void ringmap_drop_all(struct ringmap *map);

#endif

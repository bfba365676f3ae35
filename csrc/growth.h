/* growth.h - a process's ring is small until it has to be large.
 *
 * A log that is seldom written to should take little of the disk, and a record that is
 * larger than any other should still be kept like one. So a process begins in a small
 * ring and goes on in a larger one when the small one fills faster than it is drained,
 * or can't hold a record. The larger ring names the one before as its predecessor: the
 * leader drains that one first, so the order of the process's records stays.
 *
 * Threads:  any; attaching takes the writer's mutex.
 * Errors:   0 or a negative errno; the smaller ring then goes on being used.
 * Units:    bytes.
 */
#ifndef AUDITRING_GROWTH_H
#define AUDITRING_GROWTH_H

#include "drainer.h"

/* How large the first ring of a process is. */
uint64_t growth_first(const struct writer *writer);

/* Whether a larger ring than `own` would help a record of `size` that it has no room
 * for now. */
bool growth_helps(const struct writer *writer, const struct own_ring *own,
                  uint64_t size);

/* Goes on in a ring of the size that was asked for, unless another thread did since
 * `seen` was the current one. */
int growth_grow(struct writer *writer, struct own_ring *seen);

/* Goes on in a ring that holds a record of `size`, if the current one doesn't.
 * -EMSGSIZE: none does. */
int growth_make_room(struct writer *writer, uint64_t size);

/* In the thread: does what a producer that filled half of a small ring asked for. */
int growth_run(struct writer *writer);

#endif

/* ringwait.h - how the two sides of a ring wait for each other.
 *
 * Threads:    publish from one consumer at a time; wait from any thread of the owner.
 * Ordering:   pairs are listed at the top of ring.c.
 * Units:      sizes in bytes, times in nanoseconds.
 */
#ifndef AUDITRING_RINGWAIT_H
#define AUDITRING_RINGWAIT_H

#include "ring.h"

#include <stdbool.h>
#include <stdint.h>

/* Gives [.., head) back to the producers and wakes those that wait for room. */
void ring_publish(struct ring *ring, uint64_t head);

/* Tells the producers that everything before `position` is on the disk. */
void ring_publish_durable(struct ring *ring, uint64_t position);

/* Waits until `size` bytes may be reserved, `limit_ns` at most. The ring was full. */
void ring_wait_space(struct ring *ring, uint64_t size, uint64_t limit_ns);

/* Waits until `position` is on the disk, `limit_ns` at most; tells whether it is. */
bool ring_wait_durable(struct ring *ring, uint64_t position, uint64_t limit_ns);

#endif

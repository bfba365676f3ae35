/* losses.h - turns counted losses into gap events.
 *
 * Drops are told by the process that dropped, in its own ring and before the next
 * record, so the event stands where they happened. Everything else is told by the
 * leader, in its ring.
 *
 * Errors:  0 or a negative errno; what could not be told is told later.
 */
#ifndef AUDITRING_LOSSES_H
#define AUDITRING_LOSSES_H

#include "drainer.h"

/* Commits the gap event for drops of an own ring; 0 also when another thread is doing
 * that. Any thread, when DUE_GAP says so. */
int losses_tell_drops(struct writer *writer, struct own_ring *own);

/* 0: events for `count` drops of an own ring are committed, now or before. -EBUSY:
 * another thread is doing that. */
int losses_have_told(struct writer *writer, struct own_ring *own, uint64_t count);

/* Tells drops of the current ring, if one was noted. */
void losses_tell_own_drops(struct writer *writer);

/* Notes which losses earlier leaders told: only when no ring of a dead process is left,
 * because their events may still be in one. */
void losses_learn_told(struct writer *writer);

/* Whether every loss has its event, or it is not ours to tell. */
bool losses_are_told(const struct writer *writer);

/* Commits an event for every loss that was not told; whether there was one. */
bool losses_tell(struct writer *writer);

#endif

/* ownring.h - the rings that this process writes to: one at a time, the current one.
 *
 * Threads:  attaching takes the writer's mutex; closing only when nobody writes.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_OWNRING_H
#define AUDITRING_OWNRING_H

#include "drainer.h"

/* NULL: this process has to attach. */
static inline struct own_ring *
ownring_current(struct writer *writer)
{
    return atomic_load_explicit(&writer->current, memory_order_acquire); /* current:A */
}

/* Gives this process a further ring, unless somebody did since `seen` was the current
 * one; then counts `counter` (COUNTER_COUNT: none). -EUSERS: the table is full. */
int ownring_attach(struct writer *writer, const struct own_ring *seen,
                   enum control_counter counter);

/* Gives this process a ring of `capacity` that is drained behind `seen`, unless another
 * one is current by now. */
int ownring_succeed(struct writer *writer, const struct own_ring *seen,
                    uint64_t capacity);

/* Makes a ring as large as was asked for, which no process writes to yet (spare.h). */
int ownring_make_spare(struct writer *writer, struct ring *ring, uint32_t slot,
                       uint64_t nonce);

/* Goes on in a ring that is in the slot table as this process's. With the mutex held.
 */
void ownring_adopt(struct writer *writer, struct own_ring *own);

/* A control block for a private writer, in place of the parent's in a forked child. */
int ownring_open_control(struct writer *writer);

/* Enters our rings in the slot table again that it does not name any more, though
 * nobody sealed them: it was damaged, or wiped. Called by the thread. */
int ownring_enter_again(struct writer *writer);

/* Whether a flush with that ticket may be said to be done: every ring of ours is in the
 * table, and was when the leader answered. */
bool ownring_trusts_flush(struct writer *writer, uint64_t ticket);

/* As it begins to lead: others led, and drained its rings. */
void ownring_forget_heads(struct writer *writer);

/* Looks whether head and tail contradict each other, as only damage does: then the ring
 * is not written to any more. */
void ownring_check(struct own_ring *own);

/* Promises that nobody writes to our rings any more. */
void ownring_close_all(struct writer *writer);

/* Removes those that nobody retired, though they are drained. */
void ownring_remove_closed(struct writer *writer);

/* Whether anything that was committed here is not in the file yet. */
bool ownring_has_left(struct writer *writer);

#endif

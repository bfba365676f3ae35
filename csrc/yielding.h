/* yielding.h - leadership goes to a process that has the rights for it.
 *
 * Leading takes more than writing: to open the live file and the rings of all others,
 * to rename in the directory, descriptors and memory. A process that gave up root after
 * it opened the log, or that met a limit, may not be able to; and a ring may be another
 * user's. So
 *
 * - a leader that was refused steps down for a while when others are alive; when nobody
 *   is, it stays and tries again, because what it still holds may be enough;
 * - a ring that the leader may not open is marked in its slot, and told once. Nobody
 *   else waits for it: a flush of others is answered without it, the owner's is not
 *   (ownring.h). Whoever can open it, its owner before all, asks to lead instead.
 *
 * Who else may be there: a leader that is stopped (it doesn't see that it is asked, and
 * goes on later), one that nobody can replace (it stays), two users of whom neither may
 * read the other's ring (they take turns), a ring whose owner is dead and that nobody
 * alive may open (it waits for the next who can, and is the only one to wait), a member
 * of the group that asks without a reason (leadership changes, nothing is lost).
 *
 * Threads:  the writer's.
 * Ordering: marks are set before a flush is answered, and taken back only once the ring
 *           is drained (request's `done`, release/acquire).
 */
#ifndef AUDITRING_YIELDING_H
#define AUDITRING_YIELDING_H

#include "drainer.h"

/* Whether it is a right or a room that others may have. */
bool yielding_may_help(int error);

/* Leader: it failed at something. */
void yielding_note(struct writer *writer, int error);

/* Leader: a ring that it may not open. */
void yielding_mark(struct writer *writer, uint32_t slot);

/* Leader: it has looked at all rings. */
void yielding_end_marking(struct writer *writer);

/* Leader: every source was drained as far as it went. */
void yielding_unmark(struct writer *writer);

/* Leader, before a pass: steps down if others should lead. */
void yielding_run(struct writer *writer);

/* Who doesn't lead: asks to, if it can open what the leader can't. */
void yielding_ask(struct writer *writer, uint64_t now);

/* Whether the leader may not open a ring of ours that isn't drained. */
bool yielding_is_unread(const struct writer *writer, const struct own_ring *own);

#endif

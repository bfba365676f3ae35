/* adoption.h - rings that no slot names, because the control file was lost, damaged or
 * wiped.
 *
 * Whoever leads looks for their files, as it begins and now and then. One whose owner
 * is gone gets a free slot, and is drained from there like that of any dead process.
 * One whose owner lives is the owner's: its thread enters it again (ownring.h), or it
 * is stopped and comes to that later. What can't be read is told with its count.
 *
 * Who else may be there: a process that is just making a ring (its slot names it before
 * the file is there), the owner itself in a stopped process or another pid name space
 * (then the lock of the slot that the file is named after tells), a second leader's
 * remains in the middle of an adoption (the file moves first, and is no slot's until
 * the entry is whole), files of other users (left), of later layouts (put aside), and
 * names that are no rings (left).
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_ADOPTION_H
#define AUDITRING_ADOPTION_H

#include "drainer.h"

/* Looks once; some at a time, writer->has_more tells. */
void adoption_run(struct writer *writer);

/* Whether a slot names the ring. */
bool adoption_is_named(const struct control *control, uint64_t nonce);

#endif

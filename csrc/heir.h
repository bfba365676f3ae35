/* heir.h - the log that was founded in the state directory of a past one.
 *
 * It adopts the rings of the dead, drains and removes them. A past leader that comes to
 * a ring later finds no file, and nothing was lost.
 *
 * Who else may be there: somebody who removes rings that nobody drained; an heir that
 * has given the slot to another ring by now, so that a loss is told which may be none.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_HEIR_H
#define AUDITRING_HEIR_H

#include "drainer.h"

/* Whether an heir of this past log has had the ring. */
bool heir_has_had(const struct writer *writer, uint64_t nonce);

/* Takes back what is said of a batch with a ring that the heir has had: it has finished
 * the batch by what the rings say (stake.h), or found nothing of it in the file. */
void heir_relieve(struct writer *writer);

#endif

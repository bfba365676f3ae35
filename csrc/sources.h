/* sources.h - the rings that the leader drains: found, sealed, retired.
 *
 * Every slot that is LIVE or CLOSING is a source. One whose owner is gone is sealed
 * first, drained to its final tail, and then its ring is removed.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_SOURCES_H
#define AUDITRING_SOURCES_H

#include "drainer.h"

/* Looks which owners are dead; some at a time, writer->has_more tells. */
void sources_find_orphans(struct writer *writer);

/* Fills writer->sources with the rings and their tails as of now; of those not mapped
 * before some at a time, writer->has_more tells. */
void sources_find(struct writer *writer);

/* Ends the rings that are drained and nobody writes to; they are no sources any more.
 * True: no ring without an owner is left. Not while a batch is outstanding. */
bool sources_retire(struct writer *writer);

/* Ends what a leader left in the middle of inheriting a dead process's drops. */
void sources_finish_inheritance(struct writer *writer);

/* Whether another process writes to this log. */
bool sources_have_others(const struct writer *writer);

/* A reservation in a live ring that stays uncommitted: after a while its owner is asked
 * to go on in another ring. */
void sources_watch_hole(struct writer *writer, const struct batch_source *source);

#endif

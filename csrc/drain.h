/* drain.h - batches from the sources to the live file, and what follows when that
 * fails.
 *
 * A write that failed is tried again; the batch stays outstanding (batch.h) until it is
 * written, settled or left to another leader.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_DRAIN_H
#define AUDITRING_DRAIN_H

#include "drainer.h"

/* So many failures in a row, and the file is given up. */
enum { DRAIN_PATIENCE = 4 };

/* Whether a source holds records within this pass. */
bool drain_has_anything(const struct writer *writer);

/* Drains everything up to the ends of the sources. Returns the bytes written.
 * `complete`: nothing of it is left. */
uint64_t drain_sources(struct writer *writer, bool *complete);

/* Writes the batch at hand, or what is left of it; tells whether that is done. */
bool drain_outstanding(struct writer *writer);

#endif

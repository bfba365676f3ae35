/* stats.h - the figures of a log, as this process sees them.
 *
 * Threads:  any.
 */
#ifndef AUDITRING_STATS_H
#define AUDITRING_STATS_H

#include "drainer.h"

/* The log's counters, with what live rings of this process have not handed in yet. */
void stats_collect(struct writer *writer, struct writer_stats *out);

#endif

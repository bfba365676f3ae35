/* resting.h - a log that nobody writes to keeps few descriptors.
 *
 * A program may have a log for each of a thousand tenants, most of which are quiet. In
 * such a program the thread of a log with nothing to do closes the directories of its
 * state and its rings, and opens them again for the next thing that needs them; the
 * log's own directory, the lock file (closing that would drop all locks) and the
 * leader's live file stay.
 *
 * Who else may be there: a thread that attaches a ring meanwhile (it opens them itself,
 * under the writer's mutex), a process that leads and one that doesn't, a fork (the
 * child opens its own), somebody who replaces the directory (told by the next look), a
 * limit on descriptors (then the log rests on, and its rings take what comes).
 *
 * Threads:  begin and goes_on the writer's thread; wake with the mutex held.
 * Units:    nanoseconds.
 */
#ifndef AUDITRING_RESTING_H
#define AUDITRING_RESTING_H

#include "drainer.h"

/* Whether the log rests, and nothing is there to be done until later. */
bool resting_goes_on(struct writer *writer, uint64_t now);

/* Begins to rest, if the step that ended has found nothing to do. */
void resting_begin(struct writer *writer, uint64_t sleep_ns, uint64_t now);

/* Opens what was closed. -ESTALE: the directory is another one now. */
int resting_wake(struct writer *writer);

#endif

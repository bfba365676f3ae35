/* helping.h - who waits does the thread's work while no thread can be started.
 *
 * A process at its limit of threads (RLIMIT_NPROC, a cgroup's pids), mostly one that
 * was forked, has a ring and nobody who drains it, if no other process leads. Its
 * writes are safe in the ring; a flush, a wait for room and one for the disk get on by
 * the steps of who waits, which try to start the thread first.
 *
 * Who else may be there: a fork under way (nobody steps), another thread that waits
 * (one at a time steps), the keeper of a log that rests, a close, another process that
 * leads (the step finds that, and does nothing).
 *
 * Threads:  any, without the writer's locks.
 */
#ifndef AUDITRING_HELPING_H
#define AUDITRING_HELPING_H

#include "drainer.h"

/* Takes one step, if there is no thread and none can be started. */
void helping_step(struct writer *writer);

#endif

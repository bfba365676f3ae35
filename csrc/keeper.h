/* keeper.h - one thread a process, that looks after the logs without a thread.
 *
 * A log that nobody writes to has given up its thread and most of its descriptors
 * (resting.h). Twice a second the keeper looks at each of those: what a leader of
 * another process left behind, what somebody did to the file, a record that was
 * committed at the moment when the thread left. Where there is something to do it
 * starts the log's thread again. Where none can be started, because the process is at
 * its limit, it drains the log itself: then a disk that hangs holds up the others.
 *
 * It runs while there is something to look after, and a little longer.
 *
 * Who else may be there: a thread that starts, stops or closes the log at this moment
 * (the keeper tries the log's `thread_mutex`, and comes again soon), a fork (it ends
 * before and goes on after; a child has none until its own logs rest), a process that
 * is stopped (others notice what it left), a process that may have no more threads.
 *
 * Threads:  any. A log's `thread_mutex` comes before the keeper's mutex, which is held
 *           for a few instructions.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_KEEPER_H
#define AUDITRING_KEEPER_H

#include "drainer.h"

/* Looks after the log from now on. With its thread_mutex held. */
int keeper_add(struct writer *writer);

/* Not any more; harmless if it never did. With its thread_mutex held. */
void keeper_drop(struct writer *writer);

/* Whether it does: the log rests. */
bool keeper_has(const struct writer *writer);

/* Has it look at all logs at once. */
void keeper_wake(void);

/* Ends the thread: no log is open any more. */
void keeper_end(void);

/* Around a fork, as drainer_park and drainer_resume; the child forgets everything. */
void keeper_park(uint64_t limit_ns);
void keeper_resume(void);
void keeper_forget(void);

#endif

/* resting.h - a log that nobody writes to gives up its thread and its descriptors.
 *
 * A program may have a log for each of a thousand tenants, most of which are quiet.
 * When nothing was written to a log, or drained from it, for two seconds (in a program
 * with many logs for a moment; there one that only had to answer doesn't stay at all,
 * or flushing them all would have all of them open at once), and nothing is left to be
 * done, its thread steps down from leading, closes what it can open again, and ends.
 * From then on the keeper looks after it (keeper.h), and the next write starts the
 * thread again: before its record is committed, by the flag of `due` that every write
 * looks at anyway, or behind it, if the thread left in between; should both miss each
 * other, the keeper sees it.
 *
 * What stays open: the lock file, because closing it would drop all locks, and the live
 * file of who led, else the log's directory. With the live file a process that gave up
 * its rights, or has no descriptor left, can go on where it can't open anything again
 * (keptfile.h); what can't be opened again now is not closed.
 *
 * Nobody need lead while nothing is there to be written. A leader of another process
 * that dies, and one that steps down while others write, is noticed by the keeper; a
 * process that begins to write changes `leader_word` before, so that whoever is killed
 * behind its write leaves a trace.
 *
 * Who else may be there: a thread that attaches a ring meanwhile (it opens directories
 * itself, under the writer's mutex), a write at the moment of leaving, a close, a fork
 * (the child opens its own), somebody who replaces the directory (the next write
 * looks), or the file (the keeper looks), a limit on descriptors (the log goes on
 * without its directories), a limit on threads (the keeper drains).
 *
 * Threads:  begin and end the writer's thread; has_work and step with its thread_mutex
 *           held, while there is no thread; wake with its mutex held.
 * Units:    nanoseconds.
 */
#ifndef AUDITRING_RESTING_H
#define AUDITRING_RESTING_H

#include "drainer.h"

/* How long it has to be quiet, where logs are few and where they are many. Tests are in
 * a hurry. */
extern uint64_t resting_quiet_ns, resting_quiet_in_a_crowd_ns;

/* Begins to rest if there has been nothing to do for long enough: then the thread has
 * to end. After a step that found nothing. */
bool resting_begin(struct writer *writer);

/* The thread begins. */
void resting_end(struct writer *writer);

/* Opens what was closed. -ESTALE: the directory is another one now. */
int resting_wake(struct writer *writer);

/* Whether there is something to do for a log that rests. */
bool resting_has_work(struct writer *writer);

/* Does some of it, in place of a thread that can't be started; returns how long that
 * may wait now. */
uint64_t resting_step(struct writer *writer);

#endif

/* generation.h - a log that is founded anew, because what it was founded in is not
 * where its path leads any more.
 *
 * A deployment moves or removes the directory, a cleaner the state directory or the
 * control file, and somebody makes them anew. The thread looks there five times a
 * second. The writer is a past generation then: who comes to it next goes on in a new
 * writer of the same path (writer_renew), in which all of the process meet. The past
 * one keeps its descriptors, its control file, its rings and its leader, with all other
 * processes that have them, and settles its rings where they are: in the directory that
 * was moved, or, if that exists no more, in the file at the path, appended whole and
 * never rotated. It leads no longer than there is something to drain. Once nobody
 * writes to it and nothing is left, it ends.
 *
 *   what the path leads to          what is done
 *   the same                        nothing
 *   nothing                         nothing: the rings take what comes, the leader
 *                                   tries to open the file (trouble.h)
 *   another directory, state        the present becomes past
 *   directory or control file
 *   can't be told                   nothing
 *
 * Who else may be there: other processes with the same past, some of which have not
 * noticed and some of which are stopped; one that is killed in the middle (the next
 * leader of the past finishes its batch); a new leader that appends to the same file;
 * other handles of the process, in calls or not; a fork; a process that may not make
 * anything in the new directory (it goes on in the past, and tries again).
 *
 * Threads:  as stated.
 */
#ifndef AUDITRING_GENERATION_H
#define AUDITRING_GENERATION_H

#include "drainer.h"

enum past {
    PAST_NOT = 0,
    PAST_IS = 1,      /* the path leads elsewhere */
    PAST_FORSAKEN = 2 /* and its control file is not to be used */
};

/* Where the path leads. */
enum where { WHERE_HERE, WHERE_NOWHERE, WHERE_ELSEWHERE };

/* Looks, and notes that the writer is past. Any thread. */
enum where generation_look(struct writer *writer);

/* Says that the control file must not be used any more. Any thread, and from a signal
 * handler. */
void generation_forsake(struct writer *writer);

static inline bool
generation_is_past(const struct writer *writer)
{
    /* past:A */
    return atomic_load_explicit(&writer->past, memory_order_acquire) != PAST_NOT;
}

static inline bool
generation_is_forsaken(const struct writer *writer)
{
    /* past:A */
    return atomic_load_explicit(&writer->past, memory_order_acquire) == PAST_FORSAKEN;
}

/* Looks now and then. The thread. */
void generation_look_at_times(struct writer *writer, uint64_t now);

/* Opens the directory that the path leads to for the live file, if that can't be made
 * where it was. -ENOENT: there is none. The thread. */
int generation_follow_path(struct writer *writer);

/* Ends a past writer that nobody writes to and that has nothing left: true. The thread,
 * after each step. */
bool generation_settle(struct writer *writer);

/* Writes what is left of the batch of a forsaken writer, which alone knows how far that
 * got: before anybody else takes its last line for torn. Under the registry's lock. */
void generation_finish_batch(struct writer *forsaken);

/* Names the rings of a forsaken writer in the control file of its heir. Under the
 * registry's lock. */
void generation_take_over(struct writer *heir, struct writer *forsaken);

/* Frees past writers that are over, if the registry can be had. Any thread but theirs.
 */
void generation_reap(void);

/* Gives those of the same path that nobody writes to until the deadline to settle.
 * Under the registry's lock. */
void generation_finish(const struct writer *writer, uint64_t deadline);

/* Whether a past writer of the same path has something that is in no file. */
bool generation_has_left(const struct writer *writer);

/* Whether one of the process still has the same state directory: its rings are not to
 * be adopted. */
bool generation_shares_state(const struct writer *writer);

#endif

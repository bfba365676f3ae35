/* spare.h - a ring that root makes before a fork, for a child that may make none.
 *
 * A child that gives up root before its first write may neither make a ring in a
 * directory of root's nor open the live file, and what it inherited of that is of no
 * use once the file was rotated. So before root forks the log's thread, or the keeper,
 * makes a ring that the child inherits mapped: a live one in the slot table like any
 * other, empty, of which only the first page is on the disk. It has no descriptor. The
 * child's hook enters it as the child's, by stores to memory alone. If the child can
 * have a ring of its own it gives the spare back, and the next child gets it; if it
 * can't, it gives the ring its room and writes there. What the child doesn't live to
 * give back is retired like every dead process's ring.
 *
 * Who else may be there: siblings, and forks of several threads at once (one of them
 * gets the ring, ring_shared's `spare`); a child of the child, which is entered in its
 * place while neither has taken it; a child that executes another program (its mapping
 * is gone, and the leader sees that it is another one); a parent that closes, is killed
 * or stopped (the ring is the child's from its first moment); a leader that took it for
 * dead (it is sealed: a record is refused, never lost); a full disk (the child is told,
 * as if it had made a ring); a fork that nobody tells of (what was spare before); a
 * child that closed all descriptors (it has no lock, and gets no ring); a leader in
 * another pid name space (it can't see the child, and retires the ring before it is
 * taken).
 *
 * Threads:  as stated. The list grows only, so that a fork at any moment finds it
 * whole. Ordering: `spare` (acquire/release) hands the ring from process to process.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_SPARE_H
#define AUDITRING_SPARE_H

#include "drainer.h"

/* Has one for the child of the fork that is under way, if this process is root. By the
 * log's thread, or with its thread_mutex held. */
void spare_prepare(struct writer *writer);

/* In the hook of a child: enters one as the child's. No system call. */
void spare_reserve(struct writer *writer);

/* The current ring, for a process that was refused one with `error`: 0, or `error`. */
int spare_attach(struct writer *writer, int error);

/* Gives back what this process did not need. Harmless without. */
void spare_give_back(struct writer *writer);

/* Ends those that are nobody's yet. By who closes, while directories are open. */
void spare_end(struct writer *writer);

/* Unmaps all. */
void spare_drop(struct writer *writer);

#endif

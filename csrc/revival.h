/* revival.h - a past log whose path leads back to it: a directory that is moved back, a
 * link on the way that is switched back.
 *
 * Two writers of one process on one control file would take leadership from each other
 * in the middle of a batch: the kernel doesn't keep a process's locks from itself. So
 * whoever opens the log then gets the one that is there, and it is past no longer.
 *
 * Who else may be there: handles that never noticed; one that is just going on
 * elsewhere, and comes back by itself; the thread, in the middle of a batch, which it
 * leaves to its next recovery; a fork, with no thread in the child.
 *
 * Threads:  with the registry's lock held.
 */
#ifndef AUDITRING_REVIVAL_H
#define AUDITRING_REVIVAL_H

#include "drainer.h"

/* The past writer whose directories and control file are those of `wanted`, as present
 * again; NULL: there is none. */
struct writer *revival_run(const struct writer *wanted);

#endif

/* livefile.h - what the leader does with the live file besides appending batches.
 *
 * Opens it, notices what others do to it and tells the losses that come of that, and
 * rotates it.
 *
 * Threads:  the leader's.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_LIVEFILE_H
#define AUDITRING_LIVEFILE_H

#include "drainer.h"

/* Opens the live file by its name: in the directory that we have or, if that exists no
 * more, in the one that the path leads to. */
int livefile_open(struct writer *writer);

/* The live file open, and known as it is now. */
int livefile_prepare(struct writer *writer);

/* Makes it a backup and starts a new one. `forced`: because it can't be written on. A
 * rotation that fails is counted and to be tried again after `next_rotate_ns`, soon if
 * only somebody held the names; until then the file may grow beyond its limit.
 * -ENOTSUP: rotate.h. */
int livefile_rotate(struct writer *writer, bool forced);

/* Closes it and opens what has its name now. */
int livefile_reopen(struct writer *writer);

/* The live file lost its name, or never had one: opens or makes another. */
int livefile_renew(struct writer *writer);

#endif

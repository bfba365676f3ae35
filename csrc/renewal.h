/* renewal.h - how callers go from a past writer to the one at its path (generation.h).
 *
 * Ownership:  a renewed writer is a reference of its own, to be closed as any.
 * Threads:    any.
 * Errors:     0 or a negative errno, as writer_open.
 */
#ifndef AUDITRING_RENEWAL_H
#define AUDITRING_RENEWAL_H

#include "writer.h"

/* Where a log is that was open when its directory, its state directory or its control
 * file was removed or replaced. */
enum writer_place {
    WRITER_HERE, /* where it was, or that can't be told */
    WRITER_GONE, /* its path leads nowhere: what is committed stays in the ring */
    WRITER_PAST  /* another one is at its path: writer_renew */
};
enum writer_place writer_find(struct writer *writer);

/* After -EREMCHG, or WRITER_PAST: opens the log anew at its path, with the same
 * options. The old writer settles what it was given in the background; once the caller
 * has made sure that none of his threads begins a call on it any more, he leaves it,
 * and gives its reference back. */
int writer_renew(struct writer *past, struct writer **out);
void writer_leave(struct writer *past);
void writer_give_back(struct writer *past);

/* When it can't be opened anew: the old one takes records on for a while. */
void writer_put_off(struct writer *past, int error);

/* Around a call without the caller's lock: the writer is not freed meanwhile, even if
 * its reference is given back. */
void writer_hold(struct writer *writer);
void writer_let_go(struct writer *writer);

#endif

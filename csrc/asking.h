/* asking.h - what a caller needs of its process before it asks for anything: a ring of
 * its own and the thread behind it; and the questions and answers themselves, whose
 * calls are in writer.h.
 *
 * Who else may be there: a fork, whose child has neither of them; another thread that
 * makes the ring at this moment; a daemon that closed what it inherited; the keeper,
 * which stands in for the thread; a log that is elsewhere by now.
 *
 * Threads:  any.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_ASKING_H
#define AUDITRING_ASKING_H

#include "drainer.h"

/* The ring to write to; a forked child, or a process whose ring was sealed, gets a new
 * one. */
int asking_find_ring(struct writer *writer, struct own_ring **out);

/* A ring without a thread is no reason to refuse a record: it is safe there, another
 * process may lead, and the next write tries again. */
void asking_ensure_thread(struct writer *writer);

#endif

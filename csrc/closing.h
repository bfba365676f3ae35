/* closing.h - a writer gives up its log without losing what it was given.
 *
 * Units:  times on the monotonic clock, nanoseconds.
 */
#ifndef AUDITRING_CLOSING_H
#define AUDITRING_CLOSING_H

#include "drainer.h"

/* Everything that was committed is in the file: 0, or -EBUSY at the deadline; -EPIPE:
 * it never will be, see writer_close. */
int closing_flush(struct writer *writer, uint64_t deadline);

/* Ends the thread, tells and drains what is left, and frees the writer, which is in no
 * registry any more. Returns what writer_close does. */
int closing_end(struct writer *writer, uint64_t deadline);

#endif

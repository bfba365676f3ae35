/* keptfile.h - the live file as a forked child inherited it from a leader.
 *
 * A child that gives up root before it writes can have no ring in a directory of
 * root's, nor open the live file. What it inherited still takes whole lines, as the
 * standard library's handlers go on with theirs; but only while it is the file at the
 * log's name: what was rotated away may be packed already. Otherwise the write is
 * refused, and the caller told.
 *
 * Who else may be there: a leader that appends (appending.h; it is waited for, for some
 * milliseconds), a rotation (from then on refused), a program that closed every
 * descriptor (the number may be another file: refused). With a ring it is closed.
 *
 * Threads:  any; keeping only in a child right after the fork.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_KEPTFILE_H
#define AUDITRING_KEPTFILE_H

#include "drainer.h"

/* In a forked child: keeps what its parent led with. */
void keptfile_keep(struct writer *writer);

void keptfile_drop(struct writer *writer);

/* Whether it takes lines in place of a ring that was refused with `error`. */
bool keptfile_helps(const struct writer *writer, int error);

/* Appends a line; returns 0, or why it couldn't, or `error`. */
int keptfile_append(struct writer *writer, const void *data, size_t size,
                    bool terminate, int error);

#endif

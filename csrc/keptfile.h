/* keptfile.h - the live file that a leader led with: its own, while the log rests, or
 * the one that a forked child inherited, until it leads with it and again after that.
 *
 * A log that rests (resting.h) keeps it, because the process may give up its rights, or
 * have no descriptor left, before it leads again. It takes what it kept if it can't
 * open the file by its name, and only if that is the file.
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
 * Threads:  any; keeping in a child right after the fork, and by the writer's thread as
 *           taking.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_KEPTFILE_H
#define AUDITRING_KEPTFILE_H

#include "drainer.h"

/* Keeps what the process led with, or its parent. */
void keptfile_keep(struct writer *writer);

void keptfile_drop(struct writer *writer);

/* If it was left for another file: its space is not ours to keep. */
void keptfile_drop_left(struct writer *writer);

/* Makes it the open file again, whether that is still the live file or not. */
void keptfile_restore(struct writer *writer);

/* Makes it the open live file: 0, or `error`, for which it is no remedy. */
int keptfile_take(struct writer *writer, int error);

/* Whether it takes lines in place of a ring that was refused with `error`. */
bool keptfile_helps(const struct writer *writer, int error);

/* Appends a line; returns 0, or why it couldn't, or `error`. */
int keptfile_append(struct writer *writer, const void *data, size_t size,
                    bool terminate, int error);

#endif

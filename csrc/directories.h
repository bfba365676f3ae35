/* directories.h - the directories of a log: its own, that of its state, that of its
 * rings.
 *
 * Their descriptors are kept for life; a program may close them all the same, so each
 * is known by its device and inode.
 *
 * Who may write to the live file may have a ring: a log 0664 of a group has its state
 * in a directory 02770 of that group, one 0666 in one 01777. Whose directories are used
 * says trust.h.
 *
 * Errors:  0 or a negative errno.
 */
#ifndef AUDITRING_DIRECTORIES_H
#define AUDITRING_DIRECTORIES_H

#include "drainer.h"

/* Opens them, and makes the state directory if there is none. On failure what is open
 * is left to directories_close. Errors as writer_open. */
int directories_open(struct writer *writer);
void directories_close(struct writer *writer);

/* Closes those that can be opened again, but keeps the log's own unless its live file
 * is kept open; and opens them again, if they are closed. With the writer's mutex held.
 * -ESTALE: they are other ones now. */
void directories_rest(struct writer *writer);
int directories_wake(struct writer *writer);

/* Whether one of the descriptors is not what it was. */
bool directories_are_lost(const struct writer *writer);

/* Opens them again. -ESTALE: the state directory is another one now. */
int directories_reopen(struct writer *writer);

/* Opens them and the lock file again when they were closed or replaced under us. */
int directories_repair(struct writer *writer);

/* Of the files in the state directory. */
mode_t directories_file_mode(const struct writer *writer);

#endif

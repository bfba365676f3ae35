/* appending.h - one at a time appends to the live file.
 *
 * A line that was acknowledged is one whole line of the file. Who appends are the
 * leader, in batches, and those who have no ring, line by line, of any process. They
 * agree by a lock on one byte of the file, far behind its end, which belongs to the
 * open file and not to the process: handlers and leader of one process keep each other
 * out, and none drops it by closing another descriptor.
 *
 *   who                    takes the lock         holds it until
 *   the leader             waits a moment for it, the batch is whole, also while a full
 *                          then goes on           disk keeps it from going on
 *   a line past the rings  doesn't write without  the line is whole, or nothing of it
 *
 * A line past the rings is given room before it is written. So one that fails leaves
 * nothing, where the file system can do that; elsewhere a part may be left, which the
 * next one ends with a newline (the file is never cut: readers would begin anew). A
 * leader that was killed leaves a part, too; its successor completes it, if nobody
 * wrote behind it, so the others wait for that.
 *
 * Who else may be there: a leader that is stopped, or whose disk is full, in the middle
 * of a batch (lines past the rings are refused, and their callers told); one who stops
 * while he holds the lock (the leader goes on without it); a rotation (the line goes to
 * the file that has the name now); a child that inherited the leader's open file, and
 * would have its lock, too (it takes one of its process, which the others respect, and
 * the leader gives his up around a fork); programs that know of no lock; file systems
 * without locks (everybody goes on as if he had it); a kill, which ends the lock; a
 * signal handler that logs, between two calls.
 *
 * Ownership:  descriptors are borrowed.
 * Threads:    any; a `struct logfile` is its leader's.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_APPENDING_H
#define AUDITRING_APPENDING_H

#include "logfile.h"

#include <stdbool.h>
#include <stddef.h>

/* Leader: takes the lock, unless it has it. It waits for a moment, but not again after
 * that was in vain, until it got it. */
void appending_begin(struct logfile *file);
void appending_end(struct logfile *file);

struct appending_line {
    const struct sys *sys;
    int fd;
    bool is_inherited; /* others have the open file, too */
    bool ends_torn; /* the last line has no end, and nobody is left to give it one */
    int dir; /* where `name` must show the file still; not looked at without name */
    const char *name;
    struct iovec parts[2]; /* the line */
};

/* Appends a line that ends with a newline, and holds the lock meanwhile.
 *
 * -EAGAIN: somebody else has the lock; -EBUSY: the last line has no end yet; -ESTALE:
 * the name shows another file, or none. All others are the disk's. */
int appending_put(const struct appending_line *line);

#endif

/* trust.h - whose state directory is used, and whose is refused.
 *
 * Control file, lock and rings are mapped and believed as far as memory safety allows,
 * and root leads logs, too. So it counts who can change them, not who we are. What is
 * judged are the directories as they are held open, which nobody can exchange. The
 * first row that fits decides:
 *
 *   the state directory                                        is
 *   a symbolic link, or no directory                           refused
 *   writable by all, and not sticky                            refused
 *   ours, or root's                                            used
 *   of the group that `group=` names                           used
 *   below a directory where others could put a log directory
 *     of theirs (see below)                                    refused
 *   of the log directory's owner, who may replace the log      used
 *   of the log directory's group, which may write to both,
 *     and no others may: each of them may replace the log      used
 *   anybody else's: planted, in a directory like /tmp, say     refused
 *
 * To trust the log directory's owner or group is to trust whoever put it there. So
 * every parent, up to the first that only we or root can write to, must be ours, root's
 * or the log directory's owner's, and not writable by all unless it is sticky. A group
 * that may write to a parent is trusted as its owner trusts it (/var/log of
 * root:syslog). A directory that its owner made right in /tmp is his: root who is told
 * to open a log in there joins him. State directories of our own need no such look:
 * what others put in the place of a parent wouldn't be ours.
 *
 * In one that only its owner may write to, `ctl` and `lock` are ours, root's or his;
 * symbolic links are refused everywhere. A directory of its own for the rings is judged
 * by its owner and mode in the same way.
 *
 * Threads:  any.
 * Errors:   0 or -EPERM.
 */
#ifndef AUDITRING_TRUST_H
#define AUDITRING_TRUST_H

#include "drainer.h"

/* Judges a directory of state or rings; `log_dir` is the one that the log is in. */
int trust_directory(const struct writer *writer, const struct stat *log_dir,
                    const struct stat *directory);

/* Judges the files in the state directory that are there. */
int trust_files(const struct writer *writer, const struct stat *state);

#endif

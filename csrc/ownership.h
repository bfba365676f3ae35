/* ownership.h - whose the files are that root makes beside a service's user.
 *
 * A service runs as a user of its own, and root runs a command with the same log, at
 * times before the service ever ran. What root makes in a directory of that user
 * becomes the user's, as if he had made it: else the service could not read root's ring
 * when it leads, nor open the log at its next start. He gains nothing by that: in his
 * own directory he may replace every file. Others than root can't give files away, and
 * needn't.
 *
 * Threads:  any.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_OWNERSHIP_H
#define AUDITRING_OWNERSHIP_H

#include "sys.h"

/* The user whom a new file in `dir` is to be given to; (uid_t)-1: nobody. */
int ownership_of(const struct sys *sys, int dir, uid_t *uid);

/* Gives a file that was just made in `dir` to that user, and to the group; -1: as is.
 */
int ownership_give(const struct sys *sys, int fd, int dir, gid_t gid);

#endif

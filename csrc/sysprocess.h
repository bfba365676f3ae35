/* sysprocess.h - what the kernel tells of processes; a part of `sys_posix`.
 *
 * Threads:  any.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_SYSPROCESS_H
#define AUDITRING_SYSPROCESS_H

#include "sys.h"

/* The entry `pid_namespace` of the table. */
uint64_t sysprocess_namespace(void);

/* The entry `process`. -EACCES: it may not be looked at. */
int sysprocess_look(pid_t pid, struct sys_process *out);

#endif

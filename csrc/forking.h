/* forking.h - what a fork does to the writers of a process; the calls around it are in
 * writer.h.
 */
#ifndef AUDITRING_FORKING_H
#define AUDITRING_FORKING_H

#include <stdbool.h>

/* From the first call on children that nobody tells of are noticed. */
void forking_watch(void);

/* A writer that is opened now gets its thread after the fork. With the registry's lock
 * held. */
bool forking_is_under_way(void);

#endif

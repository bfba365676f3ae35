/* registry.h - every writer of the process, so that one log has one writer: record
 * locks do not conflict inside a process.
 *
 * Threads:  everything but locking itself with the lock held; it is held over a fork.
 */
#ifndef AUDITRING_REGISTRY_H
#define AUDITRING_REGISTRY_H

#include "drainer.h"

void registry_lock(void);
void registry_unlock(void);

/* In a forked child: nobody holds it, whoever did in the parent. */
void registry_break_lock(void);

/* They are linked by `next`. */
struct writer *registry_first(void);

/* The writer of the same state directory, if there is one. */
struct writer *registry_find(const struct writer *wanted);

void registry_add(struct writer *writer);
void registry_remove(struct writer *writer);

#endif

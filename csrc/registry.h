/* registry.h - every writer of the process, so that one log has one writer: record
 * locks do not conflict inside a process.
 *
 * Threads:  everything but locking itself with the lock held. It isn't held from one
 * hook of a fork to the next: who waits for it may hold what another hook wants.
 */
#ifndef AUDITRING_REGISTRY_H
#define AUDITRING_REGISTRY_H

#include "drainer.h"

void registry_lock(void);
void registry_unlock(void);

/* Tells whether it was taken within so many nanoseconds: somebody may be closing a log
 * whose disk hangs. */
bool registry_try_lock(const struct sys *sys, uint64_t limit_ns);

/* In a forked child: nobody holds it, whoever did in the parent. */
void registry_break_lock(void);

/* They are linked by `next`. */
struct writer *registry_first(void);

/* The writer of the same state directory, if there is one that is not past
 * (generation.h). */
struct writer *registry_find(const struct writer *wanted);

void registry_add(struct writer *writer);

/* Whether the process has so many logs open that each should keep few descriptors. From
 * any thread, without the lock. */
bool registry_is_crowded(void);
void registry_remove(struct writer *writer);

#endif

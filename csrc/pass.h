/* pass.h - one pass of the leader over all rings.
 *
 * Threads:  the leader's.
 * Units:    nanoseconds.
 */
#ifndef AUDITRING_PASS_H
#define AUDITRING_PASS_H

#include "drainer.h"

/* Whether anybody waits for an answer of the leader. */
bool pass_is_asked_for(const struct writer *writer);

/* Does what there is to do now; returns how long to sleep, 0: there is more. */
uint64_t pass_run(struct writer *writer, uint64_t now);

#endif

/* syncer.h - one fdatasync in the background, so that draining goes on meanwhile.
 *
 * Ownership:  works on a duplicate of the descriptor, which it closes.
 * Threads:    start, poll and join from one thread at a time.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_SYNCER_H
#define AUDITRING_SYNCER_H

#include "sys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct syncer {
    const struct sys *sys;
    pthread_t thread;
    bool has_thread;
    bool has_result; /* it ended, and nobody has polled yet */
    int fd;
    uint64_t size; /* of the file when the sync began */
    _Atomic int result;
};

/* Begins; only when none is running. */
int syncer_start(struct syncer *syncer, const struct sys *sys, int fd, uint64_t size);

/* -EINPROGRESS: not done yet, or none was started; else its result, once. */
int syncer_poll(struct syncer *syncer);

/* Waits for the end, if one is running; the result is kept for syncer_poll. */
void syncer_join(struct syncer *syncer);

/* The same, but not for longer; one that is still running may be joined later. */
void syncer_wait(struct syncer *syncer, uint64_t limit_ns);

#endif

/* wait.h - waiting on a 32-bit word in shared memory, and the adaptive sleep.
 *
 * Threads:  any thread of any process that maps the word.
 * Ordering: a wake-up is a hint only: callers re-read what they wait for, and every
 *           wait has a limit, so a missed wake-up costs time and never progress.
 * Units:    nanoseconds.
 */
#ifndef AUDITRING_WAIT_H
#define AUDITRING_WAIT_H

#include "sys.h"

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps until the word differs from `seen`, somebody wakes it, or the limit. */
void wait_word(const struct sys *sys, _Atomic uint32_t *word, uint32_t seen,
               uint64_t limit_ns);

/* Changes the word and wakes everybody who waits on it. */
void wait_wake(const struct sys *sys, _Atomic uint32_t *word);

/* The sleep of a polling consumer: short after work, doubling while idle. */
struct wait_backoff {
    uint64_t sleep_ns;
    uint64_t idle_since_ns; /* 0: there was work in the last pass */
};

/* Tells how long to sleep after a pass; `had_work` starts over. */
uint64_t wait_backoff_next(struct wait_backoff *backoff, bool had_work,
                           uint64_t now_ns);

#endif

/* thread.h - the thread behind a writer: it steps (drainer.h) until it is asked to
 * stop, or until its log rests (resting.h).
 *
 * Starting, stopping and a fork's hooks, whose functions drainer.h names, take
 * `thread_mutex`. The thread itself only tries it: whoever has it waits for the thread.
 *
 * Threads:  any but the writer's own.
 */
#ifndef AUDITRING_THREAD_H
#define AUDITRING_THREAD_H

#include "drainer.h"

#include <signal.h>

/* Starts the thread, if nobody is about to start or stop it: -EBUSY. */
int thread_try_start(struct writer *writer);

/* The same for who has the mutex. */
int thread_start_locked(struct writer *writer);

/* Signals are the program's: SIGXFSZ shows as EFBIG in ours and SIGPIPE as EPIPE.
 * Faults of our own must still kill. */
void thread_block_signals(sigset_t *before);

/* Joining returns before the kernel has taken the thread off the process; CPython
 * counts threads right after a fork, and warns. */
void thread_wait_until_gone(int32_t thread_id);

#endif

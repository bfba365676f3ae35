/* storm_worker.h - what a process of a storm does: open the log, write, close or die.
 *
 * Runs in a forked child, and dies with its parent. Trouble that is not the storm's own
 * is printed and ends the child with WORKER_FAILED.
 */
#ifndef AUDITRING_STORM_WORKER_H
#define AUDITRING_STORM_WORKER_H

#include "storm_oracle.h"
#include "support_sys.h"
#include "writer.h"

#include <stdbool.h>
#include <stdint.h>

enum { WORKER_THREADS_MAX = 16, WORKER_FAILED = 4 };

/* Things that programs do to a log they have open, unknowingly. */
enum meddling {
    MEDDLING_NONE,
    MEDDLING_LOCKS, /* opens and closes the lock file, as copying the directory does */
    MEDDLING_FDS /* closes every descriptor that it can */
};

struct worker {
    struct writer_options options;
    uint64_t
        cut; /* the first write to the log leaves off after so many bytes; 0: not */
    enum sys_call fails; /* with fail_error, from the fail_from-th call on, once */
    int fail_error; /* 0: nothing fails */
    uint32_t fail_from;
    struct oracle *oracle;
    uint32_t stream; /* of the first thread; the others follow */
    uint32_t threads;
    uint64_t seed;
    uint64_t records; /* of each thread; then it closes the log. 0: never */
    uint64_t pause_ns; /* the longest rest after a burst of lines; 0: never rests */
    bool drops; /* what doesn't fit is dropped and tried again */
    bool dies_of_drop; /* as kill -9 would, right after the first one */
    bool asks; /* for a flush, a sync, a rotation now and then */
    bool rests; /* waits after its records until the log rests */
    enum meddling meddling;
};

/* Never returns. */
_Noreturn void worker_run(const struct worker *worker);

/* Options of a log at that path, as storms want it; `path` is kept. */
struct writer_options worker_options(const char *path, uint64_t ring_bytes,
                                     uint64_t max_bytes);

/* A random number from a state that isn't 0. */
uint64_t worker_random(uint64_t *state);

#endif

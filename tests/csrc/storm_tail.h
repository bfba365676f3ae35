/* storm_tail.h - a `tail -F` that prints the log while the storm goes on.
 *
 * Ownership:  what it printed stands in a file beside the log's directory.
 */
#ifndef AUDITRING_STORM_TAIL_H
#define AUDITRING_STORM_TAIL_H

#include "storm_oracle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct storm_tail {
    pid_t pid;
    char output[240];
    struct oracle oracle;
};

/* Starts it; it judges by the streams of `log`, which stays their owner. */
bool tail_start(struct storm_tail *tail, const char *path, const char *output,
                const struct oracle *log);

/* Waits until it printed so many bytes, ends it, and judges what it printed. */
void tail_end(struct storm_tail *tail, uint64_t bytes, uint64_t limit_ns);

#endif

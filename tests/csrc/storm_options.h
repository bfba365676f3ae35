/* storm_options.h - what a storm is told on its command line. */
#ifndef AUDITRING_STORM_OPTIONS_H
#define AUDITRING_STORM_OPTIONS_H

#include "control.h"
#include "storm_worker.h"

#include <stdbool.h>
#include <stdint.h>

enum { OPTIONS_WORKERS_MAX = 64 };

struct options {
    uint64_t kills;
    uint64_t seed;
    const char *dir; /* where the storm makes its directory */
    uint32_t workers;
    uint32_t threads; /* of each worker */
    uint64_t ring_bytes;
    uint64_t max_bytes;
    uint64_t interval_ns; /* the longest time between two kills */
    uint64_t pause_ns;    /* the longest rest of a producer */
    enum durability durability;
    enum dialect dialect;
    enum meddling meddling;
    bool has_tail;
};

/* False, and a message, when it is not what it should be. */
bool options_read(struct options *options, int argc, char **argv);

#endif

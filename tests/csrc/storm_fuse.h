/* storm_fuse.h - kills a process at a test point of csrc, as kill -9 would.
 *
 * There are two fuses: one of this process, and one that a process shares with the
 * children it forks, whose hits count together.
 *
 * Threads:  points may be reached by any thread; fuses are set while none runs.
 */
#ifndef AUDITRING_STORM_FUSE_H
#define AUDITRING_STORM_FUSE_H

#include "testpoint.h"

#include <stdbool.h>
#include <stdint.h>

/* Kills this process when it reaches the point for the hit-th time from now on. */
void fuse_set(enum test_point point, uint64_t hit);

/* Makes the shared fuse, not set, for this process and the children that it forks from
 * now on. False: no memory. */
bool fuse_share(void);

/* Like fuse_set, for all who share the fuse; hit 0 takes it out. */
void fuse_set_shared(enum test_point point, uint64_t hit);

/* Whether the shared fuse killed a process since it was set. */
bool fuse_has_blown(void);

/* Whether any who share the fuse ever reached the point. */
bool fuse_was_reached(enum test_point point);

const char *fuse_point_name(enum test_point point);

#endif

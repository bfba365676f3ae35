/* support_points.h - what a test program does when csrc reaches a test point.
 *
 * Nothing, unless a fuse is set: then the hit that it names kills the process that
 * makes it, as kill -9 would. There are two fuses: one of this process, and one that a
 * process shares with the children it forks, whose hits count together.
 *
 * Threads:  points may be reached by any thread; fuses are set while none runs.
 */
#ifndef AUDITRING_SUPPORT_POINTS_H
#define AUDITRING_SUPPORT_POINTS_H

#include "testpoint.h"

#include <stdbool.h>
#include <stdint.h>

/* Kills this process at the hit-th time from now on that it reaches the point. */
void points_arm(enum test_point point, uint64_t hit);

/* Makes the shared fuse, not set; for this process and the children that it forks from
 * now on. False: no memory. */
bool points_share(void);

/* Like points_arm, for all who share the fuse; hit 0 takes the fuse out. */
void points_arm_shared(enum test_point point, uint64_t hit);

/* Whether the shared fuse killed a process since it was set. */
bool points_has_fired(void);

/* Whether any who share the fuse ever reached the point. */
bool points_was_reached(enum test_point point);

const char *points_name(enum test_point point);

#endif

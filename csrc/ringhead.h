/* ringhead.h - the leader's own place in a ring.
 *
 * The head in the file is what producers go by, and whoever may write the log may write
 * over it: put forward it would have records skipped, put back it would have them
 * written twice. So it is a claim, taken and checked once by each leader. From then on
 * the leader goes by what it published itself, and puts that back where it finds
 * something else.
 *
 * Who may be there: another user who scribbles, a leader before us that was killed
 * between two stores, an owner that reserves all the time, one that is gone.
 *
 * Threads:    the leader's only; no producer looks at it.
 */
#ifndef AUDITRING_RINGHEAD_H
#define AUDITRING_RINGHEAD_H

#include "ringfile.h"

#include <stdbool.h>
#include <stdint.h>

/* What was found as the leader looked for its place. */
enum ringhead {
    RINGHEAD_GOOD,
    RINGHEAD_WRITTEN_OVER, /* the file has another: nothing is lost */
    RINGHEAD_MOVED, /* it stood within a record, which may be lost */
    RINGHEAD_BAD /* it can be none before `end` */
};

/* Finds the place of a ring that is read up to `end`. */
enum ringhead ringhead_find(struct ring *ring, uint64_t end);

/* Everything before is drained: by ourselves, or as the file says. */
uint64_t ringhead_at(const struct ring *ring);

void ringhead_publish(struct ring *ring, uint64_t head);

/* Writes over what somebody wrote over it. Only for who leads at this moment. */
void ringhead_put_back(struct ring *ring);

/* Somebody else drains it, or did meanwhile. */
void ringhead_forget(struct ring *ring);

#endif

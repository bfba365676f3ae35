/* ringstake.h - what a ring says of the batch that is being written: made, and checked.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_RINGSTAKE_H
#define AUDITRING_RINGSTAKE_H

#include "control.h"
#include "ringfile.h"

/* Says in each of its rings what an intent holds, which is about to be said itself. */
void ringstake_say(const struct control *control, const struct control_intent *intent,
                   struct ring *const *rings, const struct ring_owner *leader,
                   uint32_t leader_slot, bool must_sync);

/* Whether a private copy is whole, and one that can be. */
bool ringstake_is_good(const struct ring_stake *stake);

#endif

/* recover.h - finishes what a leader began and did not end.
 *
 * Called by whoever starts to lead, before anything else is written. The outstanding
 * intent says which records were to be appended where; the file says how far that got.
 *
 *   file                          what is done                     counted as
 *   has all of the batch          heads are published              batches_forwarded
 *   has a part, and it matches    the rest is appended             batches_completed
 *   has nothing of it             the intent is cleared            batches_redone
 *   has all of it, and more       heads are published              batches_forwarded
 *   has other bytes behind a      the file is rotated away, what   recovery_conflicts,
 *   part or instead of it, or     is not whole in it is written    and a gap event
 *   the rings are not there       to a new one
 *   was being synced, or can't    the same, its part cut off       batches_redone
 *   be written (`give_up`)        the old file
 *
 * A live file that something is mounted on can't be rotated away: the batch is written
 * again, or finished, where it is, and told all the same.
 *
 * A batch that a slot of durability sync takes part in is synced before its heads are
 * published. The live file never shrinks; only a file that is a backup by now may.
 *
 * Threads:  the leader's.
 * Errors:   0 or a negative errno; the intent then is as valid as before, and calling
 *           again goes on.
 */
#ifndef AUDITRING_RECOVER_H
#define AUDITRING_RECOVER_H

#include "control.h"
#include "logfile.h"
#include "ringmap.h"

/* `live` is the live file, open. `give_up`: finishing failed too often. */
int recover_intent(struct control *control, struct ringmap *map, struct logfile *live,
                   int state_dir, bool give_up);

/* The same for a batch that is said elsewhere. */
int recover_batch(struct control *control, const struct control_intent *intent,
                  struct ringmap *map, struct logfile *live, int state_dir);

/* Compares the live file with what the last batch left, when the leader changes. */
int recover_live_file(struct control *control, struct logfile *live);

#endif

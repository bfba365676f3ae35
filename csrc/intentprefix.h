/* intentprefix.h - how much of a batch stands in its file, and the intent of that much.
 *
 * What is in the file as whole records is published even if the rest can't follow it
 * there: written once more, it would be in the log twice. Measuring and saying walk the
 * same records.
 *
 * Ownership:  intents, rings and files are borrowed.
 * Threads:    the leader's.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_INTENTPREFIX_H
#define AUDITRING_INTENTPREFIX_H

#include "control.h"
#include "logfile.h"
#include "ring.h"

/* How many of the batch's first bytes are in the file where they belong: up to the
 * first that differs, or the end of one of both. -EUCLEAN: the rings don't hold what
 * the intent says. */
int intentprefix_measure(const struct control_intent *intent, struct ring *const *rings,
                         const struct logfile *file, uint64_t *bytes);

/* In `part`, the intent of the records that are whole in the batch's first `limit`
 * bytes; it is to be said before that of the whole batch is cleared. */
void intentprefix_say(struct control_intent *part, const struct control_intent *whole,
                      const struct control *control, const struct logfile *file,
                      struct ring *const *rings, uint64_t limit);

#endif

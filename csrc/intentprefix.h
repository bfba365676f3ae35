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

/* The batch's first `size` bytes, as they are in the file; the caller frees them. */
int intentprefix_read(const struct control_intent *intent, const struct logfile *file,
                      uint64_t size, uint8_t **out);

/* What is known of a batch from elsewhere than its rings: they may have been written
 * over since it was taken. */
struct intentprefix_known {
    const uint8_t *bytes; /* the batch's first `size` bytes, as they are in the file */
    uint64_t size;
    const uint64_t *ends; /* where each of its ranges ends in them; NULL: not known */
};

/* In `part`, the intent of the records that are whole in what is known; it is to be
 * said before that of the whole batch is cleared. Where the ends are known, a range
 * before the end is taken as it was said, even if its ring holds something else now.
 * -ENOMEM only where they are not. */
int intentprefix_say(struct control_intent *part, const struct control_intent *whole,
                     const struct control *control, const struct logfile *file,
                     struct ring *const *rings, const struct intentprefix_known *known);

#endif

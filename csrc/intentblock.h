/* intentblock.h - the two places in the control file where an intent is said.
 *
 * An intent is made, and believed, in private memory only. Saying it copies it out; who
 * said it never reads it back. Whoever finds one copies it in, once, and checks every
 * bound on the copy: any process that has the log open can write to the blocks, and may
 * be doing so now.
 *
 * Ownership:  the caller's is the private intent; its `block` is where it is said.
 * Threads:    the leader's.
 * Ordering:   an intent's fields are visible before its `valid` (intent:B / intent:A).
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_INTENTBLOCK_H
#define AUDITRING_INTENTBLOCK_H

#include "control.h"

/* Copies the intent in that counts: of two good ones the later, and clears the other.
 * -ENOENT: none is said. -EUCLEAN: one is, and nothing in it can be believed. */
int intentblock_find(struct control *control, struct control_intent *out);

/* Says it in its block, from where a successor takes it. */
void intentblock_say(struct control *control, struct control_intent *intent);

/* Takes back what is said in the intent's block, or in both. */
void intentblock_clear(struct control *control, const struct control_intent *intent);
void intentblock_clear_all(struct control *control);

#endif

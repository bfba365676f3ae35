/* trouble.h - what the leader could not do: told as health, tried again after a pause.
 *
 * The pauses grow from failure to failure, up to a second, and begin anew after the
 * first success.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_TROUBLE_H
#define AUDITRING_TROUBLE_H

#include "drainer.h"

/* The first pause. */
extern const uint64_t trouble_pause_ns;

bool trouble_is_full_disk(int error);

void trouble_note(struct writer *writer, int error);
/* How a rotation ended: a negative errno the second time is trouble, until one goes
 * well. */
void trouble_note_rotation(struct writer *writer, int error);

void trouble_end(struct writer *writer);

#endif

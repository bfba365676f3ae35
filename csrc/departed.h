/* departed.h - a live file whose last name went: it was removed, or packed.
 *
 * logrotate with `compress` renames the live file, packs it and unlinks it; then every
 * line is in the packed file. The leader still has the file open, so that can be
 * proven: a packed file that isn't older than the file's last line and says its
 * checksum, in the log's directory or where the file had its last name (`olddir`). As
 * long as a packed file may become that proof, nothing is told.
 *
 * Who else may be there: a packer that isn't through, an old packed file of the same
 * size, somebody who just removes the log, a kill, a fork, another leader. The loss is
 * counted from the first moment on and taken back with the proof: so whoever leads next
 * tells it, if this process doesn't live to find one.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_DEPARTED_H
#define AUDITRING_DEPARTED_H

#include "drainer.h"

/* The live file, which is open, lost its last name. Takes its descriptor over. */
void departed_begin(struct writer *writer);

/* Looks for the proof, for some milliseconds; whether it is to be called again at once.
 */
bool departed_look(struct writer *writer, uint64_t now);

/* Decides what is open now, and waits for nobody. */
void departed_end(struct writer *writer);

/* Forgets the file; what was counted is for the next leader to tell. */
void departed_drop(struct writer *writer);

/* Whether it is decided: before that no loss of its kind is told. */
bool departed_is_decided(const struct writer *writer);

#endif

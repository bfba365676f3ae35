/* stake.h - what each ring says of the batch that is being written, for when the
 * control file, and with it the intent, is gone.
 *
 * Before a batch is said in the control file each of its rings gets a copy of what
 * matters: which file from where, and which of its own records. A leader under another
 * control file puts them together again, once the leader of that batch is gone, and
 * finishes the batch as it would finish an intent (recover.h). Without that, lines that
 * are in the file and of which the head was not published yet would be written twice.
 *
 * Nothing takes a stake back: it is over when the ring's head has passed its records.
 * What the rings of a batch say must agree, and all of them must be there.
 *
 * Who else may be there: a leader that is alive and finishes its batch itself, or
 * another one of the same past (leader_begin_adopting keeps them apart); rings whose
 * owners live on under the new control file; whoever may write to a ring and says there
 * what he likes: all of it is checked as that of an intent is.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_STAKE_H
#define AUDITRING_STAKE_H

#include "drainer.h"

/* Finishes batches that were begun under other control files. The live file is open.
 * 0 or a negative errno: then as much is left to do as before. */
int stake_finish(struct writer *writer);

#endif

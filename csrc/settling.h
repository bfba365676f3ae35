/* settling.h - the end of a batch whose file is given up.
 *
 * What is in the file as whole records stays and is published; the rest stays in the
 * rings, for the next file. Counts and cuts by the leader's own copy of what it wrote
 * and of where each ring's part ends in it: who writes over his ring meanwhile has only
 * his own records counted wrongly, and the file is cut behind a whole line all the
 * same.
 *
 * Threads:  the leader's only.
 */
#ifndef AUDITRING_SETTLING_H
#define AUDITRING_SETTLING_H

#include "batch.h"

#include <stdbool.h>
#include <stdint.h>

/* How many bytes of an outstanding batch are in the file as whole records. */
uint64_t batch_whole(struct batch *batch);

/* Ends an outstanding batch at the last whole record that is in the file: cuts what
 * follows off `file` (which must not be the live file's name any more) and publishes
 * that much. The rest stays in the rings. `keep` false: keeps none of it. */
void batch_settle(struct batch *batch, bool keep);

#endif

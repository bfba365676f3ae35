/* livefile.h - what the leader does with the live file besides appending batches.
 *
 * Opens it, notices what others do to it and tells the losses that come of that,
 * rotates it and keeps it synced as far as somebody relies on that.
 *
 * Threads:  the leader's.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_LIVEFILE_H
#define AUDITRING_LIVEFILE_H

#include "drainer.h"

/* The live file open, and known as it is now. */
int livefile_prepare(struct writer *writer);

/* Makes it a backup and starts a new one. `forced`: because it can't be written on. */
int livefile_rotate(struct writer *writer, bool forced);

/* Closes it and opens what has its name now. */
int livefile_reopen(struct writer *writer);

/* Everything that was written to it and to its backups is on the disk. */
int livefile_sync(struct writer *writer);

/* Starts and ends the background syncs of durability interval. */
void livefile_sync_at_interval(struct writer *writer, uint64_t now);

/* The last of those syncs, in the foreground, and the end of a file that is suspect. */
void livefile_end_interval(struct writer *writer);

/* The live file lost its name, or never had one: opens or makes another. */
int livefile_renew(struct writer *writer);

/* Everything up to `size` was synced. */
void livefile_note_sync(struct writer *writer, uint64_t size);

/* Notes that what was not synced yet may never be on the disk: another sync that
 * succeeds proves nothing about it. */
void livefile_note_failed_sync(struct writer *writer);

#endif

/* durability.h - how much of the live file is on the disk, and what a failed sync
 * means.
 *
 * The kernel tells of a write that it could not bring to the disk once, and takes its
 * pages for clean: a later sync that succeeds proves nothing about them. So what was
 * not synced when a sync failed is told as suspect, and the file is left. Source:
 * Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.
 *
 * Threads:  the leader's.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_DURABILITY_H
#define AUDITRING_DURABILITY_H

#include "drainer.h"

/* Another file is the live file: nothing of it is synced, and nothing suspect. */
void durability_begin_file(struct writer *writer);

/* Before the live file becomes a backup: syncs it, if a ring relies on that, and then
 * tells that its name has to be synced, too. */
bool durability_leave_file(struct writer *writer);

/* Everything that was written to the live file and to its backups is on the disk. */
int durability_sync(struct writer *writer);

/* Starts and ends the background syncs of durability interval. */
void durability_sync_at_interval(struct writer *writer, uint64_t now);

/* Whether a sync is under way, or due sooner or later. */
bool durability_is_pending(const struct writer *writer);

/* The last of those syncs, in the foreground, and the end of a file that is suspect. */
void durability_end(struct writer *writer);

/* Everything up to `size` was synced. */
void durability_note_sync(struct writer *writer, uint64_t size);

/* Notes that what was not synced yet may never be on the disk. */
void durability_note_failed_sync(struct writer *writer);

#endif

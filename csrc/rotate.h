/* rotate.h - makes the live file a backup and starts a new one.
 *
 * What is in the files is logfile.h's; compressing and removing backups is the mill's.
 * The old file is renamed before a new one is made, so a reader that follows the name
 * never sees an empty file first.
 *
 * Threads:  the leader's only, with no intent outstanding but one that settles.
 * Errors:   0 or a negative errno; on failure the live file still has its name.
 */
#ifndef AUDITRING_ROTATE_H
#define AUDITRING_ROTATE_H

#include "control.h"
#include "logfile.h"
#include "sys.h"

#include <stdint.h>

enum { ROTATE_NAME_SIZE = 320 };

/* The name of a lumberjack backup: stem, '-', UTC time, extension. `.hidden` has an
 * empty stem, as Go's filepath.Ext sees it. */
void rotate_backup_name(const char *name, uint64_t real_ms, char out[ROTATE_NAME_SIZE]);

/* The time in a backup's name (any compression suffix); 0 when it is no backup. */
uint64_t rotate_backup_time(const char *name, const char *candidate);

/* The newest time among the backups in the directory that a clock can have told; 0 when
 * there are none. */
int rotate_newest(const struct sys *sys, int dir, const char *name,
                  uint64_t *newest_ms);

/* Renames the live file to a backup that sorts after all others (lumberjack), but for
 * those of times that no clock tells, or to
 * `.1` after shifting the others up to `max_backups` (stdlib), or further while there
 * are followers that may need them. The descriptor stays open. With 0 backups the
 * stdlib dialect just lets the file grow: -ENOTSUP, unless `forced` because the file
 * can't be written on; then the first free number is taken. -EAGAIN: the mill is
 * renaming numbered backups at this moment. */
int rotate_away(struct logfile *file, struct control *control, int state_dir,
                bool forced);

/* Takes the name off a live file of which nothing is to be kept: as a backup it would
 * only push out those that hold something. With other bytes than ours it becomes one,
 * all the same. The descriptor stays open. */
int rotate_discard(struct logfile *file, struct control *control, int state_dir);

/* Closes what was the live file and creates the new one, with the old one's rights. */
int rotate_reopen(struct logfile *file, struct control *control);

#endif

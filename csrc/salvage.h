/* salvage.h - what can be saved from the rings after the machine itself went down.
 *
 * After a reboot the order in which pages reached the disk is unknown, so positions and
 * intents are not trusted for exactly-once. Every record that is whole and was not
 * drained goes to a file of its own, `<stem>-salvaged-<boot>.jsonl` beside the log,
 * where the last lines of the log may stand a second time (same auditID and stage). An
 * unfinished last line of the log moves to `<name>.torn`; it may stand there twice if a
 * first try failed.
 *
 * Called under the opening lock, before any slot is claimed; nobody else uses the
 * files.
 */
#ifndef AUDITRING_SALVAGE_H
#define AUDITRING_SALVAGE_H

#include "control.h"
#include "sys.h"

/* Salvages, removes the old rings, counts, and resets the control file for this boot.
 * On failure nothing was reset, and the next opener tries again. */
int salvage(struct control *control, int dir, int rings_dir, const char *name);

#endif

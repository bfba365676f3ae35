/* storm_left.h - prints what a ring that was left behind says of itself, and what the
 * slot table says of it, so that one failure in a thousand can be understood.
 */
#ifndef AUDITRING_STORM_LEFT_H
#define AUDITRING_STORM_LEFT_H

#include "control.h"
#include "storm_log.h"

/* Prints each ring that is there, and returns how many are. */
unsigned left_print_rings(const struct storm_log *log, const struct control *control);

#endif

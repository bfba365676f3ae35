/* storm_accounts.h - the log's own accounts against the oracle's: counters, gap events,
 * and what is left in the state directory.
 */
#ifndef AUDITRING_STORM_ACCOUNTS_H
#define AUDITRING_STORM_ACCOUNTS_H

#include "control.h"
#include "storm_log.h"
#include "storm_oracle.h"

#include <stdbool.h>
#include <stdint.h>

/* After the last opener: returns how many accounts are wrong, and prints them. At most
 * `abandoned_max` reservations may have been abandoned; gap events may tell nothing
 * else but these, drops, and the reasons in `allowed` (bits by gap_reason). */
unsigned accounts_check(const struct storm_log *log, const struct control *control,
                        uint64_t abandoned_max, uint32_t allowed);

/* Prints what is not so; returns 1 then, else 0. */
unsigned accounts_expect(bool is_so, const char *what);

void accounts_row(const char *name, uint64_t value);
void accounts_print(const struct oracle *oracle);
void accounts_print_counters(const struct control *control);

#endif

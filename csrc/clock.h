/* clock.h - times as text: names of backups and time stamps of events.
 *
 * Threads:  any; no state.
 * Units:    nanoseconds or milliseconds since the epoch, UTC.
 */
#ifndef AUDITRING_CLOCK_H
#define AUDITRING_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_NAME_SIZE = 24, /* "2026-11-22T01-02-03.004" and the NUL */
    CLOCK_MICRO_SIZE = 28 /* "2026-11-22T01:02:03.000004Z" and the NUL */
};

/* The time in a backup's name (lumberjack: colons are dashes, three digits). */
void clock_name(uint64_t real_ms, char out[CLOCK_NAME_SIZE]);

/* Reads such a name; true only when all 23 characters are a real date and time. */
bool clock_parse_name(const char *text, uint64_t *real_ms);

/* Kubernetes' MicroTime: RFC 3339 with six digits and Z. */
void clock_micro(uint64_t real_ns, char out[CLOCK_MICRO_SIZE]);

#endif

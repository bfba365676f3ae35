/* support_log.h - reads a log as its owner would: every line, every gap event.
 *
 * A log is its lumberjack backups in the order of their names, then the live file, one
 * after the other. Lines that tests write begin with "line ".
 */
#ifndef AUDITRING_SUPPORT_LOG_H
#define AUDITRING_SUPPORT_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* The whole log in the current folder. Freed after the test. */
char *log_text(const char *name);

/* How many files that is, the live one included. */
unsigned log_files(const char *name);

/* How often the line (without its newline) stands in the text. */
unsigned log_count(const char *text, const char *line);

/* Whether every line ends in a newline and is a test's or a gap event. */
bool log_is_whole(const char *text);

/* The gap events of that reason (NULL: of any). */
unsigned log_gaps(const char *text, const char *reason);

/* What they tell: the sum of "auditring.io/<annotation>" over them. */
uint64_t log_gap_sum(const char *text, const char *reason, const char *annotation);

#endif

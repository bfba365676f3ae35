/* storm_log.h - shows an oracle the files of a log, oldest first, and removes what it
 * has seen, so that a long storm fits on a small disk.
 *
 * Ownership:  the struct owns its descriptors and its buffer.
 * Threads:    one.
 */
#ifndef AUDITRING_STORM_LOG_H
#define AUDITRING_STORM_LOG_H

#include "control.h"
#include "storm_oracle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct storm_log {
    struct oracle *oracle;
    char directory[200];
    char path[240]; /* of the live file */
    enum dialect dialect;
    uint64_t max_bytes;
    int dir;
    char newest[256]; /* backup that the last listing showed */
    char *text; /* of the file at hand */
    size_t text_size;
    uint64_t files;
    uint64_t overfull; /* files larger than max_bytes that hold more than one line */
};

/* Makes the directory. */
bool storm_log_open(struct storm_log *log, const char *directory,
                    struct oracle *oracle);
void storm_log_close(struct storm_log *log);

/* Judges and removes backups that nobody will write to any more: all but the newest.
 * At most `limit` of them; tells how many are left to do. */
unsigned storm_log_read(struct storm_log *log, unsigned limit);

/* When nobody writes any more: judges all backups, then the live file. */
void storm_log_read_all(struct storm_log *log);

/* Names in the state directory that begin so; what is left of dead processes. */
unsigned storm_log_left(const struct storm_log *log, const char *prefix);

/* Maps the control file to look at; it must be there. */
bool storm_log_control(const struct storm_log *log, struct control *out);

/* The process that leads, or 0. */
int32_t storm_log_leader(const struct control *control);

/* Removes the directory and all in it. */
void storm_log_remove(struct storm_log *log);

#endif

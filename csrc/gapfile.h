/* gapfile.h - the gap events of a batch, for a file of their own: `<log>.gaps`.
 *
 * They are written before the batch's intent is said: after a crash they may be there
 * twice, never not at all. A batch that fails is followed by one with the same gap
 * events, which goes on where this one's got to.
 *
 * Ownership:  the struct owns its lines.
 * Threads:    the leader's only.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_GAPFILE_H
#define AUDITRING_GAPFILE_H

#include "control.h"
#include "logfile.h"

#include <stdbool.h>
#include <stdint.h>

enum { GAPFILE_LINES_SIZE = 16 * 1024 };

struct gapfile {
    uint8_t *lines;
    uint64_t size;    /* bytes used of them */
    uint64_t written; /* of the last ones, what got there */
    uint32_t digest;  /* and its CRC-32C */
};

/* -ENOMEM: nothing stays behind. */
int gapfile_open(struct gapfile *gaps);
void gapfile_close(struct gapfile *gaps);

/* Forgets the lines, but not how far writing them got. */
void gapfile_begin(struct gapfile *gaps);

/* False: there is no room for it. */
bool gapfile_add(struct gapfile *gaps, const uint8_t *line, uint64_t size);

/* Appends the lines to the file beside `log`. Called again after a failure, it
 * continues at the remainder. */
int gapfile_write(struct gapfile *gaps, const struct logfile *log,
                  const struct control_settings *settings);

#endif

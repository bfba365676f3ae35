/* gap.h - the event that says what is missing from the log, and why.
 *
 * A gap event is an ordinary line (audit.k8s.io/v1 Event, verb "gap") in a record of
 * type RING_GAP. A mark before the line says which losses it tells about, in absolute
 * numbers, so that a crash between writing and counting can't tell them twice.
 *
 * Threads:  any; no state.
 */
#ifndef AUDITRING_GAP_H
#define AUDITRING_GAP_H

#include <stddef.h>
#include <stdint.h>

enum gap_reason {
    GAP_DROPPED = 0,   /* this ring was full and its writer was told to drop */
    GAP_ABANDONED = 1, /* a process died between reserving and committing */
    GAP_DAMAGED = 2,   /* a committed record's CRC was wrong */
    GAP_CUT = 3,       /* somebody truncated the live file */
    GAP_UNLINKED = 4,  /* somebody removed or replaced the live file */
    GAP_CONFLICT = 5, /* recovery found other bytes: lines may be missing or double */
    GAP_SUSPECT = 6, /* a sync failed: earlier lines may not be on the disk */
    GAP_REBOOT = 7, /* the machine restarted: see the salvage file */
    GAP_DROPPED_BY_DEAD = 8, /* drops that their process did not live to tell */
    GAP_UNREAD = 9, /* backups were removed that a registered follower had not read */
    GAP_LOST_RING = 10 /* a ring is gone or can't be read: nobody knows what it held */
};

enum { GAP_REASONS = 11, GAP_LINE_MAX = 1024 };

struct gap_mark {
    uint32_t reason;
    uint32_t line_size;
    uint64_t count; /* all losses of this reason up to and with this event */
    uint64_t bytes;
};

struct gap {
    enum gap_reason reason;
    uint64_t count; /* what this event tells about */
    uint64_t bytes;
    uint64_t total_count; /* goes to the mark */
    uint64_t total_bytes;
    uint32_t pid;
    const char *detail; /* JSON-safe ASCII, or NULL */
    uint64_t real_ns;
    uint64_t random[2]; /* the auditID */
};

/* What the annotation auditring.io/reason says. */
const char *gap_reason_name(enum gap_reason reason);

/* Writes mark and line (with its newline); returns the size of both. */
size_t gap_format(const struct gap *gap,
                  char out[sizeof(struct gap_mark) + GAP_LINE_MAX]);

/* The line of a record of type RING_GAP, after its mark. NULL: they contradict each
 * other; a record is input. */
const uint8_t *gap_line(const uint8_t *record, size_t size, struct gap_mark *mark);

#endif

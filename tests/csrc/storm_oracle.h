/* storm_oracle.h - knows which lines were to be logged, and judges what the log holds.
 *
 * A line tells its stream (one producer thread of one process) and its sequence in that
 * stream; its size and every byte of it follow from these two. What a producer
 * attempted and what was acknowledged is counted in memory that the parent shares with
 * its children, so the judge needs nothing from those that were killed.
 *
 * Ownership:  oracle_open maps what oracle_close unmaps.
 * Threads:    a stream belongs to one producer; judging to one thread of one process.
 */
#ifndef AUDITRING_STORM_ORACLE_H
#define AUDITRING_STORM_ORACLE_H

#include "gap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORACLE_LINE_MAX = 20 * 1024, ORACLE_MISSING_MAX = 4096 };

/* Sequences begin at 1; attempted is the same as acknowledged, or one more. */
struct oracle_stream {
    _Atomic uint64_t attempted;
    _Atomic uint64_t acknowledged;
    _Atomic uint64_t drops_begun;
    _Atomic uint64_t drops_done;
};

/* Lines of one stream that were passed over and may still come, out of order. */
struct oracle_missing {
    uint32_t stream;
    uint64_t first;
    uint64_t last;
};

struct oracle_findings {
    uint64_t lines;
    uint64_t bytes; /* of all lines, gap events too */
    uint64_t lost;
    uint64_t duplicated;
    uint64_t torn; /* or mixed, or never written by anybody */
    uint64_t disordered;
    uint64_t gap_events;
    uint64_t gap_counts[GAP_REASONS]; /* dropped by the dead counts as dropped */
};

struct oracle {
    struct oracle_stream *streams;
    uint64_t *next; /* by stream: the sequence that should come now */
    uint32_t stream_count;
    struct oracle_missing missing[ORACLE_MISSING_MAX];
    uint32_t missing_count;
    const char *place; /* what is being judged, for the reports */
    uint32_t reports;
    struct oracle_findings findings;
};

bool oracle_open(struct oracle *oracle, uint32_t streams);

/* A second judge of the same streams, which stay the first one's. */
bool oracle_open_beside(struct oracle *oracle, const struct oracle *first);

void oracle_close(struct oracle *oracle);

/* Writes the line with its newline; returns its size. */
size_t oracle_line(uint32_t stream, uint64_t sequence, char out[ORACLE_LINE_MAX]);

/* Judges whole files in the order of the log; prints the first faults. A NUL follows
 * the text. `place` is a name for the reports. */
void oracle_judge(struct oracle *oracle, const char *place, const char *text,
                  size_t size);

/* Whether anything was found that must not be, or is missing so far. */
bool oracle_has_doubts(const struct oracle *oracle);

/* After the last line: counts as lost what was acknowledged and never came. */
void oracle_finish(struct oracle *oracle);

uint64_t oracle_acknowledged(const struct oracle *oracle);

/* Attempts that were not acknowledged; they may be in the log or not. */
uint64_t oracle_unacknowledged(const struct oracle *oracle);

/* Who was killed in the middle of a drop may have been counted or not. */
uint64_t oracle_drops_min(const struct oracle *oracle);
uint64_t oracle_drops_max(const struct oracle *oracle);

#endif

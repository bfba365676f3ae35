/* intent.h - a batch as its intent says it, and what follows once it is written.
 *
 * Whoever makes a batch begins an intent, begins a range in it for each ring, and adds
 * the records one by one. Whoever finds a valid intent, in this process or after it,
 * walks the same records and publishes the same values. Layout and validity of an
 * intent stand in control.h.
 *
 * Ownership:  intent, control and rings are borrowed.
 * Threads:    the leader's only.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_INTENT_H
#define AUDITRING_INTENT_H

#include "control.h"
#include "logfile.h"
#include "ringreader.h"

#include <stdbool.h>
#include <stdint.h>

/* Begins an intent without records: everything "after" as it is now, what is added
 * later adds to it. It starts at the end of `file`. */
void intent_begin(struct control_intent *intent, const struct control *control,
                  const struct logfile *file, bool gaps_aside);

/* A range without records, at the ring's head. */
struct control_range intent_range(uint32_t slot, bool owner_gone,
                                  const struct ring *ring);

/* The digest of a batch is of its records' CRCs in their order. It tells whether two
 * readings of the same rings found the same, nothing more. */
static inline uint32_t
intent_digest(uint32_t digest, uint32_t crc)
{
    return ((digest << 5 | digest >> 27) ^ crc) *
           0x9e3779b1; /* 2^32 by the golden ratio */
}

/* Counts what was passed over on the way to a record, or to where there is none. */
static inline void
intent_skip(struct control_intent *intent, const struct ring_record *record)
{
    intent->abandoned_after += record->skipped;
    intent->damaged_after += record->damaged;
}

/* Adds a record's place, whatever is done with its bytes. */
static inline void
intent_add(struct control_intent *intent, struct control_range *range,
           const struct ring_record *record)
{
    intent_skip(intent, record);
    intent->digest = intent_digest(intent->digest, record->crc);
    intent->lines_after++;
    if (record->type == RING_DATA) {
        intent->records_after++;
        intent->recovered_after += range->owner_gone;
    }
    range->to = record->next;
}

/* Once this gap event is in the log, these losses are told. */
void intent_report(struct control_intent *intent, struct control_range *range,
                   const struct gap_mark *mark);

/* What of a record goes into the log. */
void intent_line(const struct control_intent *intent, const struct ring_record *record,
                 const uint8_t **data, uint64_t *size);

/* A record's bytes, copied: those in the ring may change at any moment. The buffer is
 * the caller's to free. */
struct intent_copy {
    uint8_t *bytes;
    uint64_t size;
};

/* The next record of a range, its bytes in the copy; as ring_next, or -ENOMEM. */
int intent_next(struct intent_copy *copied, const struct ring *ring, uint64_t from,
                const struct control_range *range, struct ring_record *record);

/* The bytes of an intent's records, in order. Returns what `each` returned, if not 0.
 * -EUCLEAN: the rings don't hold what the intent says. */
typedef int (*intent_each)(void *context, const uint8_t *data, uint64_t size);
int intent_walk(const struct control_intent *intent, struct ring *const *rings,
                intent_each each, void *context);

/* Makes everything that follows from a written intent true, and clears it; may be
 * repeated. The rings are those of its ranges. */
void intent_publish(struct control *control, const struct control_intent *intent,
                    struct ring *const *rings, bool is_durable);

#endif

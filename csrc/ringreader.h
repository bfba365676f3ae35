/* ringreader.h - the records of a ring, as its consumer finds them.
 *
 * Ownership:  what a record shows points into the mapping, and is good until its place
 *             is published (ringwait.h).
 * Threads:    one consumer at a time.
 * Ordering:   pairs are listed at the top of ring.c.
 */
#ifndef AUDITRING_RINGREADER_H
#define AUDITRING_RINGREADER_H

#include "ringfile.h"

#include <stdbool.h>
#include <stdint.h>

/* A committed record as the consumer sees it. */
struct ring_record {
    const uint8_t *data;
    uint32_t size;
    uint32_t crc; /* over position, size, type and payload */
    uint16_t type;
    bool is_copied; /* `data` is the caller's (ring_next_into) */
    uint64_t position;
    uint64_t next; /* where to go on, set even when there is no record */
    uint64_t
        skipped; /* reservations that were passed over: abandoned by a dead owner */
    uint64_t damaged; /* committed records passed over because their CRC is wrong */
};

/* Finds the first record in [from, end): returns 1 and the record, or 0 with
 * record->next where it stopped: at `end`, or at a reservation that is not committed.
 * `owner_gone` passes over such reservations: only for a sealed ring without an owner.
 */
int ring_next(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
              struct ring_record *record);

/* The same, for whoever hands a record on: its bytes are copied to `to` and checked
 * there, because whoever may write to the ring may change them between a check and a
 * use. A record larger than `room` is not copied, nor its CRC checked. */
int ring_next_into(const struct ring *ring, uint64_t from, uint64_t end,
                   bool owner_gone, uint8_t *to, uint64_t room,
                   struct ring_record *record);

/* Overwrites the payloads in [from, to) with zeros. */
void ring_wipe(const struct ring *ring, uint64_t from, uint64_t to);

/* Where the record begins that the index has for the unit at `offset` of the data;
 * false: that entry was never used, or not by this ring. Nothing else is checked. */
bool ring_begins_at(const struct ring *ring, uint64_t offset, uint64_t *position);

#endif

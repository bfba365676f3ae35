/* ring.h - bounded ring of byte records in shared memory: many producers, one consumer.
 *
 * A ring belongs to one process (its threads are the producers) and lives in a file of
 * its own, so what was committed outlives the process (ringfile.h). The consumer is the
 * leader of the log, in whichever process that is: it reads as in ringreader.h, and
 * both sides wait for each other as in ringwait.h.
 *
 * Ownership:  records are copied in.
 * Threads:    reserve, commit and write from any thread of the owner; seal from the
 *             consumer or the owner.
 * Ordering:   pairs are listed at the top of ring.c.
 * Errors:     0 or a negative errno. -EAGAIN: full; -EMSGSIZE: above
 *             ring_record_limit; -ESTALE: sealed, open another ring; -EUCLEAN: head and
 *             tail contradict each other. None of them reserved anything.
 * Units:      sizes in bytes; a position counts bytes since the ring began and never
 *             wraps (2^63 bytes are centuries).
 */
#ifndef AUDITRING_RING_H
#define AUDITRING_RING_H

#include "ringfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_reservation {
    uint64_t position;
    uint64_t end; /* the position after the record */
    bool crossed_half; /* this reservation filled the ring past its middle */
};

/* Reserves room for one payload. The caller must commit it: until then the consumer
 * stops there, while the owner lives. */
int ring_reserve(struct ring *ring, uint64_t size, struct ring_reservation *out);

/* Where the payload of a reservation goes. */
uint8_t *ring_payload(const struct ring *ring, const struct ring_reservation *at);

/* Makes the payload visible, whole. */
void ring_commit(struct ring *ring, const struct ring_reservation *at, uint32_t size,
                 enum ring_type type);

/* Reserve, copy, commit. `terminate` adds a newline to the payload. */
int ring_write(struct ring *ring, enum ring_type type, const void *data, size_t size,
               bool terminate, struct ring_reservation *out);

/* Whether a record that was written lies, in part at least, where nobody else sees it:
 * the file was cut. */
bool ring_has_lost(const struct ring *ring, const struct ring_reservation *at);

/* Has the kernel give the pages that will be written to next, so that no producer waits
 * for them: at first a MiB, all of them once that did not suffice. For the owner's
 * thread, again and again. */
void ring_populate(struct ring *ring);

/* Ends reserving, once for all, and tells the final tail. May be called again. */
uint64_t ring_seal(struct ring *ring);
bool ring_is_sealed(const struct ring *ring);

uint64_t ring_tail(const struct ring *ring); /* without the seal */
uint64_t ring_head(const struct ring *ring);

/* Whether two positions can be a head and a tail of it: both come from the file. */
bool ring_is_consistent(const struct ring *ring, uint64_t head, uint64_t tail);

#endif

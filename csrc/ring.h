/* ring.h - bounded ring of byte records in shared memory: many producers, one consumer.
 *
 * A ring belongs to one process (its threads are the producers) and lives in a file of
 * its own, so what was committed outlives the process. The consumer is the leader of
 * the log, in whichever process that is.
 *
 * Ownership:  `struct ring` is this process's view; ring_close unmaps it. The file is
 *             unlinked by the consumer, after ring_seal and draining. Records are
 *             copied in; what ring_next shows points into the mapping.
 * Threads:    reserve, commit and write from any thread of the owner; next and publish
 *             from one consumer at a time; seal from the consumer or the owner.
 * Ordering:   pairs are listed at the top of ring.c.
 * Errors:     0 or a negative errno. -EAGAIN: full; -EMSGSIZE: above
 *             ring_record_limit; -ESTALE: sealed, open another ring; -EUCLEAN: head and
 *             tail contradict each other. None of them reserved anything.
 * Units:      sizes in bytes; a position counts bytes since the ring began and never
 *             wraps (2^63 bytes are centuries).
 */
#ifndef AUDITRING_RING_H
#define AUDITRING_RING_H

#include "sys.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_UNIT = 64, /* the least that a record takes up: in no unit begin two of them */
    RING_HEADER_SIZE = 4096, /* one page before the index and the data */
    RING_VERSION = 2,
    RING_NAME_SIZE = 40 /* "ring.<slot>.<nonce>" and the NUL */
};

#define RING_CAPACITY_MIN ((uint64_t)64 * 1024)
#define RING_CAPACITY_MAX ((uint64_t)1024 * 1024 * 1024)

enum ring_type {
    RING_PAD = 0, /* fills the end of the ring before the wrap; no payload */
    RING_DATA = 1, /* a line */
    RING_GAP = 2 /* struct gap_mark, then a line (gap.h) */
};

/* The first page of the file; the index, half as large as the data, and the data
 * follow. Each group stands 256 bytes from the next, so that producers and the consumer
 * never write to the same pair of cache lines. */
struct ring_shared {
    /* Written once, before the slot goes live. */
    uint64_t magic;
    uint32_t version;
    uint32_t slot;
    uint64_t capacity; /* of the data; a power of two */
    uint64_t nonce;
    uint64_t first_position;
    char boot_id[40];
    char unused_0[176];
    /* Producers. */
    _Atomic uint64_t tail; /* RING_SEALED is its top bit */
    _Atomic uint64_t dropped_count;
    _Atomic uint64_t dropped_bytes;
    _Atomic uint64_t blocked_ns;
    _Atomic uint64_t block_timeouts;
    _Atomic uint64_t refused_count; /* on_full="raise", and records over the limit */
    char unused_1[208];
    /* The consumer. */
    _Atomic uint64_t head;
    _Atomic uint64_t durable; /* everything before it is on the disk */
    _Atomic uint64_t dropped_count_reported; /* told in gap events that are written */
    _Atomic uint64_t dropped_bytes_reported;
    char unused_2[224];
    /* Both. */
    _Atomic uint32_t space_word; /* changes when the consumer made room */
    _Atomic uint32_t space_waiters;
    _Atomic uint32_t durable_word; /* changes when `durable` moved */
    _Atomic uint32_t durable_waiters;
    char unused_3[3312];
};
_Static_assert(sizeof(struct ring_shared) == RING_HEADER_SIZE, "one page");
_Static_assert(offsetof(struct ring_shared, tail) == 256, "own lines");
_Static_assert(offsetof(struct ring_shared, head) == 512, "own lines");
_Static_assert(offsetof(struct ring_shared, space_word) == 768, "own lines");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "lock-free is also address-free");

struct ring {
    const struct sys *sys;
    struct ring_shared *shared; /* NULL: closed */
    struct ring_entry *index; /* one for each unit of the data */
    uint8_t *data;
    uint64_t capacity;
    uint64_t nonce;
    uint64_t populated; /* the bytes of the data that ring_populate has been through */
};

struct ring_options {
    uint64_t capacity; /* a power of two in [RING_CAPACITY_MIN, RING_CAPACITY_MAX] */
    uint64_t nonce;
    uint64_t first_position; /* where positions start; 0 but in tests */
    uint32_t slot;
    char boot_id[40];
};

struct ring_reservation {
    uint64_t position;
    uint64_t end; /* the position after the record */
    bool crossed_half; /* this reservation filled the ring past its middle */
};

/* A committed record as the consumer sees it. */
struct ring_record {
    const uint8_t *data;
    uint32_t size;
    uint32_t crc; /* over position, size, type and payload */
    uint16_t type;
    uint64_t position;
    uint64_t next; /* where to go on, set even when there is no record */
    uint64_t
        skipped; /* reservations that were passed over: abandoned by a dead owner */
    uint64_t damaged; /* committed records passed over because their CRC is wrong */
};

/* The smallest power of two that holds `bytes`, within the limits. */
uint64_t ring_capacity_for(uint64_t bytes);

/* The largest payload of one record: half the ring less 64 bytes. */
uint64_t ring_record_limit(uint64_t capacity);

/* Bytes that a payload takes up in the ring: its own, but at least one unit. Payloads
 * that follow each other in time stand back to back, whoever wrote them, but at the
 * wrap. */
uint64_t ring_span(uint64_t size);

/* The file's size. */
uint64_t ring_file_size(uint64_t capacity);

/* The file's name. */
void ring_name(uint32_t slot, uint64_t nonce, char out[RING_NAME_SIZE]);

/* Creates the file (-EEXIST when it is there), allocates all of it (-ENOSPC now rather
 * than SIGBUS later) and maps it. On failure nothing stays behind. `gid` -1: as is. */
int ring_create(struct ring *ring, const struct sys *sys, int dir,
                const struct ring_options *options, mode_t mode, gid_t gid);

/* A ring of this process alone, without a file. */
int ring_create_private(struct ring *ring, const struct sys *sys,
                        const struct ring_options *options);

/* Maps the file of another process or an earlier one after checking all of its header.
 * -EUCLEAN: it is no ring of that slot and nonce. */
int ring_open(struct ring *ring, const struct sys *sys, int dir, uint32_t slot,
              uint64_t nonce);

/* Unmaps; a closed ring may be closed again. */
void ring_close(struct ring *ring);

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

/* Has the kernel give the pages that will be written to next, so that no producer waits
 * for them: at first a MiB, all of them once that did not suffice. For the owner's
 * thread, again and again. */
void ring_populate(struct ring *ring);

/* Ends reserving, once for all, and tells the final tail. May be called again. */
uint64_t ring_seal(struct ring *ring);
bool ring_is_sealed(const struct ring *ring);

uint64_t ring_tail(const struct ring *ring); /* without the seal */
uint64_t ring_head(const struct ring *ring);

/* Where the record begins that the index has for the unit at `offset` of the data;
 * false: that entry was never used, or not by this ring. Nothing else is checked. */
bool ring_begins_at(const struct ring *ring, uint64_t offset, uint64_t *position);

/* Whether two positions can be a head and a tail of it: both come from the file. */
bool ring_is_consistent(const struct ring *ring, uint64_t head, uint64_t tail);

/* Finds the first record in [from, end): returns 1 and the record, or 0 with
 * record->next where it stopped: at `end`, or at a reservation that is not committed.
 * `owner_gone` passes over such reservations: only for a sealed ring without an owner.
 */
int ring_next(const struct ring *ring, uint64_t from, uint64_t end, bool owner_gone,
              struct ring_record *record);

/* Gives [.., head) back to the producers and wakes those that wait for room. */
void ring_publish(struct ring *ring, uint64_t head);

/* Tells the producers that everything before `position` is on the disk. */
void ring_publish_durable(struct ring *ring, uint64_t position);

/* Waits until `size` bytes may be reserved, `limit_ns` at most. The ring was full. */
void ring_wait_space(struct ring *ring, uint64_t size, uint64_t limit_ns);

/* Waits until `position` is on the disk, `limit_ns` at most; tells whether it is. */
bool ring_wait_durable(struct ring *ring, uint64_t position, uint64_t limit_ns);

#endif

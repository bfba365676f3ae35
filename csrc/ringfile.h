/* ringfile.h - what the file of a ring holds, and a process's view of it.
 *
 * One page of cursors and counters, the index, the data. The page begins with a label
 * that says whose ring it is, so that a ring can be told from the file alone, when the
 * control file that named it is gone (ringlabel.h). Everything in the file of another
 * process is input: it is checked here as it is opened, and record by record as it is
 * read.
 *
 * Ownership:  `struct ring` is this process's view; ring_close unmaps it. The file is
 *             unlinked by the consumer, after ring_seal and draining.
 * Threads:    create, open and close by whoever owns the view; the rest from any.
 * Errors:     0 or a negative errno.
 * Units:      sizes in bytes; a position counts bytes since the ring began.
 */
#ifndef AUDITRING_RINGFILE_H
#define AUDITRING_RINGFILE_H

#include "crc32c.h"
#include "mapping.h"
#include "sys.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_UNIT = 64, /* the least that a record takes up: in no unit begin two of them */
    RING_HEADER_SIZE = 4096, /* one page before the index and the data */
    RING_CACHE_LINE = 64,
    RING_VERSION = 3,
    RING_VERSION_UNLABELLED = 2, /* without owner and CRC; still read */
    RING_NAME_SIZE = 40 /* "ring.<slot>.<nonce>" and the NUL */
};

#define RING_MAGIC UINT64_C(0x31676e6972647561) /* "audring1" */

/* The top bit of a tail that is sealed. */
#define RING_SEALED ((uint64_t)1 << 63)

#define RING_CAPACITY_MIN ((uint64_t)64 * 1024)
#define RING_CAPACITY_MAX ((uint64_t)1024 * 1024 * 1024)

enum ring_type {
    RING_PAD = 0, /* fills the end of the ring before the wrap; no payload */
    RING_DATA = 1, /* a line */
    RING_GAP = 2 /* struct gap_mark, then a line (gap.h) */
};

/* The process that writes to a ring, as leader.h tells processes apart. */
struct ring_owner {
    uint64_t start_time;
    uint64_t start_stack;
    uint64_t pid_namespace;
    int32_t pid;
    uint32_t unused; /* 0 */
};

/* What the ring has in the batch that is being written, or was written last
 * (ringstake.h). */
struct ring_stake {
    uint64_t identity; /* of the control file that the batch is said in */
    uint64_t sequence;
    uint64_t device;
    uint64_t inode;
    uint64_t start;
    uint64_t length;
    uint32_t digest;
    uint32_t range_count;
    uint32_t index; /* which of the ranges is this ring's */
    uint32_t gaps_aside;
    uint32_t owner_gone;
    uint32_t must_sync;
    uint64_t from;
    uint64_t to;
    uint64_t dropped_count_reported;
    uint64_t dropped_bytes_reported;
    struct ring_owner leader;
    uint32_t leader_slot;
    _Atomic uint32_t crc; /* CRC-32C of all before it */
};

/* The first page of the file; the index, half as large as the data, and the data
 * follow. Each group stands 256 bytes from the next, so that producers and the consumer
 * never write to the same pair of cache lines. */
struct ring_shared {
    /* The label. Written once, before the slot goes live. */
    uint64_t magic;
    uint32_t version;
    uint32_t slot; /* that it was made for; an adopted one has another */
    uint64_t capacity; /* of the data; a power of two */
    uint64_t nonce;
    uint64_t first_position;
    char boot_id[40];
    struct ring_owner owner;
    uint64_t predecessor; /* nonce of the ring to drain before this one; 0: none */
    uint32_t label_crc; /* CRC-32C of all before it */
    char unused_0[132];
    /* Producers. */
    _Atomic uint64_t tail; /* with RING_SEALED */
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
    _Atomic uint64_t keeper; /* identity of the control file whose leader drains it */
    char unused_2[216];
    /* Both. */
    _Atomic uint32_t space_word; /* changes when the consumer made room */
    _Atomic uint32_t space_waiters;
    _Atomic uint32_t durable_word; /* changes when `durable` moved */
    _Atomic uint32_t durable_waiters;
    _Atomic uint64_t spare; /* whose it will be (spare.h); 0: nobody's yet */
    char unused_3[232];
    struct ring_stake stake; /* the leader's */
    char unused_4[2928];
};
_Static_assert(sizeof(struct ring_shared) == RING_HEADER_SIZE, "one page");
_Static_assert(offsetof(struct ring_shared, tail) == 256, "own lines");
_Static_assert(offsetof(struct ring_shared, head) == 512, "own lines");
_Static_assert(offsetof(struct ring_shared, space_word) == 768, "own lines");
_Static_assert(offsetof(struct ring_shared, stake) == 1024, "own lines");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "lock-free is also address-free");

/* What the index has for the record that begins in its unit. */
struct ring_entry {
    _Atomic uint64_t commit; /* position XOR nonce */
    uint32_t size;
    uint16_t type;
    uint16_t unused_0;
    uint32_t crc;
    uint32_t unused_1[3];
};
_Static_assert(sizeof(struct ring_entry) == RING_UNIT / 2,
               "the index is half the data");

struct ring {
    const struct sys *sys;
    struct mapping *mapping;
    struct ring_shared *shared; /* NULL: closed */
    struct ring_entry *index; /* one for each unit of the data */
    uint8_t *data;
    uint64_t capacity;
    uint64_t nonce;
    uint64_t populated; /* the bytes of the data that ring_populate has been through */
    uint64_t predecessor; /* of the leader: still to be drained before; 0: none */
    uint64_t drained; /* of the leader: its own head (ringhead.h) */
    bool knows_drained;
};

struct ring_options {
    uint64_t capacity; /* a power of two in [RING_CAPACITY_MIN, RING_CAPACITY_MAX] */
    uint64_t nonce;
    uint64_t first_position; /* where positions start; 0 but in tests */
    uint32_t slot;
    char boot_id[40];
    struct ring_owner owner;
    uint64_t predecessor;
    bool is_given; /* to `uid`, who has to read it (ownership.h) */
    uid_t uid;
    uint64_t keeper;
    bool is_spare; /* children inherit it; only its first page is allocated (spare.h) */
};

/* The smallest power of two that holds `bytes`, within the limits. */
uint64_t ring_capacity_for(uint64_t bytes);

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

/* The CRC of a label. */
uint32_t ring_label_crc(const struct ring_shared *label);

/* Whether a label says what a file of that size and nonce can be. */
bool ring_is_plausible(const struct ring_shared *label, uint64_t file_size,
                       uint64_t nonce);

/* Maps the file of another process or an earlier one after checking its label.
 * -EUCLEAN: it is no ring of that nonce. */
int ring_open(struct ring *ring, const struct sys *sys, int dir, uint32_t slot,
              uint64_t nonce);

/* Whether somebody cut the file while it was mapped here: what was on the pages that
 * are gone is lost, and what is stored there now nobody else sees. */
static inline bool
ring_is_cut(const struct ring *ring)
{
    return mapping_is_cut(ring->mapping);
}

/* Unmaps; a closed ring may be closed again. */
void ring_close(struct ring *ring);

/* The largest payload of one record: half the ring less 64 bytes. */
static inline uint64_t
ring_record_limit(uint64_t capacity)
{
    return capacity / 2 - 64;
}

/* Bytes that a payload takes up in the ring: its own, but at least one unit. Payloads
 * that follow each other in time stand back to back, whoever wrote them, but at the
 * wrap. */
static inline uint64_t
ring_span(uint64_t size)
{
    return size < RING_UNIT ? RING_UNIT : size;
}

/* The size of the index for so much of the data. */
static inline uint64_t
ring_index_size(uint64_t capacity)
{
    return capacity / RING_UNIT * sizeof(struct ring_entry);
}

static inline struct ring_entry *
ring_entry_at(const struct ring *ring, uint64_t position)
{
    return &ring->index[(position & (ring->capacity - 1)) / RING_UNIT];
}

static inline uint8_t *
ring_payload_at(const struct ring *ring, uint64_t position)
{
    return ring->data + (position & (ring->capacity - 1));
}

/* Place, size and type go into what the payload's CRC is continued from: a 64-bit hash
 * of them costs less than their CRC. */
static inline uint32_t
ring_place_crc(uint64_t position, uint32_t size, uint16_t type)
{
    uint64_t place = position ^ (uint64_t)size << 32 ^ (uint64_t)type << 61;

    return (uint32_t)(place * 0x9e3779b97f4a7c15 >> 32);
}

static inline uint32_t
ring_record_crc(uint64_t position, uint32_t size, uint16_t type, const uint8_t *payload)
{
    return crc32c(ring_place_crc(position, size, type), payload, size);
}

#endif

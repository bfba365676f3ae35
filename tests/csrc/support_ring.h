/* A ring of the test's own, written to and read as text. */
#ifndef AUDITRING_SUPPORT_RING_H
#define AUDITRING_SUPPORT_RING_H

#include "ringreader.h"

#include <stdbool.h>
#include <stdint.h>

enum { FIRSTS = 6 };

extern const uint64_t nonce;
extern const uint64_t capacity;
/* Around the wrap of the ring, of 32 bits, and far away. */
extern const uint64_t firsts[FIRSTS];

/* A private ring; the system is as new. */
struct ring open_ring(uint64_t first_position);

/* Commits a record; an error as ring_write's. */
int put_text(struct ring *ring, const char *text);

/* Takes the next record and gives its room back; its text is good until the next call.
 * NULL: there is none. */
const char *take_text(struct ring *ring);

/* Whether the first record from there on is that text. */
bool is_record(struct ring *ring, uint64_t from, bool owner_gone, const char *text,
               struct ring_record *record);

#endif

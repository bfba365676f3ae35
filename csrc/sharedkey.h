/* sharedkey.h - keys of short texts that request after request has: their bytes as four
 * words, which are compared and spread over slots without a loop. No text has a zero in
 * it, so that its words tell its size, too.
 *
 * Threads:  any; no state.
 * Units:    bytes.
 */
#ifndef AUDITRING_SHAREDKEY_H
#define AUDITRING_SHAREDKEY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHARED_SLOT_BITS 9
#define SHARED_MAX_BYTES 32
#define KNUTH_MULTIPLIER 0x9E3779B97F4A7C15u /* 2^64 through the golden ratio */

struct shared_key {
    uint64_t first;
    uint64_t second;
    uint64_t third;
    uint64_t fourth;
};

/* The bytes of a text of 1 to 32, with zeros behind it. */
static inline struct shared_key
shared_key_of(const char *text, size_t size)
{
    struct shared_key key = {0, 0, 0, 0};

    memcpy(&key, text, size);
    return key;
}

static inline int
shared_key_equals(const struct shared_key *key, const struct shared_key *other)
{
    return ((key->first ^ other->first) | (key->second ^ other->second) |
            (key->third ^ other->third) | (key->fourth ^ other->fourth)) == 0;
}

static inline size_t
shared_slot_of(const struct shared_key *key)
{
    uint64_t mixed = key->first ^ key->second * 3 ^ key->third * 5 ^ key->fourth * 7;

    return (size_t)(mixed * KNUTH_MULTIPLIER >> (64 - SHARED_SLOT_BITS));
}

#endif

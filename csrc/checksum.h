/* checksum.h - the checksums that packers put behind what they pack.
 *
 * CRC-32 is gzip's, CRC-64 that of xz, XXH64 Zstandard's, XXH32 that of LZ4 frames.
 * Sources: RFC 1952, the .xz file format 1.1, RFC 8878, and the description of xxHash
 * that the latter refers to.
 *
 * Ownership:  the caller's struct is all there is.
 * Threads:    one at a time for one struct.
 */
#ifndef AUDITRING_CHECKSUM_H
#define AUDITRING_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum checksum_kind { CHECKSUM_CRC32, CHECKSUM_CRC64, CHECKSUM_XXH64, CHECKSUM_XXH32 };

enum { CHECKSUM_STRIPE = 32 };

struct checksum {
    enum checksum_kind kind;
    uint64_t size; /* what was added */
    uint64_t lanes[4];
    uint8_t rest[CHECKSUM_STRIPE]; /* less than a stripe, of what came last */
};

void checksum_begin(struct checksum *sum, enum checksum_kind kind);

void checksum_add(struct checksum *sum, const void *data, size_t size);

/* Of all that was added; of 64 bits the lower half, as Zstandard has it. */
uint32_t checksum_value(const struct checksum *sum);

#endif

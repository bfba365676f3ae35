/* packed.h - what a compressed file says of what is in it, without unpacking it.
 *
 * Of gzip, Zstandard, LZ4 and xz, by the suffix of the name; one member, frame or
 * block, as one file is packed. Said is not proven: of a file that is still being
 * written the last bytes are anything.
 *
 * Threads:  any; no state.
 * Errors:   a negative errno when the file can't be read.
 */
#ifndef AUDITRING_PACKED_H
#define AUDITRING_PACKED_H

#include "checksum.h"
#include "sys.h"

#include <stdbool.h>

struct packed {
    bool has_checksum;
    enum checksum_kind kind;
    uint32_t checksum;
    bool has_size;
    uint64_t size; /* as far as it is said: gzip has the lower 32 bits */
    uint64_t size_mask;
};

/* Whether a name ends as those of such files do. */
bool packed_is_name(const char *name);

/* 1, or 0: the file isn't packed so, or says nothing. */
int packed_read(const struct sys *sys, int fd, const char *name, struct packed *out);

#endif

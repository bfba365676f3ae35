/* packedxz.h - what a .xz file says of what is in it.
 *
 * Its index, at the end, has the size of each block; a block ends with its checksum.
 * One stream of one block is read, as xz makes it of a file with one thread.
 *
 * Threads:  any; no state.
 */
#ifndef AUDITRING_PACKEDXZ_H
#define AUDITRING_PACKEDXZ_H

#include "sys.h"

struct packed;

/* Fills in what there is to say of a file of `size` bytes; a negative errno. */
int packedxz_read(const struct sys *sys, int fd, uint64_t size, struct packed *out);

#endif

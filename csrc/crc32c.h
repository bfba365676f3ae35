/* crc32c.h - CRC-32C (Castagnoli), as iSCSI and ext4 use it.
 *
 * Threads:  any; the processor's features are probed once.
 */
#ifndef AUDITRING_CRC32C_H
#define AUDITRING_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to start) over size bytes:
 * crc32c(crc32c(0, a), b) equals crc32c(0, a followed by b). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* Copies the bytes, and tells the CRC of the copy, whatever becomes of `from`
 * meanwhile. Where the processor folds, each byte is read once for both. */
uint32_t crc32c_copy(uint32_t crc, void *to, const void *from, size_t size);

/* As crc32c, by tables alone; what other processors use and tests compare with. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif

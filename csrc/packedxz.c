#include "packedxz.h"

#include "packed.h"

#include <errno.h>
#include <string.h>

/* Source: the .xz file format 1.1, sections 2 and 4. */
enum {
    HEAD_SIZE = 12,
    FOOT_SIZE = 12,
    INDEX_MAX = 32,
    CHECK_CRC32 = 1,
    CHECK_CRC64 = 4
};

struct index {
    uint8_t bytes[INDEX_MAX];
    size_t size;
    size_t at;
};

static int
read_all(const struct sys *sys, int fd, void *out, size_t size, uint64_t offset)
{
    int64_t got = sys->pread(fd, out, size, offset);

    return got < 0 ? (int)got : got == (int64_t)size ? 0 : -EIO;
}

/* Seven bits a byte, the lowest first; UINT64_MAX: there is none. */
static uint64_t
take_number(struct index *index)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 63 && index->at < index->size; shift += 7) {
        uint8_t byte = index->bytes[index->at++];

        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    return UINT64_MAX;
}

static uint64_t
padded(uint64_t size)
{
    return (size + 3) & ~(uint64_t)3;
}

/* Where the block's checksum stands; 0: this isn't the index of one block. */
static uint64_t
locate_check(struct index *index, uint64_t index_start, uint64_t check_size,
             struct packed *out)
{
    uint64_t unpadded, at;

    if (take_number(index) != 0 || take_number(index) != 1) {
        return 0;
    }
    unpadded = take_number(index);
    out->size = take_number(index);
    if (unpadded < check_size || unpadded > index_start || out->size == UINT64_MAX) {
        return 0;
    }
    at = HEAD_SIZE + padded(unpadded - check_size);
    return at + check_size == index_start ? at : 0;
}

int
packedxz_read(const struct sys *sys, int fd, uint64_t size, struct packed *out)
{
    static const uint8_t magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};
    uint8_t head[sizeof(magic)], foot[FOOT_SIZE], check[4];
    struct index index = {.size = 0};
    uint64_t index_start, check_size, at;
    int error = read_all(sys, fd, head, sizeof(head), 0);

    if (error == 0) {
        error = read_all(sys, fd, foot, sizeof(foot), size - FOOT_SIZE);
    }
    if (error < 0) {
        return error;
    }
    index.size = 4 * (1 + ((size_t)foot[4] | (size_t)foot[5] << 8 |
                           (size_t)foot[6] << 16 | (size_t)foot[7] << 24));
    if (memcmp(head, magic, sizeof(magic)) != 0 || foot[10] != 'Y' || foot[11] != 'Z' ||
        (foot[9] != CHECK_CRC32 && foot[9] != CHECK_CRC64) || index.size > INDEX_MAX ||
        index.size + HEAD_SIZE + FOOT_SIZE > size) {
        return 0;
    }
    index_start = size - FOOT_SIZE - index.size;
    check_size = foot[9] == CHECK_CRC32 ? 4 : 8;
    error = read_all(sys, fd, index.bytes, index.size, index_start);
    at = error == 0 ? locate_check(&index, index_start, check_size, out) : 0;
    if (at > 0) {
        error = read_all(sys, fd, check, sizeof(check), at);
    }
    if (error < 0 || at == 0) {
        return error;
    }
    out->has_checksum = out->has_size = true;
    out->kind = foot[9] == CHECK_CRC32 ? CHECKSUM_CRC32 : CHECKSUM_CRC64;
    out->checksum = (uint32_t)check[0] | (uint32_t)check[1] << 8 |
                    (uint32_t)check[2] << 16 | (uint32_t)check[3] << 24;
    out->size_mask = UINT64_MAX;
    return 0;
}

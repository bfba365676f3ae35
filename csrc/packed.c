#include "packed.h"

#include "packedxz.h"

#include <errno.h>
#include <string.h>

enum { HEAD_SIZE = 18, TAIL_SIZE = 8 };

/* The first and the last bytes of a file. */
struct ends {
    uint8_t head[HEAD_SIZE];
    uint8_t tail[TAIL_SIZE];
};

struct format {
    const char *suffix;
    void (*read)(const struct ends *ends, struct packed *out); /* NULL: packedxz.h */
};

static uint64_t
number(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    while (size > 0) {
        value = value << 8 | at[--size];
    }
    return value;
}

static void
say_checksum(struct packed *out, enum checksum_kind kind, const uint8_t *at)
{
    out->has_checksum = true;
    out->kind = kind;
    out->checksum = (uint32_t)number(at, 4);
}

static void
say_size(struct packed *out, uint64_t size, uint64_t mask)
{
    out->has_size = true;
    out->size = size;
    out->size_mask = mask;
}

/* Source: RFC 1952, 2.3. */
static void
read_gzip(const struct ends *ends, struct packed *out)
{
    static const uint8_t magic[] = {0x1f, 0x8b, 8};

    if (memcmp(ends->head, magic, sizeof(magic)) == 0) {
        say_checksum(out, CHECKSUM_CRC32, ends->tail);
        say_size(out, number(ends->tail + 4, 4), UINT32_MAX);
    }
}

/* Source: RFC 8878, 3.1.1. */
static void
read_zstd(const struct ends *ends, struct packed *out)
{
    static const unsigned id_sizes[] = {0, 1, 2, 4};
    uint8_t flags = ends->head[4];
    bool is_single = (flags & 0x20) != 0;
    unsigned size_flag = flags >> 6;
    unsigned size_bytes = size_flag == 0 ? is_single : 1U << size_flag;
    const uint8_t *size_at = ends->head + 5 + !is_single + id_sizes[flags & 3];

    if (number(ends->head, 4) != 0xfd2fb528) {
        return;
    }
    if ((flags & 4) != 0) {
        say_checksum(out, CHECKSUM_XXH64, ends->tail + 4);
    }
    if (size_bytes > 0) {
        say_size(out, number(size_at, size_bytes) + (size_bytes == 2 ? 256 : 0),
                 UINT64_MAX);
    }
}

/* Source: the LZ4 frame format, version 1.6. */
static void
read_lz4(const struct ends *ends, struct packed *out)
{
    uint8_t flags = ends->head[4];

    if (number(ends->head, 4) != 0x184d2204) {
        return;
    }
    if ((flags & 4) != 0) {
        say_checksum(out, CHECKSUM_XXH32, ends->tail + 4);
    }
    if ((flags & 8) != 0) {
        say_size(out, number(ends->head + 6, 8), UINT64_MAX);
    }
}

static const struct format formats[] = {
    {".gz", read_gzip}, {".zst", read_zstd}, {".lz4", read_lz4}, {".xz", NULL}};
enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static const struct format *
format_of(const char *name)
{
    size_t size = strlen(name);

    for (int i = 0; i < FORMATS; i++) {
        size_t suffix = strlen(formats[i].suffix);
        if (size > suffix && strcmp(name + size - suffix, formats[i].suffix) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

bool
packed_is_name(const char *name)
{
    return format_of(name) != NULL;
}

int
packed_read(const struct sys *sys, int fd, const char *name, struct packed *out)
{
    const struct format *format = format_of(name);
    struct ends ends;
    struct stat status;
    int64_t got;
    int error = sys->fstat(fd, &status);

    *out = (struct packed){0};
    if (error < 0) {
        return error;
    }
    if (format == NULL || !S_ISREG(status.st_mode) || status.st_size < HEAD_SIZE) {
        return 0;
    }
    if (format->read == NULL) {
        error = packedxz_read(sys, fd, (uint64_t)status.st_size, out);
        return error < 0 ? error : out->has_checksum;
    }
    got = sys->pread(fd, ends.head, HEAD_SIZE, 0);
    if (got == HEAD_SIZE) {
        got =
            sys->pread(fd, ends.tail, TAIL_SIZE, (uint64_t)status.st_size - TAIL_SIZE);
    }
    if (got < 0) {
        return (int)got;
    }
    if (got == TAIL_SIZE) {
        format->read(&ends, out);
    }
    return out->has_checksum || out->has_size;
}

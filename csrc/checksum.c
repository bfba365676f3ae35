#include "checksum.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

/* The primes of xxHash. */
static const uint64_t p64[5] = {11400714785074694791U, 14029467366897019727U,
                                1609587929392839161U, 9650029242287828579U,
                                2870177450012600261U};
static const uint32_t p32[5] = {2654435761U, 2246822519U, 3266489917U, 668265263U,
                                374761393U};

static const uint32_t crc_polynomial = 0xedb88320; /* reflected */
static uint32_t crc_table[8][256];                 /* slicing by eight */
static const uint64_t crc64_polynomial = 0xc96c5795d7870f42; /* reflected */
static uint64_t crc64_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void
fill_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? crc_polynomial : 0);
        }
        crc_table[0][i] = crc;
    }
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? crc64_polynomial : 0);
        }
        crc64_table[i] = crc;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t before = crc_table[slice - 1][i];
            crc_table[slice][i] = (before >> 8) ^ crc_table[0][before & 0xff];
        }
    }
}

static uint64_t
load_64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static uint32_t
load_32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t
rotate_64(uint64_t value, unsigned by)
{
    return (value << by) | (value >> (64 - by));
}

static uint32_t
rotate_32(uint32_t value, unsigned by)
{
    return (value << by) | (value >> (32 - by));
}

static uint32_t
add_crc(uint32_t crc, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = load_64(data) ^ crc;

        crc = 0;
        for (int byte = 0; byte < 8; byte++) {
            crc ^= crc_table[7 - byte][(word >> (8 * byte)) & 0xff];
        }
    }
    for (; size > 0; data++, size--) {
        crc = (crc >> 8) ^ crc_table[0][(crc ^ *data) & 0xff];
    }
    return crc;
}

static uint64_t
add_crc64(uint64_t crc, const uint8_t *data, size_t size)
{
    for (; size > 0; data++, size--) {
        crc = (crc >> 8) ^ crc64_table[(crc ^ *data) & 0xff];
    }
    return crc;
}

static uint64_t
round_64(uint64_t lane, uint64_t word)
{
    return rotate_64(lane + word * p64[1], 31) * p64[0];
}

static uint32_t
round_32(uint32_t lane, uint32_t word)
{
    return rotate_32(lane + word * p32[1], 13) * p32[0];
}

/* A stripe of four words each; XXH32 has two of them in 32 bytes. */
static void
add_stripe(struct checksum *sum, const uint8_t *stripe)
{
    if (sum->kind == CHECKSUM_XXH64) {
        for (int i = 0; i < 4; i++) {
            sum->lanes[i] = round_64(sum->lanes[i], load_64(stripe + 8 * i));
        }
        return;
    }
    for (int i = 0; i < 8; i++) {
        uint32_t lane = (uint32_t)sum->lanes[i % 4];
        sum->lanes[i % 4] = round_32(lane, load_32(stripe + 4 * i));
    }
}

void
checksum_begin(struct checksum *sum, enum checksum_kind kind)
{
    *sum = (struct checksum){.kind = kind};
    switch (kind) {
    case CHECKSUM_CRC32:
        pthread_once(&crc_once, fill_crc_table);
        sum->lanes[0] = UINT32_MAX;
        break;
    case CHECKSUM_CRC64:
        pthread_once(&crc_once, fill_crc_table);
        sum->lanes[0] = UINT64_MAX;
        break;
    case CHECKSUM_XXH64:
        sum->lanes[0] = p64[0] + p64[1];
        sum->lanes[1] = p64[1];
        sum->lanes[3] = 0 - p64[0];
        break;
    case CHECKSUM_XXH32:
        sum->lanes[0] = p32[0] + p32[1];
        sum->lanes[1] = p32[1];
        sum->lanes[3] = 0 - p32[0];
        break;
    }
}

void
checksum_add(struct checksum *sum, const void *data, size_t size)
{
    const uint8_t *at = data;
    size_t kept = sum->size % CHECKSUM_STRIPE;

    sum->size += size;
    if (sum->kind == CHECKSUM_CRC32) {
        sum->lanes[0] = add_crc((uint32_t)sum->lanes[0], at, size);
        return;
    }
    if (sum->kind == CHECKSUM_CRC64) {
        sum->lanes[0] = add_crc64(sum->lanes[0], at, size);
        return;
    }
    if (kept > 0) {
        size_t missing = CHECKSUM_STRIPE - kept;
        size_t part = size < missing ? size : missing;

        memcpy(sum->rest + kept, at, part);
        if (part < missing) {
            return;
        }
        add_stripe(sum, sum->rest);
        at += part;
        size -= part;
    }
    for (; size >= CHECKSUM_STRIPE; at += CHECKSUM_STRIPE, size -= CHECKSUM_STRIPE) {
        add_stripe(sum, at);
    }
    memcpy(sum->rest, at, size);
}

static uint64_t
join_64(const struct checksum *sum)
{
    const uint64_t *lanes = sum->lanes;
    uint64_t value = rotate_64(lanes[0], 1) + rotate_64(lanes[1], 7) +
                     rotate_64(lanes[2], 12) + rotate_64(lanes[3], 18);

    for (int i = 0; i < 4; i++) {
        value = (value ^ round_64(0, lanes[i])) * p64[0] + p64[3];
    }
    return value;
}

static uint32_t
value_xxh64(const struct checksum *sum)
{
    uint64_t value = sum->size >= CHECKSUM_STRIPE ? join_64(sum) : p64[4];
    const uint8_t *at = sum->rest;
    size_t left = sum->size % CHECKSUM_STRIPE;

    value += sum->size;
    for (; left >= 8; at += 8, left -= 8) {
        value = rotate_64(value ^ round_64(0, load_64(at)), 27) * p64[0] + p64[3];
    }
    if (left >= 4) {
        value = rotate_64(value ^ load_32(at) * p64[0], 23) * p64[1] + p64[2];
        at += 4;
        left -= 4;
    }
    for (; left > 0; at++, left--) {
        value = rotate_64(value ^ *at * p64[4], 11) * p64[0];
    }
    value = (value ^ (value >> 33)) * p64[1];
    value = (value ^ (value >> 29)) * p64[2];
    return (uint32_t)(value ^ (value >> 32));
}

static uint32_t
value_xxh32(const struct checksum *sum)
{
    struct checksum last = *sum;
    const uint8_t *at = last.rest;
    size_t left = last.size % CHECKSUM_STRIPE;
    uint32_t value = p32[4];

    if (left >= CHECKSUM_STRIPE / 2) { /* one more of its stripes is whole */
        for (int i = 0; i < 4; i++) {
            last.lanes[i] = round_32((uint32_t)last.lanes[i], load_32(at + 4 * i));
        }
        at += CHECKSUM_STRIPE / 2;
        left -= CHECKSUM_STRIPE / 2;
    }
    if (last.size >= CHECKSUM_STRIPE / 2) {
        value = rotate_32((uint32_t)last.lanes[0], 1) +
                rotate_32((uint32_t)last.lanes[1], 7) +
                rotate_32((uint32_t)last.lanes[2], 12) +
                rotate_32((uint32_t)last.lanes[3], 18);
    }
    value += (uint32_t)last.size;
    for (; left >= 4; at += 4, left -= 4) {
        value = rotate_32(value + load_32(at) * p32[2], 17) * p32[3];
    }
    for (; left > 0; at++, left--) {
        value = rotate_32(value + *at * p32[4], 11) * p32[0];
    }
    value = (value ^ (value >> 15)) * p32[1];
    value = (value ^ (value >> 13)) * p32[2];
    return value ^ (value >> 16);
}

uint32_t
checksum_value(const struct checksum *sum)
{
    switch (sum->kind) {
    case CHECKSUM_CRC32:
    case CHECKSUM_CRC64:
        return ~(uint32_t)sum->lanes[0];
    case CHECKSUM_XXH64:
        return value_xxh64(sum);
    case CHECKSUM_XXH32:
        return value_xxh32(sum);
    }
    return 0;
}

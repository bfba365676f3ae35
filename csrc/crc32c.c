/* crc32c.c - by the processor's instruction where it has one.
 *
 * The instruction takes three cycles and can start every cycle, so long inputs run as
 * three streams side by side, joined by a table that shifts a CRC over a stripe of
 * zeros (the CRC is linear over GF(2)).
 */
#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HARDWARE_TARGET __attribute__((target("+crc")))
#define CRC_U64(crc, value) __crc32cd((crc), (value))
#define CRC_U8(crc, value) __crc32cb((crc), (value))
#elif defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE_TARGET __attribute__((target("sse4.2")))
#define CRC_U64(crc, value) ((uint32_t)_mm_crc32_u64((crc), (value)))
#define CRC_U8(crc, value) _mm_crc32_u8((crc), (value))
#endif

/* Three stripes are worked on together: the long ones for most of a line of a KiB, the
 * short ones for what is left of it. */
enum { LONG_STRIPE = 336, SHORT_STRIPE = 64 };

static const uint32_t polynomial = 0x82f63b78; /* reflected */

static uint32_t byte_table[8][256]; /* slicing by eight */
/* A CRC moved over a stripe of zero bytes, by each of its four bytes. */
static uint32_t long_shift[4][256], short_shift[4][256];
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static bool has_hardware;

static void
fill_byte_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
        }
        byte_table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int slice = 1; slice < 8; slice++) {
            uint32_t before = byte_table[slice - 1][i];
            byte_table[slice][i] = (before >> 8) ^ byte_table[0][before & 0xff];
        }
    }
}

static uint32_t
shift_by_zeros(uint32_t crc, int size)
{
    for (int i = 0; i < size; i++) {
        crc = (crc >> 8) ^ byte_table[0][crc & 0xff];
    }
    return crc;
}

static void
fill_shift_table(uint32_t table[4][256], int stripe)
{
    for (uint32_t i = 0; i < 256; i++) {
        for (int byte = 0; byte < 4; byte++) {
            table[byte][i] = shift_by_zeros(i << (8 * byte), stripe);
        }
    }
}

static void
prepare(void)
{
    fill_byte_table();
    fill_shift_table(long_shift, LONG_STRIPE);
    fill_shift_table(short_shift, SHORT_STRIPE);
#if defined(__aarch64__)
    has_hardware = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__x86_64__)
    has_hardware = __builtin_cpu_supports("sse4.2");
#endif
}

static uint64_t
load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t
portable(uint32_t crc, const uint8_t *at, size_t size)
{
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = load_u64(at) ^ crc;
        crc = 0;
        for (int slice = 0; slice < 8; slice++) {
            crc ^= byte_table[7 - slice][(word >> (8 * slice)) & 0xff];
        }
    }
    for (; size > 0; size--, at++) {
        crc = (crc >> 8) ^ byte_table[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

#ifdef HARDWARE_TARGET
static inline uint32_t
shift(const uint32_t table[4][256], uint32_t crc)
{
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^
           table[2][(crc >> 16) & 0xff] ^ table[3][crc >> 24];
}

/* The CRC of three stripes in a row. */
HARDWARE_TARGET static inline uint32_t
three_stripes(uint32_t crc, const uint8_t *at, int stripe, const uint32_t table[4][256])
{
    uint32_t second = 0, third = 0;

#pragma GCC unroll 4
    for (int i = 0; i < stripe; i += 8) {
        crc = CRC_U64(crc, load_u64(at + i));
        second = CRC_U64(second, load_u64(at + stripe + i));
        third = CRC_U64(third, load_u64(at + 2 * stripe + i));
    }
    return shift(table, shift(table, crc) ^ second) ^ third;
}

HARDWARE_TARGET static uint32_t
hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    crc = ~crc;
    for (; size >= 3 * LONG_STRIPE; size -= 3 * LONG_STRIPE, at += 3 * LONG_STRIPE) {
        crc = three_stripes(crc, at, LONG_STRIPE, long_shift);
    }
    for (; size >= 3 * SHORT_STRIPE; size -= 3 * SHORT_STRIPE, at += 3 * SHORT_STRIPE) {
        crc = three_stripes(crc, at, SHORT_STRIPE, short_shift);
    }
    for (; size >= 8; size -= 8, at += 8) {
        crc = CRC_U64(crc, load_u64(at));
    }
    for (; size > 0; size--, at++) {
        crc = CRC_U8(crc, *at);
    }
    return ~crc;
}
#endif

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    pthread_once(&prepared, prepare);
    return portable(crc, data, size);
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t size)
{
    pthread_once(&prepared, prepare);
#ifdef HARDWARE_TARGET
    if (has_hardware) {
        return hardware(crc, data, size);
    }
#endif
    return portable(crc, data, size);
}

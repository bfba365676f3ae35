/* crc32c.c - by the processor's instruction where it has one.
 *
 * The instruction takes three cycles and can start every cycle, so long inputs run as
 * three streams side by side, joined by a table that shifts a CRC over a stripe of
 * zeros (the CRC is linear over GF(2)). Where the processor multiplies polynomials four
 * at a time, long inputs are folded instead: a piece A of the message that stands D
 * bits before another may be replaced by A * x^D mod P added to that other.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HARDWARE_TARGET __attribute__((target("+crc")))
#define CRC_U64(crc, value) __crc32cd((uint32_t)(crc), (value))
#define CRC_U8(crc, value) __crc32cb((crc), (value))
#elif defined(__x86_64__)
#include <immintrin.h>
#define FOLD_TARGET __attribute__((target("avx2,vpclmulqdq,pclmul,sse4.2")))
#define HARDWARE_TARGET __attribute__((target("sse4.2")))
#define CRC_U64(crc, value) _mm_crc32_u64((crc), (value))
#define CRC_U8(crc, value) _mm_crc32_u8((crc), (value))
#endif

/* Three stripes are worked on together: the long ones for most of a line of a KiB, the
 * short ones for what is left of it. */
enum { LONG_STRIPE = 336, SHORT_STRIPE = 64 };

static const uint32_t polynomial = 0x82f63b78; /* reflected */

static uint32_t byte_table[8][256]; /* slicing by eight */
/* A CRC moved over a stripe of zero bytes, by each of its four bytes. */
static uint32_t long_shift[4][256], short_shift[4][256];
static bool has_hardware;

#ifdef FOLD_TARGET
enum { FOLD_BLOCK = 128 };

/* What the two halves of 128 bits are multiplied by to be moved on by so many bits. */
struct fold_step {
    uint64_t low, high;
};
static struct fold_step fold_1024, fold_256, fold_128;
/* What a CRC is multiplied by to be moved over so many bytes. Fewer than five would
 * take a negative power. */
enum { MOVED_MIN = 5 };
static uint32_t moved_over[FOLD_BLOCK];
static bool has_fold;
#endif

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

#ifdef FOLD_TARGET
/* x^exponent mod P; bit 31 is that of x^0, as in a CRC. */
static uint32_t
power_of_x(int exponent)
{
    uint32_t power = (uint32_t)1 << 31;

    for (int i = 0; i < exponent; i++) {
        power = (power >> 1) ^ (power & 1 ? polynomial : 0);
    }
    return power;
}

/* The low half of a register comes first in the message, 64 bits before the high one.
 * The product of two reflected halves is too large by x, hence the 1 less. */
static struct fold_step
fold_step_over(int bits)
{
    return (struct fold_step){.low = (uint64_t)power_of_x(bits + 64 - 1) << 32,
                              .high = (uint64_t)power_of_x(bits - 1) << 32};
}

/* The instruction that reduces the product multiplies it by x^32. */
static void
fill_moved_over(void)
{
    for (int size = MOVED_MIN; size < FOLD_BLOCK; size++) {
        moved_over[size] = power_of_x(8 * size - 32 - 1);
    }
}
#endif

/* Before anything else runs, so that no call has to ask. */
__attribute__((constructor)) static void
prepare(void)
{
    fill_byte_table();
    fill_shift_table(long_shift, LONG_STRIPE);
    fill_shift_table(short_shift, SHORT_STRIPE);
#if defined(__aarch64__)
    has_hardware = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__x86_64__)
    __builtin_cpu_init();
    has_hardware = __builtin_cpu_supports("sse4.2");
    has_fold = has_hardware && __builtin_cpu_supports("avx2") &&
               __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("vpclmulqdq");
    fold_1024 = fold_step_over(1024);
    fold_256 = fold_step_over(256);
    fold_128 = fold_step_over(128);
    fill_moved_over();
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
    uint64_t first = crc, second = 0, third = 0;

#pragma GCC unroll 6
    for (int i = 0; i < stripe; i += 8) {
        first = CRC_U64(first, load_u64(at + i));
        second = CRC_U64(second, load_u64(at + stripe + i));
        third = CRC_U64(third, load_u64(at + 2 * stripe + i));
    }
    return shift(table, shift(table, (uint32_t)first) ^ (uint32_t)second) ^
           (uint32_t)third;
}

/* By words, each of which waits for the one before. */
HARDWARE_TARGET static inline uint32_t
word_by_word(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t word_crc = crc;

    for (; size >= 8; size -= 8, at += 8) {
        word_crc = CRC_U64(word_crc, load_u64(at));
    }
    crc = (uint32_t)word_crc;
    for (; size > 0; size--, at++) {
        crc = CRC_U8(crc, *at);
    }
    return crc;
}

#ifdef FOLD_TARGET
FOLD_TARGET static inline __m256i
load_fold_step(struct fold_step step)
{
    return _mm256_set_epi64x((int64_t)step.high, (int64_t)step.low, (int64_t)step.high,
                             (int64_t)step.low);
}

/* Both halves of both lanes of `moved`, moved on, and added to what stands there. */
FOLD_TARGET static inline __m256i
fold_onto(__m256i moved, __m256i step, __m256i there)
{
    return _mm256_xor_si256(
        there, _mm256_xor_si256(_mm256_clmulepi64_epi128(moved, step, 0x00),
                                _mm256_clmulepi64_epi128(moved, step, 0x11)));
}

/* A register of the message, stored as it was read unless `to` is NULL. */
FOLD_TARGET static inline __m256i
take_lanes(const uint8_t *at, uint8_t *to, size_t offset)
{
    __m256i lanes = _mm256_loadu_si256((const void *)(at + offset));

    if (to != NULL) {
        _mm256_storeu_si256((void *)(to + offset), lanes);
    }
    return lanes;
}

/* Goes through whole blocks, one at least, and returns the CRC so far; neither it nor
 * `crc` is inverted. */
FOLD_TARGET static inline uint32_t
fold_blocks(uint32_t crc, const uint8_t *at, uint8_t *to, size_t size)
{
    const __m256i far = load_fold_step(fold_1024), near = load_fold_step(fold_256);
    const __m128i last = _mm_set_epi64x((int64_t)fold_128.high, (int64_t)fold_128.low);
    __m256i a = take_lanes(at, to, 0), b = take_lanes(at, to, 32),
            c = take_lanes(at, to, 64), d = take_lanes(at, to, 96);
    __m128i low, high;

    a = _mm256_xor_si256(a, _mm256_set_epi64x(0, 0, 0, crc));
    for (size_t i = FOLD_BLOCK; i < size; i += FOLD_BLOCK) {
        a = fold_onto(a, far, take_lanes(at, to, i));
        b = fold_onto(b, far, take_lanes(at, to, i + 32));
        c = fold_onto(c, far, take_lanes(at, to, i + 64));
        d = fold_onto(d, far, take_lanes(at, to, i + 96));
    }
    d = fold_onto(fold_onto(fold_onto(a, near, b), near, c), near, d);
    low = _mm256_castsi256_si128(d);
    high = _mm256_extracti128_si256(d, 1);
    high = _mm_xor_si128(high, _mm_xor_si128(_mm_clmulepi64_si128(low, last, 0x00),
                                             _mm_clmulepi64_si128(low, last, 0x11)));
    return (uint32_t)CRC_U64(CRC_U64(0, (uint64_t)_mm_cvtsi128_si64(high)),
                             (uint64_t)_mm_extract_epi64(high, 1));
}

/* What follows the blocks is begun before them: its chain of words is through when the
 * blocks are, and the CRC of these is moved over it. */
FOLD_TARGET static inline uint32_t
fold_all(uint32_t crc, const uint8_t *at, uint8_t *to, size_t size)
{
    const size_t rest = size % FOLD_BLOCK, blocks = size - rest;
    const uint8_t *behind = at + blocks;
    uint32_t last;
    __m128i product;

    if (to != NULL) {
        behind = memcpy(to + blocks, behind, rest);
    }
    if (rest < MOVED_MIN) {
        return word_by_word(fold_blocks(crc, at, to, blocks), behind, rest);
    }
    last = word_by_word(0, behind, rest);
    crc = fold_blocks(crc, at, to, blocks);
    product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc),
                                   _mm_cvtsi32_si128((int)moved_over[rest]), 0x00);
    return (uint32_t)CRC_U64(0, (uint64_t)_mm_cvtsi128_si64(product)) ^ last;
}

FOLD_TARGET static uint32_t
fold(uint32_t crc, const uint8_t *at, size_t size)
{
    return fold_all(crc, at, NULL, size);
}

FOLD_TARGET static uint32_t
fold_copying(uint32_t crc, const uint8_t *at, uint8_t *to, size_t size)
{
    return fold_all(crc, at, to, size);
}
#endif

HARDWARE_TARGET static uint32_t
hardware(uint32_t crc, const uint8_t *at, size_t size)
{
    crc = ~crc;
#ifdef FOLD_TARGET
    if (has_fold && size >= FOLD_BLOCK) {
        return ~fold(crc, at, size);
    }
#endif
    for (; size >= 3 * LONG_STRIPE; size -= 3 * LONG_STRIPE, at += 3 * LONG_STRIPE) {
        crc = three_stripes(crc, at, LONG_STRIPE, long_shift);
    }
    for (; size >= 3 * SHORT_STRIPE; size -= 3 * SHORT_STRIPE, at += 3 * SHORT_STRIPE) {
        crc = three_stripes(crc, at, SHORT_STRIPE, short_shift);
    }
    return ~word_by_word(crc, at, size);
}
#endif

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    return portable(crc, data, size);
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t size)
{
#ifdef HARDWARE_TARGET
    if (has_hardware) {
        return hardware(crc, data, size);
    }
#endif
    return portable(crc, data, size);
}

uint32_t
crc32c_copy(uint32_t crc, void *to, const void *from, size_t size)
{
#ifdef FOLD_TARGET
    if (has_fold && size >= FOLD_BLOCK) {
        return ~fold_copying(~crc, from, to, size);
    }
#endif
    if (size > 0) { /* of nothing, there may be no place for it */
        memcpy(to, from, size);
    }
    return crc32c(crc, to, size);
}

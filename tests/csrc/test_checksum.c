/* The checksums of packers: published values, and pieces of any size come to the same.
 */
#include "checksum.h"
#include "support.h"

#include <string.h>

static uint32_t
sum_of(enum checksum_kind kind, const void *data, size_t size)
{
    struct checksum sum;

    checksum_begin(&sum, kind);
    checksum_add(&sum, data, size);
    return checksum_value(&sum);
}

static void
published_values_are_met(void)
{
    CHECK_EQUAL(sum_of(CHECKSUM_CRC32, "", 0), 0);
    CHECK_EQUAL(sum_of(CHECKSUM_CRC32, "123456789", 9), 0xcbf43926);
    CHECK_EQUAL(sum_of(CHECKSUM_CRC64, "123456789", 9), 0xdf1939fa);
    CHECK_EQUAL(sum_of(CHECKSUM_XXH32, "", 0), 0x02cc5d05);
    CHECK_EQUAL(sum_of(CHECKSUM_XXH32, "abc", 3), 0x32d153ff);
    CHECK_EQUAL(sum_of(CHECKSUM_XXH64, "", 0), 0x51d8e999);
    CHECK_EQUAL(sum_of(CHECKSUM_XXH64, "abc", 3), 0xad770999);
}

static void
pieces_come_to_the_same_as_the_whole(void)
{
    uint8_t data[300];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 37 + 11);
    }
    for (int kind = CHECKSUM_CRC32; kind <= CHECKSUM_XXH32; kind++) {
        for (size_t piece = 1; piece <= 70; piece++) {
            struct checksum sum;

            checksum_begin(&sum, (enum checksum_kind)kind);
            for (size_t at = 0; at < sizeof(data); at += piece) {
                size_t left = sizeof(data) - at;
                checksum_add(&sum, data + at, left < piece ? left : piece);
            }
            CHECK_EQUAL(checksum_value(&sum),
                        sum_of((enum checksum_kind)kind, data, sizeof(data)));
        }
    }
}

RUN(TEST(published_values_are_met), TEST(pieces_come_to_the_same_as_the_whole))

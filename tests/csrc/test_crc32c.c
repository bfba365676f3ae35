/* CRC-32C: the published vectors, and both ways of computing it agree. */
#include "crc32c.h"
#include "support.h"

#include <stdatomic.h>
#include <string.h>

enum { MEDDLED_SIZE = 1023, ROUNDS = 10000000 };

/* Source: RFC 3720, appendix B.4. */
static void
the_vectors_of_rfc_3720_are_met(void)
{
    uint8_t zeros[32] = {0}, ones[32], rising[32], falling[32];

    memset(ones, 0xff, sizeof(ones));
    for (uint8_t i = 0; i < 32; i++) {
        rising[i] = i;
        falling[i] = (uint8_t)(31 - i);
    }

    CHECK_EQUAL(crc32c(0, zeros, 32), 0x8a9136aa);
    CHECK_EQUAL(crc32c(0, ones, 32), 0x62a8ab43);
    CHECK_EQUAL(crc32c(0, rising, 32), 0x46dd794e);
    CHECK_EQUAL(crc32c(0, falling, 32), 0x113fdb5c);
}

static void
the_check_value_is_met_by_both_implementations(void)
{
    CHECK_EQUAL(crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_EQUAL(crc32c_portable(0, "123456789", 9), 0xe3069283);
}

static void
fill(uint8_t *data, size_t size)
{
    uint32_t state = 1;

    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (uint8_t)(state >> 24);
    }
}

/* Sizes around the eight bytes of a word and the three stripes of a long input. */
static void
both_implementations_agree_at_every_size_and_alignment(void)
{
    uint8_t data[1200 + 8];

    fill(data, sizeof(data));

    for (size_t size = 0; size <= 1200; size++) {
        size_t shift = size % 8;
        CHECK_EQUAL(crc32c(7, data + shift, size),
                    crc32c_portable(7, data + shift, size));
    }
}

static void
what_is_copied_is_whole_and_has_the_crc_of_its_bytes(void)
{
    uint8_t data[1200 + 8], copy[1200 + 16];

    fill(data, sizeof(data));

    for (size_t size = 0; size <= 1200; size++) {
        const uint8_t *from = data + size % 8;
        uint8_t *to = copy + 4 + size % 5;

        memset(copy, 0xa5, sizeof(copy));
        CHECK_EQUAL(crc32c_copy(7, to, from, size), crc32c_portable(7, from, size));
        CHECK(memcmp(to, from, size) == 0);
        CHECK_EQUAL(to[-1], 0xa5);
        CHECK_EQUAL(to[size], 0xa5);
    }
}

static struct meddled {
    uint8_t data[MEDDLED_SIZE];
    _Atomic uint32_t rounds;
} *meddled;

static uint32_t
rounds(void)
{
    return atomic_load_explicit(&meddled->rounds, memory_order_acquire);
}

static void
meddle(void)
{
    while (rounds() < ROUNDS) {
        uint32_t round =
            atomic_fetch_add_explicit(&meddled->rounds, 1, memory_order_acq_rel);

        memset(meddled->data, (int)(round & 0xff), MEDDLED_SIZE);
    }
}

/* Another process may write there all the time. */
static void
the_crc_is_that_of_the_copy_whatever_becomes_of_the_original(void)
{
    uint8_t copy[MEDDLED_SIZE];
    uint32_t mixed = 0;
    pid_t child;

    meddled = shared_memory(sizeof(*meddled));
    child = child_start(meddle);
    while (mixed < 100 && rounds() < ROUNDS) {
        uint32_t crc = crc32c_copy(7, copy, meddled->data, MEDDLED_SIZE);

        CHECK_EQUAL(crc, crc32c_portable(7, copy, MEDDLED_SIZE));
        mixed += copy[0] != copy[MEDDLED_SIZE - 1];
    }
    atomic_store_explicit(&meddled->rounds, ROUNDS, memory_order_release);
    CHECK_EQUAL(child_wait(child), 0);
}

static void
a_crc_is_continued_at_any_cut(void)
{
    uint8_t data[1000];
    uint32_t whole;

    fill(data, sizeof(data));
    whole = crc32c(0, data, sizeof(data));

    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        CHECK_EQUAL(crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut),
                    whole);
    }
}

static void
every_single_bit_counts(void)
{
    uint8_t data[400];
    uint32_t whole;

    fill(data, sizeof(data));
    whole = crc32c(0, data, sizeof(data));

    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(crc32c(0, data, sizeof(data)) != whole);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

RUN(TEST(the_vectors_of_rfc_3720_are_met),
    TEST(the_check_value_is_met_by_both_implementations),
    TEST(both_implementations_agree_at_every_size_and_alignment),
    TEST(what_is_copied_is_whole_and_has_the_crc_of_its_bytes),
    TEST(the_crc_is_that_of_the_copy_whatever_becomes_of_the_original),
    TEST(a_crc_is_continued_at_any_cut), TEST(every_single_bit_counts))

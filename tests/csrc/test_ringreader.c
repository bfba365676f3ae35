/* What a consumer makes of holes, old records and damaged ones. */
#include "ring.h"
#include "ringreader.h"
#include "support.h"
#include "support_ring.h"
#include "support_sys.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

static void
a_hole_of_a_live_owner_holds_up_what_follows(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation hole;
    struct ring_record record;

    CHECK_EQUAL(put_text(&ring, "before"), 0);
    CHECK_EQUAL(ring_reserve(&ring, 100, &hole), 0);
    CHECK_EQUAL(put_text(&ring, "after"), 0);

    CHECK_TEXT(take_text(&ring), "before");
    CHECK_EQUAL(ring_next(&ring, ring_head(&ring), ring_tail(&ring), false, &record),
                0);
    CHECK_EQUAL(record.next, hole.position);
    ring_commit(&ring, &hole, 0, RING_DATA);
    CHECK_TEXT(take_text(&ring), "");
    ring_close(&ring);
}

static void
a_hole_of_a_dead_owner_is_passed_over_and_counted(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        struct ring_reservation hole;
        struct ring_record record;

        CHECK_EQUAL(ring_reserve(&ring, 1000, &hole), 0);
        CHECK_EQUAL(put_text(&ring, "after"), 0);
        CHECK_EQUAL(ring_reserve(&ring, 50, &hole), 0);

        CHECK(is_record(&ring, firsts[i], true, "after", &record));
        CHECK_EQUAL(record.skipped, 1);
        CHECK_EQUAL(record.damaged, 0);
        CHECK_EQUAL(ring_next(&ring, record.next, ring_tail(&ring), true, &record), 0);
        CHECK_EQUAL(record.next, ring_tail(&ring));
        CHECK_EQUAL(record.skipped, 1);
        ring_close(&ring);
    }
}

/* The place of an uncommitted record still shows what stood there a lap ago. */
static void
a_record_of_an_earlier_lap_is_no_record(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation hole;
    struct ring_record record;
    char text[129] = {0}; /* whose span divides the ring's capacity */

    memset(text, 'x', sizeof(text) - 1);

    for (uint64_t used = 0; used < capacity; used += 128) {
        CHECK_EQUAL(put_text(&ring, text), 0);
        CHECK_TEXT(take_text(&ring), text);
    }
    CHECK_EQUAL(ring_tail(&ring), capacity);
    CHECK_EQUAL(ring_reserve(&ring, strlen(text), &hole), 0);

    CHECK_EQUAL(ring_next(&ring, capacity, ring_tail(&ring), false, &record), 0);
    CHECK_EQUAL(ring_next(&ring, capacity, ring_tail(&ring), true, &record), 0);
    CHECK_EQUAL(record.skipped, 1);
    CHECK_EQUAL(record.next, ring_tail(&ring));
    ring_close(&ring);
}

/* Somebody who can choose the payload of a record that is never committed, but does
 * not know the nonce. */
static void
a_payload_can_not_pass_for_a_record(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation forged, hole;
    struct ring_record record;
    uint64_t guess; /* of a commit word: the position alone */

    CHECK_EQUAL(put_text(&ring, "x"), 0);
    CHECK_EQUAL(ring_reserve(&ring, 512, &hole), 0);
    forged = hole;
    memset(ring_payload(&ring, &forged), 0, 512);
    for (size_t at = 0; at < 512; at += 32) {
        guess = hole.position + 32 + at;
        memcpy(ring_payload(&ring, &forged) + at, &guess, sizeof(guess));
    }
    CHECK_EQUAL(put_text(&ring, "after"), 0);

    CHECK(is_record(&ring, hole.position, true, "after", &record));
    CHECK_EQUAL(record.skipped, 1);
    CHECK_EQUAL(record.damaged, 0);
    ring_close(&ring);
}

static uint8_t *
entry_of(struct ring *ring, uint64_t position)
{
    return (uint8_t *)ring_entry_at(ring, position);
}

/* The byte at `offset` of a committed record's entry is changed by `mask`, or of its
 * payload, if that is where it begins. */
static void
check_damaged(size_t offset, bool of_payload, uint8_t mask)
{
    struct ring ring = open_ring(0);
    struct ring_record record;

    CHECK_EQUAL(put_text(&ring, "this one will be damaged"), 0);
    CHECK_EQUAL(put_text(&ring, "this one is whole"), 0);
    (of_payload ? ring.data : entry_of(&ring, 0))[offset] ^= mask;

    CHECK(is_record(&ring, 0, false, "this one is whole", &record));
    CHECK_EQUAL(record.damaged, 1);
    CHECK_EQUAL(record.skipped, 0);
    ring_close(&ring);
}

static void
a_damaged_record_is_passed_over_and_counted(void)
{
    check_damaged(0, true, 0x01);      /* payload, first byte */
    check_damaged(23, true, 0x80); /* payload, last byte */
    check_damaged(8, false, 0x01);       /* size: one off */
    check_damaged(11, false, 0x80);      /* size: above any limit */
    check_damaged(9, false, 0x20);       /* size: beyond the tail */
    check_damaged(12, false, 0x03);      /* type: a gap event */
    check_damaged(12, false, 0x01);      /* type: a pad with a payload */
    check_damaged(13, false, 0x10);      /* type: unknown */
    check_damaged(16, false, 0x01);      /* CRC */
}

static void
a_committed_size_can_not_reach_beyond_the_ring(void)
{
    struct ring ring = open_ring(capacity - 128);
    struct ring_record record;
    uint32_t size = 30000;

    CHECK_EQUAL(put_text(&ring, "at the end of the ring"), 0);
    CHECK_EQUAL(put_text(&ring, "and one more"), 0);
    CHECK_EQUAL(put_text(&ring, "at its beginning"), 0);
    memcpy(entry_of(&ring, capacity - 128) + 8, &size, sizeof(size));

    CHECK_EQUAL(ring_next(&ring, capacity - 128, ring_tail(&ring), false, &record), 1);
    CHECK_EQUAL(record.damaged, 1);
    CHECK_EQUAL(record.position, capacity - 64);
    ring_close(&ring);
}

/* Made by somebody who knows how a CRC is made. */
static void
a_record_that_reaches_beyond_what_was_reserved_is_none(void)
{
    struct ring ring = open_ring(0);
    struct ring_entry *entry = ring_entry_at(&ring, 0);
    struct ring_record record;
    uint8_t copy[4096];

    CHECK_EQUAL(put_text(&ring, "small"), 0);
    entry->size = 1000;
    entry->crc = ring_record_crc(0, 1000, RING_DATA, ring.data);

    CHECK_EQUAL(
        ring_next_into(&ring, 0, ring_tail(&ring), false, copy, sizeof(copy), &record),
        0);
    CHECK_EQUAL(record.damaged, 1);
    CHECK_EQUAL(record.next, ring_tail(&ring));
    ring_close(&ring);
}

enum { MEDDLED_SIZE = 1000, MEDDLED_ROUNDS = 300000 };
static _Atomic uint32_t *rounds;

static void
meddle_with_payload(void)
{
    struct ring ring;

    CHECK_EQUAL(ring_open(&ring, &sys_test, AT_FDCWD, 0, nonce), 0);
    while (atomic_load_explicit(rounds, memory_order_acquire) < MEDDLED_ROUNDS) {
        /* As it was, and not, in turn. */
        ring.data[500] ^= 1;
        atomic_fetch_add_explicit(rounds, 1, memory_order_acq_rel);
    }
    ring_close(&ring);
}

static struct ring
make_meddled_ring(void)
{
    struct ring_options options = {.capacity = capacity, .nonce = nonce};
    struct ring_reservation at;
    char text[MEDDLED_SIZE];
    struct ring ring;

    sys_test_reset();
    memset(text, 'x', sizeof(text));
    CHECK_EQUAL(ring_create(&ring, &sys_test, AT_FDCWD, &options, 0600, (gid_t)-1), 0);
    CHECK_EQUAL(ring_write(&ring, RING_DATA, text, sizeof(text), false, &at), 0);
    return ring;
}

/* Another process may write to the ring between any two instructions. */
static void
what_is_handed_on_is_what_was_checked(void)
{
    struct ring ring = make_meddled_ring();
    uint8_t copy[MEDDLED_SIZE];
    struct ring_record record;
    pid_t child;

    rounds = shared_memory(sizeof(*rounds));
    child = child_start(meddle_with_payload);
    while (atomic_load_explicit(rounds, memory_order_acquire) < MEDDLED_ROUNDS) {
        if (ring_next_into(&ring, 0, ring_tail(&ring), false, copy, sizeof(copy),
                           &record)) {
            CHECK_EQUAL(copy[500], 'x');
        }
    }
    CHECK_EQUAL(child_wait(child), 0);
    ring_close(&ring);
}

RUN(TEST(a_hole_of_a_live_owner_holds_up_what_follows),
    TEST(a_hole_of_a_dead_owner_is_passed_over_and_counted),
    TEST(a_record_of_an_earlier_lap_is_no_record),
    TEST(a_payload_can_not_pass_for_a_record),
    TEST(a_damaged_record_is_passed_over_and_counted),
    TEST(a_record_that_reaches_beyond_what_was_reserved_is_none),
    TEST(what_is_handed_on_is_what_was_checked),
    TEST(a_committed_size_can_not_reach_beyond_the_ring))

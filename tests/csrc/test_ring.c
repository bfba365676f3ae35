/* Reserving and committing in one ring, step by step, in one thread. */
#include "ring.h"
#include "ringreader.h"
#include "ringwait.h"
#include "support.h"
#include "support_ring.h"
#include "support_sys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void
records_are_read_in_order_and_whole(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);

        CHECK_EQUAL(put_text(&ring, "one"), 0);
        CHECK_EQUAL(put_text(&ring, "two, which is longer than one unit of the ring: "
                                    "sixty-four bytes and more"),
                    0);
        CHECK_EQUAL(put_text(&ring, ""), 0);

        CHECK_TEXT(take_text(&ring), "one");
        CHECK_TEXT(take_text(&ring), "two, which is longer than one unit of the ring: "
                                     "sixty-four bytes and more");
        CHECK_TEXT(take_text(&ring), "");
        CHECK(take_text(&ring) == NULL);
        CHECK_EQUAL(ring_head(&ring), ring_tail(&ring));
        ring_close(&ring);
    }
}

static void
a_newline_is_added_when_asked_for(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;

    CHECK_EQUAL(ring_write(&ring, RING_DATA, "line", 4, true, &reservation), 0);

    CHECK_TEXT(take_text(&ring), "line\n");
    ring_close(&ring);
}

static void
a_record_knows_its_type_and_place(void)
{
    struct ring ring = open_ring(firsts[3]);
    struct ring_reservation reservation;
    struct ring_record record;

    CHECK_EQUAL(ring_write(&ring, RING_GAP, "gap", 3, false, &reservation), 0);

    CHECK(is_record(&ring, firsts[3], false, "gap", &record));
    CHECK_EQUAL(record.type, RING_GAP);
    CHECK_EQUAL(record.position, reservation.position);
    CHECK_EQUAL(record.next, reservation.end);
    ring_close(&ring);
}

static void
payloads_stand_back_to_back(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        const uint8_t *expected = NULL;
        struct ring_record record;
        char text[200] = {0};

        for (size_t size = RING_UNIT; size < sizeof(text); size++) {
            memset(text, 'x', size);
            CHECK_EQUAL(put_text(&ring, text), 0);
            CHECK_EQUAL(
                ring_next(&ring, ring_head(&ring), ring_tail(&ring), false, &record),
                1);
            CHECK(record.data == expected || record.data == ring.data ||
                  expected == NULL);
            expected = record.data + size;
            ring_publish(&ring, record.next);
        }
        ring_close(&ring);
    }
}

/* Every size in turn, so that the end of the ring is met at every distance. */
static void
nothing_crosses_the_wrap(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        char text[700];

        for (size_t size = 0; size < sizeof(text) - 1; size++) {
            memset(text, 'a' + (int)(size % 26), size);
            text[size] = '\0';
            CHECK_EQUAL(put_text(&ring, text), 0);
            CHECK_TEXT(take_text(&ring), text);
        }
        CHECK(ring_tail(&ring) - firsts[i] > 3 * capacity);
        ring_close(&ring);
    }
}

static void
a_pad_before_the_wrap_is_never_seen(void)
{
    struct ring ring = open_ring(capacity - 64);
    struct ring_record record;

    CHECK_EQUAL(
        put_text(&ring,
                 "this record does not fit into 64 bytes, as it is of more than these"),
        0);

    CHECK(
        is_record(&ring, capacity - 64, false,
                  "this record does not fit into 64 bytes, as it is of more than these",
                  &record));
    CHECK_EQUAL(record.position, capacity);
    CHECK_EQUAL(record.skipped + record.damaged, 0);
    ring_close(&ring);
}

static void
the_largest_record_fits_and_a_larger_one_is_refused(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        uint64_t limit = ring_record_limit(capacity);
        struct ring_reservation reservation;

        CHECK_EQUAL(limit, capacity / 2 - 64);
        CHECK_EQUAL(ring_reserve(&ring, limit + 1, &reservation), -EMSGSIZE);
        CHECK_EQUAL(ring_tail(&ring), firsts[i]);
        CHECK_EQUAL(ring_reserve(&ring, limit, &reservation), 0);
        memset(ring_payload(&ring, &reservation), 'x', limit);
        ring_commit(&ring, &reservation, (uint32_t)limit, RING_DATA);
        CHECK_EQUAL(strlen(take_text(&ring)), limit);
        ring_close(&ring);
    }
}

static void
a_full_ring_refuses_and_reserves_nothing(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        uint64_t tail;
        int error = 0;

        while (error == 0) {
            tail = ring_tail(&ring);
            error = put_text(&ring, "a record of forty bytes or a little more");
        }

        CHECK_EQUAL(error, -EAGAIN);
        CHECK_EQUAL(ring_tail(&ring), tail);
        CHECK(tail - ring_head(&ring) <= capacity);
        CHECK(tail - ring_head(&ring) > capacity - 200);
        take_text(&ring);
        take_text(&ring);
        CHECK_EQUAL(put_text(&ring, "a record of forty bytes or a little more"), 0);
        ring_close(&ring);
    }
}

static void
a_ring_can_be_filled_to_its_last_byte(void)
{
    struct ring ring = open_ring(0);

    for (uint64_t used = 0; used < capacity; used += 64) {
        CHECK_EQUAL(put_text(&ring, "exactly thirty-two bytes of text"), 0);
    }

    CHECK_EQUAL(ring_tail(&ring) - ring_head(&ring), capacity);
    CHECK_EQUAL(put_text(&ring, ""), -EAGAIN);
    ring_close(&ring);
}

static void
crossing_the_middle_is_told_once(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;
    char text[1000] = {0};
    int crossed = 0;

    while (ring_write(&ring, RING_DATA, text, sizeof(text), false, &reservation) == 0) {
        crossed += reservation.crossed_half;
    }

    CHECK_EQUAL(crossed, 1);
    ring_close(&ring);
}

static void
a_sealed_ring_takes_nothing_and_gives_all(void)
{
    struct ring ring = open_ring(firsts[5]);
    uint64_t tail;

    CHECK_EQUAL(put_text(&ring, "before"), 0);
    tail = ring_tail(&ring);
    CHECK(!ring_is_sealed(&ring));

    CHECK_EQUAL(ring_seal(&ring), tail);

    CHECK(ring_is_sealed(&ring));
    CHECK_EQUAL(put_text(&ring, "after"), -ESTALE);
    CHECK_EQUAL(ring_tail(&ring), tail);
    CHECK_EQUAL(ring_seal(&ring), tail);
    CHECK_TEXT(take_text(&ring), "before");
    CHECK(take_text(&ring) == NULL);
    ring_close(&ring);
}

static void
a_reservation_made_before_the_seal_may_still_be_committed(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;

    CHECK_EQUAL(ring_reserve(&ring, 4, &reservation), 0);
    ring_seal(&ring);
    memcpy(ring_payload(&ring, &reservation), "late", 4);
    ring_commit(&ring, &reservation, 4, RING_DATA);

    CHECK_TEXT(take_text(&ring), "late");
    ring_close(&ring);
}

static void
a_head_that_passed_the_tail_is_damage(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    ring_publish(&ring, ring_tail(&ring) + 64);

    CHECK_EQUAL(put_text(&ring, "two"), -EUCLEAN);
    ring_close(&ring);
}

static void
a_head_too_far_behind_is_damage(void)
{
    struct ring ring = open_ring(4 * capacity);

    ring_publish(&ring, 2 * capacity);

    CHECK_EQUAL(put_text(&ring, "one"), -EUCLEAN);
    ring_close(&ring);
}

static bool
is_resident(const uint8_t *address, size_t size)
{
    unsigned char pages[1024] = {0};

    CHECK(size / 4096 <= sizeof(pages));
    CHECK_EQUAL(mincore((void *)(uintptr_t)address, size, pages), 0);
    for (size_t i = 0; i < size / 4096; i++) {
        if ((pages[i] & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* An idle ring has the pages of a MiB, a busy one all of them. */
static void
pages_are_given_before_they_are_written_to(void)
{
    struct ring_options options = {.capacity = 4 * 1024 * 1024, .nonce = nonce};
    struct ring ring;
    char text[4096];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sys_test_reset();
    CHECK_EQUAL(ring_create_private(&ring, &sys_test, &options), 0);

    ring_populate(&ring);
    ring_populate(&ring);
    CHECK(is_resident((uint8_t *)ring.index, 512 * 1024));
    CHECK(is_resident(ring.data, 1024 * 1024));
    CHECK(!is_resident(ring.data + 1024 * 1024, 4096));
    CHECK_EQUAL(sys_test_calls(CALL_populate), 2);

    while (ring_tail(&ring) <= 512 * 1024) {
        CHECK_EQUAL(put_text(&ring, text), 0);
    }
    ring_populate(&ring);
    ring_populate(&ring);
    CHECK(is_resident((uint8_t *)ring.index, 2 * 1024 * 1024));
    CHECK(is_resident(ring.data, 4 * 1024 * 1024));
    CHECK_EQUAL(sys_test_calls(CALL_populate), 4);
    ring_close(&ring);
}

static void
a_kernel_that_does_not_give_pages_is_no_harm(void)
{
    struct ring ring = open_ring(0);

    sys_test_fail(CALL_populate, EINVAL, 1, 1000);
    ring_populate(&ring);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    CHECK_TEXT(take_text(&ring), "one");
    ring_close(&ring);
}

RUN(TEST(records_are_read_in_order_and_whole), TEST(a_newline_is_added_when_asked_for),
    TEST(a_record_knows_its_type_and_place), TEST(payloads_stand_back_to_back),
    TEST(nothing_crosses_the_wrap), TEST(a_pad_before_the_wrap_is_never_seen),
    TEST(the_largest_record_fits_and_a_larger_one_is_refused),
    TEST(a_full_ring_refuses_and_reserves_nothing),
    TEST(a_ring_can_be_filled_to_its_last_byte), TEST(crossing_the_middle_is_told_once),
    TEST(a_sealed_ring_takes_nothing_and_gives_all),
    TEST(a_reservation_made_before_the_seal_may_still_be_committed),
    TEST(a_head_that_passed_the_tail_is_damage), TEST(a_head_too_far_behind_is_damage),
    TEST(pages_are_given_before_they_are_written_to),
    TEST(a_kernel_that_does_not_give_pages_is_no_harm))

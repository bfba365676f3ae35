/* Waiting for room and for the disk, and who wakes whom. */
#include "ringwait.h"
#include "support.h"
#include "support_ring.h"
#include "support_sys.h"

static void
fill_ring(struct ring *ring)
{
    while (put_text(ring, "exactly thirty-two bytes of text") == 0) {
    }
}

static void
waiting_for_space_ends_at_its_limit(void)
{
    struct ring ring = open_ring(0);
    uint64_t begin;

    sys_test_stop_time();
    fill_ring(&ring);
    begin = sys_test.now_mono();

    ring_wait_space(&ring, 10, 7000);

    CHECK_EQUAL(sys_test.now_mono() - begin, 7000);
    CHECK_EQUAL(ring.shared->space_waiters, 0);
    ring_close(&ring);
}

static void
waiting_for_space_that_is_there_does_not_wait(void)
{
    struct ring ring = open_ring(0);

    fill_ring(&ring);
    take_text(&ring);
    ring_wait_space(&ring, 10, UINT64_C(3600000000000));
    ring_seal(&ring);
    ring_wait_space(&ring, 10000, UINT64_C(3600000000000));

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 0);
    ring_close(&ring);
}

static void
a_pad_that_is_in_the_way_counts_as_used(void)
{
    struct ring ring = open_ring(capacity - 64);

    sys_test_stop_time();
    CHECK_EQUAL(put_text(&ring, "exactly thirty-two bytes of text"), 0);
    fill_ring(&ring);
    take_text(&ring);
    take_text(&ring);
    CHECK_EQUAL(put_text(&ring, "exactly thirty-two bytes of text"), 0);

    /* 64 bytes are free, at the very end; a larger record needs the beginning too. */
    ring_wait_space(&ring, 65, 1000);

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 1);
    ring_close(&ring);
}

static void
publishing_wakes_only_those_who_wait(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    take_text(&ring);
    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 0);

    CHECK_EQUAL(put_text(&ring, "two"), 0);
    ring.shared->space_waiters = 1;
    take_text(&ring);
    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 1);
    ring_close(&ring);
}

static void
nobody_is_woken_before_half_the_ring_is_free(void)
{
    struct ring ring = open_ring(0);

    fill_ring(&ring);
    ring.shared->space_waiters = 1;
    while (ring_tail(&ring) - ring_head(&ring) > capacity / 2) {
        CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 0);
        take_text(&ring);
    }

    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 1);
    ring_close(&ring);
}

static void
what_is_durable_is_told(void)
{
    struct ring ring = open_ring(firsts[4]);
    struct ring_reservation one, two;

    sys_test_stop_time();
    CHECK_EQUAL(ring_write(&ring, RING_DATA, "one", 3, false, &one), 0);
    CHECK_EQUAL(ring_write(&ring, RING_DATA, "two", 3, false, &two), 0);
    CHECK(!ring_wait_durable(&ring, one.end, 1000));

    ring_publish_durable(&ring, one.end);

    CHECK(ring_wait_durable(&ring, one.end, 1000));
    CHECK(!ring_wait_durable(&ring, two.end, 1000));
    ring_close(&ring);
}

RUN(TEST(waiting_for_space_ends_at_its_limit),
    TEST(waiting_for_space_that_is_there_does_not_wait),
    TEST(a_pad_that_is_in_the_way_counts_as_used),
    TEST(publishing_wakes_only_those_who_wait),
    TEST(nobody_is_woken_before_half_the_ring_is_free), TEST(what_is_durable_is_told))

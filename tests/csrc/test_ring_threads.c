/* The record protocol between threads; ThreadSanitizer watches it in one build. */
#include "ring.h"
#include "ringreader.h"
#include "ringwait.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { PRODUCERS_MAX = 4, RECORDS = 4000, SIZE_MAX_BYTES = 1500 };

static const uint64_t long_ns = UINT64_C(10000000000);

struct producer {
    pthread_t thread;
    struct ring *ring;
    uint32_t number;
    uint32_t written; /* records that were committed */
    bool waits;       /* on a full ring; else it tries again */
};

/* A record says who wrote it and as which of his; the rest is made of both. */
struct stamp {
    uint32_t producer;
    uint32_t sequence;
};

static size_t
make_record(uint8_t *out, uint32_t producer, uint32_t sequence)
{
    struct stamp stamp = {producer, sequence};
    size_t size = sizeof(stamp) + (producer * 31 + sequence * 7) % SIZE_MAX_BYTES;

    memset(out, (int)(producer + sequence), size);
    memcpy(out, &stamp, sizeof(stamp));
    return size;
}

static void
open_ring(struct ring *ring, uint64_t first_position)
{
    struct ring_options options = {.capacity = RING_CAPACITY_MIN,
                                   .nonce = UINT64_C(0xfeedface12345678),
                                   .first_position = first_position};

    sys_test_reset();
    CHECK_EQUAL(ring_create_private(ring, &sys_test, &options), 0);
}

/* Writes until it has written all or the ring is sealed. */
static void *
produce(void *context)
{
    struct producer *self = context;
    uint8_t record[sizeof(struct stamp) + SIZE_MAX_BYTES];

    for (uint32_t i = 0; i < RECORDS; i++) {
        size_t size = make_record(record, self->number, i);
        struct ring_reservation at;
        int error;

        while ((error = ring_write(self->ring, RING_DATA, record, size, false, &at)) ==
               -EAGAIN) {
            if (self->waits) {
                ring_wait_space(self->ring, size, long_ns);
            } else {
                sched_yield();
            }
        }
        if (error == -ESTALE) {
            break;
        }
        CHECK_EQUAL(error, 0);
        self->written++;
    }
    return NULL;
}

static void
start(struct producer *producers, uint32_t count, struct ring *ring, bool waits)
{
    for (uint32_t i = 0; i < count; i++) {
        producers[i] = (struct producer){.ring = ring, .number = i, .waits = waits};
        CHECK_EQUAL(pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
                    0);
    }
}

static void
join(struct producer *producers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(pthread_join(producers[i].thread, NULL), 0);
    }
}

/* Reads what is there, checks that each producer's records come in order and whole. */
static uint32_t
consume(struct ring *ring, uint32_t next_of[PRODUCERS_MAX])
{
    uint64_t end = ring_tail(ring), at = ring_head(ring);
    uint8_t expected[sizeof(struct stamp) + SIZE_MAX_BYTES];
    struct ring_record record;
    uint32_t count = 0;

    while (ring_next(ring, at, end, false, &record)) {
        struct stamp stamp;

        memcpy(&stamp, record.data, sizeof(stamp));
        CHECK(stamp.producer < PRODUCERS_MAX);
        CHECK_EQUAL(stamp.sequence, next_of[stamp.producer]++);
        CHECK_EQUAL(record.size, make_record(expected, stamp.producer, stamp.sequence));
        CHECK_EQUAL(memcmp(record.data, expected, record.size), 0);
        CHECK_EQUAL(record.damaged + record.skipped, 0);
        at = record.next;
        count++;
    }
    if (at > ring_head(ring)) {
        ring_publish(ring, at);
    }
    return count;
}

static void
check_all_arrive(uint32_t count, uint64_t first_position, bool waits)
{
    struct producer producers[PRODUCERS_MAX];
    uint32_t next_of[PRODUCERS_MAX] = {0}, read = 0;
    struct ring ring;
    uint64_t begin = test_wait_begin();

    open_ring(&ring, first_position);
    start(producers, count, &ring, waits);
    while (read < count * RECORDS) {
        uint32_t now = consume(&ring, next_of);
        read += now;
        if (now == 0) {
            test_wait(__FILE__, __LINE__, "every record arrives", begin);
        }
    }
    join(producers, count);
    CHECK_EQUAL(ring_tail(&ring), ring_head(&ring));
    CHECK_EQUAL(ring.shared->space_waiters, 0);
    ring_close(&ring);
}

static void
one_producer_is_read_in_order(void)
{
    check_all_arrive(1, 0, true);
}

static void
two_producers_are_read_in_their_order(void)
{
    check_all_arrive(2, UINT64_C(0xffffffe0), true);
}

/* More threads than processors: they are stopped between any two instructions, also
 * between reading tail and head (a full ring must not look damaged then). */
static void
four_producers_that_do_not_wait_are_read_in_their_order(void)
{
    check_all_arrive(4, UINT64_C(0x4000000000000000) - 32, false);
}

static void
four_producers_that_wait_are_always_woken(void)
{
    check_all_arrive(4, 0, true);
}

static void
after_the_seal_nothing_is_added_and_nothing_is_missing(void)
{
    struct producer producers[PRODUCERS_MAX];
    uint32_t next_of[PRODUCERS_MAX] = {0}, read = 0, written = 0;
    struct ring ring;
    uint64_t tail;

    open_ring(&ring, 0);
    start(producers, PRODUCERS_MAX, &ring, true);
    while (read < RECORDS / 2) {
        read += consume(&ring, next_of);
    }

    tail = ring_seal(&ring);
    ring_publish(&ring, ring_head(&ring)); /* wakes those who wait for room */
    join(producers, PRODUCERS_MAX);

    CHECK_EQUAL(ring_tail(&ring), tail);
    read += consume(&ring, next_of);
    CHECK_EQUAL(ring_head(&ring), tail);
    for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
        written += producers[i].written;
    }
    CHECK_EQUAL(read, written);
    ring_close(&ring);
}

struct durable_waiter {
    pthread_t thread;
    struct ring *ring;
    uint64_t position;
    bool is_durable;
};

static void *
wait_durable(void *context)
{
    struct durable_waiter *self = context;
    uint64_t begin = test_wait_begin();

    while (!self->is_durable && test_wait_begin() - begin < long_ns) {
        self->is_durable = ring_wait_durable(self->ring, self->position, long_ns);
    }
    return NULL;
}

static void
those_who_wait_for_the_disk_are_woken(void)
{
    struct durable_waiter waiters[PRODUCERS_MAX];
    struct ring ring;

    open_ring(&ring, 0);
    for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
        waiters[i] = (struct durable_waiter){.ring = &ring, .position = (i + 1) * 64};
        CHECK_EQUAL(pthread_create(&waiters[i].thread, NULL, wait_durable, &waiters[i]),
                    0);
    }

    for (uint64_t i = 1; i <= PRODUCERS_MAX; i++) {
        ring_publish_durable(&ring, i * 64);
    }

    for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
        CHECK_EQUAL(pthread_join(waiters[i].thread, NULL), 0);
        CHECK(waiters[i].is_durable);
    }
    CHECK_EQUAL(ring.shared->durable_waiters, 0);
    ring_close(&ring);
}

RUN(TEST(one_producer_is_read_in_order), TEST(two_producers_are_read_in_their_order),
    TEST(four_producers_that_do_not_wait_are_read_in_their_order),
    TEST(four_producers_that_wait_are_always_woken),
    TEST(after_the_seal_nothing_is_added_and_nothing_is_missing),
    TEST(those_who_wait_for_the_disk_are_woken))

/* A ring that is small until it has to be large. Others at it: threads that write while
 * another one makes it grow, a disk without room, a leader that drains slowly. */
#include "growth.h"
#include "ownring.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = RING_CAPACITY_MIN, FULL = 8 * FIRST, LINES = 3000 };

static struct writer *
open_small(void)
{
    struct writer_options options = log_options();

    options.first_ring_bytes = FIRST;
    options.ring_bytes = FULL;
    return log_open_stepped(&options);
}

static uint64_t
capacity(struct writer *writer)
{
    return ownring_current(writer)->ring.capacity;
}

static void
put_numbers(struct writer *writer, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[64];

        snprintf(text, sizeof(text), "%06d %040d", i, 0);
        log_put(writer, text);
    }
}

/* Whether the log has the numbers below `count`, in their order, and no other line. */
static bool
has_numbers(const char *text, int count)
{
    for (int i = 0; i < count; i++) {
        char line[80];
        int size = snprintf(line, sizeof(line), "line %06d %040d\n", i, 0);

        if (strncmp(text, line, (size_t)size) != 0) {
            return false;
        }
        text += size;
    }
    return *text == '\0';
}

static void
a_log_begins_in_a_small_ring(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = open_small();
    log_put(writer, "one");

    CHECK_EQUAL(capacity(writer), FIRST);
    CHECK_EQUAL(writer_record_limit(writer), FULL / 2 - 64);
    log_close(writer);
}

static void
nobody_waits_for_a_small_ring_and_the_order_stays(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = open_small();
    put_numbers(writer, 0, LINES);

    CHECK_EQUAL(capacity(writer), FULL);
    log_step(writer, 1000000000);
    CHECK(has_numbers(file_text("audit.log"), LINES));
    log_close(writer);
}

static void
half_a_small_ring_makes_the_thread_attach_a_large_one(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = open_small();
    put_numbers(writer, 0, FIRST / 64 / 2 + 10);
    CHECK_EQUAL(capacity(writer), FIRST);

    log_step(writer, 1);

    CHECK_EQUAL(capacity(writer), FULL);
    log_close(writer);
}

static void
the_small_ring_is_removed_once_it_is_drained(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = open_small();
    put_numbers(writer, 0, LINES);
    log_step(writer, 1000000000);

    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_false_deaths), 0);
    log_close(writer);
}

static void
a_record_above_the_small_ring_gets_a_large_one(void)
{
    static char record[FULL / 2 - 64];
    struct writer_ticket ticket;
    struct writer *writer;

    sys_test_reset();
    memset(record, 'x', sizeof(record));
    writer = open_small();
    log_put(writer, "one");

    CHECK_EQUAL(writer_write(writer, record, sizeof(record), false, &ticket), 0);

    CHECK_EQUAL(capacity(writer), FULL);
    CHECK_EQUAL(writer_write(writer, record, sizeof(record), true, &ticket), -EMSGSIZE);
    log_close(writer);
}

static void
room_can_be_made_for_a_record_above_the_limit(void)
{
    static char record[4 * FULL];
    struct writer_ticket ticket;
    struct writer *writer;

    sys_test_reset();
    memset(record, 'x', sizeof(record));
    record[sizeof(record) - 1] = '\n';
    writer = open_small();
    log_put(writer, "one");

    CHECK_EQUAL(writer_make_room(writer, sizeof(record)), 0);
    CHECK_EQUAL(writer_write(writer, record, sizeof(record), false, &ticket), 0);
    log_put(writer, "two");

    log_step(writer, 1000000000);
    CHECK_EQUAL(strlen(file_text("audit.log")), 2 * 9 + sizeof(record));
    CHECK_EQUAL(writer_make_room(writer, (size_t)RING_CAPACITY_MAX), -EMSGSIZE);
    log_close(writer);
}

static void
without_room_on_the_disk_the_small_ring_goes_on(void)
{
    struct writer *writer;
    int error = 0, count = 0;

    sys_test_reset();
    writer = open_small();
    sys_test_fail(CALL_fallocate, ENOSPC, 1, UINT32_MAX);
    while (error == 0) {
        error = log_try(writer, "the same again");
        count++;
    }

    CHECK_EQUAL(error, -EAGAIN);
    CHECK_EQUAL(capacity(writer), FIRST);
    sys_test_heal();
    CHECK_EQUAL(log_try(writer, "the same again"), 0);
    CHECK_EQUAL(capacity(writer), FULL);
    log_close(writer);
}

RUN(TEST(a_log_begins_in_a_small_ring),
    TEST(nobody_waits_for_a_small_ring_and_the_order_stays),
    TEST(half_a_small_ring_makes_the_thread_attach_a_large_one),
    TEST(the_small_ring_is_removed_once_it_is_drained),
    TEST(a_record_above_the_small_ring_gets_a_large_one),
    TEST(room_can_be_made_for_a_record_above_the_limit),
    TEST(without_room_on_the_disk_the_small_ring_goes_on))

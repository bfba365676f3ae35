/* A log without a thread: who waits for something does its work.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t ms = 1000000;

/* As a child that was forked at its limit has it: the thread ended with the fork. */
static struct writer *
open_and_lose_the_thread(const struct writer_options *options)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open(options);
    sys_test_fail(CALL_thread_start, EAGAIN, 1, UINT32_MAX);
    writer_before_fork();
    writer_after_fork_parent();
    CHECK(!writer->has_thread);
    return writer;
}

static void
a_flush_is_answered(void)
{
    struct writer_options options = log_options();
    struct writer *writer = open_and_lose_the_thread(&options);

    log_put(writer, "one");
    log_flush(writer);

    CHECK(!writer->has_thread);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    log_close(writer);
}

static void
room_is_made_in_a_full_ring(void)
{
    struct writer_options options = log_options();
    struct writer *writer = open_and_lose_the_thread(&options);
    char line[1000] = {0};

    memset(line, 'x', sizeof(line) - 1);
    for (int i = 0; i < 200; i++) {
        for (uint64_t begin = test_wait_begin(); log_try(writer, line) == -EAGAIN;) {
            writer_wait_space(writer, sizeof(line), 10 * ms);
            test_wait(__FILE__, __LINE__, "there is room", begin);
        }
    }

    CHECK(!writer->has_thread);
    log_close(writer);
    CHECK_EQUAL(file_size("audit.log"), 200 * (sizeof(line) + sizeof("line ") - 1));
}

static void
a_line_that_waits_for_the_disk_gets_there(void)
{
    struct writer_options options = log_options();
    struct writer_ticket ticket;
    struct writer *writer;

    options.durability = DURABILITY_SYNC;
    writer = open_and_lose_the_thread(&options);

    CHECK_EQUAL(writer_write(writer, "line one", 8, true, &ticket), 0);
    WAIT_UNTIL(writer_wait_durable(writer, &ticket, 10 * ms));

    CHECK(!writer->has_thread);
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
}

static void
the_thread_is_back_when_it_can_be(void)
{
    struct writer_options options = log_options();
    struct writer *writer = open_and_lose_the_thread(&options);

    log_put(writer, "one");
    sys_test_heal();
    log_flush(writer);

    CHECK(writer->has_thread);
    log_close(writer);
}

RUN(TEST(a_flush_is_answered), TEST(room_is_made_in_a_full_ring),
    TEST(a_line_that_waits_for_the_disk_gets_there),
    TEST(the_thread_is_back_when_it_can_be))

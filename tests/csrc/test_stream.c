/* Standard output as a log: a private ring, a pipe that may be slow, full or closed. */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

static int ends[2];

static struct writer *
open_stream(void)
{
    struct writer_options options = log_options();

    sys_test_reset();
    CHECK_EQUAL(pipe(ends), 0);
    options.path = NULL;
    options.stream_fd = ends[1];
    return log_open(&options);
}

/* Everything until the last writer has closed its end. */
static char *
read_all(void)
{
    char *text = test_memory(1024 * 1024);
    size_t size = 0;
    ssize_t got;

    close(ends[1]);
    while ((got = read(ends[0], text + size, 1024 * 1024 - 1 - size)) > 0) {
        size += (size_t)got;
    }
    CHECK_EQUAL(got, 0);
    close(ends[0]);
    return text;
}

static void
lines_come_out_in_order(void)
{
    struct writer *writer = open_stream();
    struct writer_stats stats;

    log_put(writer, "one");
    log_put(writer, "two");
    log_flush(writer);
    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.leads, 1);
    CHECK_EQUAL(stats.counters[COUNTER_records_written], 2);
    log_close(writer);

    CHECK_TEXT(read_all(), "line one\nline two\n");
    CHECK(!file_exists(".audit.log.ring"));
}

static void
requests_that_mean_files_are_answered(void)
{
    struct writer *writer = open_stream();

    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_REOPEN, 10 * s), 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 10 * s), 0);
    CHECK_EQUAL(writer_lock_mill(writer), -EAGAIN);
    log_close(writer);

    CHECK_TEXT(read_all(), "line one\n");
}

static void
every_opener_has_a_stream_of_its_own(void)
{
    struct writer *first = open_stream(), *second;
    struct writer_options options = log_options();

    options.path = NULL;
    options.stream_fd = ends[1];
    second = log_open(&options);
    CHECK(second != first);
    log_put(first, "one");
    log_flush(first);
    log_put(second, "two");
    CHECK_EQUAL(writer_close(first, 10 * s), 0);
    log_close(second);

    CHECK_TEXT(read_all(), "line one\nline two\n");
}

static void *
read_late(void *context)
{
    WAIT_UNTIL(sys_test_calls(CALL_poll_writable) > 20);
    *(char **)context = test_memory(4 * 1024 * 1024);
    for (size_t size = 0;;) {
        ssize_t got = read(ends[0], *(char **)context + size, 65536);
        if (got <= 0) {
            return NULL;
        }
        size += (size_t)got;
    }
}

/* More than pipe and ring hold; and the thread is never caught in a write. */
static void
a_slow_reader_loses_nothing(void)
{
    struct writer *writer = open_stream();
    struct writer_stats stats;
    pthread_t reader;
    char *text = NULL;

    CHECK_EQUAL(pthread_create(&reader, NULL, read_late, &text), 0);
    for (int i = 0; i < 5000; i++) {
        while (log_try(writer, "of a writer that is faster than its reader") != 0) {
            writer_wait_space(writer, 50, 10 * ms);
        }
    }
    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.health, HEALTH_OK);
    log_close(writer);
    close(ends[1]);
    CHECK_EQUAL(pthread_join(reader, NULL), 0);

    CHECK_EQUAL(log_count(text, "line of a writer that is faster than its reader"),
                5000);
    close(ends[0]);
}

static void
a_pipe_nobody_reads_keeps_what_was_written(void)
{
    struct writer *writer = open_stream();
    char *text;

    while (log_try(writer, "that nobody reads, of some length to fill it soon") == 0 ||
           log_ask(writer, REQUEST_FLUSH, 50 * ms) == 0) {
    }

    CHECK_EQUAL(writer_close(writer, 10 * ms), -EBUSY);
    text = read_all();
    CHECK(strlen(text) > 4096);
    CHECK_EQUAL(strncmp(text, "line that nobody reads", 22), 0);
}

static void
a_pipe_that_was_closed_is_told(void)
{
    struct writer *writer;
    struct writer_stats stats;

    signal(SIGPIPE, SIG_IGN);
    writer = open_stream();
    close(ends[0]);
    log_put(writer, "one");
    WAIT_UNTIL((writer_stats(writer, &stats), stats.last_error == -EPIPE));
    CHECK(stats.health != HEALTH_OK);

    CHECK_EQUAL(writer_close(writer, 60 * s), -EPIPE);
    close(ends[1]);
}

static void
drops_are_told_in_the_stream(void)
{
    struct writer *writer = open_stream();
    char *text;

    drainer_stop(writer);
    while (log_try(writer, "before") == 0) {
    }
    writer_drop(writer, 10);
    CHECK_EQUAL(drainer_start(writer), 0);
    log_flush(writer);
    log_put(writer, "after");
    log_close(writer);

    text = read_all();
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 1);
}

static void
a_forked_child_writes_to_the_stream_too(void)
{
    struct writer *writer = open_stream();
    char *text;
    pid_t child;

    log_put(writer, "of the parent");
    writer_before_fork();
    child = fork();
    if (child == 0) {
        writer_after_fork_child();
        log_put(writer, "of the child");
        log_flush(writer);
        CHECK_EQUAL(writer_close(writer, 10 * s), 0);
        child_exit();
    }
    writer_after_fork_parent();
    CHECK_EQUAL(child_wait(child), 0);
    log_put(writer, "of the parent");
    log_close(writer);

    text = read_all();
    CHECK_EQUAL(log_count(text, "line of the parent"), 2);
    CHECK_EQUAL(log_count(text, "line of the child"), 1);
}

static void
a_child_without_memory_for_its_ring_can_try_again(void)
{
    struct writer *writer = open_stream();
    struct writer_stats stats;
    pid_t child;

    writer_before_fork();
    child = fork();
    if (child == 0) {
        child_begin();
        writer_after_fork_child();
        for (uint32_t number = 1; number <= 2; number++) {
            sys_test_fail(CALL_mmap_shared, ENOMEM, number, 1);
            CHECK_EQUAL(log_try(writer, "refused"), -ENOMEM);
            writer_stats(writer, &stats);
            CHECK_EQUAL(stats.ring_capacity, 0);
        }
        sys_test_heal();
        log_put(writer, "of the child");
        CHECK_EQUAL(writer_close(writer, 10 * s), 0);
        child_exit();
    }
    writer_after_fork_parent();
    CHECK_EQUAL(child_wait(child), 0);
    log_close(writer);

    CHECK_TEXT(read_all(), "line of the child\n");
}

static void
a_ring_that_was_sealed_is_followed_by_no_other(void)
{
    struct writer *writer = open_stream();

    log_put(writer, "one");
    log_flush(writer);
    ring_seal(&writer->current->ring);

    CHECK_EQUAL(log_try(writer, "two"), -EUSERS);
    CHECK_EQUAL(writer_close(writer, 0), 0);
    CHECK_TEXT(read_all(), "line one\n");
}

static void
an_opening_without_memory_is_an_error(void)
{
    struct writer_options options = log_options();
    struct writer *writer = NULL;

    options.path = NULL;
    options.stream_fd = 1;
    for (uint32_t number = 1; number <= 2; number++) {
        sys_test_reset();
        sys_test_fail(CALL_mmap_shared, ENOMEM, number, 1);
        CHECK_EQUAL(writer_open(&writer, &sys_test, &options), -ENOMEM);
    }
    sys_test_reset();
    sys_test_fail(CALL_random, EIO, 1, 1);
    CHECK_EQUAL(writer_open(&writer, &sys_test, &options), -EIO);
    CHECK(writer == NULL);
}

RUN(TEST(lines_come_out_in_order), TEST(requests_that_mean_files_are_answered),
    TEST(every_opener_has_a_stream_of_its_own), TEST(a_slow_reader_loses_nothing),
    TEST(a_pipe_nobody_reads_keeps_what_was_written),
    TEST(a_pipe_that_was_closed_is_told), TEST(drops_are_told_in_the_stream),
    TEST(a_forked_child_writes_to_the_stream_too),
    TEST(a_child_without_memory_for_its_ring_can_try_again),
    TEST(a_ring_that_was_sealed_is_followed_by_no_other),
    TEST(an_opening_without_memory_is_an_error))

/* Every loss is a gap event in the log: where it happened, once, with exact counts. */
#include "ringreader.h"
#include "ringwait.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

/* Fills the ring with lines "line before"; nobody drains meanwhile. */
static unsigned
fill_ring(struct writer *writer)
{
    unsigned count = 0;

    while (log_try(writer, "before") == 0) {
        count++;
    }
    return count;
}

static void
drops_leave_one_event_where_they_happened(void)
{
    struct writer *writer = log_open_stepped(NULL);
    unsigned before = fill_ring(writer);
    const char *text, *gap;

    writer_drop(writer, 10);
    writer_drop(writer, 200);
    writer_drop(writer, 3000);
    log_step(writer, 10 * ms);
    log_put(writer, "after");
    log_flush(writer);

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line before"), before);
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 3);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "bytes"), 3210);
    gap = strstr(text, "{\"kind\"");
    CHECK(gap == text + before * strlen("line before\n"));
    CHECK_TEXT(strchr(gap, '\n') + 1, "line after\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_dropped_records), 3);
    CHECK_EQUAL(log_counter(writer, COUNTER_dropped_bytes), 3210);
    CHECK_EQUAL(log_counter(writer, COUNTER_gap_events), 1);
    log_close(writer);
}

static void
drops_are_told_although_nothing_is_written_any_more(void)
{
    struct writer *writer = log_open_stepped(NULL);

    fill_ring(writer);
    writer_drop(writer, 10);
    log_step(writer, 1 * s);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "count"), 1);
    log_close(writer);
}

static void
every_run_of_drops_has_an_event_of_its_own(void)
{
    struct writer *writer = log_open_stepped(NULL);
    const char *text;

    for (unsigned run = 1; run <= 3; run++) {
        fill_ring(writer);
        for (unsigned i = 0; i < run; i++) {
            writer_drop(writer, 100);
        }
        log_step(writer, 10 * ms);
        log_put(writer, "after");
        log_flush(writer);
    }

    text = file_text("audit.log");
    CHECK_EQUAL(log_gaps(text, "dropped"), 3);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 1 + 2 + 3);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "bytes"), 600);
    log_close(writer);
}

/* The event needs more room than the line that follows it. */
static void
no_line_overtakes_the_event_of_drops_before_it(void)
{
    struct writer *writer = log_open_stepped(NULL);
    struct ring *ring = &writer->current->ring;
    struct ring_record record;

    fill_ring(writer);
    writer_drop(writer, 10);
    CHECK_EQUAL(ring_next(ring, 0, ring_tail(ring), false, &record), 1);
    ring_publish(ring, record.next);

    CHECK_EQUAL(log_try(writer, "x"), -EAGAIN);
    log_step(writer, 100 * ms);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "count"), 1);
    log_close(writer);
}

static void
drops_on_a_full_disk_say_so(void)
{
    struct writer *writer = log_open_stepped(NULL);
    const char *text;

    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    fill_ring(writer);
    log_step(writer, 1 * s);
    writer_drop(writer, 10);
    writer_drop(writer, 10);
    sys_test_heal();
    /* The ring is full until the leader gets on: the next write tells first. */
    while (log_try(writer, "after") == -EAGAIN) {
        log_step(writer, 1 * ms);
    }
    log_flush(writer);

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 2);
    log_close(writer);
}

static void
drops_that_are_not_told_at_the_end_are_told_then(void)
{
    struct writer *writer = log_open_stepped(NULL);

    fill_ring(writer);
    writer_drop(writer, 10);
    log_close(writer);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "count"), 1);
}

static void
drop_and_be_killed(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    drainer_stop(writer);
    fill_ring(writer);
    writer_drop(writer, 10);
    writer_drop(writer, 20);
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

static void
drops_of_the_dead_are_told_once(void)
{
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(drop_and_be_killed)), -SIGKILL);
    sys_test_reset();
    for (int i = 0; i < 3; i++) {
        writer = log_open_default();
        CHECK_EQUAL(log_counter(writer, COUNTER_dropped_records), 2);
        CHECK_EQUAL(log_counter(writer, COUNTER_dropped_bytes), 30);
        log_close(writer);
    }

    CHECK_EQUAL(log_gaps(file_text("audit.log"), "dropped"), 1);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "count"), 2);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "bytes"), 30);
}

enum { DROPPERS = 3, TRIES = 3000 };

struct dropper {
    pthread_t thread;
    struct writer *writer;
    unsigned written;
    unsigned dropped;
};

static void *
write_or_drop(void *context)
{
    struct dropper *self = context;

    for (int i = 0; i < TRIES; i++) {
        if (log_try(self->writer, "of a thread that never waits") == 0) {
            self->written++;
        } else {
            writer_drop(self->writer, 100);
            self->dropped++;
        }
    }
    return NULL;
}

static void
threads_that_drop_are_all_counted(void)
{
    struct dropper droppers[DROPPERS];
    unsigned written = 0, dropped = 0;
    struct writer *writer;
    const char *text;

    sys_test_reset();
    writer = log_open_default();
    for (int i = 0; i < DROPPERS; i++) {
        droppers[i] = (struct dropper){.writer = writer};
        CHECK_EQUAL(
            pthread_create(&droppers[i].thread, NULL, write_or_drop, &droppers[i]), 0);
    }
    for (int i = 0; i < DROPPERS; i++) {
        CHECK_EQUAL(pthread_join(droppers[i].thread, NULL), 0);
        written += droppers[i].written;
        dropped += droppers[i].dropped;
    }
    log_close(writer);

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line of a thread that never waits"), written);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), dropped);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "bytes"), 100 * (uint64_t)dropped);
}

static void
a_loss_is_told_once(void)
{
    struct writer *writer = log_open_stepped(NULL);

    control_add_loss(&writer->control, GAP_CUT, 3, 30);
    log_step(writer, 1 * s);
    control_add_loss(&writer->control, GAP_CUT, 2, 20);
    log_step(writer, 10 * s);
    log_close(writer);
    sys_test_reset();
    log_close(log_open_default());

    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 2);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "count"), 5);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "bytes"), 50);
}

/* Whoever may write the log may write over the counts. */
static void
check_written_over(enum gap_reason reason, uint64_t count, uint64_t bytes)
{
    struct writer *writer = log_open_stepped(NULL);
    struct control_loss *loss = &writer->control.shared->losses[reason];
    const char *name = gap_reason_name(reason), *text;

    if (reason == GAP_DAMAGED) {
        control_add(&writer->control, COUNTER_damaged_records, 3);
    }
    control_add_loss(&writer->control, reason, 3, 30);
    log_step(writer, 1 * s);
    atomic_store_explicit(&loss->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&loss->count, count, memory_order_release);
    log_step(writer, 1 * s);

    text = file_text("audit.log");
    CHECK_EQUAL(log_gap_sum(text, name, "count"), 3 + 1);
    CHECK_EQUAL(log_gap_sum(text, name, "bytes"), 30);
    CHECK(strstr(text, "at least: the count was written over") != NULL);

    if (reason == GAP_DAMAGED) {
        control_add(&writer->control, COUNTER_damaged_records, 2);
    }
    control_add_loss(&writer->control, reason, 2, 20);
    log_step(writer, 10 * s);
    log_close(writer);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), name, "count"), 3 + 1 + 2);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 3);
    CHECK_EQUAL(system("rm -r audit.log .audit.log.ring"), 0);
}

static void
a_count_that_was_written_over_is_told_as_at_least_one(void)
{
    check_written_over(GAP_CUT, UINT64_MAX, 30);
    check_written_over(GAP_CUT, 3, UINT64_MAX / 2);
    check_written_over(GAP_CUT, 0, 30);
    check_written_over(GAP_CUT, 2, 2);
    check_written_over(GAP_DAMAGED, UINT64_MAX / 3, UINT64_MAX / 3);
}

static void
drops_whose_count_was_written_over_are_told_as_at_least_one(void)
{
    struct writer *writer = log_open_stepped(NULL);
    const char *text;

    writer_drop(writer, 10);
    log_step(writer, 1 * s);
    atomic_store_explicit(&writer->current->ring.shared->dropped_count, UINT64_MAX / 2,
                          memory_order_release);
    writer_drop(writer, 10);
    log_step(writer, 1 * s);
    writer_drop(writer, 10);
    log_step(writer, 1 * s);

    text = file_text("audit.log");
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 3);
    CHECK_EQUAL(log_gaps(text, "dropped"), 3);
    log_close(writer);
}

static void
a_loss_that_a_leader_did_not_tell_the_next_one_tells(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    control_add_loss(&writer->control, GAP_UNLINKED, 7, 70);
    log_step(writer, 1 * s);
    CHECK_EQUAL(writer_close(writer, 0), -EBUSY);
    sys_test_reset();
    log_close(log_open_default());

    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 1);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-unlinked", "count"), 7);
}

/* The event is in the dead leader's ring: the next one must not write another. */
static void
tell_and_be_killed(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    drainer_stop(writer);
    control_add_loss(&writer->control, GAP_CUT, 3, 30);
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    for (int i = 0; i < 100 && ring_tail(&writer->current->ring) == 0; i++) {
        drainer_step(writer);
    }
    CHECK(ring_tail(&writer->current->ring) > 0);
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

static void
a_loss_told_by_a_killed_leader_is_told_once(void)
{
    CHECK_EQUAL(child_wait(child_start(tell_and_be_killed)), -SIGKILL);
    sys_test_reset();
    log_close(log_open_default());

    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 1);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "count"), 3);
}

static void
a_ring_too_full_for_an_event_is_waited_for(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_flush(writer);
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    fill_ring(writer);
    control_add_loss(&writer->control, GAP_CUT, 3, 30);
    log_step(writer, 1 * s);
    sys_test_heal();
    log_step(writer, 2 * s);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "count"), 3);
    log_close(writer);
}

static void
without_random_bytes_an_event_is_still_told(void)
{
    struct writer *writer = log_open_stepped(NULL);

    sys_test_fail(CALL_random, EIO, 1, UINT32_MAX);
    control_add_loss(&writer->control, GAP_CUT, 3, 30);
    log_step(writer, 1 * s);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "count"), 3);
    CHECK(log_is_whole(file_text("audit.log")));
    log_close(writer);
}

static void
a_log_without_loss_holds_the_caller_s_bytes_only(void)
{
    struct writer *writer;

    for (int i = 0; i < 3; i++) {
        writer = log_open_stepped(NULL);
        log_put(writer, "one");
        log_step(writer, 10 * s);
        log_close(writer);
    }

    CHECK_TEXT(file_text("audit.log"), "line one\nline one\nline one\n");
}

static void
be_killed_with_a_full_ring(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "drained");
    log_flush(writer);
    drainer_stop(writer);
    log_put(writer, "one");
    log_put(writer, "two");
    memcpy(writer->control.shared->boot_id, "0badb007", 8);
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

static void
after_a_reboot_the_log_says_what_was_salvaged_and_holds_none_of_it(void)
{
    const char *text;
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(be_killed_with_a_full_ring)), -SIGKILL);
    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "after");
    log_close(writer);

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "reboot", "count"), 2);
    CHECK_EQUAL(log_gap_sum(text, "reboot", "bytes"), 18);
    CHECK_EQUAL(log_count(text, "line drained"), 1);
    CHECK_EQUAL(log_count(text, "line one"), 0);
    CHECK_EQUAL(log_count(text, "line after"), 1);
    CHECK_TEXT(file_text("audit-salvaged-0badb007.jsonl"), "line one\nline two\n");
}

RUN(TEST(drops_leave_one_event_where_they_happened),
    TEST(drops_are_told_although_nothing_is_written_any_more),
    TEST(every_run_of_drops_has_an_event_of_its_own),
    TEST(no_line_overtakes_the_event_of_drops_before_it),
    TEST(drops_on_a_full_disk_say_so),
    TEST(drops_that_are_not_told_at_the_end_are_told_then),
    TEST(drops_of_the_dead_are_told_once), TEST(threads_that_drop_are_all_counted),
    TEST(a_loss_is_told_once),
    TEST(a_count_that_was_written_over_is_told_as_at_least_one),
    TEST(drops_whose_count_was_written_over_are_told_as_at_least_one),
    TEST(a_loss_that_a_leader_did_not_tell_the_next_one_tells),
    TEST(a_loss_told_by_a_killed_leader_is_told_once),
    TEST(a_ring_too_full_for_an_event_is_waited_for),
    TEST(without_random_bytes_an_event_is_still_told),
    TEST(a_log_without_loss_holds_the_caller_s_bytes_only),
    TEST(after_a_reboot_the_log_says_what_was_salvaged_and_holds_none_of_it))

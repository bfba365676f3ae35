/* The leader's round: holes, failures and how they end, handing over; step by step,
 * with time stopped.
 */
#include "renewal.h"
#include "ringwait.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

/* A thread of this process is stopped between reserving and committing. */
static struct ring *
make_hole(struct writer *writer, struct ring_reservation *hole)
{
    struct ring *ring = &writer->current->ring;

    CHECK_EQUAL(ring_reserve(ring, 9, hole), 0);
    return ring;
}

static void
fill_hole(struct ring *ring, const struct ring_reservation *hole)
{
    memcpy(ring_payload(ring, hole), "line two\n", 9);
    ring_commit(ring, hole, 9, RING_DATA);
}

static void
a_hole_of_the_living_is_never_passed_over(void)
{
    struct writer *writer = log_open_stepped(NULL);
    struct ring_reservation hole;
    struct ring *ring;

    log_put(writer, "one");
    ring = make_hole(writer, &hole);
    log_put(writer, "three");
    log_step(writer, 60 * s);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    CHECK_EQUAL(log_ask(writer, REQUEST_FLUSH, 1 * s), -ETIMEDOUT);

    fill_hole(ring, &hole);
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_abandoned_reservations), 0);
    log_close(writer);
}

static void
after_two_seconds_of_a_hole_the_process_goes_on_in_another_ring(void)
{
    struct writer *writer = log_open_stepped(NULL);
    struct ring_reservation hole;
    struct ring *ring = make_hole(writer, &hole);

    log_step(writer, 1900 * ms);
    CHECK(&writer->current->ring == ring);
    CHECK_EQUAL(log_counter(writer, COUNTER_stalled_slots), 0);
    log_step(writer, 200 * ms);
    CHECK(&writer->current->ring != ring);
    CHECK_EQUAL(log_counter(writer, COUNTER_stalled_slots), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_false_deaths), 0);

    log_put(writer, "new");
    log_step(writer, 10 * s);
    CHECK_TEXT(file_text("audit.log"), "line new\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_stalled_slots), 1);

    fill_hole(ring, &hole);
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line new\nline two\n");
    log_close(writer);
}

static void
a_hole_that_is_there_at_the_end_is_told_as_abandoned(void)
{
    struct writer *writer = log_open_stepped(NULL);
    struct ring_reservation hole;

    log_put(writer, "one");
    make_hole(writer, &hole);
    log_put(writer, "three");
    log_close(writer);
    sys_test_reset();
    log_close(log_open_default());

    CHECK_EQUAL(log_count(file_text("audit.log"), "line three"), 1);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "abandoned-reservation", "count"),
                1);
}

static void
a_hole_holds_up_neither_rotation_nor_syncs(void)
{
    struct writer_options options = log_options();
    struct ring_reservation hole;
    struct writer *writer;
    struct ring *ring;

    options.durability = DURABILITY_INTERVAL;
    options.settings.sync_interval_ns = 1 * s;
    writer = log_open_stepped(&options);
    log_put(writer, "one");
    ring = make_hole(writer, &hole);
    log_step(writer, 1500 * ms);

    CHECK(sys_test_calls(CALL_fdatasync) > 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);
    CHECK_EQUAL(log_files("audit.log"), 2);

    fill_hole(ring, &hole);
    log_close(writer);
}

static void
a_full_disk_is_tried_until_there_is_room(void)
{
    struct writer *writer = log_open_stepped(NULL);
    uint32_t tries;

    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    log_put(writer, "one");
    log_step(writer, 60 * s);
    tries = sys_test_calls(CALL_writev);
    CHECK(tries > 50 && tries < 80); /* soon once a second */
    CHECK_EQUAL(log_health(writer), HEALTH_DISK_FULL);
    CHECK_EQUAL(log_files("audit.log"), 1);

    sys_test_heal();
    log_step(writer, 1 * s);

    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    log_close(writer);
}

static void
a_file_that_can_not_be_written_on_is_left_after_some_tries(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    sys_test_cut_write(4);
    sys_test_fail(CALL_writev, EIO, 2, 4);
    log_put(writer, "two");
    log_step(writer, 2 * s);

    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_TEXT(log_text("audit.log"), "line one\nline two\n");
    CHECK_TEXT(file_text("audit.log"), "line two\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_batches_settled), 1);
    log_close(writer);
}

/* RLIMIT_FSIZE is this process's own; nobody else is there to take over. */
static void
a_file_that_is_too_big_for_this_process_is_left_at_once(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    sys_test_fail(CALL_writev, EFBIG, 1, 1);
    log_put(writer, "two");
    log_step(writer, 1 * s);

    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_TEXT(log_text("audit.log"), "line one\nline two\n");
    log_close(writer);
}

static void
a_rotation_that_fails_lets_the_file_grow_for_a_while(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    options.settings.max_bytes = 20;
    writer = log_open_stepped(&options);
    sys_test_fail(CALL_rename_noreplace, EACCES, 1, 1);
    log_put(writer, "one");
    log_put(writer, "two");
    log_put(writer, "three");
    log_flush(writer);
    CHECK_EQUAL(file_size("audit.log"), 29);
    CHECK_EQUAL(log_counter(writer, COUNTER_rotate_errors), 1);

    log_step(writer, 1100 * ms);
    log_put(writer, "four");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line four\n");
    CHECK_EQUAL(log_files("audit.log"), 2);
    log_close(writer);
}

/* One try and 50 more a millisecond apart, then a pause: rotate.c, livefile.c. */
static void
names_that_are_held_for_a_moment_are_tried_again_soon(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    options.settings.max_bytes = 20;
    options.settings.max_backups = 9;
    options.settings.dialect = DIALECT_STDLIB;
    writer = log_open_stepped(&options);
    sys_test_fail(CALL_flock, EWOULDBLOCK, 1, 2 * 51);
    log_put(writer, "one");
    log_put(writer, "two");
    log_put(writer, "three");
    log_flush(writer);
    CHECK_EQUAL(file_size("audit.log"), 29);

    log_step(writer, 30 * ms);
    log_put(writer, "four");
    log_flush(writer);
    CHECK_EQUAL(file_size("audit.log"), 39);
    log_step(writer, 60 * ms);
    log_put(writer, "five");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line five\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_rotate_errors), 2);
    log_close(writer);
}

static void
names_that_stay_held_are_tried_once_a_second(void)
{
    struct writer_options options = log_options();
    struct writer *writer;
    uint64_t tries;

    options.settings.max_bytes = 20;
    options.settings.max_backups = 9;
    options.settings.dialect = DIALECT_STDLIB;
    writer = log_open_stepped(&options);
    sys_test_fail(CALL_flock, EWOULDBLOCK, 1, UINT32_MAX);
    for (int i = 0; i < 400; i++) {
        log_put(writer, "x");
        log_step(writer, 10 * ms);
    }
    tries = log_counter(writer, COUNTER_rotate_errors);
    for (int i = 0; i < 1000; i++) {
        log_put(writer, "x");
        log_step(writer, 10 * ms);
    }

    CHECK(log_counter(writer, COUNTER_rotate_errors) - tries <= 15);
    log_close(writer);
}

static void
trouble_that_passed_while_idle_is_noticed(void)
{
    struct writer *writer = log_open_stepped(NULL);

    sys_test_fail(CALL_fstatat, EACCES, 1, UINT32_MAX);
    log_step(writer, 3 * s);
    CHECK_EQUAL(log_health(writer), HEALTH_DISK_ERROR);

    sys_test_heal();
    log_step(writer, 2 * s);

    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    log_close(writer);
}

/* Whatever fails, the thread sleeps in between. */
static void
trouble_while_idle_is_no_busy_loop(void)
{
    struct writer *writer = log_open_stepped(NULL);
    int steps = 0;

    sys_test_fail(CALL_fstatat, EACCES, 1, UINT32_MAX);
    for (uint64_t slept = 0; slept < 10 * s; steps++) {
        uint64_t sleep_ns = drainer_step(writer);
        slept += sleep_ns;
        sys_test_advance(sleep_ns);
        CHECK(steps < 2000);
    }
    sys_test_heal();
    log_close(writer);
}

static void
an_idle_leader_steps_fifty_times_a_second(void)
{
    struct writer *writer = log_open_stepped(NULL);
    int steps = 0;

    log_step(writer, 2 * s);
    for (uint64_t slept = 0; slept < 10 * s; steps++) {
        uint64_t sleep_ns = drainer_step(writer);
        slept += sleep_ns;
        sys_test_advance(sleep_ns);
    }

    CHECK(steps <= 510);
    log_close(writer);
}

/* What a child is told, and tells. */
struct signs {
    _Atomic uint32_t step;
    _Atomic uint32_t done;
};
static struct signs *signs;

static void
wait_for_step(uint32_t step)
{
    WAIT_UNTIL(signs->step >= step);
}

static void
lead_and_stay(void)
{
    struct writer *writer;
    struct writer_stats stats;

    sys_test_reset();
    writer = log_open_default();
    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.leads, 1);
    log_put(writer, "of the leader");
    signs->done = 1;
    wait_for_step(1);
    if (signs->step == 1) {
        log_close(writer);
        return;
    }
    wait_for_step(UINT32_MAX);
}

static pid_t
start_leader(void)
{
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(lead_and_stay);
    WAIT_UNTIL(signs->done == 1);
    return child;
}

static uint32_t
leads(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.leads;
}

static void
the_leader_drains_the_rings_of_others(void)
{
    pid_t child = start_leader();
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    CHECK_EQUAL(leads(writer), 0);
    log_put(writer, "of another");
    log_flush(writer);
    CHECK_EQUAL(leads(writer), 0);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of another"), 1);

    log_close(writer);
    signs->step = 1;
    CHECK_EQUAL(child_wait(child), 0);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the leader"), 1);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
}

static void
another_leads_when_the_leader_is_killed(void)
{
    pid_t child = start_leader();
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    signs->step = 2;
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    log_put(writer, "of another");
    WAIT_UNTIL(leads(writer) == 1);
    log_flush(writer);

    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the leader"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of another"), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 1);
    log_close(writer);
}

static void
another_leads_when_the_leader_closes(void)
{
    pid_t child = start_leader();
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    signs->step = 1;
    CHECK_EQUAL(child_wait(child), 0);
    WAIT_UNTIL(leads(writer) == 1);

    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line of the leader\n");
}

/* EFBIG and EDQUOT may be this process's own trouble: another one gets a try. */
static void
lead_with_a_limit(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    signs->done = 1;
    wait_for_step(1);
    sys_test_fail(CALL_writev, EFBIG, 1, UINT32_MAX);
    log_put(writer, "of the limited");
    WAIT_UNTIL(log_counter(writer, COUNTER_handovers) > 0);
    log_flush(writer);
    log_close(writer);
}

static void
a_leader_that_may_not_write_hands_over(void)
{
    struct writer *writer;
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(lead_with_a_limit);
    WAIT_UNTIL(signs->done == 1);
    sys_test_reset();
    writer = log_open_default();

    signs->step = 1;

    CHECK_EQUAL(child_wait(child), 0);
    WAIT_UNTIL(leads(writer) == 1);
    CHECK_EQUAL(log_files("audit.log"), 1);
    CHECK_TEXT(file_text("audit.log"), "line of the limited\n");
    log_close(writer);
}

static void
close_everything_and_write_on(void)
{
    struct writer *writer;
    char text[32];

    sys_test_reset();
    writer = log_open_default();
    for (int round = 0; round < 5; round++) {
        /* By the system call: closing what a thread uses is the point, not a race to
         * be found. */
        syscall(SYS_close_range, 3U, 99U, 0U);
        snprintf(text, sizeof(text), "round %d", round);
        log_put(writer, text);
        log_flush(writer);
    }
    CHECK(log_counter(writer, COUNTER_locks_reopened) > 0);
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
}

static void
closing_all_descriptors_loses_nothing(void)
{
    CHECK_EQUAL(child_wait(child_start(close_everything_and_write_on)), 0);

    CHECK_TEXT(file_text("audit.log"), "line round 0\nline round 1\nline round 2\n"
                                       "line round 3\nline round 4\n");
}

/* A program that drops all descriptors, and a state directory that is another one by
 * then: in it nobody knows of our ring. */
static void
lose_the_state_directory(void)
{
    struct writer *writer = log_open_stepped(NULL), *present;
    unsigned descriptors;

    CHECK_EQUAL(rename(".audit.log.ring", "aside"), 0);
    CHECK_EQUAL(mkdir(".audit.log.ring", 0700), 0);
    syscall(SYS_close_range, 3U, 99U, 0U);
    log_put(writer, "one");
    log_step(writer, 100 * ms);
    descriptors = open_descriptors();
    log_step(writer, 10 * s);

    CHECK_EQUAL(open_descriptors(), descriptors);
    CHECK_EQUAL(log_try(writer, "two"), -EREMCHG);
    CHECK_EQUAL(rmdir(".audit.log.ring"), 0);
    CHECK_EQUAL(rename("aside", ".audit.log.ring"), 0);
    CHECK_EQUAL(writer_renew(writer, &present), 0);
    writer_leave(writer);
    writer_give_back(writer);
    log_put(present, "two");
    log_flush(present);
    CHECK_EQUAL(writer_close(present, 0), 0);
}

static void
a_state_directory_that_is_not_ours_is_not_taken_for_ours(void)
{
    CHECK_EQUAL(child_wait(child_start(lose_the_state_directory)), 0);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
}

static void
a_lock_file_that_was_removed_is_made_again(void)
{
    struct writer *writer = log_open_stepped(NULL);

    CHECK_EQUAL(unlink(".audit.log.ring/lock"), 0);
    log_put(writer, "one");
    log_flush(writer);

    CHECK(file_exists(".audit.log.ring/lock"));
    CHECK_EQUAL(log_counter(writer, COUNTER_locks_reopened), 1);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    log_close(writer);
}

static void
a_slot_that_somebody_took_is_left_for_another(void)
{
    struct writer *writer = log_open_stepped(NULL);
    struct own_ring *before = writer->current;
    pid_t child;

    /* All locks are dropped, and another process takes the one of our slot. */
    close(open(".audit.log.ring/lock", O_RDWR | O_CLOEXEC));
    signs = shared_memory(sizeof(*signs));
    child = fork();
    if (child == 0) {
        int fd = open(".audit.log.ring/lock", O_RDWR | O_CLOEXEC);
        CHECK_EQUAL(
            sys_posix.lock_byte(fd, F_SETLK, F_WRLCK, 1 + (uint64_t)before->slot), 0);
        signs->done = 1;
        wait_for_step(1);
        child_exit();
    }
    WAIT_UNTIL(signs->done == 1);
    log_put(writer, "in the old ring");
    log_step(writer, 100 * ms);

    CHECK(writer->current != before);
    CHECK_EQUAL(log_counter(writer, COUNTER_false_deaths), 1);
    log_put(writer, "in the new ring");
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line in the old ring\nline in the new ring\n");
    signs->step = 1;
    CHECK_EQUAL(child_wait(child), 0);
    log_close(writer);
}

static void
a_ring_that_was_sealed_is_left_for_another(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "before");
    ring_seal(&writer->current->ring); /* by a leader that thought us dead */
    log_put(writer, "after");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_false_deaths), 1);
    log_close(writer);
}

static void
a_ring_whose_cursors_contradict_is_left_for_another(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "before");
    log_flush(writer);
    ring_publish(&writer->current->ring, ring_tail(&writer->current->ring) + 6400);
    log_put(writer, "after");
    log_step(writer, 1 * s);

    /* The leader knows what it drained. */
    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    log_close(writer);
}

static void
a_ring_whose_tail_is_rubbish_is_told_as_damaged(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "before");
    log_flush(writer);
    atomic_store_explicit(&writer->current->ring.shared->tail, UINT64_MAX / 4,
                          memory_order_release);
    log_put(writer, "after");
    log_step(writer, 1 * s);

    /* What was in it can't be known. */
    CHECK(strstr(file_text("audit.log"), "line before\nline after\n{") != NULL);
    CHECK(strstr(file_text("audit.log"), "damaged-record") != NULL);
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

RUN(TEST(a_hole_of_the_living_is_never_passed_over),
    TEST(after_two_seconds_of_a_hole_the_process_goes_on_in_another_ring),
    TEST(a_hole_that_is_there_at_the_end_is_told_as_abandoned),
    TEST(a_hole_holds_up_neither_rotation_nor_syncs),
    TEST(a_full_disk_is_tried_until_there_is_room),
    TEST(a_file_that_can_not_be_written_on_is_left_after_some_tries),
    TEST(a_file_that_is_too_big_for_this_process_is_left_at_once),
    TEST(a_rotation_that_fails_lets_the_file_grow_for_a_while),
    TEST(names_that_are_held_for_a_moment_are_tried_again_soon),
    TEST(names_that_stay_held_are_tried_once_a_second),
    TEST(trouble_that_passed_while_idle_is_noticed),
    TEST(trouble_while_idle_is_no_busy_loop),
    TEST(an_idle_leader_steps_fifty_times_a_second),
    TEST(the_leader_drains_the_rings_of_others),
    TEST(another_leads_when_the_leader_is_killed),
    TEST(another_leads_when_the_leader_closes),
    TEST(a_leader_that_may_not_write_hands_over),
    TEST(closing_all_descriptors_loses_nothing),
    TEST(a_state_directory_that_is_not_ours_is_not_taken_for_ours),
    TEST(a_lock_file_that_was_removed_is_made_again),
    TEST(a_slot_that_somebody_took_is_left_for_another),
    TEST(a_ring_that_was_sealed_is_left_for_another),
    TEST(a_ring_whose_cursors_contradict_is_left_for_another),
    TEST(a_ring_whose_tail_is_rubbish_is_told_as_damaged))

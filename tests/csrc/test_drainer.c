/* The leader's round: holes, syncs at an interval, failures and how they end, handing
 * over; step by step, with time stopped.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

static struct writer *
open_stepped(const struct writer_options *options)
{
    sys_test_reset();
    sys_test_stop_time();
    return log_open(options);
}

static struct writer *
open_stepped_default(void)
{
    struct writer_options options = log_options();

    return open_stepped(&options);
}

static uint32_t
health(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.health;
}

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
    struct writer *writer = open_stepped_default();
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
    struct writer *writer = open_stepped_default();
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
    struct writer *writer = open_stepped_default();
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
    writer = open_stepped(&options);
    log_put(writer, "one");
    ring = make_hole(writer, &hole);
    log_step(writer, 1500 * ms);

    CHECK(sys_test_calls(CALL_fdatasync) > 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);
    CHECK_EQUAL(log_files("audit.log"), 2);

    fill_hole(ring, &hole);
    log_close(writer);
}

static struct writer *
open_with_interval(void)
{
    struct writer_options options = log_options();

    options.durability = DURABILITY_INTERVAL;
    options.settings.sync_interval_ns = 1 * s;
    return open_stepped(&options);
}

static void
what_was_written_is_synced_within_the_interval(void)
{
    struct writer *writer = open_with_interval();

    for (uint32_t i = 1; i <= 5; i++) {
        log_put(writer, "one");
        log_step(writer, 1100 * ms);
        CHECK_EQUAL(sys_test_calls(CALL_fdatasync), i);
    }
    CHECK_EQUAL(log_counter(writer, COUNTER_syncs), 5);
    log_close(writer);
}

static void
nothing_new_is_nothing_to_sync(void)
{
    struct writer *writer = open_with_interval();

    log_put(writer, "one");
    log_step(writer, 2 * s);
    log_step(writer, 60 * s);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    log_close(writer);
}

static void
what_is_left_is_synced_at_the_end(void)
{
    struct writer *writer = open_with_interval();

    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    log_flush(writer);
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    log_close(writer);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 2);
}

/* Which of the pages the kernel has dropped nobody knows: all since the last sync. */
static void
a_failed_sync_is_told_with_its_window_and_the_file_is_left(void)
{
    struct writer *writer = open_with_interval();
    char *text;

    log_put(writer, "one");
    log_step(writer, 2 * s);
    log_put(writer, "two is lost, maybe");
    log_put(writer, "three too");
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    log_step(writer, 3 * s);
    log_put(writer, "four");
    log_flush(writer);

    text = log_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, "sync-failed"), 1);
    CHECK_EQUAL(log_gap_sum(text, "sync-failed", "bytes"), 24 + 15);
    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_EQUAL(log_counter(writer, COUNTER_sync_errors), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_rotate_errors), 0);
    log_close(writer);
}

/* Where there are no backups a suspect file still gets out of the way, once. */
static void
a_failed_sync_without_backups_is_no_endless_loop(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    options.durability = DURABILITY_INTERVAL;
    options.settings.sync_interval_ns = 1 * s;
    options.settings.dialect = DIALECT_STDLIB;
    writer = open_stepped(&options);
    log_put(writer, "one");
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    log_step(writer, 10 * s);
    log_put(writer, "two");
    log_step(writer, 60 * s);

    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
    CHECK_TEXT(file_text("audit.log"), "line two\n");
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), "sync-failed"), 1);
    CHECK(sys_test_calls(CALL_fdatasync) < 10);
    log_close(writer);
}

static void
a_sync_that_can_not_be_started_is_tried_at_the_next_interval(void)
{
    struct writer *writer = open_with_interval();

    sys_test_fail(CALL_thread_start, EAGAIN, 1, 1);
    log_put(writer, "one");
    log_step(writer, 3 * s);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_sync_errors), 1);
    log_close(writer);
}

static struct writer *
open_with_sync(enum dialect dialect)
{
    struct writer_options options = log_options();

    options.durability = DURABILITY_SYNC;
    options.settings.dialect = dialect;
    return open_stepped(&options);
}

static struct writer_ticket
put_ticket(struct writer *writer, const char *line)
{
    struct writer_ticket ticket;

    CHECK_EQUAL(writer_write(writer, line, strlen(line), true, &ticket), 0);
    return ticket;
}

static bool
is_durable(struct writer *writer, const struct writer_ticket *ticket)
{
    return writer_wait_durable(writer, ticket, 0);
}

/* What a failed sync may have lost is written again, to a new file, from the ring. */
static void
check_failed_sync(enum dialect dialect, const char *gaps)
{
    struct writer *writer = open_with_sync(dialect);
    struct writer_ticket one, two;

    one = put_ticket(writer, "line one");
    log_step(writer, 100 * ms);
    CHECK(is_durable(writer, &one));

    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    two = put_ticket(writer, "line two");
    log_step(writer, 2 * s);

    CHECK(is_durable(writer, &two));
    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_count(file_text("audit.log"), "line two"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line one"), 0);
    CHECK_EQUAL(log_gaps(file_text(gaps), "sync-failed"), 1);
    CHECK_EQUAL(health(writer), HEALTH_OK);
    log_close(writer);
}

static void
an_acknowledged_line_survives_a_failed_sync(void)
{
    check_failed_sync(DIALECT_LUMBERJACK, "audit.log");
    CHECK_EQUAL(log_count(log_text("audit.log"), "line one"), 1);
    CHECK_EQUAL(log_count(log_text("audit.log"), "line two"), 1);
}

static void
an_acknowledged_line_survives_a_failed_sync_without_backups_too(void)
{
    check_failed_sync(DIALECT_STDLIB, "audit.log.gaps");
    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
}

/* The first sync fails, and then the file can't be left either. */
static _Atomic int renames_to_refuse;
static int
refuse_renames(int dir, const char *from, const char *to)
{
    if (renames_to_refuse > 0) {
        renames_to_refuse--;
        return -EACCES;
    }
    return sys_posix.rename_noreplace(dir, from, to);
}

static void
a_suspect_file_that_can_not_be_left_proves_nothing_by_another_sync(void)
{
    struct writer_options options = log_options();
    struct sys table = sys_test;
    struct writer_ticket ticket;
    struct writer *writer = NULL;

    sys_test_reset();
    sys_test_stop_time();
    options.durability = DURABILITY_SYNC;
    table.rename_noreplace = refuse_renames;
    CHECK_EQUAL(writer_open(&writer, &table, &options), 0);
    log_put(writer, "zero");
    log_flush(writer);
    renames_to_refuse = 3;
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    ticket = put_ticket(writer, "line one");

    while (renames_to_refuse > 0) {
        log_step(writer, 10 * ms);
        CHECK(!is_durable(writer, &ticket));
        CHECK(!sys_test_synced_after_failure());
    }
    log_step(writer, 2 * s);

    CHECK(is_durable(writer, &ticket));
    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_count(file_text("audit.log"), "line one"), 1);
    CHECK_EQUAL(log_gaps(log_text("audit.log"), "sync-failed"), 1);
    log_close(writer);
}

static unsigned
count_in_backups(const char *line)
{
    static const char *const names[] = {"audit.log", "audit.log.1", "audit.log.2",
                                        "audit.log.3"};
    unsigned count = 0;

    for (int i = 0; i < 4; i++) {
        count += file_exists(names[i]) ? log_count(file_text(names[i]), line) : 0;
    }
    return count;
}

/* Ten files' worth of trouble, and room for three backups. */
static void
check_backups_stay(enum durability durability)
{
    struct writer_options options = log_options();
    struct writer *writer;
    const char *gaps;
    uint64_t errors;

    options.durability = durability;
    options.settings.sync_interval_ns = 1 * s;
    options.settings.dialect = DIALECT_STDLIB;
    options.settings.max_backups = 3;
    options.settings.max_bytes = 1000;
    writer = open_stepped(&options);
    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);
    sys_test_fail(CALL_fdatasync, EIO, 1, UINT32_MAX);
    for (int i = 0; i < 10; i++) {
        log_put(writer, "two");
        log_step(writer, 5 * s);
    }
    errors = log_counter(writer, COUNTER_sync_errors);
    CHECK(errors >= 10);

    sys_test_heal();
    log_step(writer, 3 * s);

    CHECK_EQUAL(health(writer), HEALTH_OK);
    CHECK(!file_exists("audit.log.4"));
    CHECK(count_in_backups("line one") == 1 && count_in_backups("line two") == 10);
    gaps = file_text("audit.log.gaps");
    CHECK(log_gaps(gaps, NULL) <= 2);
    CHECK_EQUAL(log_gap_sum(gaps, "sync-failed", "count"), errors);
    log_close(writer);
}

static void
syncs_that_keep_failing_push_no_backup_out(void)
{
    check_backups_stay(DURABILITY_INTERVAL);
}

static void
batches_that_can_not_be_synced_push_no_backup_out(void)
{
    check_backups_stay(DURABILITY_SYNC);
}

static void
a_full_disk_is_tried_until_there_is_room(void)
{
    struct writer *writer = open_stepped_default();
    uint32_t tries;

    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    log_put(writer, "one");
    log_step(writer, 60 * s);
    tries = sys_test_calls(CALL_writev);
    CHECK(tries > 50 && tries < 80); /* soon once a second */
    CHECK_EQUAL(health(writer), HEALTH_DISK_FULL);
    CHECK_EQUAL(log_files("audit.log"), 1);

    sys_test_heal();
    log_step(writer, 1 * s);

    CHECK_EQUAL(health(writer), HEALTH_OK);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    log_close(writer);
}

static void
a_file_that_can_not_be_written_on_is_left_after_some_tries(void)
{
    struct writer *writer = open_stepped_default();

    log_put(writer, "one");
    log_flush(writer);
    sys_test_cut_write(4);
    sys_test_fail(CALL_writev, EIO, 2, 4);
    log_put(writer, "two");
    log_step(writer, 2 * s);

    CHECK_EQUAL(health(writer), HEALTH_OK);
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
    struct writer *writer = open_stepped_default();

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
    writer = open_stepped(&options);
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

static void
trouble_that_passed_while_idle_is_noticed(void)
{
    struct writer *writer = open_stepped_default();

    sys_test_fail(CALL_fstatat, EACCES, 1, UINT32_MAX);
    log_step(writer, 3 * s);
    CHECK_EQUAL(health(writer), HEALTH_DISK_ERROR);

    sys_test_heal();
    log_step(writer, 2 * s);

    CHECK_EQUAL(health(writer), HEALTH_OK);
    log_close(writer);
}

/* Whatever fails, the thread sleeps in between. */
static void
trouble_while_idle_is_no_busy_loop(void)
{
    struct writer *writer = open_stepped_default();
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
    struct writer *writer = open_stepped_default();
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

static void
a_lock_file_that_was_removed_is_made_again(void)
{
    struct writer *writer = open_stepped_default();

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
    struct writer *writer = open_stepped_default();
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
    struct writer *writer = open_stepped_default();

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
    struct writer *writer = open_stepped_default();

    log_put(writer, "before");
    log_flush(writer);
    ring_publish(&writer->current->ring, ring_tail(&writer->current->ring) + 6400);
    log_put(writer, "after");
    log_step(writer, 1 * s);

    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

RUN(TEST(a_hole_of_the_living_is_never_passed_over),
    TEST(after_two_seconds_of_a_hole_the_process_goes_on_in_another_ring),
    TEST(a_hole_that_is_there_at_the_end_is_told_as_abandoned),
    TEST(a_hole_holds_up_neither_rotation_nor_syncs),
    TEST(what_was_written_is_synced_within_the_interval),
    TEST(nothing_new_is_nothing_to_sync), TEST(what_is_left_is_synced_at_the_end),
    TEST(a_failed_sync_is_told_with_its_window_and_the_file_is_left),
    TEST(a_failed_sync_without_backups_is_no_endless_loop),
    TEST(a_sync_that_can_not_be_started_is_tried_at_the_next_interval),
    TEST(an_acknowledged_line_survives_a_failed_sync),
    TEST(an_acknowledged_line_survives_a_failed_sync_without_backups_too),
    TEST(a_suspect_file_that_can_not_be_left_proves_nothing_by_another_sync),
    TEST(syncs_that_keep_failing_push_no_backup_out),
    TEST(batches_that_can_not_be_synced_push_no_backup_out),
    TEST(a_full_disk_is_tried_until_there_is_room),
    TEST(a_file_that_can_not_be_written_on_is_left_after_some_tries),
    TEST(a_file_that_is_too_big_for_this_process_is_left_at_once),
    TEST(a_rotation_that_fails_lets_the_file_grow_for_a_while),
    TEST(trouble_that_passed_while_idle_is_noticed),
    TEST(trouble_while_idle_is_no_busy_loop),
    TEST(an_idle_leader_steps_fifty_times_a_second),
    TEST(the_leader_drains_the_rings_of_others),
    TEST(another_leads_when_the_leader_is_killed),
    TEST(another_leads_when_the_leader_closes),
    TEST(a_leader_that_may_not_write_hands_over),
    TEST(closing_all_descriptors_loses_nothing),
    TEST(a_lock_file_that_was_removed_is_made_again),
    TEST(a_slot_that_somebody_took_is_left_for_another),
    TEST(a_ring_that_was_sealed_is_left_for_another),
    TEST(a_ring_whose_cursors_contradict_is_left_for_another))

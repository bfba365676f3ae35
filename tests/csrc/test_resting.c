/* A log that rests: without a thread, with two descriptors, and nothing is lost.
 *
 * Who else may be there: a write at the moment of leaving, a fork, a close, a limit on
 * threads or descriptors, another process that leads, writes, is killed or stopped,
 * somebody who renames the file or replaces the directory.
 */
#include "keeper.h"
#include "renewal.h"
#include "resting.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000;

enum directory { DIR, STATE_DIR };

static bool
has(struct writer *writer, enum directory directory)
{
    bool result;

    pthread_mutex_lock(&writer->mutex);
    result = (directory == DIR ? writer->dir : writer->state_dir) >= 0;
    pthread_mutex_unlock(&writer->mutex);
    return result;
}

static bool
leads(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.leads;
}

static void
wait_until_it_rests(struct writer *writer)
{
    WAIT_UNTIL(keeper_has(writer) && !has(writer, STATE_DIR));
}

static struct writer *
open_in_a_hurry(void)
{
    resting_quiet_ns = s / 20;
    sys_test_reset();
    return log_open_default();
}

static struct writer *
open_and_rest(const char *text)
{
    struct writer *writer;

    writer = open_in_a_hurry();
    log_put(writer, text);
    wait_until_it_rests(writer);
    return writer;
}

static bool
holds(const char *text)
{
    const char *now = file_text("audit.log");
    bool result = now != NULL && strcmp(now, text) == 0;

    test_forget_memory();
    return result;
}

static void
a_quiet_log_has_no_thread_and_two_descriptors(void)
{
    unsigned before = open_descriptors();
    struct writer *writer = open_and_rest("one");

    CHECK(!writer->has_thread);
    CHECK_EQUAL(open_descriptors(), before + 2);
    CHECK(holds("line one\n"));
    log_close(writer);
    CHECK_EQUAL(open_descriptors(), before);
}

static void
the_next_write_has_a_thread(void)
{
    struct writer *writer = open_and_rest("one");

    log_put(writer, "two");

    /* It may have done its work and ended by now; the keeper may start it. */
    WAIT_UNTIL(writer->has_thread || holds("line one\nline two\n"));
    WAIT_UNTIL(holds("line one\nline two\n"));
    wait_until_it_rests(writer);
    log_put(writer, "three");
    log_flush(writer);
    CHECK(holds("line one\nline two\nline three\n"));
    log_close(writer);
}

static void
close_all(struct writer *logs[], int count)
{
    for (int i = 0; i < count; i++) {
        CHECK_EQUAL(writer_close(logs[i], 20 * s), 0);
    }
}

static void
among_many_who_only_answers_rests_at_once(void)
{
    enum { MANY = 20 };
    uint64_t before = resting_quiet_in_a_crowd_ns;
    struct writer *logs[MANY];
    char name[32];

    sys_test_reset();
    for (int i = 0; i < MANY; i++) {
        struct writer_options options = log_options();

        snprintf(name, sizeof(name), "audit.%d.log", i);
        options.path = name;
        logs[i] = log_open(&options);
        log_put(logs[i], "one");
    }
    for (int i = 0; i < MANY; i++) {
        wait_until_it_rests(logs[i]);
    }
    resting_quiet_in_a_crowd_ns = 3600 * s;

    for (int i = 0; i < MANY; i++) {
        log_flush(logs[i]);
    }
    for (int i = 0; i < MANY; i++) {
        wait_until_it_rests(logs[i]);
    }

    resting_quiet_in_a_crowd_ns = before;
    close_all(logs, MANY);
}

static void
who_asks_is_answered(void)
{
    struct writer *writer = open_and_rest("one");

    log_flush(writer);
    wait_until_it_rests(writer);
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 20 * s), 0);
    log_close(writer);
}

static void
a_log_that_only_rested_has_not_changed_its_leader(void)
{
    struct writer *writer = open_and_rest("one");

    for (int i = 0; i < 3; i++) {
        log_put(writer, "more");
        log_flush(writer);
        wait_until_it_rests(writer);
    }
    CHECK_EQUAL(log_counter(writer, COUNTER_leader_changes), 1);
    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    log_close(writer);
}

static struct writer *leaving;
static _Atomic uint32_t moments; /* when it may leave, and has to be written to */

static void
write_while_it_leaves(enum test_point point)
{
    uint32_t one = 1;

    if (point == TEST_POINT_rest_begun &&
        atomic_compare_exchange_strong(&moments, &one, 0)) {
        log_put(leaving, "of the last moment");
    }
}

static void
what_is_written_while_the_thread_leaves_is_drained(void)
{
    test_point_hook = write_while_it_leaves;
    leaving = open_in_a_hurry();
    log_put(leaving, "one");
    moments = 1;

    WAIT_UNTIL(holds("line one\nline of the last moment\n"));

    wait_until_it_rests(leaving);
    log_close(leaving);
    test_point_hook = NULL;
}

static void
a_process_at_its_limit_of_threads_has_its_lines_drained(void)
{
    struct writer *writer = open_and_rest("one");

    sys_test_fail(CALL_thread_start, EAGAIN, 1, UINT32_MAX);
    log_put(writer, "two");
    WAIT_UNTIL(holds("line one\nline two\n"));
    log_put(writer, "three");
    log_flush(writer);
    CHECK(holds("line one\nline two\nline three\n"));
    WAIT_UNTIL(!has(writer, STATE_DIR));
    CHECK(!writer->has_thread);
    sys_test_heal();
    log_put(writer, "four");
    WAIT_UNTIL(writer->has_thread);
    log_close(writer);
    CHECK(holds("line one\nline two\nline three\nline four\n"));
}

/* Or one that gave up the right to open anything again. */
static void
a_process_at_its_limit_of_descriptors_goes_on_in_its_file(void)
{
    struct writer *writer = open_and_rest("one");

    sys_test_fail(CALL_openat, EMFILE, 1, UINT32_MAX);
    log_put(writer, "two");
    WAIT_UNTIL(holds("line one\nline two\n"));
    CHECK(!has(writer, DIR));
    sys_test_heal();
    WAIT_UNTIL(has(writer, STATE_DIR));
    log_put(writer, "three");
    log_flush(writer);
    CHECK(holds("line one\nline two\nline three\n"));
    log_close(writer);
}

static void
what_can_not_be_opened_again_stays_open(void)
{
    unsigned before = open_descriptors();
    struct writer *writer;

    writer = open_in_a_hurry();
    log_put(writer, "one");
    log_flush(writer);
    sys_test_fail(CALL_openat, EACCES, 1, UINT32_MAX);
    WAIT_UNTIL(keeper_has(writer));
    CHECK_EQUAL(open_descriptors(), before + 5);
    CHECK(has(writer, STATE_DIR));
    sys_test_heal();
    log_put(writer, "two");
    log_close(writer);
    CHECK(holds("line one\nline two\n"));
}

static void
a_file_that_is_renamed_meanwhile_is_left_for_a_new_one(void)
{
    struct writer *writer = open_and_rest("one");

    CHECK_EQUAL(rename("audit.log", "aside.log"), 0);

    WAIT_UNTIL(file_exists("audit.log"));
    log_put(writer, "two");
    log_flush(writer);
    CHECK(holds("line two\n"));
    log_close(writer);
}

static void
a_file_that_is_removed_meanwhile_is_told(void)
{
    struct writer *writer = open_and_rest("one");

    CHECK_EQUAL(unlink("audit.log"), 0);

    WAIT_UNTIL(file_exists("audit.log") &&
               log_gaps(file_text("audit.log"), "live-file-unlinked") == 1);
    log_close(writer);
}

static void
a_write_looks_where_the_path_leads(void)
{
    struct writer *writer = open_and_rest("one"), *present;

    CHECK_EQUAL(rename(".audit.log.ring", "aside"), 0);

    CHECK_EQUAL(log_try(writer, "two"), -EREMCHG);

    CHECK_EQUAL(writer_renew(writer, &present), 0);
    writer_leave(writer);
    writer_give_back(writer);
    log_put(present, "two");
    log_flush(present);
    CHECK(holds("line one\nline two\n"));
    CHECK_EQUAL(writer_close(present, 20 * s), 0);
}

static struct writer *parents;

static void
write_in_child(void)
{
    CHECK(!keeper_has(parents));
    log_put(parents, "of the child");
    log_flush(parents);
    wait_until_it_rests(parents);
    log_close(parents);
}

static void
a_fork_while_it_rests_harms_neither(void)
{
    pid_t child;

    parents = open_and_rest("one");
    writer_before_fork();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        child_begin();
        writer_after_fork_child();
        write_in_child();
        child_exit();
    }
    writer_after_fork_parent();
    CHECK(keeper_has(parents));
    CHECK(!parents->has_thread);
    CHECK_EQUAL(child_wait(child), 0);
    log_put(parents, "two");
    log_close(parents);
    CHECK(holds("line one\nline of the child\nline two\n"));
}

/* Another process, whose steps the test asks for. */
static struct {
    _Atomic uint32_t ready;
    _Atomic bool other_rests;
} *signs;

static void
lead_and_stay(void)
{
    struct writer *writer;

    WAIT_UNTIL(signs->other_rests);
    writer = open_in_a_hurry();
    do {
        WAIT_UNTIL(signs->other_rests); /* it doesn't while others write */
        log_put(writer, "of the other");
        log_flush(writer);
    } while (!leads(writer));
    signs->ready = 1;
    WAIT_UNTIL(signs->other_rests); /* in trouble nobody begins to */
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    log_put(writer, "left behind");
    signs->ready = 2;
    pause();
}

static bool
is_ready(struct writer *writer, uint32_t ready)
{
    signs->other_rests = keeper_has(writer);
    return signs->ready == ready;
}

static void
the_lines_of_a_leader_that_is_killed_are_taken_over(void)
{
    struct writer *writer;
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(lead_and_stay); /* while there is no thread yet */
    writer = open_and_rest("one");
    WAIT_UNTIL(is_ready(writer, 2));
    kill(child, SIGKILL);
    CHECK_EQUAL(child_wait(child), -SIGKILL);

    WAIT_UNTIL(log_count(file_text("audit.log"), "line left behind") == 1);

    wait_until_it_rests(writer);
    log_close(writer);
}

/* It has a ring, and never leads. */
static void
write_without_a_thread(void)
{
    struct writer *writer;

    writer = open_in_a_hurry();
    log_put(writer, "of the other");
    log_flush(writer);
    wait_until_it_rests(writer);
    signs->ready = 1;
    WAIT_UNTIL(signs->ready == 2);
    /* From here on it does not come to drain. */
    pthread_mutex_lock(&writer->thread_mutex);
    log_put(writer, "of the last moment");
    signs->ready = 3;
    pause();
}

static void
check_that_another_drains(int signal)
{
    struct writer *writer;
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(write_without_a_thread);
    writer = open_in_a_hurry();
    log_put(writer, "one");
    WAIT_UNTIL(signs->ready == 1);
    wait_until_it_rests(writer);
    signs->ready = 2;
    WAIT_UNTIL(signs->ready == 3);
    kill(child, signal);

    WAIT_UNTIL(log_count(file_text("audit.log"), "line of the last moment") == 1);

    kill(child, SIGKILL);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    log_close(writer);
    CHECK_EQUAL(log_count(log_text("audit.log"), "line of the last moment"), 1);
}

static void
the_line_of_a_process_that_is_killed_behind_its_write_is_found(void)
{
    check_that_another_drains(SIGKILL);
}

static void
the_line_of_a_process_that_is_stopped_behind_its_write_is_found(void)
{
    check_that_another_drains(SIGSTOP);
}

static void
be_killed_while_it_rests(void)
{
    struct writer *writer = open_and_rest("of the dead");

    CHECK(writer != NULL);
    raise(SIGKILL);
}

static void
who_is_killed_while_it_rests_leaves_nothing_behind(void)
{
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(be_killed_while_it_rests)), -SIGKILL);
    writer = open_in_a_hurry();
    log_put(writer, "one");
    log_close(writer);
    CHECK(holds("line of the dead\nline one\n"));
}

RUN(TEST(a_quiet_log_has_no_thread_and_two_descriptors),
    TEST(the_next_write_has_a_thread), TEST(who_asks_is_answered),
    TEST(among_many_who_only_answers_rests_at_once),
    TEST(a_log_that_only_rested_has_not_changed_its_leader),
    TEST(what_is_written_while_the_thread_leaves_is_drained),
    TEST(a_process_at_its_limit_of_threads_has_its_lines_drained),
    TEST(a_process_at_its_limit_of_descriptors_goes_on_in_its_file),
    TEST(what_can_not_be_opened_again_stays_open),
    TEST(a_file_that_is_renamed_meanwhile_is_left_for_a_new_one),
    TEST(a_file_that_is_removed_meanwhile_is_told),
    TEST(a_write_looks_where_the_path_leads), TEST(a_fork_while_it_rests_harms_neither),
    TEST(the_lines_of_a_leader_that_is_killed_are_taken_over),
    TEST(the_line_of_a_process_that_is_killed_behind_its_write_is_found),
    TEST(the_line_of_a_process_that_is_stopped_behind_its_write_is_found),
    TEST(who_is_killed_while_it_rests_leaves_nothing_behind))

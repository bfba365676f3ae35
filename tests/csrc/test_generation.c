/* A log whose directory, state directory or control file is moved, removed or made anew
 * while it is open.
 *
 * Who else is there: a second handle, a second process that leads or has not noticed, a
 * fork, calls that are under way, a directory that nothing can be made in, one that
 * does not come back, a batch that was half written as its control file was lost.
 */
#include "generation.h"
#include "intentblock.h"
#include "ownring.h"
#include "registry.h"
#include "renewal.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000;

static struct writer_options
options_in_logs(void)
{
    struct writer_options options = log_options();

    options.path = "logs/audit.log";
    return options;
}

static struct writer *
open_in_logs(void)
{
    struct writer_options options = options_in_logs();

    CHECK_EQUAL(mkdir("logs", 0700), 0);
    return log_open_stepped(&options);
}

static void
run(const char *command)
{
    CHECK_EQUAL(system(command), 0);
}

/* As a handle does it. */
static struct writer *
go_on(struct writer *past)
{
    struct writer *present;

    CHECK_EQUAL(writer_find(past), WRITER_PAST);
    CHECK_EQUAL(log_try(past, "in vain"), -EREMCHG);
    CHECK_EQUAL(writer_renew(past, &present), 0);
    writer_leave(past);
    writer_give_back(past);
    return present;
}

static void
check_file(const char *path, const char *expected)
{
    CHECK_TEXT(file_text(path), expected);
}

static unsigned
count_writers(void)
{
    unsigned count = 0;

    registry_lock();
    for (struct writer *writer = registry_first(); writer != NULL;
         writer = writer->next) {
        count++;
    }
    registry_unlock();
    return count;
}

static void
a_moved_directory_keeps_what_it_was_given(void)
{
    struct writer *past = open_in_logs(), *present;

    log_put(past, "one");
    run("mv logs old; mkdir logs");
    log_put(past, "two");
    present = go_on(past);
    log_put(present, "three");
    log_close(present);

    check_file("old/audit.log", "line one\nline two\n");
    check_file("logs/audit.log", "line three\n");
    CHECK_EQUAL(count_writers(), 0);
    CHECK(system("ls old/.audit.log.ring/ring.* 2>/dev/null") != 0);
}

/* What stood in the file is told, once; what stood in the ring comes. */
static void
a_removed_directory_is_told_and_left(void)
{
    struct writer *past = open_in_logs(), *present;
    char *text;

    log_put(past, "one");
    log_flush(past);
    run("rm -r logs");
    log_put(past, "two");
    log_step(past, 1 * s);
    CHECK_EQUAL(writer_find(past), WRITER_GONE);
    log_put(past, "three"); /* the ring takes it */
    run("mkdir logs");
    log_step(past, 3 * s);
    present = go_on(past);
    log_put(present, "four");
    log_close(present);

    text = file_text("logs/audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line one"), 0);
    CHECK_EQUAL(log_count(text, "line two"), 1);
    CHECK_EQUAL(log_count(text, "line three"), 1);
    CHECK_EQUAL(log_count(text, "line four"), 1);
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count"), 1);
}

/* It is noticed and left between two steps of the thread, with nothing to drain. */
static void
a_removal_is_told_if_others_notice_it(void)
{
    struct writer *past = open_in_logs(), *present;
    char *text;

    log_put(past, "one");
    log_flush(past);
    run("rm -r logs; mkdir logs");
    present = go_on(past);
    CHECK(!generation_settle(past));
    for (int i = 0; i < 100 && !generation_settle(past); i++) {
        log_step(past, 1 * s / 10);
    }
    CHECK(ownring_current(past) == NULL);
    atomic_store_explicit(&past->is_over, true, memory_order_release);
    log_flush(present);
    log_close(present);

    text = file_text("logs/audit.log");
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count"), 1);
}

/* It does not lead at that moment. */
static void
a_removal_is_told_by_who_led_last(void)
{
    struct writer *past = open_in_logs(), *present;
    char *text;

    log_put(past, "one");
    log_flush(past);
    drainer_step_down(past, 0);
    run("rm -r logs; mkdir logs");
    present = go_on(past);
    CHECK(!generation_settle(past));
    log_step(past, 1 * s);
    log_flush(present);
    log_close(present);

    text = file_text("logs/audit.log");
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count"), 1);
}

/* Its own rings are closed by then: the loss is the heir's to tell. */
static void
a_loss_that_the_past_found_too_late_is_told(void)
{
    struct writer *past = open_in_logs(), *present;
    char *text;

    run("mv logs old; mkdir logs");
    present = go_on(past);
    for (int i = 0; i < 100 && !generation_settle(past); i++) {
        log_step(past, 1 * s / 10);
    }
    control_add_loss(&past->control, GAP_UNLINKED, 3, 30);
    atomic_store_explicit(&past->is_over, true, memory_order_release);
    generation_reap();
    CHECK_EQUAL(count_writers(), 1);
    log_step(present, 1 * s);
    log_close(present);

    text = file_text("logs/audit.log");
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count"), 3);
}

static void
check_loses_nothing(const char *command)
{
    struct writer *past = open_in_logs(), *present;

    log_put(past, "one");
    log_flush(past);
    log_put(past, "two");
    run(command);
    log_put(past, "three");
    log_step(past, 1 * s);
    present = go_on(past);
    log_put(present, "four");
    CHECK_EQUAL(log_ask(present, REQUEST_FLUSH, 1 * s), 0);
    log_close(present);

    check_file("logs/audit.log", "line one\nline two\nline three\nline four\n");
    CHECK(system("ls logs/.audit.log.ring/ring.* 2>/dev/null") != 0);
    run("rm -r logs");
}

static void
a_removed_state_directory_costs_nothing(void)
{
    check_loses_nothing("rm -r logs/.audit.log.ring");
    check_loses_nothing("mv logs/.audit.log.ring logs/other");
    check_loses_nothing(
        "rm -r logs/.audit.log.ring; mkdir -m 700 logs/.audit.log.ring");
}

static void
a_removed_control_file_costs_nothing(void)
{
    check_loses_nothing("rm logs/.audit.log.ring/ctl");
    check_loses_nothing("cp logs/.audit.log.ring/ctl ctl; mv ctl logs/.audit.log.ring");
}

/* A flush of the present one covers what the past one was given. */
static void
a_flush_covers_the_past(void)
{
    struct writer *past = open_in_logs(), *present;
    uint64_t ticket;
    int error;

    log_put(past, "one");
    log_flush(past);
    run("rm -r logs/.audit.log.ring");
    log_put(past, "two");
    present = go_on(past);
    CHECK_EQUAL(writer_ask(present, REQUEST_FLUSH, &ticket), 0);
    log_step(present, 1 * s);
    CHECK_EQUAL(writer_wait_answer(present, REQUEST_FLUSH, ticket, 1, &error), 0);
    check_file("logs/audit.log", "line one\n");
    log_step(past, 1 * s);
    CHECK_EQUAL(writer_wait_answer(present, REQUEST_FLUSH, ticket, 1, &error), 1);
    check_file("logs/audit.log", "line one\nline two\n");
    log_close(present);
}

static void
all_handles_of_a_process_meet_again(void)
{
    struct writer_options options = options_in_logs();
    struct writer *past = open_in_logs(), *same = log_open(&options), *one, *other;

    CHECK(same == past);
    run("mv logs old; mkdir logs");
    one = go_on(past);
    CHECK_EQUAL(log_try(same, "in vain"), -EREMCHG);
    CHECK(registry_find(one) == one);
    other = go_on(same);
    CHECK(one == other);
    CHECK_EQUAL(one->references, 2);
    (void)writer_close(one, 0);
    log_put(one, "one");
    log_close(one);
    check_file("logs/audit.log", "line one\n");
}

/* The directory comes back while another handle of it has not noticed that it left. */
static void
a_directory_that_comes_back_has_one_writer(void)
{
    struct writer_options options = options_in_logs();
    struct writer *first = open_in_logs(), *idle = log_open(&options), *one, *again;

    log_put(first, "one");
    run("mv logs old; mkdir logs");
    one = go_on(first);
    log_put(one, "two");
    log_step(first, 1 * s);
    log_flush(one);
    run("mv logs other; mv old logs");
    again = go_on(one);
    CHECK(again == idle);
    CHECK(registry_find(again) == again);
    log_put(again, "three");
    log_put(idle, "four");
    log_flush(again);
    CHECK(again->leader.leads);
    CHECK(!again->leader.is_past);
    (void)writer_close(idle, 0);
    log_close(again);
    check_file("logs/audit.log", "line one\nline three\nline four\n");
    check_file("other/audit.log", "line two\n");
    CHECK_EQUAL(count_writers(), 0);
}

/* Half of a batch is in the file as it leaves, and all of it once as it comes back. */
static void
a_batch_is_finished_where_the_directory_came_back(void)
{
    struct writer_options options = options_in_logs();
    struct writer *first = open_in_logs(), *idle = log_open(&options), *one, *again;

    log_put(first, "one");
    log_put(first, "two");
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    sys_test_cut_write(12);
    log_step(first, 1 * s / 10);
    CHECK_EQUAL(file_size("logs/audit.log"), 12);
    run("mv logs old; mkdir logs");
    CHECK_EQUAL(writer_find(first), WRITER_PAST);
    log_step(first, 1 * s / 10);
    one = go_on(first);
    run("rmdir logs/* 2>/dev/null; mv logs other; mv old logs");
    sys_test_heal();
    again = go_on(one);
    CHECK(again == idle);
    log_flush(again);
    (void)writer_close(idle, 0);
    log_close(again);
    check_file("logs/audit.log", "line one\nline two\n");
}

/* Nothing can be made there: it goes on where it was, and comes again. */
static void
a_directory_that_refuses_is_tried_again(void)
{
    struct writer *past = open_in_logs(), *present = NULL;

    run("mv logs old; mkdir logs");
    CHECK_EQUAL(writer_find(past), WRITER_PAST);
    sys_test_fail(CALL_mkdirat, EACCES, 1, UINT32_MAX);
    CHECK_EQUAL(log_try(past, "in vain"), -EREMCHG);
    CHECK_EQUAL(writer_renew(past, &present), -EACCES);
    writer_put_off(past, -EACCES);
    log_put(past, "one");
    sys_test_heal();
    log_step(past, 1 * s);
    present = go_on(past);
    log_put(present, "two");
    log_close(present);
    check_file("old/audit.log", "line one\n");
    check_file("logs/audit.log", "line two\n");
}

/* Whoever is in a call has the writer until he is out of it. */
static void
a_call_that_is_under_way_keeps_the_past(void)
{
    struct writer *past = open_in_logs(), *present;

    run("mv logs old; mkdir logs");
    writer_hold(past);
    present = go_on(past);
    log_step(past, 1 * s);
    generation_reap();
    CHECK_EQUAL(count_writers(), 2);
    writer_let_go(past);
    log_close(present);
    CHECK_EQUAL(count_writers(), 0);
}

static void
the_past_never_rotates(void)
{
    struct writer_options options = options_in_logs();
    struct writer *past, *present;

    CHECK_EQUAL(mkdir("logs", 0700), 0);
    options.settings.max_bytes = 20;
    past = log_open_stepped(&options);
    log_put(past, "one");
    run("rm -r logs; mkdir logs");
    for (int i = 0; i < 5; i++) {
        log_put(past, "two");
    }
    CHECK_EQUAL(writer_find(past), WRITER_PAST);
    log_step(past, 3 * s);
    CHECK_EQUAL(log_count(file_text("logs/audit.log"), "line two"), 5);
    CHECK(file_size("logs/audit.log") >= 45);
    present = go_on(past);
    log_close(present);
}

/* Half of the batch is in the file, and what told so is gone. */
static void
a_forsaken_control_file_costs_nothing(void)
{
    struct writer *past = open_in_logs(), *present;

    log_put(past, "one");
    log_put(past, "two");
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    sys_test_cut_write(12);
    log_step(past, 1 * s / 10);
    CHECK_EQUAL(file_size("logs/audit.log"), 12);
    sys_test_heal();
    log_put(past, "three");
    generation_forsake(past);
    memset(past->control.shared, 0, sizeof(*past->control.shared));
    unlink("logs/.audit.log.ring/ctl");
    log_step(past, 1 * s);
    present = go_on(past);
    log_flush(present);
    log_put(present, "four");
    log_flush(present);
    check_file("logs/audit.log", "line one\nline two\nline three\nline four\n");
    log_close(present);
    CHECK(system("ls logs/.audit.log.ring/ring.* 2>/dev/null") != 0);
}

/* What children count up, and whether they may go on. */
struct signs {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
};
static struct signs *signs;

static void
write_beside(void)
{
    struct writer_options options = options_in_logs();
    struct writer *writer;

    sys_test_reset();
    writer = log_open(&options);
    drainer_stop(writer);
    log_put(writer, "of the other");
    signs->ready = 1;
    WAIT_UNTIL(signs->go == 1);
    CHECK_EQUAL(drainer_start(writer), 0);
    WAIT_UNTIL(signs->go == 2);
}

/* Another process has not noticed, and does or is killed. Its ring is drained by the
 * past's leader, or by itself, if its file can't be had any more. */
static void
check_other_process(const char *command, bool is_killed)
{
    struct writer *past = open_in_logs(), *present;
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    *signs = (struct signs){0};
    log_step(past, 1 * s);
    child = child_start(write_beside);
    WAIT_UNTIL(signs->ready == 1);
    run(command);
    if (is_killed) {
        kill(child, SIGKILL);
        CHECK_EQUAL(child_wait(child), -SIGKILL);
    }
    log_put(past, "of ours");
    log_step(past, 3 * s);
    present = go_on(past);
    signs->go = 1;
    log_step(present, 10 * s);
    log_put(present, "of ours, later");
    /* The other may lead for now, and its clock isn't ours. */
    WAIT_UNTIL(log_ask(present, REQUEST_FLUSH, 1 * s) == 0);
    log_close(present);
    if (!is_killed) {
        WAIT_UNTIL(log_count(file_text("logs/audit.log"), "line of the other") == 1);
        kill(child, SIGKILL);
        CHECK_EQUAL(child_wait(child), -SIGKILL);
    }
    CHECK_EQUAL(log_count(file_text("logs/audit.log"), "line of the other"), 1);
    CHECK_EQUAL(log_count(file_text("logs/audit.log"), "line of ours"), 1);
    CHECK_EQUAL(log_count(file_text("logs/audit.log"), "line of ours, later"), 1);
    run("rm -r logs");
}

static void
another_process_of_the_past_is_drained_once(void)
{
    check_other_process("rm logs/.audit.log.ring/ctl", false);
    check_other_process("rm logs/.audit.log.ring/ctl", true);
    check_other_process("rm -r logs; mkdir logs", false);
}

static void
go_on_in_a_child(void)
{
    struct writer *past = registry_first(), *present;

    CHECK_EQUAL(log_try(past, "in vain"), -EREMCHG);
    CHECK_EQUAL(writer_renew(past, &present), 0);
    writer_leave(past);
    writer_give_back(past);
    CHECK_EQUAL(count_writers(), 1);
    log_put(present, "of the child");
    CHECK_EQUAL(writer_close(present, 20 * s), 0);
}

static void
a_child_goes_on_as_well(void)
{
    struct writer *past = open_in_logs(), *present;
    pid_t child;

    log_put(past, "one");
    run("mv logs old; mkdir logs");
    CHECK_EQUAL(writer_find(past), WRITER_PAST);
    child = child_start(go_on_in_a_child);
    CHECK_EQUAL(child_wait(child), 0);
    present = go_on(past);
    log_close(present);
    check_file("old/audit.log", "line one\n");
    check_file("logs/audit.log", "line of the child\n");
}

/* The thread ends the past, and the present one's frees it. */
static void
nothing_of_the_past_stays(void)
{
    struct writer_options options = options_in_logs();
    struct writer *writer;
    int before;

    sys_test_reset();
    CHECK_EQUAL(mkdir("logs", 0700), 0);
    writer = log_open(&options);
    log_put(writer, "one");
    log_flush(writer);
    before = sys_test_descriptors();
    for (int i = 0; i < 5; i++) {
        run("mv logs old; mkdir logs");
        WAIT_UNTIL(generation_is_past(writer));
        writer = go_on(writer);
        log_put(writer, "one");
        log_flush(writer);
        WAIT_UNTIL(count_writers() == 1);
        check_file("logs/audit.log", "line one\n");
        run("rm -r old");
    }
    WAIT_UNTIL(sys_test_descriptors() == before);
    log_close(writer);
}

RUN(TEST(a_moved_directory_keeps_what_it_was_given),
    TEST(a_removed_directory_is_told_and_left),
    TEST(a_removal_is_told_if_others_notice_it),
    TEST(a_removal_is_told_by_who_led_last),
    TEST(a_loss_that_the_past_found_too_late_is_told),
    TEST(a_removed_state_directory_costs_nothing),
    TEST(a_removed_control_file_costs_nothing), TEST(a_flush_covers_the_past),
    TEST(all_handles_of_a_process_meet_again),
    TEST(a_directory_that_comes_back_has_one_writer),
    TEST(a_batch_is_finished_where_the_directory_came_back),
    TEST(a_directory_that_refuses_is_tried_again),
    TEST(a_call_that_is_under_way_keeps_the_past), TEST(the_past_never_rotates),
    TEST(a_forsaken_control_file_costs_nothing),
    TEST(another_process_of_the_past_is_drained_once), TEST(a_child_goes_on_as_well),
    TEST(nothing_of_the_past_stays))

/* A process that forks with a log open: parent and child both write on, each line once.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000;

static struct writer *writer;

static void
open_log(void)
{
    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "before");
}

/* As os.fork does it, with the hooks around it. */
static pid_t
fork_with_hooks(void)
{
    pid_t child;

    writer_before_fork();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        writer_after_fork_child();
    } else {
        writer_after_fork_parent();
    }
    return child;
}

/* As a C extension does it, that knows nothing of us. */
#ifdef __SANITIZE_THREAD__
static const bool is_thread_sanitized = true;
#else
static const bool is_thread_sanitized = false;
#endif

static pid_t
fork_without_hooks(void)
{
    pid_t child = fork();

    CHECK(child >= 0);
    return child;
}

static void
close_in_child(void)
{
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
    child_exit();
}

static void
close_and_check(unsigned children)
{
    char *text;

    log_put(writer, "of the parent");
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, NULL), 0);
    CHECK_EQUAL(log_count(text, "line before"), 1);
    CHECK_EQUAL(log_count(text, "line of the parent"), 1);
    CHECK_EQUAL(log_count(text, "line of a child"), children);
}

static void
check_child_writes(pid_t (*fork_now)(void))
{
    pid_t child;

    open_log();
    child = fork_now();
    if (child == 0) {
        log_put(writer, "of a child");
        CHECK_EQUAL(writer->own_rings, writer->current); /* a ring of its own */
        CHECK_EQUAL(writer->own_rings->next, NULL);
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static void
a_child_writes_to_a_ring_of_its_own(void)
{
    check_child_writes(fork_with_hooks);
}

static void
a_child_that_was_forked_without_hooks_does_too(void)
{
    /* ThreadSanitizer takes a thread of the child for the parent's, which was not
     * ended before the fork and may have had the same number. */
    check_child_writes(is_thread_sanitized ? fork_with_hooks : fork_without_hooks);
}

static void
a_child_that_writes_nothing_takes_nothing(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 0);
    close_and_check(0);
}

/* multiprocessing's children end in _exit; others are killed. */
static void
what_a_child_wrote_that_did_not_close_is_drained(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        log_put(writer, "of a child");
        CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
    }

    CHECK_EQUAL(child_wait(child), -SIGKILL);
    WAIT_UNTIL(log_counter(writer, COUNTER_retired_slots) == 1);
    close_and_check(1);
}

static void
children_of_children_write_too(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        pid_t grandchild;

        log_put(writer, "of a child");
        grandchild = fork_with_hooks();
        if (grandchild == 0) {
            log_put(writer, "of a child");
            close_in_child();
        }
        CHECK_EQUAL(child_wait(grandchild), 0);
        log_put(writer, "of a child");
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(3);
}

static void
many_children_at_once_write_each_line_once(void)
{
    enum { CHILDREN = 8, LINES = 200 };

    open_log();
    for (int i = 0; i < CHILDREN; i++) {
        if (fork_with_hooks() == 0) {
            for (int line = 0; line < LINES; line++) {
                log_put(writer, "of a child");
            }
            close_in_child();
        }
        log_put(writer, "between");
    }
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQUAL(child_wait(-1), 0);
    }

    close_and_check(CHILDREN * LINES);
}

static _Atomic bool must_write;
static _Atomic uint32_t written;

static void *
write_meanwhile(void *context)
{
    (void)context;
    while (must_write) {
        if (log_try(writer, "of a thread") == 0) {
            written++;
        }
    }
    return NULL;
}

static void
threads_of_the_parent_write_on_meanwhile(void)
{
    pthread_t threads[2];

    open_log();
    must_write = true;
    written = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, write_meanwhile, NULL), 0);
    }
    for (int i = 0; i < 10; i++) {
        pid_t child = fork_with_hooks();
        if (child == 0) {
            log_put(writer, "of a child");
            close_in_child();
        }
        CHECK_EQUAL(child_wait(child), 0);
    }
    must_write = false;
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }

    log_flush(writer);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of a thread"), written);
    WAIT_UNTIL(log_try(writer, "soon") == 0);
    close_and_check(10);
}

static void
a_parent_whose_thread_can_not_be_started_again_tries_with_the_next_write(void)
{
    pid_t child;

    open_log();
    sys_test_fail(CALL_thread_start, EAGAIN, 1, 1);
    writer_before_fork();
    child = fork();
    if (child == 0) {
        child_exit();
    }
    writer_after_fork_parent();
    CHECK_EQUAL(child_wait(child), 0);
    CHECK(!writer->has_thread);

    log_put(writer, "of the parent, too");

    CHECK(writer->has_thread);
    close_and_check(0);
}

/* A full ring must not wait for a thread that is not there. */
static void
a_writer_without_a_thread_gets_one_when_it_waits_for_space(void)
{
    struct writer_stats stats;

    open_log();
    drainer_stop(writer);
    while (log_try(writer, "until it is full") == 0) {
    }
    CHECK(!writer->has_thread);

    writer_wait_space(writer, 100, 10 * s);

    writer_stats(writer, &stats);
    CHECK(stats.ring_used < stats.ring_capacity / 2);
    close_and_check(0);
}

static void
a_child_whose_descriptors_were_all_closed_writes(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        for (int fd = 3; fd < 100; fd++) {
            close(fd);
        }
        log_put(writer, "of a child");
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static void
a_child_that_can_have_no_ring_is_told(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        sys_test_fail(CALL_fallocate, ENOSPC, 1, 1);
        CHECK_EQUAL(log_try(writer, "lost"), -ENOSPC);
        log_put(writer, "of a child");
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static _Atomic bool is_hanging, may_go_on;

static ssize_t
hang(int fd, const struct iovec *parts, int count)
{
    while (!may_go_on) {
        is_hanging = true;
        sched_yield();
    }
    return sys_test.writev(fd, parts, count);
}

static void
skip_under_thread_sanitizer(void)
{
    if (is_thread_sanitized) {
        test_skip("the sanitizer keeps the parent's threads in a child");
    }
}

/* Its thread goes on during the fork, and the child knows nothing of it. */
static void
a_fork_does_not_wait_for_a_disk_that_hangs(void)
{
    struct writer_options options = log_options();
    struct sys slow = sys_test;
    pid_t child;

    skip_under_thread_sanitizer();
    sys_test_reset();
    slow.writev = hang;
    is_hanging = may_go_on = false;
    CHECK_EQUAL(writer_open(&writer, &slow, &options), 0);
    log_put(writer, "before");
    WAIT_UNTIL(is_hanging);

    child = fork_with_hooks();
    may_go_on = true;
    if (child == 0) {
        log_put(writer, "of a child");
        close_in_child();
    }

    CHECK_EQUAL(child_wait(child), 0);
    CHECK(writer->has_thread);
    close_and_check(1);
}

static void *
flush(void *context)
{
    (void)context;
    log_flush(writer);
    return NULL;
}

/* Who waits does the work of a thread that can't be started, and the disk hangs. */
static void
a_fork_does_not_wait_for_who_steps_in_the_threads_place(void)
{
    struct writer_options options = log_options();
    struct sys slow = sys_test;
    pthread_t helper;
    uint64_t begin;
    pid_t child;

    skip_under_thread_sanitizer();
    sys_test_reset();
    slow.writev = hang;
    is_hanging = may_go_on = false;
    CHECK_EQUAL(writer_open(&writer, &slow, &options), 0);
    sys_test_fail(CALL_thread_start, EAGAIN, 1, UINT32_MAX);
    writer_before_fork();
    writer_after_fork_parent();
    CHECK(!writer->has_thread);
    log_put(writer, "before");
    CHECK_EQUAL(pthread_create(&helper, NULL, flush, NULL), 0);
    WAIT_UNTIL(is_hanging);
    sys_test_heal();

    begin = sys_posix.now_mono();
    child = fork_with_hooks();
    CHECK(sys_posix.now_mono() - begin < 60 * s);
    may_go_on = true;
    if (child == 0) {
        log_put(writer, "of a child");
        close_in_child();
    }

    CHECK_EQUAL(pthread_join(helper, NULL), 0);
    log_put(writer, "of the thread");
    CHECK(writer->has_thread);
    CHECK_EQUAL(child_wait(child), 0);
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line before"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of a child"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the thread"), 1);
}

/* Who waits for a parked log would wait for ever: the fork may wait for who waits. */
static void
a_fork_that_takes_long_is_told_and_its_threads_start_early(void)
{
    pid_t child;

    skip_under_thread_sanitizer();
    open_log();
    CHECK(!writer_is_parked(0));
    writer_before_fork();
    WAIT_UNTIL(writer_is_parked(1000000));
    CHECK(!writer_is_parked(3600 * s));

    writer_after_fork_parent();
    log_put(writer, "between");
    log_flush(writer);
    child = fork();
    if (child == 0) {
        writer_after_fork_child();
        log_put(writer, "of a child");
        close_in_child();
    }
    writer_after_fork_parent();

    CHECK(!writer_is_parked(0));
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static void *
close_elsewhere(void *context)
{
    CHECK_EQUAL(writer_close(context, 10 * s), 0);
    return NULL;
}

/* A thread that closes a log may hold what another hook of the fork waits for. */
static void
a_log_is_closed_by_a_thread_while_a_fork_is_under_way(void)
{
    struct writer_options options = log_options();
    struct writer *other;
    pthread_t thread;

    open_log();
    options.path = "other.log";
    other = log_open(&options);
    log_put(other, "of the other");
    writer_before_fork();

    CHECK_EQUAL(pthread_create(&thread, NULL, close_elsewhere, other), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);

    CHECK_EQUAL(log_count(file_text("other.log"), "line of the other"), 1);
    writer_after_fork_parent();
    close_and_check(0);
}

/* Other fork hooks may open and close logs, too. */
static void
a_log_opened_while_forking_gets_its_thread_afterwards(void)
{
    struct writer_options options = log_options();
    struct writer *other;
    pid_t child;

    open_log();
    options.path = "other.log";
    writer_before_fork();
    other = log_open(&options);
    CHECK(!other->has_thread);
    child = fork();
    if (child == 0) {
        writer_after_fork_child();
        log_put(writer, "of a child");
        close_in_child();
    }
    writer_after_fork_parent();
    CHECK(other->has_thread);
    log_put(other, "one");
    log_flush(other);

    CHECK_TEXT(file_text("other.log"), "line one\n");
    CHECK_EQUAL(writer_close(other, 10 * s), 0);
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

RUN(TEST(a_child_writes_to_a_ring_of_its_own),
    TEST(a_child_that_was_forked_without_hooks_does_too),
    TEST(a_child_that_writes_nothing_takes_nothing),
    TEST(what_a_child_wrote_that_did_not_close_is_drained),
    TEST(children_of_children_write_too),
    TEST(many_children_at_once_write_each_line_once),
    TEST(threads_of_the_parent_write_on_meanwhile),
    TEST(a_parent_whose_thread_can_not_be_started_again_tries_with_the_next_write),
    TEST(a_writer_without_a_thread_gets_one_when_it_waits_for_space),
    TEST(a_child_whose_descriptors_were_all_closed_writes),
    TEST(a_child_that_can_have_no_ring_is_told),
    TEST(a_fork_does_not_wait_for_a_disk_that_hangs),
    TEST(a_fork_does_not_wait_for_who_steps_in_the_threads_place),
    TEST(a_fork_that_takes_long_is_told_and_its_threads_start_early),
    TEST(a_log_is_closed_by_a_thread_while_a_fork_is_under_way),
    TEST(a_log_opened_while_forking_gets_its_thread_afterwards))

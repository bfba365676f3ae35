/* Root forks, and its child may not make a ring any more.
 */
#include "spare.h"

#include "keeper.h"
#include "keptfile.h"
#include "ownring.h"

#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000;

static struct writer *writer;

static void
open_log(void)
{
    if (geteuid() != 0) {
        test_skip("needs root");
    }
#ifdef __SANITIZE_THREAD__
    test_skip("needs a sanitizer that can follow threads in a child");
#endif
    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "before");
}

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

static void
give_up_root(void)
{
    CHECK_EQUAL(setgid(4343), 0);
    CHECK_EQUAL(setuid(4343), 0);
}

static void
close_in_child(void)
{
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    child_exit();
}

static void
close_and_check(unsigned children)
{
    char *text;

    log_put(writer, "of the parent");
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, NULL), 0);
    CHECK_EQUAL(log_count(text, "line before"), 1);
    CHECK_EQUAL(log_count(text, "line of the parent"), 1);
    CHECK_EQUAL(log_count(text, "line of a child"), children);
}

static int
count_ring(void *context, const char *name)
{
    *(unsigned *)context += strncmp(name, "ring.", 5) == 0;
    return 0;
}

static unsigned
rings(void)
{
    unsigned count = 0;
    int dir = sys_posix.openat(AT_FDCWD, ".audit.log.ring", O_RDONLY | O_DIRECTORY, 0);

    CHECK(dir >= 0);
    CHECK_EQUAL(sys_posix.list(dir, count_ring, &count), 0);
    sys_posix.close(dir);
    return count;
}

static void
a_child_without_rights_has_a_ring(void)
{
    unsigned before;
    pid_t child;

    open_log();
    before = open_descriptors();
    child = fork_with_hooks();
    if (child == 0) {
        give_up_root();
        log_put(writer, "of a child");
        CHECK(writer->current != NULL);
        CHECK_EQUAL(ownring_current(writer)->ring.capacity, writer->options.ring_bytes);
        close_in_child();
    }
    CHECK_EQUAL(open_descriptors(), before);

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
    CHECK_EQUAL(rings(), 0);
}

static void
write_without_rights(void)
{
    give_up_root();
    log_put(writer, "of a child");
    close_in_child();
}

static void
many_children_without_rights_have_one_each(void)
{
    enum { CHILDREN = 20, LINES = 100 };

    open_log();
    for (int i = 0; i < CHILDREN; i++) {
        if (fork_with_hooks() == 0) {
            give_up_root();
            for (int line = 0; line < LINES; line++) {
                log_put(writer, "of a child");
            }
            close_in_child();
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQUAL(child_wait(-1), 0);
    }
    close_and_check(CHILDREN * LINES);
    CHECK_EQUAL(rings(), 0);
}

/* The file was left for another one, and the child may not open that. */
static void
a_rotation_by_the_parent_costs_nothing(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        give_up_root();
        WAIT_UNTIL(log_counter(writer, COUNTER_rotations) == 1);
        write_without_rights();
    }
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 20 * s), 0);

    CHECK_EQUAL(child_wait(child), 0);
    log_put(writer, "of the parent");
    log_flush(writer);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of a child"), 1);
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
}

/* One ring was made, and two threads forked. */
static void
of_two_children_of_one_moment_one_has_it_and_the_other_is_told(void)
{
    enum { HAS_ONE = 1, IS_TOLD = 2 };
    int *found = shared_memory(sizeof(int[2]));
    pid_t children[2];

    open_log();
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 20 * s), 0);
    writer_before_fork();
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            writer_after_fork_child();
            keptfile_drop(writer);
            give_up_root();
            found[i] = log_try(writer, "of a child") == 0 ? HAS_ONE : IS_TOLD;
            close_in_child();
        }
    }
    writer_after_fork_parent();
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(child_wait(children[i]), 0);
    }
    CHECK_EQUAL(found[0] + found[1], HAS_ONE + IS_TOLD);
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    CHECK_EQUAL(rings(), 0);
}

static void
those_who_have_rights_give_it_back_to_the_next(void)
{
    open_log();
    for (int i = 0; i < 5; i++) {
        pid_t child = fork_with_hooks();

        if (child == 0) {
            log_put(writer, "of a child");
            WAIT_UNTIL(rings() == 3);
            close_in_child();
        }
        CHECK_EQUAL(child_wait(child), 0);
    }
    WAIT_UNTIL(rings() == 2);
    close_and_check(5);
    CHECK_EQUAL(rings(), 0);
}

static void
one_that_never_writes_gives_it_back_as_it_closes(void)
{
    uint64_t retired;

    open_log();
    for (int i = 0; i < 5; i++) {
        pid_t child = fork_with_hooks();

        if (child == 0) {
            give_up_root();
            close_in_child();
        }
        CHECK_EQUAL(child_wait(child), 0);
        CHECK_EQUAL(rings(), 2);
    }
    retired = log_counter(writer, COUNTER_retired_slots);
    CHECK_EQUAL(retired, 0);
    close_and_check(0);
    CHECK_EQUAL(rings(), 0);
}

static void
what_is_killed_before_it_writes_leaves_nothing(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
    }
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    WAIT_UNTIL(log_counter(writer, COUNTER_retired_slots) == 1);
    CHECK_EQUAL(rings(), 1);

    child = fork_with_hooks();
    if (child == 0) {
        write_without_rights();
    }
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static void
what_is_killed_behind_its_write_loses_nothing(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        give_up_root();
        log_put(writer, "of a child");
        CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
    }
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    close_and_check(1);
    CHECK_EQUAL(rings(), 0);
}

static void
another_program_in_the_child_leaves_nothing(void)
{
    /* A process is known by where its stack starts, too. Where addresses aren't random,
     * as here, that is the same in another program if its arguments and environment
     * happen to be as long: these are longer. */
    static char variable[100 * 1000];
    char *environment[] = {variable, NULL};
    pid_t child;

    memset(variable, 'x', sizeof(variable) - 1);
    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        execle("/bin/sleep", "sleep", "600", (char *)NULL, environment);
        _exit(127);
    }
    WAIT_UNTIL(log_counter(writer, COUNTER_retired_slots) == 1);
    CHECK_EQUAL(rings(), 1);
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    close_and_check(0);
}

/* As a daemon does: the process between ends, or goes on. */
static void
a_child_of_a_child_has_it(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        if (fork_with_hooks() == 0) {
            write_without_rights();
        }
        CHECK_EQUAL(child_wait(-1), 0);
        child_exit();
    }
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
    CHECK_EQUAL(rings(), 0);
}

static _Atomic int *is_over, *ready;

static void
write_once_the_parent_is_gone(void)
{
    ++*ready;
    give_up_root();
    WAIT_UNTIL(*is_over != 0);
    write_without_rights();
}

static void
start_two_children(void)
{
    writer = log_open_default();
    log_put(writer, "before");
    log_flush(writer);
    for (int i = 0; i < 2; i++) {
        if (fork_with_hooks() == 0) {
            write_once_the_parent_is_gone();
        }
    }
    WAIT_UNTIL(*ready == 2); /* they are behind their hooks */
}

static void
kill_the_parent(void)
{
    start_two_children();
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

/* What it leads with is the file that it inherited. */
static void
a_child_alone_gets_its_lines_to_the_file(void)
{
    pid_t child;

    open_log();
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    is_over = shared_memory(sizeof(*is_over));
    ready = shared_memory(sizeof(*ready));
    child = child_start(kill_the_parent);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    *is_over = 1;
    WAIT_UNTIL(log_count(file_text("audit.log"), "line of a child") == 2);
    writer = log_open_default();
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
}

static void
close_the_parent(void)
{
    start_two_children();
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
}

/* Nobody is left to open the file but who opens the log next. */
static void
check_children_without(void (*parent)(void), int status)
{
    pid_t child;

    open_log();
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    is_over = shared_memory(sizeof(*is_over));
    ready = shared_memory(sizeof(*ready));
    child = child_start(parent);
    CHECK_EQUAL(child_wait(child), status);
    writer = log_open_default(); /* it leads */
    log_put(writer, "before");
    log_flush(writer); /* those of the dead are retired */
    *is_over = 1;
    WAIT_UNTIL(log_count(file_text("audit.log"), "line of a child") == 2);
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
}

static void
children_of_a_parent_that_was_killed_have_theirs(void)
{
    check_children_without(kill_the_parent, -SIGKILL);
}

static void
children_of_a_parent_that_closed_have_theirs(void)
{
    check_children_without(close_the_parent, 0);
}

static void
a_child_without_descriptors_writes(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        sys_test_fail(CALL_openat, EMFILE, 1, UINT32_MAX);
        log_put(writer, "of a child");
        CHECK_EQUAL(writer_close(writer, 20 * s), 0);
        child_exit();
    }
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

/* 5.14 is the first kernel that gives pages, or says that there is no room. */
static void
a_full_disk_is_told(void)
{
    pid_t child;

    open_log();
    child = fork_with_hooks();
    if (child == 0) {
        keptfile_drop(writer);
        give_up_root();
        sys_test_fail(CALL_populate, EFAULT, 1, 1);
        CHECK_EQUAL(log_try(writer, "lost"), -ENOSPC);
        sys_test_fail(CALL_populate, EINVAL, 1, 1);
        log_put(writer, "of a child");
        close_in_child();
    }
    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
}

static void
a_log_that_rests_has_one_for_its_child(void)
{
    unsigned before;
    pid_t child;

    is_over = shared_memory(sizeof(*is_over));
    ready = shared_memory(sizeof(*ready));
    open_log();
    log_flush(writer);
    WAIT_UNTIL(keeper_has(writer) && writer->dir < 0);
    before = open_descriptors();
    child = fork_with_hooks();
    if (child == 0) {
        WAIT_UNTIL(*is_over != 0);
        write_without_rights();
    }
    CHECK_EQUAL(open_descriptors(), before);
    *is_over = 1;

    CHECK_EQUAL(child_wait(child), 0);
    close_and_check(1);
    CHECK_EQUAL(rings(), 0);
}

static void
who_is_not_root_makes_none(void)
{
    pid_t child;

    open_log();
    CHECK_EQUAL(writer_close(writer, 20 * s), 0);
    child = fork();
    if (child == 0) {
        CHECK_EQUAL(chown(".", 4343, 4343), 0);
        folder_empty(".");
        give_up_root();
        writer = log_open_default();
        log_put(writer, "before");
        if (fork_with_hooks() == 0) {
            child_exit();
        }
        CHECK_EQUAL(child_wait(-1), 0);
        CHECK_EQUAL(rings(), 1);
        close_in_child();
    }
    CHECK_EQUAL(child_wait(child), 0);
}

RUN(TEST(a_child_without_rights_has_a_ring),
    TEST(many_children_without_rights_have_one_each),
    TEST(a_rotation_by_the_parent_costs_nothing),
    TEST(of_two_children_of_one_moment_one_has_it_and_the_other_is_told),
    TEST(those_who_have_rights_give_it_back_to_the_next),
    TEST(one_that_never_writes_gives_it_back_as_it_closes),
    TEST(what_is_killed_before_it_writes_leaves_nothing),
    TEST(what_is_killed_behind_its_write_loses_nothing),
    TEST(another_program_in_the_child_leaves_nothing), TEST(a_child_of_a_child_has_it),
    TEST(children_of_a_parent_that_was_killed_have_theirs),
    TEST(children_of_a_parent_that_closed_have_theirs),
    TEST(a_child_alone_gets_its_lines_to_the_file),
    TEST(a_child_without_descriptors_writes), TEST(a_full_disk_is_told),
    TEST(a_log_that_rests_has_one_for_its_child), TEST(who_is_not_root_makes_none))

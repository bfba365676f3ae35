/* Who appends to the live file beside the leader, at the moments when that matters. */
#include "appending.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;
static char text[] = "line past\n";

/* A line of a process without a ring. */
static int
put_line_of(const struct sys *sys, bool ends_torn)
{
    int fd = sys_posix.openat(AT_FDCWD, "audit.log", O_RDWR | O_APPEND | O_CREAT, 0600);
    struct appending_line line = {.sys = sys,
                                  .fd = fd,
                                  .ends_torn = ends_torn,
                                  .dir = AT_FDCWD,
                                  .name = "audit.log",
                                  .parts = {{text, strlen(text)}, {NULL, 0}}};
    int error = appending_put(&line);

    close(fd);
    return error;
}

static int
put_line(void)
{
    return put_line_of(&sys_posix, false);
}

/* Of the next batch a part gets to the file, and then the disk is full. */
static void
begin_batch(struct writer *writer)
{
    log_put(writer, "one");
    log_put(writer, "two");
    sys_test_cut_write(5);
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    log_step(writer, 100 * ms);
    CHECK_TEXT(file_text("audit.log"), "line ");
}

static void
a_batch_that_waits_for_room_is_not_written_into(void)
{
    struct writer *writer = log_open_stepped(NULL);

    begin_batch(writer);
    CHECK_EQUAL(put_line(), -EAGAIN);
    sys_test_heal();
    log_step(writer, 2 * s);
    CHECK_EQUAL(put_line(), 0);
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline past\n");
}

static void
begin_batch_and_be_killed(void)
{
    begin_batch(log_open_stepped(NULL));
    child_exit();
}

static void
a_batch_of_a_killed_leader_is_left_to_the_next_one(void)
{
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(begin_batch_and_be_killed)), 0);
    CHECK_EQUAL(put_line(), -EBUSY);
    writer = log_open_stepped(NULL);
    CHECK_EQUAL(put_line(), 0);
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline past\n");
}

/* With a thread. */
static void
a_fork_gives_the_file_free(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    sys_test_cut_write(5);
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    log_put(writer, "one");
    WAIT_UNTIL(file_size("audit.log") == 5 && put_line() == -EAGAIN);
    drainer_park(writer, SYS_FOREVER);
    CHECK_EQUAL(put_line(), -EBUSY);
    CHECK_EQUAL(drainer_resume(writer), 0);
    WAIT_UNTIL(put_line() == -EAGAIN);
    sys_test_heal();
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
}

static void
a_leader_that_rests_leaves_the_file_to_others(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    CHECK_EQUAL(put_line(), 0);
    log_step(writer, 2 * s);
    CHECK_EQUAL(put_line(), 0);
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline past\nline past\n");
}

static int
lock_file(short type)
{
    static int fd = -1;

    fd = fd < 0 ? sys_posix.openat(AT_FDCWD, "audit.log", O_RDWR, 0) : fd;
    return sys_posix.lock_byte(fd, F_OFD_SETLK, type, (uint64_t)1 << 62);
}

static void
who_keeps_the_file_holds_up_the_leader_once_and_not_for_long(void)
{
    struct writer *writer = log_open_stepped(NULL);
    uint64_t begin, first;

    log_put(writer, "one");
    log_flush(writer);
    CHECK_EQUAL(lock_file(F_WRLCK), 0);
    begin = writer->sys->now_mono();
    log_put(writer, "two");
    log_flush(writer);
    first = writer->sys->now_mono() - begin;
    CHECK(first >= 100 * ms && first < 500 * ms);
    log_put(writer, "three");
    log_flush(writer);
    CHECK(writer->sys->now_mono() - begin - first < 100 * ms);
    CHECK_EQUAL(lock_file(F_UNLCK), 0);
    log_close(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\n");
}

static void
a_line_without_room_leaves_nothing(void)
{
    sys_test_reset();
    for (int error = 0; error < 2; error++) {
        sys_test_fail(CALL_reserve, error == 0 ? ENOSPC : EDQUOT, 1, 1);
        CHECK_EQUAL(put_line_of(&sys_test, false), error == 0 ? -ENOSPC : -EDQUOT);
        CHECK_EQUAL(sys_test_calls(CALL_writev), 0);
        CHECK_TEXT(file_text("audit.log"), "");
    }
}

static void
a_file_system_without_locks_and_room_takes_lines_all_the_same(void)
{
    sys_test_reset();
    sys_test_fail(CALL_lock_byte, ENOLCK, 1, 1);
    CHECK_EQUAL(put_line_of(&sys_test, false), 0);
    sys_test_fail(CALL_reserve, EOPNOTSUPP, 1, 1);
    CHECK_EQUAL(put_line_of(&sys_test, false), 0);
    CHECK_TEXT(file_text("audit.log"), "line past\nline past\n");
}

static void
what_nobody_ends_stays_a_line_by_itself(void)
{
    file_write("audit.log", "line to");
    CHECK_EQUAL(put_line(), -EBUSY);
    CHECK_EQUAL(put_line_of(&sys_posix, true), 0);
    CHECK_EQUAL(put_line_of(&sys_posix, true), 0);
    CHECK_TEXT(file_text("audit.log"), "line to\nline past\nline past\n");
}

RUN(TEST(a_batch_that_waits_for_room_is_not_written_into),
    TEST(a_batch_of_a_killed_leader_is_left_to_the_next_one),
    TEST(a_fork_gives_the_file_free),
    TEST(a_leader_that_rests_leaves_the_file_to_others),
    TEST(who_keeps_the_file_holds_up_the_leader_once_and_not_for_long),
    TEST(a_line_without_room_leaves_nothing),
    TEST(a_file_system_without_locks_and_room_takes_lines_all_the_same),
    TEST(what_nobody_ends_stays_a_line_by_itself))

/* One sync in the background, and its result told once. */
#include "support.h"
#include "support_sys.h"
#include "syncer.h"

#include <errno.h>
#include <unistd.h>

static struct syncer syncer;

/* A file to sync; the caller closes it. */
static int
begin(void)
{
    int fd;

    sys_test_reset();
    syncer = (struct syncer){0};
    fd = open("audit.log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    return fd;
}

static int
wait_for_result(void)
{
    int result;

    WAIT_UNTIL((result = syncer_poll(&syncer)) != -EINPROGRESS);
    return result;
}

static void
there_is_no_result_before_a_start(void)
{
    close(begin());

    CHECK_EQUAL(syncer_poll(&syncer), -EINPROGRESS);
    syncer_join(&syncer);
    CHECK_EQUAL(syncer_poll(&syncer), -EINPROGRESS);
}

static void
a_result_is_told_once(void)
{
    int fd = begin();

    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), 0);
    CHECK_EQUAL(wait_for_result(), 0);

    CHECK_EQUAL(syncer.size, 42);
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK_EQUAL(syncer_poll(&syncer), -EINPROGRESS);
    CHECK_EQUAL(sys_test_descriptors(), 0);
    close(fd);
}

static void
a_failure_is_told(void)
{
    int fd = begin();

    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), 0);

    CHECK_EQUAL(wait_for_result(), -EIO);
    close(fd);
}

static void
the_file_may_be_closed_meanwhile(void)
{
    int fd = begin();

    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), 0);
    close(fd);

    CHECK_EQUAL(wait_for_result(), 0);
}

static void
joining_keeps_the_result(void)
{
    int fd = begin();

    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), 0);
    syncer_join(&syncer);

    CHECK_EQUAL(syncer_poll(&syncer), 0);
    CHECK_EQUAL(syncer_poll(&syncer), -EINPROGRESS);
    close(fd);
}

static void
a_start_that_fails_keeps_nothing_open(void)
{
    int fd = begin();

    sys_test_fail(CALL_dup, EMFILE, 1, 1);
    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), -EMFILE);
    sys_test_fail(CALL_thread_start, EAGAIN, 1, 1);
    CHECK_EQUAL(syncer_start(&syncer, &sys_test, fd, 42), -EAGAIN);

    CHECK_EQUAL(sys_test_descriptors(), 0);
    CHECK_EQUAL(syncer_poll(&syncer), -EINPROGRESS);
    close(fd);
}

RUN(TEST(there_is_no_result_before_a_start), TEST(a_result_is_told_once),
    TEST(a_failure_is_told), TEST(the_file_may_be_closed_meanwhile),
    TEST(joining_keeps_the_result), TEST(a_start_that_fails_keeps_nothing_open))

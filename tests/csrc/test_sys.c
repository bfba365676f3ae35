/* The production table: what its entries add to the calls they stand for. */
#include "support.h"
#include "sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
errors_are_negative(void)
{
    struct stat status;
    char byte;

    CHECK_EQUAL(sys_posix.openat(AT_FDCWD, "none", O_RDONLY, 0), -ENOENT);
    CHECK_EQUAL(sys_posix.close(-1), -EBADF);
    CHECK_EQUAL(sys_posix.dup(-1), -EBADF);
    CHECK_EQUAL(sys_posix.write(-1, "x", 1), -EBADF);
    CHECK_EQUAL(sys_posix.writev(-1, NULL, 0), -EBADF);
    CHECK_EQUAL(sys_posix.pread(-1, &byte, 1, 0), -EBADF);
    CHECK_EQUAL(sys_posix.fstat(-1, &status), -EBADF);
    CHECK_EQUAL(sys_posix.fstatat(AT_FDCWD, "none", &status), -ENOENT);
    CHECK_EQUAL(sys_posix.ftruncate(-1, 0), -EBADF);
    CHECK_EQUAL(sys_posix.fallocate(-1, 1), -EBADF);
    CHECK_EQUAL(sys_posix.reserve(-1, 0, 1), -EBADF);
    CHECK_EQUAL(sys_posix.fsync(-1), -EBADF);
    CHECK_EQUAL(sys_posix.fdatasync(-1), -EBADF);
    CHECK_EQUAL(sys_posix.syncfs(-1), -EBADF);
    CHECK_EQUAL(sys_posix.rename(AT_FDCWD, "none", "other"), -ENOENT);
    CHECK_EQUAL(sys_posix.unlinkat(AT_FDCWD, "none"), -ENOENT);
    CHECK_EQUAL(sys_posix.mkdirat(AT_FDCWD, "none/other", 0700), -ENOENT);
    CHECK_EQUAL(sys_posix.fchmod(-1, 0600), -EBADF);
    CHECK_EQUAL(sys_posix.fchown(-1, 0, 0), -EBADF);
    CHECK_EQUAL(sys_posix.fs_type(-1), -EBADF);
    CHECK_EQUAL(sys_posix.lock_byte(-1, F_SETLK, F_WRLCK, 0), -EBADF);
    CHECK_EQUAL(sys_posix.flock(-1, LOCK_UN), -EBADF);
    CHECK_EQUAL(sys_posix.munmap((void *)1, 1), -EINVAL);
    CHECK_EQUAL(sys_posix.keep_from_children((void *)1, 1), -EINVAL);
}

static void
a_copied_descriptor_is_closed_on_exec(void)
{
    int fd = sys_posix.openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int copy = sys_posix.dup(fd);

    CHECK_EQUAL(fcntl(copy, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    CHECK_EQUAL(sys_posix.close(copy), 0);
    CHECK_EQUAL(sys_posix.close(fd), 0);
}

static void
a_rename_that_may_not_replace_does_not(void)
{
    file_write("from", "from");
    file_write("to", "to");

    CHECK_EQUAL(sys_posix.rename_noreplace(AT_FDCWD, "from", "to"), -EEXIST);
    CHECK_TEXT(file_text("to"), "to");
    CHECK_EQUAL(sys_posix.rename_noreplace(AT_FDCWD, "from", "new"), 0);
    CHECK_TEXT(file_text("new"), "from");
    CHECK_EQUAL(sys_posix.rename_noreplace(AT_FDCWD, "from", "other"), -ENOENT);
}

static int
count_names(void *context, const char *name)
{
    int *count = context;

    CHECK(name[0] != '\0');
    return ++*count == 3 ? 42 : 0;
}

static void
a_listing_ends_where_it_is_told_to(void)
{
    int count = 0;

    file_write("a", "");
    file_write("b", "");

    CHECK_EQUAL(sys_posix.list(AT_FDCWD, count_names, &count), 42);
    CHECK_EQUAL(count, 3);
    CHECK_EQUAL(sys_posix.list(-1, count_names, &count), -EBADF);
}

static void
a_held_byte_is_told_to_others_only(void)
{
    int fd = sys_posix.openat(AT_FDCWD, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    pid_t child;

    CHECK_EQUAL(sys_posix.lock_byte(fd, F_SETLK, F_WRLCK, 7), 0);
    CHECK_EQUAL(sys_posix.lock_byte(fd, F_GETLK, F_WRLCK, 7), 0);

    child = fork();
    if (child == 0) {
        CHECK_EQUAL(sys_posix.lock_byte(fd, F_GETLK, F_WRLCK, 7), 1);
        CHECK_EQUAL(sys_posix.lock_byte(fd, F_GETLK, F_WRLCK, 6), 0);
        CHECK_EQUAL(sys_posix.lock_byte(fd, F_SETLK, F_WRLCK, 7), -EAGAIN);
        child_exit();
    }
    CHECK_EQUAL(child_wait(child), 0);
    close(fd);
}

static void
a_futex_wait_tells_how_it_ended(void)
{
    _Atomic uint32_t word = 1;

    CHECK_EQUAL(sys_posix.futex_wait(&word, 2, 1000000000), -EAGAIN);
    CHECK_EQUAL(sys_posix.futex_wait(&word, 1, 1000), -ETIMEDOUT);
    CHECK_EQUAL(sys_posix.futex_wake(&word, 1), 0);
}

static void
a_pipe_is_writable_until_it_is_full(void)
{
    char block[65536] = {0};
    int ends[2];

    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(sys_posix.poll_writable(ends[1], 0), 1);
    while (sys_posix.poll_writable(ends[1], 0) == 1) {
        CHECK(sys_posix.write(ends[1], block, 4096) > 0);
    }
    CHECK_EQUAL(sys_posix.poll_writable(ends[1], 1), 0);
    close(ends[0]);
    close(ends[1]);
}

static void
the_clocks_are_those_of_the_system(void)
{
    uint64_t before = sys_posix.now_mono();

    CHECK(sys_posix.now_mono() >= before);
    CHECK_EQUAL(sys_posix.now_real() / 1000000000U / 100, time(NULL) / 100);
}

static void
this_process_runs_and_has_a_start_time(void)
{
    struct sys_process self = {0};

    CHECK_EQUAL(sys_posix.process(sys_posix.getpid(), &self), 0);

    CHECK(self.running);
    CHECK(self.start_time != 0);
    CHECK(sys_posix.pid_namespace() != 0);
}

static void
exit_at_once(void)
{
}

static void
a_process_runs_until_it_is_a_zombie(void)
{
    struct sys_process child = {0};
    siginfo_t info;
    pid_t pid = child_start(exit_at_once);

    CHECK_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQUAL(sys_posix.process(pid, &child), 0);
    CHECK(!child.running);
    CHECK_EQUAL(child_wait(pid), 0);
    child.running = true;
    CHECK_EQUAL(sys_posix.process(pid, &child), 0);
    CHECK(!child.running);
}

/* The name stands in parentheses and may hold anything, parentheses too. */
static void
a_process_with_an_odd_name_is_read_right(void)
{
    struct sys_process plain = {0}, odd = {0};
    FILE *comm = fopen("/proc/self/comm", "w");

    CHECK_EQUAL(sys_posix.process(getpid(), &plain), 0);
    CHECK(comm != NULL && fputs(") Z 1 (", comm) >= 0 && fclose(comm) == 0);

    CHECK_EQUAL(sys_posix.process(getpid(), &odd), 0);

    CHECK(odd.running);
    CHECK_EQUAL(odd.start_time, plain.start_time);
    CHECK_EQUAL(odd.start_stack, plain.start_stack);
}

static void
random_bytes_differ(void)
{
    uint64_t first = 0, second = 0;

    CHECK_EQUAL(sys_posix.random(&first, sizeof(first)), 0);
    CHECK_EQUAL(sys_posix.random(&second, sizeof(second)), 0);

    CHECK(first != second);
}

static void *
set_flag(void *context)
{
    atomic_store((_Atomic int *)context, 1);
    return NULL;
}

static void
a_thread_is_started_and_joined(void)
{
    _Atomic int flag = 0;
    pthread_t thread;

    CHECK_EQUAL(sys_posix.thread_start(&thread, 256 * 1024, set_flag, &flag), 0);
    CHECK_EQUAL(sys_posix.thread_join(thread, SYS_FOREVER), 0);

    CHECK_EQUAL(flag, 1);
}

static void *
wait_for_flag(void *context)
{
    while (atomic_load((_Atomic int *)context) == 0) {
        sched_yield();
    }
    return NULL;
}

static void
a_thread_that_runs_on_is_waited_for_within_a_limit(void)
{
    _Atomic int flag = 0;
    pthread_t thread;

    CHECK_EQUAL(sys_posix.thread_start(&thread, 256 * 1024, wait_for_flag, &flag), 0);

    CHECK_EQUAL(sys_posix.thread_join(thread, 1000000), -ETIMEDOUT);
    CHECK_EQUAL(sys_posix.thread_join(thread, 0), -ETIMEDOUT);

    atomic_store(&flag, 1);
    CHECK_EQUAL(sys_posix.thread_join(thread, 30000000000U), 0);
}

RUN(TEST(errors_are_negative), TEST(a_copied_descriptor_is_closed_on_exec),
    TEST(a_rename_that_may_not_replace_does_not),
    TEST(a_listing_ends_where_it_is_told_to), TEST(a_held_byte_is_told_to_others_only),
    TEST(a_futex_wait_tells_how_it_ended), TEST(a_pipe_is_writable_until_it_is_full),
    TEST(the_clocks_are_those_of_the_system),
    TEST(this_process_runs_and_has_a_start_time),
    TEST(a_process_runs_until_it_is_a_zombie),
    TEST(a_process_with_an_odd_name_is_read_right), TEST(random_bytes_differ),
    TEST(a_thread_is_started_and_joined),
    TEST(a_thread_that_runs_on_is_waited_for_within_a_limit))

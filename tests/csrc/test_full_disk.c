/* A disk that is really full, and a limit on file sizes that really strikes.
 *
 * Each test runs in a child with a file system of its own in memory, one MiB large;
 * whoever may not mount one skips.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

enum { CANT_MOUNT = 77 };

static bool
mount_small_disk(void)
{
    return mkdir("disk", 0700) == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "disk", "tmpfs", 0, "size=1m") == 0 && chdir("disk") == 0;
}

static void (*run_on_disk)(void);

static void
mount_and_run(void)
{
    if (!mount_small_disk()) {
        _exit(CANT_MOUNT);
    }
    run_on_disk();
}

static void
on_small_disk(void (*run)(void))
{
    int status;

    run_on_disk = run;
    status = child_wait(child_start(mount_and_run));
    if (status == CANT_MOUNT) {
        test_skip("needs root, and to be allowed to mount");
    }
    CHECK_EQUAL(status, 0);
}

/* Takes all the room there is, but for `left` bytes. */
static void
fill_disk(size_t left)
{
    static const char block[4096] = {0};
    int fd = open("ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t got = 0;
    off_t size;

    CHECK(fd >= 0);
    while (got >= 0) {
        got = write(fd, block, sizeof(block));
    }
    CHECK_EQUAL(errno, ENOSPC);
    size = lseek(fd, 0, SEEK_CUR);
    CHECK(size > (off_t)left);
    CHECK_EQUAL(ftruncate(fd, size - (off_t)left), 0);
    close(fd);
}

static uint32_t
health(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.health;
}

static unsigned
count_lines(const char *text, const char *start)
{
    unsigned count = 0;

    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        CHECK(strchr(at, '\n') != NULL);
        count += strncmp(at, start, strlen(start)) == 0;
    }
    return count;
}

static void
write_until_it_is_full_and_on(void)
{
    unsigned written = 0, dropped = 0;
    struct writer *writer;
    char text[128];

    sys_test_reset();
    writer = log_open_default();
    fill_disk(100 * 1000);
    while (dropped < 100) {
        snprintf(text, sizeof(text), "%06u of some length, that it gets full %040d",
                 written, 7);
        if (log_try(writer, text) == 0) {
            written++;
        } else if (health(writer) == HEALTH_DISK_FULL) {
            writer_drop(writer, 100);
            dropped++;
        } else {
            writer_wait_space(writer, sizeof(text), 1 * ms);
        }
    }
    CHECK_EQUAL(log_ask(writer, REQUEST_FLUSH, 50 * ms), -ETIMEDOUT);

    CHECK_EQUAL(unlink("ballast"), 0);
    while (log_try(writer, "after") == -EAGAIN) {
        writer_wait_space(writer, 10, 100 * ms);
    }
    log_flush(writer);

    CHECK_EQUAL(health(writer), HEALTH_OK);
    log_close(writer);
    CHECK(log_is_whole(file_text("audit.log")));
    CHECK_EQUAL(count_lines(file_text("audit.log"), "line "), written + 1);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "count"), dropped);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "dropped", "bytes"), 100 * dropped);
}

static void
a_full_disk_tears_no_line_and_drops_are_counted(void)
{
    on_small_disk(write_until_it_is_full_and_on);
}

static void
rotate_on_a_full_disk(void)
{
    struct writer_options options = log_options();
    struct writer *writer;
    unsigned written = 0;

    sys_test_reset();
    options.settings.max_bytes = 5000;
    writer = log_open(&options);
    fill_disk(50 * 1000);
    while (health(writer) == HEALTH_OK) {
        written += log_try(writer, "of some length, that the disk gets full") == 0;
    }

    CHECK_EQUAL(unlink("ballast"), 0);
    log_flush(writer);

    CHECK_EQUAL(log_count(log_text("audit.log"),
                          "line of some length, that the disk gets full"),
                written);
    CHECK_EQUAL(log_gaps(log_text("audit.log"), NULL), 0);
    log_close(writer);
}

static void
a_full_disk_while_rotating_loses_nothing(void)
{
    on_small_disk(rotate_on_a_full_disk);
}

/* Not SIGBUS at the first store into a page that has no room. */
static void
open_on_a_full_disk(void)
{
    struct writer_options options = log_options();
    struct writer *writer = NULL;
    size_t left = 0;

    do {
        sys_test_reset();
        fill_disk(left);
        if (writer_open(&writer, &sys_test, &options) == 0) {
            break;
        }
        CHECK(writer == NULL);
        CHECK_EQUAL(sys_test_descriptors(), 0);
        CHECK_EQUAL(unlink("ballast"), 0);
        left += 16 * 1024;
    } while (left < 1000 * 1000);

    CHECK(left >= RING_CAPACITY_MIN);
    for (int i = 0; i < 200; i++) {
        log_put(writer, "in a ring that has all of its room");
    }
    CHECK_EQUAL(unlink("ballast"), 0);
    log_close(writer);
    CHECK_EQUAL(
        log_count(file_text("audit.log"), "line in a ring that has all of its room"),
        200);
}

static void
a_log_that_has_no_room_is_refused_whatever_is_missing(void)
{
    on_small_disk(open_on_a_full_disk);
}

static void
write_with_a_limit(void)
{
    struct rlimit limit = {.rlim_cur = 300 * 1000, .rlim_max = 300 * 1000};
    struct writer *writer;
    char text[100];

    sys_test_reset();
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    writer = log_open_default();
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof(text), "%05d of those that don't fit into one file %040d",
                 i, 7);
        while (log_try(writer, text) == -EAGAIN) {
            writer_wait_space(writer, sizeof(text), 10 * ms);
        }
    }
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
}

/* SIGXFSZ does not kill: the thread that writes has it blocked. */
static void
a_limit_on_file_sizes_starts_a_new_file(void)
{
    char *text;

    CHECK_EQUAL(child_wait(child_start(write_with_a_limit)), 0);

    text = log_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(count_lines(text, "line "), 10000);
    CHECK_EQUAL(log_gaps(text, NULL), 0);
    CHECK(log_files("audit.log") >= 3);
}

static struct {
    _Atomic bool is_led;
} *signs;

static void
lead_with_a_small_limit(void)
{
    struct rlimit limit = {.rlim_cur = 300 * 1000, .rlim_max = 300 * 1000};
    struct writer *writer;
    char text[100];

    sys_test_reset();
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    writer = log_open_default();
    log_put(writer, "limited");
    log_flush(writer);
    signs->is_led = true;
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "%05d of those that don't fit into it %040d", i,
                 7);
        while (log_try(writer, text) == -EAGAIN) {
            writer_wait_space(writer, sizeof(text), 10 * ms);
        }
    }
    log_flush(writer);
    CHECK_EQUAL(writer_close(writer, 10 * s), 0);
}

/* Nor is a part of a line in it while others have a turn. */
static void
a_limit_of_the_leader_alone_costs_no_second_file(void)
{
    struct writer *writer;
    pid_t child;
    char *text;

    signs = shared_memory(sizeof(*signs));
    child = child_start(lead_with_a_small_limit);
    WAIT_UNTIL(signs->is_led);
    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "unlimited");
    CHECK_EQUAL(child_wait(child), 0);
    CHECK_EQUAL(log_counter(writer, COUNTER_write_errors), 0);
    log_close(writer);

    text = log_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(count_lines(text, "line "), 5002);
    CHECK_EQUAL(log_gaps(text, NULL), 0);
    CHECK_EQUAL(log_files("audit.log"), 1);
}

RUN(TEST(a_full_disk_tears_no_line_and_drops_are_counted),
    TEST(a_full_disk_while_rotating_loses_nothing),
    TEST(a_log_that_has_no_room_is_refused_whatever_is_missing),
    TEST(a_limit_on_file_sizes_starts_a_new_file),
    TEST(a_limit_of_the_leader_alone_costs_no_second_file))

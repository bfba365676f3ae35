/* A live file that lost its last name: packed, so that nothing is lost, or removed.
 *
 * What packers of others make of it, format by format, is in test_packed_away.py; here
 * is what takes time or a death.
 */
#include "checksum.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000;
static const char lines[] = "line one\nline two\nline three\n";
enum { LINES_SIZE = sizeof(lines) - 1 };

static struct writer *
open_with_three_lines(void)
{
    struct writer *writer;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    log_put(writer, "one");
    log_put(writer, "two");
    log_put(writer, "three");
    log_flush(writer);
    return writer;
}

/* Writes the first `limit` bytes of a gzip file that stores the text as it is. */
static void
pack(const char *name, const char *text, size_t limit)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1};
    uint16_t size = (uint16_t)strlen(text), inverse = (uint16_t)~size;
    uint32_t long_size = size, crc;
    struct checksum sum;
    char made[256], *at = made;
    FILE *file = fopen(name, "w");

    checksum_begin(&sum, CHECKSUM_CRC32);
    checksum_add(&sum, text, size);
    crc = checksum_value(&sum);
    at = mempcpy(at, head, sizeof(head));
    at = mempcpy(at, &size, 2);
    at = mempcpy(at, &inverse, 2);
    at = mempcpy(at, text, size);
    at = mempcpy(at, &crc, 4);
    at = mempcpy(at, &long_size, 4);
    limit = limit < (size_t)(at - made) ? limit : (size_t)(at - made);
    CHECK(file != NULL);
    CHECK_EQUAL(fwrite(made, 1, limit, file), limit);
    CHECK_EQUAL(fclose(file), 0);
}

static void
check_told(struct writer *writer, bool expected)
{
    char *text;

    log_flush(writer);
    text = file_text("audit.log");
    CHECK_EQUAL(log_gaps(text, NULL), expected);
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count"), expected ? 3 : 0);
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "bytes"),
                expected ? LINES_SIZE : 0);
    CHECK_EQUAL(log_counter(writer, COUNTER_live_file_unlinked), expected);
    CHECK_EQUAL(log_counter(writer, COUNTER_live_file_moved), !expected);
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

static void
a_file_that_was_packed_is_no_loss(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, SIZE_MAX);
    CHECK_EQUAL(unlink("audit.log"), 0);
    log_step(writer, 1 * s);

    check_told(writer, false);
}

static void
a_packed_file_of_the_same_size_is_no_proof(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", "line one\nline two\nline thr33\n", SIZE_MAX);
    CHECK_EQUAL(unlink("audit.log"), 0);
    for (int second = 0; second < 7; second++) {
        log_step(writer, 1 * s);
    }

    check_told(writer, true);
}

static void
an_older_packed_file_is_no_proof(void)
{
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, SIZE_MAX);
    CHECK_EQUAL(utimensat(AT_FDCWD, "audit.log.1.gz", old, 0), 0);
    CHECK_EQUAL(unlink("audit.log"), 0);
    log_step(writer, 1 * s);

    check_told(writer, true);
}

static void
a_packer_that_isnt_through_is_waited_for(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, 20);
    CHECK_EQUAL(unlink("audit.log"), 0);
    for (int second = 0; second < 4; second++) {
        log_step(writer, 1 * s);
        log_flush(writer);
        CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
    }
    pack("audit.log.1.gz", lines, SIZE_MAX);
    log_step(writer, 1 * s);

    check_told(writer, false);
}

static void
a_packer_that_rests_is_not_waited_for_any_longer(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, 20);
    CHECK_EQUAL(unlink("audit.log"), 0);
    for (int second = 0; second < 7; second++) {
        log_step(writer, 1 * s);
    }
    log_step(writer, 1 * s);

    check_told(writer, true);
}

static void
wait_for_a_packer_and_be_killed(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, 20);
    CHECK_EQUAL(unlink("audit.log"), 0);
    log_step(writer, 1 * s);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
    kill(getpid(), SIGKILL);
}

/* A loss that can't be excluded any more is told, by whoever comes next. */
static void
what_wasnt_decided_before_a_kill_is_told(void)
{
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(wait_for_a_packer_and_be_killed)), -SIGKILL);
    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    log_step(writer, 1 * s);
    log_flush(writer);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-unlinked", "count"), 3);
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

static void
a_close_decides_at_once(void)
{
    struct writer *writer = open_with_three_lines();

    pack("audit.log.1.gz", lines, 20);
    CHECK_EQUAL(unlink("audit.log"), 0);
    log_step(writer, 1 * s);
    CHECK_EQUAL(writer_close(writer, 0), 0);

    CHECK_EQUAL(log_gaps(file_text("audit.log"), "live-file-unlinked"), 1);
}

/* So that no new file gets its number. */
static int
unlink_and_hold(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQUAL(unlink(name), 0);
    return fd;
}

static void
a_file_that_was_packed_while_nobody_had_it_open_is_no_loss(void)
{
    struct writer *writer = open_with_three_lines();
    int held;

    CHECK_EQUAL(writer_close(writer, 0), 0);
    pack("audit.log.1.gz", lines, SIZE_MAX);
    held = unlink_and_hold("audit.log");
    writer = log_open_default();
    log_step(writer, 1 * s);

    check_told(writer, false);
    close(held);
}

/* Which nobody can tell from a file that was cut. */
static void
then_a_new_file_may_have_its_number(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(writer_close(writer, 0), 0);
    pack("audit.log.1.gz", lines, SIZE_MAX);
    CHECK_EQUAL(truncate("audit.log", 0), 0);
    writer = log_open_default();
    log_step(writer, 1 * s);

    check_told(writer, false);
}

static void
check_unproven_while_closed(const char *name, const char *text, bool is_old)
{
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct writer *writer = open_with_three_lines();
    int held;

    CHECK_EQUAL(writer_close(writer, 0), 0);
    pack(name, text, SIZE_MAX);
    if (is_old) {
        CHECK_EQUAL(utimensat(AT_FDCWD, name, old, 0), 0);
    }
    held = unlink_and_hold("audit.log");
    writer = log_open_default();
    log_step(writer, 1 * s);

    check_told(writer, true);
    close(held);
}

static void
then_another_size_is_no_proof(void)
{
    check_unproven_while_closed("audit.log.1.gz", "line one\n", false);
}

static void
then_an_older_file_is_no_proof(void)
{
    check_unproven_while_closed("audit.log.1.gz", lines, true);
}

static void
then_a_file_of_another_name_is_no_proof(void)
{
    check_unproven_while_closed("auditor.log.1.gz", lines, false);
}

RUN(TEST(a_file_that_was_packed_is_no_loss),
    TEST(a_packed_file_of_the_same_size_is_no_proof),
    TEST(an_older_packed_file_is_no_proof),
    TEST(a_packer_that_isnt_through_is_waited_for),
    TEST(a_packer_that_rests_is_not_waited_for_any_longer),
    TEST(what_wasnt_decided_before_a_kill_is_told), TEST(a_close_decides_at_once),
    TEST(a_file_that_was_packed_while_nobody_had_it_open_is_no_loss),
    TEST(then_a_new_file_may_have_its_number), TEST(then_another_size_is_no_proof),
    TEST(then_an_older_file_is_no_proof), TEST(then_a_file_of_another_name_is_no_proof))

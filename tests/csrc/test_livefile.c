/* What others do to the live file, and what the log makes of it: whole lines, a gap
 * event with the right counts, and on it goes within a second.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

/* Three lines are in the log: "line one", "line two", "line three"; 29 bytes. */
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
    CHECK_EQUAL(file_size("audit.log"), 29);
    return writer;
}

/* After a second without a write the loss is told; then lines go on. */
static char *
text_after_a_second(struct writer *writer)
{
    struct writer_stats stats;

    log_step(writer, 1 * s);
    log_put(writer, "four");
    log_flush(writer);
    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.health, HEALTH_OK);
    CHECK(log_is_whole(file_text("audit.log")));
    return file_text("audit.log");
}

static void
check_gap(const char *text, const char *reason, uint64_t count, uint64_t bytes)
{
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gaps(text, reason), 1);
    CHECK_EQUAL(log_gap_sum(text, reason, "count"), count);
    CHECK_EQUAL(log_gap_sum(text, reason, "bytes"), bytes);
    CHECK_EQUAL(log_count(text, "line four"), 1);
}

static void
a_removed_file_is_told_with_its_lines(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(unlink("audit.log"), 0);

    check_gap(text_after_a_second(writer), "live-file-unlinked", 3, 29);
    CHECK_EQUAL(log_counter(writer, COUNTER_live_file_unlinked), 1);
    log_close(writer);
}

static void
a_replaced_file_is_told_and_its_content_kept(void)
{
    struct writer *writer = open_with_three_lines();
    char *text;

    file_write("other", "line of somebody\n");
    CHECK_EQUAL(rename("other", "audit.log"), 0);
    text = text_after_a_second(writer);

    check_gap(text, "live-file-unlinked", 3, 29);
    CHECK_EQUAL(log_count(text, "line of somebody"), 1);
    log_close(writer);
}

static void
a_renamed_file_is_no_loss(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);

    CHECK_TEXT(text_after_a_second(writer), "line four\n");
    CHECK_TEXT(file_text("audit.log.1"), "line one\nline two\nline three\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_live_file_moved), 1);
    log_close(writer);
}

/* As logrotate does it without telling: rename, and a new file at once. */
static void
a_file_that_was_renamed_and_made_anew_is_no_loss(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);
    file_write("audit.log", "");

    CHECK_TEXT(text_after_a_second(writer), "line four\n");
    log_close(writer);
}

/* Somebody else is a moment faster than the rotation. */
static int
rename_late(int dir, const char *from, const char *to)
{
    CHECK_EQUAL(rename(from, "audit.log.1"), 0);
    return sys_test.rename_noreplace(dir, from, to);
}

static void
a_file_that_is_renamed_while_it_is_rotated_is_no_loss(void)
{
    struct writer_options options = log_options();
    struct sys table = sys_test;
    struct writer *writer = NULL;

    sys_test_reset();
    sys_test_stop_time();
    table.rename_noreplace = rename_late;
    CHECK_EQUAL(writer_open(&writer, &table, &options), 0);
    log_put(writer, "one");

    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);

    CHECK_TEXT(text_after_a_second(writer), "line four\n");
    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
    log_close(writer);
}

static void
a_file_cut_to_nothing_is_told_with_its_lines(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(truncate("audit.log", 0), 0);

    check_gap(text_after_a_second(writer), "live-file-cut", 3, 29);
    CHECK_EQUAL(log_counter(writer, COUNTER_live_file_cut), 1);
    log_close(writer);
}

/* How many lines that were is not known, only that there was one. */
static void
a_file_cut_in_a_line_is_told_with_its_bytes(void)
{
    struct writer *writer = open_with_three_lines();
    char *text;

    CHECK_EQUAL(truncate("audit.log", 14), 0);
    text = text_after_a_second(writer);

    check_gap(text, "live-file-cut", 1, 15);
    CHECK(strncmp(text, "line one\nline \n{", 16) == 0);
    CHECK_EQUAL(log_counter(writer, COUNTER_foreign_lines_completed), 1);
    log_close(writer);
}

static void
lines_after_a_cut_are_counted_anew(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(truncate("audit.log", 0), 0);
    (void)text_after_a_second(writer); /* a gap event and line four */
    CHECK_EQUAL(truncate("audit.log", 0), 0);
    log_step(writer, 1 * s);
    log_flush(writer);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "live-file-cut", "count"), 2);
    log_close(writer);
}

static void
append_to_log(const char *text)
{
    int fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void
lines_of_somebody_else_are_kept_and_no_loss(void)
{
    struct writer *writer = open_with_three_lines();

    append_to_log("line of somebody\n");

    CHECK_TEXT(text_after_a_second(writer), "line one\nline two\nline three\n"
                                            "line of somebody\nline four\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_foreign_bytes), 17);
    log_close(writer);
}

static void
an_unfinished_line_of_somebody_else_is_ended(void)
{
    struct writer *writer = open_with_three_lines();

    append_to_log("line of somebo");

    CHECK_TEXT(text_after_a_second(writer), "line one\nline two\nline three\n"
                                            "line of somebo\nline four\n");
    log_close(writer);
}

static void
an_unfinished_line_that_was_there_is_ended(void)
{
    struct writer *writer;

    sys_test_reset();
    file_write("audit.log", "line unfinis");
    writer = log_open_default();
    log_put(writer, "one");
    log_close(writer);

    CHECK_TEXT(file_text("audit.log"), "line unfinis\nline one\n");
}

/* What stands in the way is not touched; when it is gone, it takes a second at most. */
static void
check_obstacle(struct writer *writer)
{
    struct writer_stats stats;

    log_step(writer, 1 * s);
    log_put(writer, "four");
    log_step(writer, 1 * s);
    writer_stats(writer, &stats);
    CHECK(stats.health != HEALTH_OK);
    CHECK(stats.last_error != 0);
    CHECK(stats.ring_used > 0);

    CHECK_EQUAL(remove("audit.log"), 0);
    log_step(writer, 1 * s);

    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.health, HEALTH_OK);
    log_flush(writer);
    CHECK(log_is_whole(file_text("audit.log")));
    check_gap(file_text("audit.log"), "live-file-unlinked", 3, 29);
    log_close(writer);
}

static void
a_link_in_its_place_is_not_followed(void)
{
    struct writer *writer = open_with_three_lines();

    file_write("precious", "his\n");
    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(symlink("precious", "audit.log"), 0);

    check_obstacle(writer);
    CHECK_TEXT(file_text("precious"), "his\n");
}

static void
a_link_to_nowhere_makes_no_file(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(symlink("nowhere", "audit.log"), 0);

    check_obstacle(writer);
    CHECK(!file_exists("nowhere"));
}

static void
a_fifo_in_its_place_holds_up_nothing_else(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(mkfifo("audit.log", 0600), 0);

    check_obstacle(writer);
}

static void
a_directory_in_its_place_is_left_alone(void)
{
    struct writer *writer = open_with_three_lines();

    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(mkdir("audit.log", 0700), 0);

    check_obstacle(writer);
}

static void
write_part(struct writer *writer)
{
    log_put(writer, "four, which is torn");
    sys_test_cut_write(7);
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    log_step(writer, 10 * ms);
    CHECK_EQUAL(file_size("audit.log"), 29 + 7);
}

static void
go_on(struct writer *writer)
{
    sys_test_heal();
    log_step(writer, 1 * s);
    log_flush(writer);
}

static void
a_torn_line_is_completed_in_a_file_that_was_renamed(void)
{
    struct writer *writer = open_with_three_lines();

    write_part(writer);
    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);
    go_on(writer);
    log_put(writer, "five");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log.1"),
               "line one\nline two\nline three\nline four, which is torn\n");
    CHECK_TEXT(file_text("audit.log"), "line five\n");
    log_close(writer);
}

static void
a_torn_batch_whose_file_is_removed_is_written_again(void)
{
    struct writer *writer = open_with_three_lines();
    char *text;

    write_part(writer);
    CHECK_EQUAL(unlink("audit.log"), 0);
    go_on(writer);

    /* Where the new file gets the inode of the old one, it looks cut. */
    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line four, which is torn"), 1);
    CHECK_EQUAL(log_gap_sum(text, "live-file-unlinked", "count") +
                    log_gap_sum(text, "live-file-cut", "count"),
                3);
    log_close(writer);
}

static void
a_torn_batch_whose_file_is_cut_is_written_again(void)
{
    struct writer *writer = open_with_three_lines();
    char *text;

    write_part(writer);
    CHECK_EQUAL(truncate("audit.log", 4), 0);
    go_on(writer);

    text = log_text("audit.log");
    CHECK(strncmp(text, "line", 4) == 0); /* what was left, in a file of its own */
    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line four, which is torn"), 1);
    CHECK_EQUAL(log_gap_sum(text, "live-file-cut", "bytes"), 29 - 4);
    CHECK_EQUAL(log_gaps(text, "recovery-conflict"), 1);
    log_close(writer);
}

static void
a_torn_batch_with_other_bytes_behind_it_is_written_again(void)
{
    struct writer *writer = open_with_three_lines();
    char *text;

    write_part(writer);
    append_to_log("somebody\n");
    go_on(writer);

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_count(text, "line four, which is torn"), 1);
    CHECK_EQUAL(log_gaps(text, "recovery-conflict"), 1);
    CHECK_EQUAL(log_files("audit.log"), 2);
    log_close(writer);
}

static void
a_closed_descriptor_of_the_file_is_opened_again(void)
{
    struct writer *writer = open_with_three_lines();

    close(writer->file.fd);
    log_put(writer, "four");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\nline four\n");
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

static void
a_descriptor_that_is_another_file_now_is_not_written_to(void)
{
    struct writer *writer = open_with_three_lines();
    int other, number = writer->file.fd;

    close(number);
    other = open("precious", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQUAL(other, number);
    log_put(writer, "four");
    log_flush(writer);

    CHECK_EQUAL(file_size("precious"), 0);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\nline four\n");
    CHECK_EQUAL(writer_close(writer, 0), 0);
    CHECK_EQUAL(fcntl(other, F_GETFD), FD_CLOEXEC); /* still open */
    close(other);
}

static void
a_descriptor_that_is_closed_in_the_middle_of_a_batch_is_opened_again(void)
{
    struct writer *writer = open_with_three_lines();

    write_part(writer);
    close(writer->file.fd);
    go_on(writer);

    CHECK_TEXT(file_text("audit.log"),
               "line one\nline two\nline three\nline four, which is torn\n");
    CHECK_EQUAL(writer_close(writer, 0), 0);
}

RUN(TEST(a_removed_file_is_told_with_its_lines),
    TEST(a_replaced_file_is_told_and_its_content_kept), TEST(a_renamed_file_is_no_loss),
    TEST(a_file_that_was_renamed_and_made_anew_is_no_loss),
    TEST(a_file_that_is_renamed_while_it_is_rotated_is_no_loss),
    TEST(a_file_cut_to_nothing_is_told_with_its_lines),
    TEST(a_file_cut_in_a_line_is_told_with_its_bytes),
    TEST(lines_after_a_cut_are_counted_anew),
    TEST(lines_of_somebody_else_are_kept_and_no_loss),
    TEST(an_unfinished_line_of_somebody_else_is_ended),
    TEST(an_unfinished_line_that_was_there_is_ended),
    TEST(a_link_in_its_place_is_not_followed), TEST(a_link_to_nowhere_makes_no_file),
    TEST(a_fifo_in_its_place_holds_up_nothing_else),
    TEST(a_directory_in_its_place_is_left_alone),
    TEST(a_torn_line_is_completed_in_a_file_that_was_renamed),
    TEST(a_torn_batch_whose_file_is_removed_is_written_again),
    TEST(a_torn_batch_whose_file_is_cut_is_written_again),
    TEST(a_torn_batch_with_other_bytes_behind_it_is_written_again),
    TEST(a_closed_descriptor_of_the_file_is_opened_again),
    TEST(a_descriptor_that_is_another_file_now_is_not_written_to),
    TEST(a_descriptor_that_is_closed_in_the_middle_of_a_batch_is_opened_again))

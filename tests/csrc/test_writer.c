/* A log as its callers use it: opened, written, flushed, rotated, closed. */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

static void
what_was_written_is_in_the_file_after_a_flush(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    log_put(writer, "two");

    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    log_close(writer);
}

static void
closing_flushes_and_leaves_only_lock_and_control_file(void)
{
    struct writer *writer;
    struct stat status;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");

    log_close(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\n");
    CHECK_EQUAL(stat(".audit.log.ring", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0700);
    CHECK_EQUAL(unlink(".audit.log.ring/lock"), 0);
    CHECK_EQUAL(unlink(".audit.log.ring/ctl"), 0);
    CHECK_EQUAL(rmdir(".audit.log.ring"), 0);
}

static void
a_log_is_continued_and_its_counters_too(void)
{
    struct writer *writer;

    sys_test_reset();
    for (int i = 0; i < 3; i++) {
        writer = log_open_default();
        log_put(writer, "again");
        log_close(writer);
    }
    writer = log_open_default();

    CHECK_TEXT(file_text("audit.log"), "line again\nline again\nline again\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_records_written), 3);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 3);
    CHECK_EQUAL(log_counter(writer, COUNTER_leader_changes), 4);
    log_close(writer);
}

static void
every_spelling_of_a_path_is_the_same_writer(void)
{
    const char *const paths[] = {"./audit.log", "link/audit.log", NULL};
    struct writer_options options = log_options();
    struct writer *first, *other;
    char folder[512], path[600];

    sys_test_reset();
    CHECK(getcwd(folder, sizeof(folder)) != NULL);
    CHECK_EQUAL(symlink(".", "link"), 0);
    first = log_open(&options);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/audit.log", folder);
        options.path = paths[i] != NULL ? paths[i] : path;
        other = log_open(&options);
        CHECK(other == first);
        log_put(other, "one");
        CHECK_EQUAL(writer_close(other, 10 * s), 0);
    }

    CHECK_EQUAL(log_counter(first, COUNTER_records_written), 3);
    log_close(first);
}

static void
the_group_shares_the_state_directory(void)
{
    struct writer_options options = log_options();
    struct stat status;
    mode_t before;

    if (geteuid() != 0) {
        test_skip("needs root");
    }
    sys_test_reset();
    options.settings.gid = 4242;
    options.settings.mode = 0660;
    before = umask(077);
    log_close(log_open(&options));
    umask(before);

    CHECK_EQUAL(stat(".audit.log.ring", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 02770);
    CHECK_EQUAL(status.st_gid, 4242);
    CHECK_EQUAL(stat(".audit.log.ring/ctl", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    CHECK_EQUAL(status.st_gid, 4242);
}

static void
check_refused(const struct writer_options *options, int error)
{
    struct writer *writer = NULL;

    CHECK_EQUAL(writer_open(&writer, &sys_test, options), error);
    CHECK(writer == NULL);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
a_path_that_is_no_file_s_is_refused(void)
{
    struct writer_options options = log_options();
    char longer[300] = {0};

    sys_test_reset();
    memset(longer, 'a', WRITER_NAME_SIZE + 1);
    options.path = "folder/";
    check_refused(&options, -EISDIR);
    options.path = "";
    check_refused(&options, -EISDIR);
    options.path = "..";
    check_refused(&options, -EISDIR);
    options.path = "./.";
    check_refused(&options, -EISDIR);
    options.path = longer;
    check_refused(&options, -ENAMETOOLONG);
    options.path = "none/audit.log";
    check_refused(&options, -ENOENT);
}

static void
lead_as_another_process(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    log_close(writer);
}

/* And the refusal does not keep others from leading, while this process lives on. */
static void
check_file_refused(int error)
{
    struct writer_options options = log_options();

    check_refused(&options, error);
    CHECK_EQUAL(remove("audit.log"), 0);
    CHECK_EQUAL(child_wait(child_start(lead_as_another_process)), 0);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line one"), 1);
    CHECK_EQUAL(remove("audit.log"), 0);
}

static void
a_log_that_is_no_regular_file_is_refused(void)
{
    sys_test_reset();
    CHECK_EQUAL(mkfifo("audit.log", 0600), 0);
    check_file_refused(-EINVAL);
    CHECK_EQUAL(symlink("elsewhere", "audit.log"), 0);
    check_file_refused(-ELOOP);
    CHECK(!file_exists("elsewhere"));
    CHECK_EQUAL(mkdir("audit.log", 0700), 0);
    check_file_refused(-EISDIR);
}

static int64_t
nfs_type(int fd)
{
    (void)fd;
    return 0x6969;
}

static void
a_network_file_system_is_refused_unless_it_is_forced(void)
{
    struct writer_options options = log_options();
    struct sys over_nfs = sys_test;
    struct writer *writer = NULL;

    sys_test_reset();
    over_nfs.fs_type = nfs_type;

    CHECK_EQUAL(writer_open(&writer, &over_nfs, &options), -EREMOTE);
    CHECK_EQUAL(sys_test_descriptors(), 0);
    options.allow_network_fs = true;
    CHECK_EQUAL(writer_open(&writer, &over_nfs, &options), 0);
    log_close(writer);
}

static void
open_as_somebody_else(void)
{
    struct writer_options options = log_options();

    CHECK_EQUAL(setgid(4343), 0);
    CHECK_EQUAL(setuid(4343), 0);
    sys_test_reset();
    check_refused(&options, -EPERM);
}

static void
a_state_directory_of_somebody_else_is_refused(void)
{
    if (geteuid() != 0) {
        test_skip("needs root");
    }
    CHECK_EQUAL(chmod(".", 0777), 0);
    CHECK_EQUAL(mkdir(".audit.log.ring", 0777), 0);
    CHECK_EQUAL(chmod(".audit.log.ring", 0777), 0);
    CHECK_EQUAL(chown(".audit.log.ring", 4242, 4242), 0);

    CHECK_EQUAL(child_wait(child_start(open_as_somebody_else)), 0);
}

static void
a_planted_state_directory_is_refused(void)
{
    struct writer_options options = log_options();

    sys_test_reset();
    CHECK_EQUAL(mkdir("elsewhere", 0700), 0);
    CHECK_EQUAL(symlink("elsewhere", ".audit.log.ring"), 0);
    check_refused(&options, -EPERM);
    CHECK_EQUAL(rmdir("elsewhere"), 0);
}

static void
rings_stay_where_the_log_was_founded(void)
{
    struct writer_options options = log_options();
    struct writer *writer, *refused = NULL;

    sys_test_reset();
    CHECK_EQUAL(mkdir("rings", 0700), 0);
    options.rings_path = "rings";
    writer = log_open(&options);
    CHECK(rmdir("rings") < 0); /* there is a ring in it */

    options.rings_path = "elsewhere";
    CHECK(writer_open(&refused, &sys_test, &options) < 0);
    options.rings_path = NULL;
    CHECK_EQUAL(writer_open(&refused, &sys_test, &options), -EINVAL);
    log_close(writer);

    check_refused(&options, -EINVAL);
    CHECK_EQUAL(rmdir("rings"), 0);
}

static void
an_opening_that_fails_leaves_the_log_to_others(void)
{
    struct writer_options options = log_options();

    sys_test_reset();
    sys_test_fail(CALL_thread_start, EAGAIN, 1, 1);
    check_refused(&options, -EAGAIN);

    CHECK_EQUAL(child_wait(child_start(lead_as_another_process)), 0);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
}

static void
a_record_above_the_limit_is_refused_whole(void)
{
    struct writer_ticket ticket;
    struct writer *writer;
    uint64_t limit;
    char *line;

    sys_test_reset();
    writer = log_open_default();
    limit = writer_record_limit(writer);
    CHECK_EQUAL(limit, RING_CAPACITY_MIN / 2 - 64);
    line = test_memory(limit + 1);
    memset(line, 'x', limit);
    memcpy(line, "line ", 5);

    CHECK_EQUAL(writer_write(writer, line, limit, true, &ticket), -EMSGSIZE);
    CHECK_EQUAL(writer_write(writer, line, limit - 1, true, &ticket), 0);
    log_flush(writer);

    CHECK_EQUAL(file_size("audit.log"), limit);
    log_close(writer);
}

static void
ring_bytes_are_rounded_up(void)
{
    struct writer_options options = log_options();
    struct writer_stats stats;
    struct writer *writer;

    sys_test_reset();
    options.ring_bytes = 100 * 1000;
    writer = log_open(&options);

    writer_stats(writer, &stats);

    CHECK_EQUAL(stats.ring_capacity, 128 * 1024);
    CHECK_EQUAL(stats.ring_used, 0);
    CHECK_EQUAL(stats.live_slots, 1);
    CHECK_EQUAL(stats.leads, 1);
    CHECK_EQUAL(stats.health, HEALTH_OK);
    log_close(writer);
}

/* Nobody drains. */
static struct writer *
open_with_full_ring(void)
{
    struct writer *writer = log_open_default();

    drainer_stop(writer);
    while (log_try(writer, "before, of some length so that it is soon full") == 0) {
    }
    return writer;
}

static void *
write_when_there_is_space(void *context)
{
    struct writer *writer = context;

    while (log_try(writer, "behind the full ring, of some length as well") == -EAGAIN) {
        writer_wait_space(writer, 50, 10 * s);
    }
    return NULL;
}

static void
who_waits_for_space_gets_it(void)
{
    struct writer *writer;
    pthread_t thread;

    sys_test_reset();
    writer = open_with_full_ring();
    CHECK_EQUAL(pthread_create(&thread, NULL, write_when_there_is_space, writer), 0);
    WAIT_UNTIL(sys_test_calls(CALL_futex_wait) > 0);

    CHECK_EQUAL(drainer_start(writer), 0);

    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    log_flush(writer);
    CHECK_EQUAL(log_count(file_text("audit.log"),
                          "line behind the full ring, of some length as well"),
                1);
    CHECK(log_counter(writer, COUNTER_blocked_ns) > 0);
    log_close(writer);
}

static void
what_a_caller_was_told_is_counted_and_outlives_the_ring(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    writer_count_refused(writer);
    writer_count_refused(writer);
    writer_count_timeout(writer);
    CHECK_EQUAL(log_counter(writer, COUNTER_refused_records), 2);
    CHECK_EQUAL(log_counter(writer, COUNTER_block_timeouts), 1);
    log_close(writer);

    writer = log_open_default();
    CHECK_EQUAL(log_counter(writer, COUNTER_refused_records), 2);
    CHECK_EQUAL(log_counter(writer, COUNTER_block_timeouts), 1);
    log_close(writer);
}

static void
a_write_of_durability_sync_can_wait_for_the_disk(void)
{
    struct writer_options options = log_options();
    struct writer_ticket ticket;
    struct writer *writer;

    sys_test_reset();
    options.durability = DURABILITY_SYNC;
    writer = log_open(&options);

    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(writer_write(writer, "line one", 8, true, &ticket), 0);
        CHECK(writer_wait_durable(writer, &ticket, 10 * s));
        CHECK_EQUAL(file_size("audit.log"), (size_t)(i + 1) * 9);
        CHECK(sys_test_calls(CALL_fdatasync) > (uint32_t)i);
    }

    CHECK_EQUAL(log_counter(writer, COUNTER_syncs), 3);
    log_close(writer);
}

static void
the_strictest_opener_decides_what_is_synced(void)
{
    struct writer_options options = log_options();
    struct writer_ticket ticket;
    struct writer *writer, *second;

    sys_test_reset();
    writer = log_open(&options);
    options.durability = DURABILITY_SYNC;
    second = log_open(&options);
    CHECK(second == writer);

    CHECK_EQUAL(writer_write(writer, "line one", 8, true, &ticket), 0);
    CHECK(writer_wait_durable(writer, &ticket, 10 * s));

    CHECK_EQUAL(writer_close(second, 10 * s), 0);
    log_close(writer);
}

static void
a_sync_is_answered_when_all_is_on_the_disk(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 10 * s), 0);
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK_EQUAL(file_size("audit.log"), 9);

    /* A backup has no descriptor any more: then all of the file system is synced. */
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 10 * s), 0);
    CHECK_EQUAL(sys_test_calls(CALL_syncfs), 1);
    log_close(writer);
}

static void
the_settings_of_the_newest_opener_are_obeyed(void)
{
    struct writer_options options = log_options();
    struct control_settings now;
    struct writer *writer, *second;

    sys_test_reset();
    writer = log_open(&options);
    log_put(writer, "one");
    log_put(writer, "two");
    log_flush(writer);
    CHECK_EQUAL(log_files("audit.log"), 1);

    options.settings.max_bytes = 10;
    second = log_open(&options);
    log_put(writer, "three");
    log_put(writer, "four");
    log_flush(writer);

    CHECK_EQUAL(log_files("audit.log"), 3);
    writer_settings(writer, &now);
    CHECK_EQUAL(now.max_bytes, 10);
    CHECK_EQUAL(log_counter(writer, COUNTER_settings_changes), 1);
    CHECK_EQUAL(writer_close(second, 10 * s), 0);
    log_close(writer);
}

static void
settings_can_be_for_a_new_log_only(void)
{
    struct writer_options options = log_options();
    struct control_settings now;
    struct writer *writer, *second;

    sys_test_reset();
    options.settings.max_bytes = 10;
    options.adopt_settings = true;
    writer = log_open(&options);
    options.settings.max_bytes = 20;
    second = log_open(&options);
    writer_settings(second, &now);
    CHECK_EQUAL(now.max_bytes, 10);
    CHECK_EQUAL(writer_close(second, 10 * s), 0);
    log_close(writer);

    writer = log_open(&options);
    writer_settings(writer, &now);
    CHECK_EQUAL(now.max_bytes, 10);
    CHECK_EQUAL(log_counter(writer, COUNTER_settings_changes), 0);
    log_close(writer);
}

static void
lines_are_split_over_files_whole_and_in_order(void)
{
    struct writer_options options = log_options();
    struct writer *writer;
    char expected[4096] = {0}, text[32];

    sys_test_reset();
    options.settings.max_bytes = 50;
    writer = log_open(&options);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        log_put(writer, text);
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                 "line %s\n", text);
    }
    log_close(writer);

    CHECK_TEXT(log_text("audit.log"), expected);
    CHECK(log_files("audit.log") >= strlen(expected) / 50);
}

static void
a_record_above_max_bytes_is_alone_in_a_file_of_its_own(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    sys_test_reset();
    options.settings.max_bytes = 20;
    writer = log_open(&options);
    log_put(writer, "one");
    log_put(writer, "longer than twenty bytes");
    log_put(writer, "three");
    log_flush(writer);

    CHECK_EQUAL(log_files("audit.log"), 3);
    CHECK_TEXT(log_text("audit.log"),
               "line one\nline longer than twenty bytes\nline three\n");
    CHECK_TEXT(file_text("audit.log"), "line three\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_oversize_records), 1);
    log_close(writer);
}

static void
a_rotation_on_request_rotates_what_was_written_before(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);
    CHECK_EQUAL(file_size("audit.log"), 0);
    log_put(writer, "two");
    log_flush(writer);

    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_TEXT(log_text("audit.log"), "line one\nline two\n");
    log_close(writer);
}

static void
who_waits_for_a_rotation_is_told(void)
{
    struct writer *writer;
    uint32_t seen;

    sys_test_reset();
    writer = log_open_default();
    seen = writer_wait_rotation(writer, 0, 0);
    CHECK_EQUAL(writer_wait_rotation(writer, seen, 1 * ms), seen);

    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);
    CHECK(writer_wait_rotation(writer, seen, 10 * s) != seen);
    seen = writer_wait_rotation(writer, seen, 0);
    writer_wake_rotation(writer);
    CHECK(writer_wait_rotation(writer, seen, 10 * s) != seen);
    log_close(writer);
}

static void
a_rotation_that_fails_is_told_to_who_asked(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    log_flush(writer);
    sys_test_fail(CALL_rename_noreplace, EACCES, 1, 1);

    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), -EACCES);
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);

    CHECK_EQUAL(log_counter(writer, COUNTER_rotate_errors), 1);
    log_close(writer);
}

static void
reopening_follows_the_name(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    log_flush(writer);
    CHECK_EQUAL(rename("audit.log", "rotated.by.logrotate"), 0);

    CHECK_EQUAL(log_ask(writer, REQUEST_REOPEN, 10 * s), 0);
    CHECK_EQUAL(file_size("audit.log"), 0);
    log_put(writer, "two");
    log_flush(writer);

    CHECK_TEXT(file_text("rotated.by.logrotate"), "line one\n");
    CHECK_TEXT(file_text("audit.log"), "line two\n");
    log_close(writer);
}

/* Source: RotatingFileHandler.doRollover with backupCount 0. */
static void
the_stdlib_dialect_without_backups_only_reopens(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    sys_test_reset();
    options.settings.dialect = DIALECT_STDLIB;
    writer = log_open(&options);
    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 10 * s), 0);
    log_put(writer, "two");
    log_close(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
}

static void
backups_that_were_removed_unread_are_counted_and_told(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    writer_note_unread(writer, 2, 1000);
    log_put(writer, "one");
    writer_note_unread(writer, 1, 500);
    log_flush(writer);
    CHECK_EQUAL(log_counter(writer, COUNTER_unread_backups_removed), 3);
    log_close(writer);

    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "removed-unread", "count"), 3);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "removed-unread", "bytes"), 1500);
}

static void
one_process_at_a_time_has_the_mill(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();

    CHECK_EQUAL(writer_lock_mill(writer), 0);

    CHECK_EQUAL(writer_lock_mill(writer), 0);
    log_close(writer);
}

static void
what_a_full_disk_refused_is_written_by_the_next_opener(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    log_put(writer, "one");
    log_put(writer, "two");

    CHECK_EQUAL(writer_close(writer, 1 * ms), -EBUSY);
    CHECK_EQUAL(file_size("audit.log"), 0);
    sys_test_heal();
    log_close(log_open_default());

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
}

static void
a_disk_that_refuses_does_not_keep_the_log_from_opening(void)
{
    struct writer_stats stats;
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    sys_test_fail(CALL_writev, ENOSPC, 1, UINT32_MAX);
    log_put(writer, "one");
    CHECK_EQUAL(writer_close(writer, 1 * ms), -EBUSY);

    writer = log_open_default();
    log_put(writer, "two");
    writer_stats(writer, &stats);
    CHECK_EQUAL(stats.health, HEALTH_DISK_FULL);
    CHECK_EQUAL(stats.last_error, -ENOSPC);

    sys_test_heal();
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    log_close(writer);
}

RUN(TEST(what_was_written_is_in_the_file_after_a_flush),
    TEST(closing_flushes_and_leaves_only_lock_and_control_file),
    TEST(a_log_is_continued_and_its_counters_too),
    TEST(every_spelling_of_a_path_is_the_same_writer),
    TEST(the_group_shares_the_state_directory),
    TEST(a_path_that_is_no_file_s_is_refused),
    TEST(a_log_that_is_no_regular_file_is_refused),
    TEST(a_network_file_system_is_refused_unless_it_is_forced),
    TEST(a_state_directory_of_somebody_else_is_refused),
    TEST(a_planted_state_directory_is_refused),
    TEST(rings_stay_where_the_log_was_founded),
    TEST(an_opening_that_fails_leaves_the_log_to_others),
    TEST(a_record_above_the_limit_is_refused_whole), TEST(ring_bytes_are_rounded_up),
    TEST(who_waits_for_space_gets_it),
    TEST(what_a_caller_was_told_is_counted_and_outlives_the_ring),
    TEST(a_write_of_durability_sync_can_wait_for_the_disk),
    TEST(the_strictest_opener_decides_what_is_synced),
    TEST(a_sync_is_answered_when_all_is_on_the_disk),
    TEST(the_settings_of_the_newest_opener_are_obeyed),
    TEST(settings_can_be_for_a_new_log_only),
    TEST(lines_are_split_over_files_whole_and_in_order),
    TEST(a_record_above_max_bytes_is_alone_in_a_file_of_its_own),
    TEST(a_rotation_on_request_rotates_what_was_written_before),
    TEST(who_waits_for_a_rotation_is_told),
    TEST(a_rotation_that_fails_is_told_to_who_asked), TEST(reopening_follows_the_name),
    TEST(the_stdlib_dialect_without_backups_only_reopens),
    TEST(backups_that_were_removed_unread_are_counted_and_told),
    TEST(one_process_at_a_time_has_the_mill),
    TEST(what_a_full_disk_refused_is_written_by_the_next_opener),
    TEST(a_disk_that_refuses_does_not_keep_the_log_from_opening))

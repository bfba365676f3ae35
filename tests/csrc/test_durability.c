/* What is synced and when, and what follows when that fails. */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <string.h>

static const uint64_t s = 1000000000, ms = 1000000;

static struct writer *
open_with_interval(void)
{
    struct writer_options options = log_options();

    options.durability = DURABILITY_INTERVAL;
    options.settings.sync_interval_ns = 1 * s;
    return log_open_stepped(&options);
}

static void
what_was_written_is_synced_within_the_interval(void)
{
    struct writer *writer = open_with_interval();

    for (uint32_t i = 1; i <= 5; i++) {
        log_put(writer, "one");
        log_step(writer, 1100 * ms);
        CHECK_EQUAL(sys_test_calls(CALL_fdatasync), i);
    }
    CHECK_EQUAL(log_counter(writer, COUNTER_syncs), 5);
    log_close(writer);
}

static void
nothing_new_is_nothing_to_sync(void)
{
    struct writer *writer = open_with_interval();

    log_put(writer, "one");
    log_step(writer, 2 * s);
    log_step(writer, 60 * s);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    log_close(writer);
}

static void
what_is_left_is_synced_at_the_end(void)
{
    struct writer *writer = open_with_interval();

    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    log_flush(writer);
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    log_close(writer);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 2);
}

/* Which of the pages the kernel has dropped nobody knows: all since the last sync. */
static void
a_failed_sync_is_told_with_its_window_and_the_file_is_left(void)
{
    struct writer *writer = open_with_interval();
    char *text;

    log_put(writer, "one");
    log_step(writer, 2 * s);
    log_put(writer, "two is lost, maybe");
    log_put(writer, "three too");
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    log_step(writer, 3 * s);
    log_put(writer, "four");
    log_flush(writer);

    text = log_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, "sync-failed"), 1);
    CHECK_EQUAL(log_gap_sum(text, "sync-failed", "bytes"), 24 + 15);
    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_EQUAL(log_counter(writer, COUNTER_sync_errors), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_rotate_errors), 0);
    log_close(writer);
}

/* Where there are no backups a suspect file still gets out of the way, once. */
static void
a_failed_sync_without_backups_is_no_endless_loop(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    options.durability = DURABILITY_INTERVAL;
    options.settings.sync_interval_ns = 1 * s;
    options.settings.dialect = DIALECT_STDLIB;
    writer = log_open_stepped(&options);
    log_put(writer, "one");
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    log_step(writer, 10 * s);
    log_put(writer, "two");
    log_step(writer, 60 * s);

    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
    CHECK_TEXT(file_text("audit.log"), "line two\n");
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), "sync-failed"), 1);
    CHECK(sys_test_calls(CALL_fdatasync) < 10);
    log_close(writer);
}

static bool keeps_name;

static void
keep_its_name(enum test_point point)
{
    if (point == TEST_POINT_batch_synced && !keeps_name) {
        keeps_name = true;
        sys_test_fail(CALL_unlinkat, EBUSY, 1, UINT32_MAX);
    }
}

/* Something is mounted on it: it is told as suspect, and nobody waits for ever. */
static void
a_failed_sync_of_a_file_that_stays_is_tried_again(void)
{
    struct writer_options options = log_options();
    struct writer *writer;
    char *text;

    options.durability = DURABILITY_SYNC;
    writer = log_open_stepped(&options);
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    test_point_hook = keep_its_name;
    log_put(writer, "one");
    log_step(writer, 5 * s);
    CHECK(sys_test_failed() > 0);
    test_point_hook = NULL;
    log_put(writer, "two");
    log_flush(writer);

    text = log_text("audit.log");
    CHECK_EQUAL(log_count(text, "line one"), 1);
    CHECK_EQUAL(log_count(text, "line two"), 1);
    CHECK_EQUAL(log_gaps(text, "sync-failed"), 1);
    sys_test_heal();
    log_close(writer);
}

static void
a_sync_that_can_not_be_started_is_tried_at_the_next_interval(void)
{
    struct writer *writer = open_with_interval();

    sys_test_fail(CALL_thread_start, EAGAIN, 1, 1);
    log_put(writer, "one");
    log_step(writer, 3 * s);

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_sync_errors), 1);
    log_close(writer);
}

static struct writer *
open_with_sync(enum dialect dialect)
{
    struct writer_options options = log_options();

    options.durability = DURABILITY_SYNC;
    options.settings.dialect = dialect;
    return log_open_stepped(&options);
}

static struct writer_ticket
put_ticket(struct writer *writer, const char *line)
{
    struct writer_ticket ticket;

    CHECK_EQUAL(writer_write(writer, line, strlen(line), true, &ticket), 0);
    return ticket;
}

static bool
is_durable(struct writer *writer, const struct writer_ticket *ticket)
{
    return writer_wait_durable(writer, ticket, 0);
}

/* What a failed sync may have lost is written again, to a new file, from the ring. */
static void
check_failed_sync(enum dialect dialect, const char *gaps)
{
    struct writer *writer = open_with_sync(dialect);
    struct writer_ticket one, two;

    one = put_ticket(writer, "line one");
    log_step(writer, 100 * ms);
    CHECK(is_durable(writer, &one));

    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    two = put_ticket(writer, "line two");
    log_step(writer, 2 * s);

    CHECK(is_durable(writer, &two));
    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_count(file_text("audit.log"), "line two"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line one"), 0);
    CHECK_EQUAL(log_gaps(file_text(gaps), "sync-failed"), 1);
    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    log_close(writer);
}

static void
an_acknowledged_line_survives_a_failed_sync(void)
{
    check_failed_sync(DIALECT_LUMBERJACK, "audit.log");
    CHECK_EQUAL(log_count(log_text("audit.log"), "line one"), 1);
    CHECK_EQUAL(log_count(log_text("audit.log"), "line two"), 1);
}

static void
an_acknowledged_line_survives_a_failed_sync_without_backups_too(void)
{
    check_failed_sync(DIALECT_STDLIB, "audit.log.gaps");
    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
}

/* The sync fails, and then the file can't be left either. */
static _Atomic int renames_to_refuse;

static int
refuse_renames(int dir, const char *from, const char *to)
{
    if (renames_to_refuse > 0) {
        renames_to_refuse--;
        return -EACCES;
    }
    return sys_posix.rename_noreplace(dir, from, to);
}

static struct writer *
open_with_refused_renames(enum durability durability)
{
    static struct sys table;
    struct writer_options options = log_options();
    struct writer *writer = NULL;

    sys_test_reset();
    sys_test_stop_time();
    options.durability = durability;
    table = sys_test;
    table.rename_noreplace = refuse_renames;
    CHECK_EQUAL(writer_open(&writer, &table, &options), 0);
    log_put(writer, "zero");
    log_flush(writer);
    renames_to_refuse = 3;
    return writer;
}

static void
a_suspect_file_that_can_not_be_left_proves_nothing_by_another_sync(void)
{
    struct writer *writer = open_with_refused_renames(DURABILITY_SYNC);
    struct writer_ticket ticket;

    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    ticket = put_ticket(writer, "line one");

    while (renames_to_refuse > 0) {
        log_step(writer, 10 * ms);
        CHECK(!is_durable(writer, &ticket));
        CHECK(!sys_test_synced_after_failure());
    }
    log_step(writer, 2 * s);

    CHECK(is_durable(writer, &ticket));
    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_count(file_text("audit.log"), "line one"), 1);
    CHECK_EQUAL(log_gaps(log_text("audit.log"), "sync-failed"), 1);
    log_close(writer);
}

static void
a_suspect_file_that_can_not_be_left_is_not_synced_for_who_asks(void)
{
    struct writer *writer = open_with_refused_renames(DURABILITY_PROCESS);

    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), -EIO);
    while (renames_to_refuse > 0) {
        CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), -EACCES);
    }

    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), 0);

    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_files("audit.log"), 2);
    log_close(writer);
}

static void
the_file_after_a_suspect_one_keeps_to_its_limit(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    options.settings.max_bytes = 20;
    writer = log_open_stepped(&options);
    log_put(writer, "one");
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), -EIO);
    log_put(writer, "two");
    log_put(writer, "three");
    log_put(writer, "four");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line four\n");
    log_close(writer);
}

static void
a_file_whose_last_sync_failed_is_left_at_the_end(void)
{
    struct writer *writer = open_with_interval();

    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    log_flush(writer);
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    CHECK_EQUAL(writer_close(writer, 0), 0);

    log_close(log_open_default());

    CHECK(!sys_test_synced_after_failure());
    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line two"), 0);
    CHECK_EQUAL(log_gap_sum(file_text("audit.log"), "sync-failed", "bytes"), 9);
}

/* The first failure makes one more of them, the second does not. */
static void
backups_that_could_not_be_synced_are_synced_later(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);
    sys_test_fail(CALL_syncfs, EIO, 1, 2);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), -EIO);
    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), -EIO);

    CHECK_EQUAL(log_ask(writer, REQUEST_SYNC, 1 * s), 0);

    CHECK_EQUAL(sys_test_calls(CALL_syncfs), 3);
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 0);
    log_close(writer);
}

static unsigned
count_in_backups(const char *line)
{
    static const char *const names[] = {"audit.log", "audit.log.1", "audit.log.2",
                                        "audit.log.3"};
    unsigned count = 0;

    for (int i = 0; i < 4; i++) {
        count += file_exists(names[i]) ? log_count(file_text(names[i]), line) : 0;
    }
    return count;
}

/* Ten files' worth of trouble, and room for three backups. */
static void
check_backups_stay(enum durability durability)
{
    struct writer_options options = log_options();
    struct writer *writer;
    const char *gaps;
    uint64_t errors;

    options.durability = durability;
    options.settings.sync_interval_ns = 1 * s;
    options.settings.dialect = DIALECT_STDLIB;
    options.settings.max_backups = 3;
    options.settings.max_bytes = 1000;
    writer = log_open_stepped(&options);
    log_put(writer, "one");
    CHECK_EQUAL(log_ask(writer, REQUEST_ROTATE, 1 * s), 0);
    sys_test_fail(CALL_fdatasync, EIO, 1, UINT32_MAX);
    for (int i = 0; i < 10; i++) {
        log_put(writer, "two");
        log_step(writer, 5 * s);
    }
    errors = log_counter(writer, COUNTER_sync_errors);
    CHECK(errors >= 10);

    sys_test_heal();
    log_step(writer, 3 * s);

    CHECK_EQUAL(log_health(writer), HEALTH_OK);
    CHECK(!file_exists("audit.log.4"));
    CHECK(count_in_backups("line one") == 1 && count_in_backups("line two") == 10);
    gaps = file_text("audit.log.gaps");
    CHECK(log_gaps(gaps, NULL) <= 2);
    CHECK_EQUAL(log_gap_sum(gaps, "sync-failed", "count"), errors);
    log_close(writer);
}

static void
syncs_that_keep_failing_push_no_backup_out(void)
{
    check_backups_stay(DURABILITY_INTERVAL);
}

static void
batches_that_can_not_be_synced_push_no_backup_out(void)
{
    check_backups_stay(DURABILITY_SYNC);
}

RUN(TEST(what_was_written_is_synced_within_the_interval),
    TEST(nothing_new_is_nothing_to_sync), TEST(what_is_left_is_synced_at_the_end),
    TEST(a_failed_sync_is_told_with_its_window_and_the_file_is_left),
    TEST(a_failed_sync_without_backups_is_no_endless_loop),
    TEST(a_failed_sync_of_a_file_that_stays_is_tried_again),
    TEST(a_sync_that_can_not_be_started_is_tried_at_the_next_interval),
    TEST(an_acknowledged_line_survives_a_failed_sync),
    TEST(an_acknowledged_line_survives_a_failed_sync_without_backups_too),
    TEST(a_suspect_file_that_can_not_be_left_proves_nothing_by_another_sync),
    TEST(a_suspect_file_that_can_not_be_left_is_not_synced_for_who_asks),
    TEST(the_file_after_a_suspect_one_keeps_to_its_limit),
    TEST(a_file_whose_last_sync_failed_is_left_at_the_end),
    TEST(backups_that_could_not_be_synced_are_synced_later),
    TEST(syncs_that_keep_failing_push_no_backup_out),
    TEST(batches_that_can_not_be_synced_push_no_backup_out))

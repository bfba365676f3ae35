/* Names of backups, and the step that makes the live file one. */
#include "control.h"
#include "logfile.h"
#include "rotate.h"
#include "support.h"
#include "support_sys.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t moment_ms = 1795309323004; /* 2026-11-22T01:02:03.004Z */
static const int64_t year_ns = (int64_t)365 * 86400 * 1000000000;

static const char *
backup_name(const char *name)
{
    static char backup[ROTATE_NAME_SIZE];

    rotate_backup_name(name, moment_ms, backup);
    return backup;
}

/* Source: lumberjack 2.2.1, backupName; filepath.Ext begins at the last dot. */
static void
the_time_stands_between_stem_and_extension(void)
{
    CHECK_TEXT(backup_name("audit.log"), "audit-2026-11-22T01-02-03.004.log");
    CHECK_TEXT(backup_name("audit.v1.jsonl"), "audit.v1-2026-11-22T01-02-03.004.jsonl");
    CHECK_TEXT(backup_name("audit"), "audit-2026-11-22T01-02-03.004");
    CHECK_TEXT(backup_name(".hidden"), "-2026-11-22T01-02-03.004.hidden");
    CHECK_TEXT(backup_name("ends."), "ends-2026-11-22T01-02-03.004.");
}

static void
a_backup_of_the_log_is_recognised_however_compressed(void)
{
    static const char *const names[] = {"audit.log", "audit", ".hidden", "a.b.c"};
    static const char *const suffixes[] = {"", ".gz", ".zst", ".lz4", ".bz2", ".xz"};
    enum { SUFFIXES = sizeof(suffixes) / sizeof(suffixes[0]) };

    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < SUFFIXES; j++) {
            char candidate[ROTATE_NAME_SIZE + 8];
            snprintf(candidate, sizeof(candidate), "%s%s", backup_name(names[i]),
                     suffixes[j]);
            CHECK_EQUAL(rotate_backup_time(names[i], candidate), moment_ms);
        }
    }
}

static void
other_names_are_no_backups(void)
{
    static const char *const others[] = {
        "",
        "audit.log",
        "audit-.log",
        "audit-2026-11-22T01-02-03.004",
        "audit-2026-11-22T01-02-03.004.log.Z",
        "audit-2026-11-22T01-02-03.004.log.gz.tmp",
        "audit-2026-11-22T01-02-03.004.logs",
        "audit-2026-11-22T01-02-03.004.txt",
        "audit-2026-11-22T01-02-03.0045.log",
        "audit-2026-11-22T01:02:03.004.log",
        "audit-2026-02-30T01-02-03.004.log",
        "audit_2026-11-22T01-02-03.004.log",
        "other-2026-11-22T01-02-03.004.log",
        "xaudit-2026-11-22T01-02-03.004.log",
        ".audit-2026-11-22T01-02-03.004.log",
        "audit-2026-11-22T01-02-03.004.log/",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CHECK_EQUAL(rotate_backup_time("audit.log", others[i]), 0);
    }
    CHECK_EQUAL(rotate_backup_time("audit", "audit-2026-11-22T01-02-03.004.log"), 0);
}

static void
the_newest_backup_is_found_among_others(void)
{
    uint64_t newest = 7;

    sys_test_reset();
    CHECK_EQUAL(rotate_newest(&sys_test, AT_FDCWD, "audit.log", &newest), 0);
    CHECK_EQUAL(newest, 0);
    file_write("audit-2026-11-22T01-02-03.003.log", "");
    file_write("audit-2026-11-22T01-02-03.004.log.gz", "");
    file_write("audit-2025-11-22T01-02-03.004.log", "");
    file_write("other-2030-11-22T01-02-03.004.log", "");

    CHECK_EQUAL(rotate_newest(&sys_test, AT_FDCWD, "audit.log", &newest), 0);

    CHECK_EQUAL(newest, moment_ms);
    sys_test_fail(CALL_list, EIO, 1, 1);
    CHECK_EQUAL(rotate_newest(&sys_test, AT_FDCWD, "audit.log", &newest), -EIO);
}

static struct control control;
static struct logfile file;

static void
open_log(enum dialect dialect, uint64_t max_backups)
{
    struct control_settings settings = {.dialect = dialect,
                                        .max_backups = max_backups,
                                        .mode = 0600,
                                        .gid = (uint32_t)-1};

    sys_test_reset();
    sys_test_stop_time();
    CHECK_EQUAL(control_open_private(&control, &sys_test), 0);
    control_store_settings(&control, &settings);
    file = (struct logfile){
        .sys = &sys_test, .dir = AT_FDCWD, .name = "audit.log", .fd = -1};
    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), 0);
    control.shared->live_inode = file.inode;
}

static void
close_log(void)
{
    logfile_close(&file);
    control_close(&control);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
put(const char *text)
{
    CHECK_EQUAL(write(file.fd, text, strlen(text)), (ssize_t)strlen(text));
    file.size += strlen(text);
}

static void
rotate(void)
{
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    CHECK_EQUAL(rotate_reopen(&file, &control), 0);
}

/* The only name in the folder that is a backup newer than `after_ms`; its time. */
static uint64_t
next_backup(uint64_t after_ms, char name[ROTATE_NAME_SIZE])
{
    DIR *directory = opendir(".");
    struct dirent *entry;
    uint64_t found = 0;

    while ((entry = readdir(directory)) != NULL) {
        uint64_t ms = rotate_backup_time("audit.log", entry->d_name);
        if (ms > after_ms && (found == 0 || ms < found)) {
            found = ms;
            snprintf(name, ROTATE_NAME_SIZE, "%.300s", entry->d_name);
        }
    }
    closedir(directory);
    return found;
}

static void
the_live_file_becomes_a_backup_and_an_empty_one_takes_its_place(void)
{
    char backup[ROTATE_NAME_SIZE];
    uint64_t inode;
    struct stat status;

    open_log(DIALECT_LUMBERJACK, 0);
    put("line one\n");
    inode = file.inode;

    rotate();

    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK_EQUAL(next_backup(0, backup), sys_test.now_real() / 1000000U);
    CHECK_TEXT(file_text(backup), "line one\n");
    CHECK_EQUAL(stat(backup, &status), 0);
    CHECK_EQUAL(status.st_ino, inode);
    CHECK(file.inode != inode);
    CHECK_EQUAL(file.size, 0);
    CHECK_EQUAL(control.shared->live_inode, file.inode);
    CHECK_EQUAL(control_count(&control, COUNTER_rotations), 1);
    CHECK_EQUAL(control.shared->unsynced_rotation, 1);
    CHECK_EQUAL(control.shared->rotation_word, 1);
    close_log();
}

static void
the_new_file_has_the_rights_of_the_old_one(void)
{
    struct stat status;

    open_log(DIALECT_LUMBERJACK, 0);
    CHECK_EQUAL(fchmod(file.fd, 0644), 0);

    rotate();

    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0644);
    close_log();
}

static void
rotations_in_one_millisecond_all_keep_their_file(void)
{
    char backup[ROTATE_NAME_SIZE], expected[32];
    uint64_t ms = 0;

    open_log(DIALECT_LUMBERJACK, 0);
    for (int i = 0; i < 20; i++) {
        snprintf(expected, sizeof(expected), "line %d\n", i);
        put(expected);
        rotate();
    }

    for (int i = 0; i < 20; i++) {
        uint64_t next = next_backup(ms, backup);
        CHECK(next > ms);
        CHECK(ms == 0 || next == ms + 1);
        ms = next;
        snprintf(expected, sizeof(expected), "line %d\n", i);
        CHECK_TEXT(file_text(backup), expected);
    }
    CHECK_EQUAL(next_backup(ms, backup), 0);
    close_log();
}

/* Ten years back, ten years on, and back again: names go on rising. */
static void
names_rise_whatever_the_clock_does(void)
{
    static const int64_t jumps[] = {0, -10, 10, 20, -20, -10, 0};
    char backup[ROTATE_NAME_SIZE], expected[32];
    uint64_t ms = 0;

    open_log(DIALECT_LUMBERJACK, 0);
    for (int i = 0; i < 7; i++) {
        sys_test_shift_wall(jumps[i] * year_ns);
        snprintf(expected, sizeof(expected), "line %d\n", i);
        put(expected);
        rotate();
    }

    for (int i = 0; i < 7; i++) {
        ms = next_backup(ms, backup);
        snprintf(expected, sizeof(expected), "line %d\n", i);
        CHECK_TEXT(file_text(backup), expected);
    }
    CHECK_EQUAL(next_backup(ms, backup), 0);
    close_log();
}

/* After the last second of the year 9999 no name comes. */
static void
a_name_that_no_clock_told_is_not_followed(void)
{
    static const char last[] = "audit-9999-12-31T23-59-59.999.log";
    char backup[ROTATE_NAME_SIZE];
    uint64_t newest;

    open_log(DIALECT_LUMBERJACK, 0);
    file_write(last, "somebody's\n");
    CHECK_EQUAL(rotate_newest(&sys_test, AT_FDCWD, "audit.log", &newest), 0);
    CHECK_EQUAL(newest, 0);
    control.shared->last_backup_ms = rotate_backup_time("audit.log", last);
    for (int i = 0; i < 3; i++) {
        put("line\n");
        rotate();
    }

    newest = next_backup(0, backup);
    CHECK(newest >= sys_test.now_real() / 1000000U - 10);
    CHECK(newest <= sys_test.now_real() / 1000000U + 10);
    CHECK_TEXT(file_text(last), "somebody's\n");
    close_log();
}

static void
a_name_that_is_taken_is_never_overwritten(void)
{
    static const char *const suffixes[] = {"", ".gz", ".zst", ".lz4", ".bz2", ".xz"};
    enum { SUFFIXES = sizeof(suffixes) / sizeof(suffixes[0]) };
    char backup[ROTATE_NAME_SIZE], taken[ROTATE_NAME_SIZE + 8];
    uint64_t now_ms;

    open_log(DIALECT_LUMBERJACK, 0);
    now_ms = sys_test.now_real() / 1000000U;
    for (uint64_t i = 0; i < SUFFIXES; i++) {
        rotate_backup_name("audit.log", now_ms + i, backup);
        snprintf(taken, sizeof(taken), "%s%s", backup, suffixes[i]);
        file_write(taken, "of somebody else\n");
    }
    put("line one\n");

    rotate();

    rotate_backup_name("audit.log", now_ms + SUFFIXES, backup);
    CHECK_TEXT(file_text(backup), "line one\n");
    for (uint64_t i = 0; i < SUFFIXES; i++) {
        rotate_backup_name("audit.log", now_ms + i, backup);
        snprintf(taken, sizeof(taken), "%s%s", backup, suffixes[i]);
        CHECK_TEXT(file_text(taken), "of somebody else\n");
    }
    close_log();
}

static void
a_rename_that_fails_leaves_the_live_file_as_it_was(void)
{
    uint64_t inode;

    open_log(DIALECT_LUMBERJACK, 0);
    put("line one\n");
    inode = file.inode;
    sys_test_fail(CALL_rename_noreplace, EROFS, 1, 1);

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -EROFS);

    CHECK_EQUAL(control.shared->live_inode, inode);
    CHECK_EQUAL(control_count(&control, COUNTER_rotate_errors), 1);
    CHECK_EQUAL(control_count(&control, COUNTER_rotations), 0);
    put("line two\n");
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    close_log();
}

static void
a_file_that_was_taken_away_can_not_be_rotated(void)
{
    open_log(DIALECT_LUMBERJACK, 0);
    CHECK_EQUAL(unlink("audit.log"), 0);

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -ENOENT);
    CHECK_EQUAL(rotate_reopen(&file, &control), 0);

    CHECK_EQUAL(file_size("audit.log"), 0);
    close_log();
}

static void
a_live_file_that_somebody_made_meanwhile_is_used(void)
{
    open_log(DIALECT_LUMBERJACK, 0);
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    file_write("audit.log", "line of somebody\n");

    CHECK_EQUAL(rotate_reopen(&file, &control), 0);

    CHECK_EQUAL(file.size, 17);
    CHECK_EQUAL(control.shared->live_inode, file.inode);
    close_log();
}

static void
a_new_file_that_can_not_be_made_is_an_error(void)
{
    open_log(DIALECT_LUMBERJACK, 0);
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    sys_test_fail(CALL_openat, EMFILE, 1, 1);

    CHECK_EQUAL(rotate_reopen(&file, &control), -EMFILE);

    CHECK_EQUAL(file.fd, -1);
    CHECK_EQUAL(control.shared->live_inode, 0);
    close_log();
}

static void
rotate_with(const char *text)
{
    put(text);
    rotate();
}

static void
numbered_backups_move_up_and_the_oldest_goes(void)
{
    open_log(DIALECT_STDLIB, 3);
    rotate_with("1\n");
    rotate_with("2\n");
    rotate_with("3\n");
    rotate_with("4\n");

    CHECK_TEXT(file_text("audit.log.1"), "4\n");
    CHECK_TEXT(file_text("audit.log.2"), "3\n");
    CHECK_TEXT(file_text("audit.log.3"), "2\n");
    CHECK(!file_exists("audit.log.4"));
    CHECK_EQUAL(file_size("audit.log"), 0);
    close_log();
}

static void
compressed_backups_move_up_too(void)
{
    open_log(DIALECT_STDLIB, 6);
    file_write("audit.log.1", "1\n");
    file_write("audit.log.2.gz", "2\n");
    file_write("audit.log.3.zst", "3\n");
    file_write("audit.log.4.bz2", "4\n");
    file_write("audit.log.5.xz", "5\n");
    file_write("audit.log.6.lz4", "6\n");

    rotate_with("0\n");

    CHECK_TEXT(file_text("audit.log.1"), "0\n");
    CHECK_TEXT(file_text("audit.log.2"), "1\n");
    CHECK_TEXT(file_text("audit.log.3.gz"), "2\n");
    CHECK_TEXT(file_text("audit.log.4.zst"), "3\n");
    CHECK_TEXT(file_text("audit.log.5.bz2"), "4\n");
    CHECK_TEXT(file_text("audit.log.6.xz"), "5\n");
    CHECK(!file_exists("audit.log.6.lz4"));
    CHECK(!file_exists("audit.log.7.lz4"));
    rotate_with("6\n");
    CHECK_TEXT(file_text("audit.log.6.bz2"), "4\n");
    CHECK(!file_exists("audit.log.6.xz"));
    CHECK(!file_exists("audit.log.7.xz"));
    close_log();
}

static void
take_the_second_place(enum test_point point)
{
    if (point == TEST_POINT_rotate_shifted && !file_exists("audit.log.2")) {
        file_write("audit.log.2", "somebody's\n");
    }
}

static void
a_place_that_is_taken_meanwhile_is_left_to_who_took_it(void)
{
    open_log(DIALECT_STDLIB, 9);
    file_write("audit.log.1", "1\n");
    file_write("audit.log.2", "2\n");
    put("line one\n");
    test_point_hook = take_the_second_place;

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -EEXIST);

    test_point_hook = NULL;
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    CHECK_TEXT(file_text("audit.log.1"), "1\n");
    CHECK_TEXT(file_text("audit.log.2"), "somebody's\n");
    CHECK_TEXT(file_text("audit.log.3"), "2\n");
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    CHECK_TEXT(file_text("audit.log.2"), "1\n");
    CHECK_TEXT(file_text("audit.log.3"), "somebody's\n");
    close_log();
}

/* A leader that was killed when .2 had become .3 and .1 was still to become .2. */
static void
a_shift_that_was_cut_off_loses_nothing(void)
{
    open_log(DIALECT_STDLIB, 3);
    file_write("audit.log.1", "1\n");
    file_write("audit.log.3", "2\n");

    rotate_with("0\n");

    CHECK_TEXT(file_text("audit.log.1"), "0\n");
    CHECK_TEXT(file_text("audit.log.2"), "1\n");
    CHECK_TEXT(file_text("audit.log.3"), "2\n");
    close_log();
}

static void
without_backups_the_file_just_grows(void)
{
    open_log(DIALECT_STDLIB, 0);
    put("line one\n");

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -ENOTSUP);

    CHECK_EQUAL(control.shared->live_inode, file.inode);
    CHECK_EQUAL(control_count(&control, COUNTER_rotate_errors), 0);
    CHECK(!file_exists("audit.log.1"));
    close_log();
}

static void
a_file_that_must_be_left_gets_the_first_free_number(void)
{
    open_log(DIALECT_STDLIB, 0);
    file_write("audit.log.1.gz", "1\n");
    put("line one\n");

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, true), 0);
    CHECK_EQUAL(rotate_reopen(&file, &control), 0);

    CHECK_TEXT(file_text("audit.log.2"), "line one\n");
    CHECK_TEXT(file_text("audit.log.1.gz"), "1\n");
    close_log();
}

static void
a_mill_at_work_is_not_waited_for(void)
{
    int names;

    open_log(DIALECT_STDLIB, 3);
    put("line one\n");
    names = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_EQUAL(flock(names, LOCK_EX), 0);

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -EAGAIN);
    CHECK_TEXT(file_text("audit.log"), "line one\n");

    close(names);
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
    close_log();
}

static void
rotate_three_times(void)
{
    rotate_with("1\n");
    rotate_with("2\n");
    rotate_with("3\n");
}

static void
while_there_are_followers_nothing_is_pushed_out(void)
{
    open_log(DIALECT_STDLIB, 1);
    CHECK_EQUAL(mkdir("followers", 0700), 0);
    file_write("followers/siem", "{}\n");

    rotate_three_times();

    CHECK_TEXT(file_text("audit.log.3"), "1\n");
    CHECK_EQUAL(unlink("followers/siem"), 0);
    rotate_with("4\n");
    CHECK_TEXT(file_text("audit.log.1"), "4\n");
    CHECK_TEXT(file_text("audit.log.2"), "2\n"); /* the mill's to remove */
    close_log();
}

static void
what_a_killed_follower_left_half_made_is_no_follower(void)
{
    open_log(DIALECT_STDLIB, 1);
    CHECK_EQUAL(mkdir("followers", 0700), 0);
    file_write("followers/.siem.tmp", "{");

    rotate_three_times();

    CHECK_TEXT(file_text("audit.log.1"), "3\n");
    CHECK(!file_exists("audit.log.2"));
    close_log();
}

static void
nothing_is_pushed_out_when_nobody_can_tell_of_followers(void)
{
    open_log(DIALECT_STDLIB, 1);
    rotate_with("1\n");
    put("2\n");
    sys_test_fail(CALL_openat, EMFILE, 1, 1);

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);

    CHECK_TEXT(file_text("audit.log.1"), "2\n");
    CHECK_TEXT(file_text("audit.log.2"), "1\n");
    close_log();
}

static void
check_shift_fails(enum sys_call call, uint32_t number)
{
    open_log(DIALECT_STDLIB, 2);
    file_write("audit.log.1", "1\n");
    file_write("audit.log.2", "2\n");
    put("line one\n");
    sys_test_fail(call, EACCES, number, 1);

    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), -EACCES);

    CHECK_TEXT(file_text("audit.log"), "line one\n");
    sys_test_heal();
    CHECK_EQUAL(rotate_away(&file, &control, AT_FDCWD, false), 0);
    CHECK_TEXT(file_text("audit.log.1"), "line one\n");
    CHECK_TEXT(file_text("audit.log.2"), "1\n");
    close_log();
}

static void
a_shift_that_fails_is_done_by_the_next_rotation(void)
{
    check_shift_fails(CALL_openat, 2); /* the first one is for the followers */
    check_shift_fails(CALL_flock, 1);
    check_shift_fails(CALL_unlinkat, 1);
    check_shift_fails(CALL_rename_noreplace, 1); /* of .1, in its four forms */
    check_shift_fails(CALL_rename_noreplace, 5);
}

RUN(TEST(the_time_stands_between_stem_and_extension),
    TEST(a_backup_of_the_log_is_recognised_however_compressed),
    TEST(other_names_are_no_backups), TEST(the_newest_backup_is_found_among_others),
    TEST(the_live_file_becomes_a_backup_and_an_empty_one_takes_its_place),
    TEST(the_new_file_has_the_rights_of_the_old_one),
    TEST(rotations_in_one_millisecond_all_keep_their_file),
    TEST(names_rise_whatever_the_clock_does),
    TEST(a_name_that_no_clock_told_is_not_followed),
    TEST(a_name_that_is_taken_is_never_overwritten),
    TEST(a_rename_that_fails_leaves_the_live_file_as_it_was),
    TEST(a_file_that_was_taken_away_can_not_be_rotated),
    TEST(a_live_file_that_somebody_made_meanwhile_is_used),
    TEST(a_new_file_that_can_not_be_made_is_an_error),
    TEST(numbered_backups_move_up_and_the_oldest_goes),
    TEST(compressed_backups_move_up_too),
    TEST(a_place_that_is_taken_meanwhile_is_left_to_who_took_it),
    TEST(a_shift_that_was_cut_off_loses_nothing),
    TEST(without_backups_the_file_just_grows),
    TEST(a_file_that_must_be_left_gets_the_first_free_number),
    TEST(a_mill_at_work_is_not_waited_for),
    TEST(while_there_are_followers_nothing_is_pushed_out),
    TEST(what_a_killed_follower_left_half_made_is_no_follower),
    TEST(nothing_is_pushed_out_when_nobody_can_tell_of_followers),
    TEST(a_shift_that_fails_is_done_by_the_next_rotation))

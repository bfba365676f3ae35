/* The live file: its rights, what is refused, appending, noticing who meddles. */
#include "logfile.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct logfile
new_logfile(void)
{
    sys_test_reset();
    return (struct logfile){
        .sys = &sys_test, .dir = AT_FDCWD, .name = "audit.log", .fd = -1};
}

static struct logfile
opened(void)
{
    struct logfile file = new_logfile();

    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), 0);
    return file;
}

/* Appends the texts as parts; tells the error and what got there. */
static int
append_parts(struct logfile *file, const char *const *texts, uint32_t count,
             uint64_t *written, uint64_t *short_writes)
{
    struct iovec *part = test_memory(count * sizeof(*part));
    struct logfile_parts parts = {.next = part, .count = count};

    for (uint32_t i = 0; i < count; i++) {
        part[i].iov_base = (void *)(uintptr_t)texts[i];
        part[i].iov_len = strlen(texts[i]);
    }
    *written = *short_writes = 0;
    return logfile_append(file, &parts, written, short_writes);
}

static int
append(struct logfile *file, const char *text)
{
    uint64_t written, short_writes;
    int error = append_parts(file, &text, 1, &written, &short_writes);

    CHECK(error < 0 || written == strlen(text));
    return error;
}

static enum logfile_change
look(struct logfile *file)
{
    struct logfile_look look;

    CHECK_EQUAL(logfile_look(file, &look), 0);
    return look.change;
}

static void
a_new_file_has_the_mode_asked_for_whatever_the_umask(void)
{
    mode_t before = umask(0777);
    struct logfile file = new_logfile();
    struct stat status;

    CHECK_EQUAL(logfile_open(&file, 0640, (gid_t)-1), 0);
    umask(before);

    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0640);
    CHECK(!file.is_adopted);
    CHECK_EQUAL(file.size, 0);
    logfile_close(&file);
    logfile_close(&file);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
a_new_file_gets_the_group(void)
{
    struct logfile file = new_logfile();
    struct stat status;

    if (geteuid() != 0) {
        test_skip("needs root");
    }
    CHECK_EQUAL(logfile_open(&file, 0660, 4242), 0);

    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_gid, 4242);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    logfile_close(&file);
}

static void
a_file_that_is_there_is_appended_to_and_keeps_its_rights(void)
{
    struct logfile file = new_logfile();
    struct stat status;

    file_write("audit.log", "line before\n");
    CHECK_EQUAL(chmod("audit.log", 0604), 0);

    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), 0);
    CHECK(file.is_adopted);
    CHECK_EQUAL(append(&file, "line after\n"), 0);

    CHECK(!file.is_adopted);
    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0604);
    logfile_close(&file);
}

static void
only_what_is_there_is_opened_when_nothing_may_be_made(void)
{
    struct logfile file = new_logfile();

    CHECK_EQUAL(logfile_open_existing(&file), -ENOENT);
    CHECK(!file_exists("audit.log"));
}

static void
a_file_made_after_a_rotation_is_like_the_one_before(void)
{
    struct logfile file = new_logfile();
    struct stat before = {.st_mode = S_IFREG | 0624}, status;

    before.st_uid = geteuid() == 0 ? 4343 : geteuid();
    before.st_gid = geteuid() == 0 ? 4242 : getegid();
    CHECK_EQUAL(logfile_create(&file, &before, 0600, (gid_t)-1), 0);

    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0624);
    CHECK_EQUAL(status.st_uid, before.st_uid);
    CHECK_EQUAL(status.st_gid, before.st_gid);
    logfile_close(&file);
}

static void
a_file_that_somebody_made_first_is_not_created(void)
{
    struct logfile file = new_logfile();

    file_write("audit.log", "line of somebody\n");

    CHECK_EQUAL(logfile_create(&file, NULL, 0600, (gid_t)-1), -EEXIST);
    CHECK_TEXT(file_text("audit.log"), "line of somebody\n");
}

static void
check_refused(int error)
{
    struct logfile file = new_logfile();

    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), error);
    CHECK_EQUAL(file.fd, -1);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
what_is_no_regular_file_is_refused(void)
{
    CHECK_EQUAL(symlink("elsewhere", "audit.log"), 0);
    check_refused(-ELOOP);
    CHECK(!file_exists("elsewhere"));
    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(mkfifo("audit.log", 0600), 0);
    check_refused(-EINVAL);
    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(mkdir("audit.log", 0700), 0);
    check_refused(-EISDIR);
}

static void
somebody_else_s_file_under_a_second_name_is_refused(void)
{
    if (geteuid() != 0) {
        test_skip("needs root");
    }
    file_write("precious", "his\n");
    CHECK_EQUAL(chown("precious", 4343, (gid_t)-1), 0);
    CHECK_EQUAL(link("precious", "audit.log"), 0);

    check_refused(-EMLINK);

    CHECK_TEXT(file_text("precious"), "his\n");
}

static void
an_opening_that_fails_keeps_nothing_open(void)
{
    static const enum sys_call calls[] = {CALL_openat, CALL_fchmod, CALL_fchown,
                                          CALL_fstat};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct logfile file = new_logfile();

        unlink("audit.log");
        sys_test_fail(calls[i], EMFILE, 1, 1);
        CHECK_EQUAL(logfile_open(&file, 0600, getgid()), -EMFILE);
        CHECK_EQUAL(sys_test_descriptors(), 0);
    }
}

/* Else the next opening would find a file with other rights and keep them. */
static void
a_file_whose_rights_could_not_be_set_is_not_left_behind(void)
{
    struct logfile file = new_logfile();
    struct stat status;

    sys_test_fail(CALL_fchmod, EIO, 1, 1);
    CHECK_EQUAL(logfile_open(&file, 0640, (gid_t)-1), -EIO);
    CHECK_EQUAL(logfile_open(&file, 0640, (gid_t)-1), 0);

    CHECK_EQUAL(stat("audit.log", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0640);
    logfile_close(&file);
}

static const char *const three[] = {"line one\n", "line two, a bit longer\n",
                                    "line three\n"};
static const char three_text[] = "line one\nline two, a bit longer\nline three\n";

static void
parts_are_appended_in_order_with_one_call(void)
{
    struct logfile file = opened();
    uint64_t written, short_writes;

    CHECK_EQUAL(append_parts(&file, three, 3, &written, &short_writes), 0);

    CHECK_TEXT(file_text("audit.log"), three_text);
    CHECK_EQUAL(written, strlen(three_text));
    CHECK_EQUAL(file.size, strlen(three_text));
    CHECK_EQUAL(short_writes, 0);
    CHECK_EQUAL(sys_test_calls(CALL_writev), 1);
    logfile_close(&file);
}

static void
a_short_write_is_continued_wherever_it_ended(void)
{
    for (size_t cut = 1; cut < strlen(three_text); cut++) {
        struct logfile file = opened();
        uint64_t written, short_writes;

        sys_test_cut_write(cut);
        CHECK_EQUAL(append_parts(&file, three, 3, &written, &short_writes), 0);

        CHECK_TEXT(file_text("audit.log"), three_text);
        CHECK_EQUAL(written, strlen(three_text));
        CHECK_EQUAL(short_writes, 1);
        logfile_close(&file);
        CHECK_EQUAL(unlink("audit.log"), 0);
    }
}

static void
a_failed_append_is_continued_by_the_next_one(void)
{
    for (size_t cut = 1; cut < strlen(three_text); cut++) {
        struct logfile file = opened();
        struct iovec part[3];
        struct logfile_parts parts = {.next = part, .count = 3};
        uint64_t written = 0, short_writes = 0;

        for (int i = 0; i < 3; i++) {
            part[i].iov_base = (void *)(uintptr_t)three[i];
            part[i].iov_len = strlen(three[i]);
        }
        sys_test_cut_write(cut);
        sys_test_fail(CALL_writev, ENOSPC, 2, 1);

        CHECK_EQUAL(logfile_append(&file, &parts, &written, &short_writes), -ENOSPC);
        CHECK_EQUAL(written, cut);
        CHECK_EQUAL(file.size, cut);
        CHECK_EQUAL(logfile_append(&file, &parts, &written, &short_writes), 0);

        CHECK_TEXT(file_text("audit.log"), three_text);
        CHECK_EQUAL(written, strlen(three_text));
        logfile_close(&file);
        CHECK_EQUAL(unlink("audit.log"), 0);
    }
}

static void
an_interrupted_write_is_made_again(void)
{
    struct logfile file = opened();

    sys_test_fail(CALL_writev, EINTR, 1, 5);

    CHECK_EQUAL(append(&file, "line one\n"), 0);

    CHECK_TEXT(file_text("audit.log"), "line one\n");
    logfile_close(&file);
}

static void
a_write_that_takes_nothing_is_an_error(void)
{
    struct logfile file = opened();

    sys_test_cut_write(0);

    CHECK_EQUAL(append(&file, "line one\n"), -EIO);
    logfile_close(&file);
}

static void
an_unfinished_last_line_is_ended(void)
{
    struct logfile file = new_logfile();

    file_write("audit.log", "line one\nline tw");
    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), 0);

    CHECK_EQUAL(logfile_complete_last_line(&file), 1);
    CHECK_EQUAL(logfile_complete_last_line(&file), 0);

    CHECK_TEXT(file_text("audit.log"), "line one\nline tw\n");
    logfile_close(&file);
}

static void
a_file_that_ends_well_or_is_empty_is_left_alone(void)
{
    struct logfile file = opened();

    CHECK_EQUAL(logfile_complete_last_line(&file), 0);
    CHECK_EQUAL(append(&file, "line one\n"), 0);
    CHECK_EQUAL(logfile_complete_last_line(&file), 0);

    CHECK_TEXT(file_text("audit.log"), "line one\n");
    logfile_close(&file);
}

static void
a_last_line_that_can_not_be_read_or_ended_is_an_error(void)
{
    struct logfile file = new_logfile();

    file_write("audit.log", "line o");
    CHECK_EQUAL(logfile_open(&file, 0600, (gid_t)-1), 0);

    sys_test_fail(CALL_pread, EIO, 1, 1);
    CHECK_EQUAL(logfile_complete_last_line(&file), -EIO);
    sys_test_fail(CALL_writev, ENOSPC, 1, 1);
    CHECK_EQUAL(logfile_complete_last_line(&file), -ENOSPC);

    CHECK_EQUAL(logfile_complete_last_line(&file), 1);
    logfile_close(&file);
}

static void
a_file_nobody_touched_is_the_same(void)
{
    struct logfile file = opened();

    CHECK_EQUAL(append(&file, "line one\n"), 0);

    CHECK_EQUAL(look(&file), LOGFILE_SAME);
    logfile_close(&file);
}

static void
bytes_of_somebody_else_are_seen(void)
{
    struct logfile file = opened();
    struct logfile_look seen;

    CHECK_EQUAL(append(&file, "line one\n"), 0);
    file_write("audit.log", "line one\nline of another\n");

    CHECK_EQUAL(logfile_look(&file, &seen), 0);
    CHECK_EQUAL(seen.change, LOGFILE_GREW);
    CHECK_EQUAL(seen.size_now, 25);
    logfile_close(&file);
}

static void
a_cut_is_seen(void)
{
    struct logfile file = opened();
    struct logfile_look seen;

    CHECK_EQUAL(append(&file, "line one\n"), 0);
    CHECK_EQUAL(truncate("audit.log", 3), 0);

    CHECK_EQUAL(logfile_look(&file, &seen), 0);
    CHECK_EQUAL(seen.change, LOGFILE_CUT);
    CHECK_EQUAL(seen.size_now, 3);
    logfile_close(&file);
}

static void
a_renamed_or_replaced_file_has_moved(void)
{
    struct logfile file = opened();

    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);
    CHECK_EQUAL(look(&file), LOGFILE_MOVED);
    file_write("audit.log", "another\n");
    CHECK_EQUAL(look(&file), LOGFILE_MOVED);
    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(symlink("audit.log.1", "audit.log"), 0);
    CHECK_EQUAL(look(&file), LOGFILE_MOVED);
    logfile_close(&file);
}

static void
a_file_without_a_name_is_unlinked(void)
{
    struct logfile file = opened();

    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(look(&file), LOGFILE_UNLINKED);
    file_write("audit.log", "another\n");
    CHECK_EQUAL(look(&file), LOGFILE_UNLINKED);
    logfile_close(&file);
}

static int
stat_as_it_goes(int dir, const char *path, struct stat *out)
{
    CHECK_EQUAL(unlink(path), 0);
    return sys_test.fstatat(dir, path, out);
}

/* Between the looks at the descriptor and at the name. */
static void
a_file_that_loses_its_name_meanwhile_is_unlinked(void)
{
    struct logfile file = opened();
    struct sys meddled = sys_test;

    meddled.fstatat = stat_as_it_goes;
    file.sys = &meddled;
    CHECK_EQUAL(look(&file), LOGFILE_UNLINKED);
    logfile_close(&file);
}

static void
a_descriptor_that_was_closed_or_given_away_is_lost(void)
{
    struct logfile file = opened();
    int other;

    close(file.fd);
    CHECK_EQUAL(look(&file), LOGFILE_LOST);
    other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQUAL(other, file.fd);
    CHECK_EQUAL(look(&file), LOGFILE_LOST);
    close(other);
}

static void
a_look_that_fails_is_an_error(void)
{
    struct logfile file = opened();
    struct logfile_look seen;

    sys_test_fail(CALL_fstat, EIO, 1, 1);
    CHECK_EQUAL(logfile_look(&file, &seen), -EIO);
    sys_test_fail(CALL_fstatat, EACCES, 1, 1);
    CHECK_EQUAL(logfile_look(&file, &seen), -EACCES);
    logfile_close(&file);
}

static void
a_stream_is_written_to_and_not_closed(void)
{
    struct logfile file;
    char got[64] = {0};
    int ends[2];

    sys_test_reset();
    CHECK_EQUAL(pipe(ends), 0);
    logfile_adopt_stream(&file, &sys_test, ends[1]);

    CHECK_EQUAL(append(&file, "line one\n"), 0);
    CHECK_EQUAL(look(&file), LOGFILE_SAME);
    CHECK_EQUAL(logfile_complete_last_line(&file), 0);
    logfile_close(&file);

    CHECK_EQUAL(read(ends[0], got, sizeof(got)), 9);
    CHECK_TEXT(got, "line one\n");
    CHECK_EQUAL(write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
}

/* The thread that drains must not be caught in a blocking write. */
static void
a_full_pipe_is_not_waited_for(void)
{
    struct logfile file;
    char *text = test_memory(256 * 1024);
    int ends[2];

    sys_test_reset();
    sys_test_stop_time();
    CHECK_EQUAL(pipe(ends), 0);
    logfile_adopt_stream(&file, &sys_test, ends[1]);
    memset(text, 'x', 256 * 1024 - 1);

    CHECK_EQUAL(append(&file, text), -EAGAIN);

    CHECK(file.size > PIPE_BUF);
    CHECK(file.size < 256 * 1024);
    close(ends[0]);
    close(ends[1]);
}

static void
a_stream_that_can_not_be_asked_is_an_error(void)
{
    struct logfile file;
    int ends[2];

    sys_test_reset();
    CHECK_EQUAL(pipe(ends), 0);
    logfile_adopt_stream(&file, &sys_test, ends[1]);

    sys_test_fail(CALL_poll_writable, ENOMEM, 1, 1);
    CHECK_EQUAL(append(&file, "line one\n"), -ENOMEM);
    sys_test_fail(CALL_poll_writable, EINTR, 1, 1);
    CHECK_EQUAL(append(&file, "line one\n"), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

static void
a_stream_into_a_file_is_written_like_one(void)
{
    struct logfile file;
    int fd;

    sys_test_reset();
    fd = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    logfile_adopt_stream(&file, &sys_test, fd);

    CHECK_EQUAL(append(&file, "line one\n"), 0);

    CHECK_EQUAL(sys_test_calls(CALL_poll_writable), 0);
    CHECK_TEXT(file_text("out"), "line one\n");
    close(fd);
}

/* What was asked of the file system, which takes it for granted. */
static struct {
    int64_t type;
    int error;
    int calls;
    uint64_t from;
    uint64_t to;
} disk;

static int64_t
type_of_disk(int fd)
{
    (void)fd;
    return disk.type;
}

static int
reserve_on_disk(int fd, uint64_t offset, uint64_t size)
{
    (void)fd;
    disk.calls++;
    disk.from = offset;
    disk.to = offset + size;
    return disk.error;
}

static struct logfile
opened_on(int64_t type, int error)
{
    static struct sys table;
    struct logfile file = opened();

    disk.type = type;
    disk.error = error;
    disk.calls = 0;
    table = sys_test;
    table.fs_type = type_of_disk;
    table.reserve = reserve_on_disk;
    file.sys = &table;
    return file;
}

static void
a_busy_file_on_ext4_has_blocks_ahead_of_it(void)
{
    struct logfile file = opened_on(EXT4_SUPER_MAGIC, 0);

    file.size = 10;
    logfile_reserve(&file, 1 << 20, 0);
    CHECK_EQUAL(disk.from, 10);
    CHECK_EQUAL(disk.to, (8 << 20) + 10);

    file.size = disk.to - (1 << 20);
    logfile_reserve(&file, 1 << 20, 0);
    CHECK_EQUAL(disk.calls, 1);
    file.size = disk.to;
    logfile_reserve(&file, 1 << 20, 0);
    CHECK_EQUAL(disk.calls, 2);
    CHECK_EQUAL(disk.from, file.size);
    logfile_close(&file);
}

static void
no_more_is_reserved_than_the_file_may_grow(void)
{
    struct logfile file = opened_on(EXT4_SUPER_MAGIC, 0);

    logfile_reserve(&file, 1 << 20, 3 << 20);
    CHECK_EQUAL(disk.to, 3 << 20);
    file.size = 3 << 20;
    logfile_reserve(&file, 1 << 20, 3 << 20);
    CHECK_EQUAL(disk.calls, 1);
    logfile_close(&file);
}

static void
a_file_that_is_not_busy_reserves_nothing(void)
{
    struct logfile file = opened_on(EXT4_SUPER_MAGIC, 0);

    logfile_reserve(&file, 200 * 1024, 0);
    CHECK_EQUAL(disk.calls, 0);
    logfile_close(&file);
}

static void
other_file_systems_look_ahead_on_their_own(void)
{
    struct logfile file = opened_on(XFS_SUPER_MAGIC, 0);

    logfile_reserve(&file, 1 << 20, 0);
    CHECK_EQUAL(disk.calls, 0);
    logfile_close(&file);
}

static void
a_disk_that_reserves_nothing_is_not_asked_again(void)
{
    struct logfile file = opened_on(EXT4_SUPER_MAGIC, -ENOSPC);

    logfile_reserve(&file, 1 << 20, 0);
    file.size = 64 << 20;
    logfile_reserve(&file, 1 << 20, 0);
    CHECK_EQUAL(disk.calls, 1);
    logfile_close(&file);
}

static void
what_is_reserved_is_not_seen_in_the_size(void)
{
    struct logfile file = opened();

    CHECK_EQUAL(append(&file, "line one\n"), 0);
    logfile_reserve(&file, 1 << 20, 0);

    CHECK_EQUAL(look(&file), LOGFILE_SAME);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    logfile_close(&file);
}

RUN(TEST(a_new_file_has_the_mode_asked_for_whatever_the_umask),
    TEST(a_new_file_gets_the_group),
    TEST(a_file_that_is_there_is_appended_to_and_keeps_its_rights),
    TEST(only_what_is_there_is_opened_when_nothing_may_be_made),
    TEST(a_file_made_after_a_rotation_is_like_the_one_before),
    TEST(a_file_that_somebody_made_first_is_not_created),
    TEST(what_is_no_regular_file_is_refused),
    TEST(somebody_else_s_file_under_a_second_name_is_refused),
    TEST(an_opening_that_fails_keeps_nothing_open),
    TEST(a_file_whose_rights_could_not_be_set_is_not_left_behind),
    TEST(parts_are_appended_in_order_with_one_call),
    TEST(a_short_write_is_continued_wherever_it_ended),
    TEST(a_failed_append_is_continued_by_the_next_one),
    TEST(an_interrupted_write_is_made_again),
    TEST(a_write_that_takes_nothing_is_an_error),
    TEST(an_unfinished_last_line_is_ended),
    TEST(a_file_that_ends_well_or_is_empty_is_left_alone),
    TEST(a_last_line_that_can_not_be_read_or_ended_is_an_error),
    TEST(a_file_nobody_touched_is_the_same), TEST(bytes_of_somebody_else_are_seen),
    TEST(a_cut_is_seen), TEST(a_renamed_or_replaced_file_has_moved),
    TEST(a_file_without_a_name_is_unlinked),
    TEST(a_file_that_loses_its_name_meanwhile_is_unlinked),
    TEST(a_descriptor_that_was_closed_or_given_away_is_lost),
    TEST(a_look_that_fails_is_an_error), TEST(a_stream_is_written_to_and_not_closed),
    TEST(a_full_pipe_is_not_waited_for),
    TEST(a_stream_that_can_not_be_asked_is_an_error),
    TEST(a_stream_into_a_file_is_written_like_one),
    TEST(a_busy_file_on_ext4_has_blocks_ahead_of_it),
    TEST(no_more_is_reserved_than_the_file_may_grow),
    TEST(a_file_that_is_not_busy_reserves_nothing),
    TEST(other_file_systems_look_ahead_on_their_own),
    TEST(a_disk_that_reserves_nothing_is_not_asked_again),
    TEST(what_is_reserved_is_not_seen_in_the_size))

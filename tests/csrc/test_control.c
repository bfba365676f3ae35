/* The control file: founded once, refused when it is not ours, read while written. */
#include "control.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
open_control(struct control *control)
{
    return control_open(control, &sys_test, AT_FDCWD, "", 0600, (gid_t)-1);
}

static void
found(struct control *control)
{
    sys_test_reset();
    CHECK_EQUAL(open_control(control), 0);
}

static void
open_private(struct control *control)
{
    sys_test_reset();
    CHECK_EQUAL(control_open_private(control, &sys_test), 0);
}

static void
the_first_opener_founds_and_the_second_finds(void)
{
    struct control first, second;

    found(&first);
    CHECK(first.is_new);
    control_add(&first, COUNTER_records_written, 3);

    CHECK_EQUAL(open_control(&second), 0);

    CHECK(!second.is_new);
    CHECK(!second.rebooted);
    CHECK_EQUAL(control_count(&second, COUNTER_records_written), 3);
    control_close(&first);
    control_close(&second);
    control_close(&second);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
the_file_has_its_mode_and_all_of_its_room(void)
{
    struct control control;
    struct stat status;
    mode_t before = umask(0777);

    sys_test_reset();
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0660, getgid()), 0);
    umask(before);

    CHECK_EQUAL(stat("ctl", &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    CHECK_EQUAL(status.st_size, sizeof(struct control_shared));
    CHECK(status.st_blocks * 512 >= (int64_t)sizeof(struct control_shared));
    CHECK(!file_exists("ctl.tmp"));
    control_close(&control);
}

static void
a_founding_that_was_cut_off_is_done_again(void)
{
    struct control control;

    file_write("ctl.tmp", "half of it");
    found(&control);

    CHECK(control.is_new);
    CHECK(!file_exists("ctl.tmp"));
    CHECK_EQUAL(control_count(&control, COUNTER_records_written), 0);
    control_close(&control);
}

static void
a_founding_that_fails_leaves_nothing_behind(void)
{
    static const enum sys_call calls[] = {CALL_openat, CALL_pread,     CALL_fchmod,
                                          CALL_fchown, CALL_fallocate, CALL_mmap_shared,
                                          CALL_rename};
    struct control control;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        sys_test_reset();
        sys_test_fail(calls[i], ENOSPC, 1, 9);

        CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0600, getgid()),
                    -ENOSPC);

        CHECK(!file_exists("ctl"));
        CHECK(!file_exists("ctl.tmp"));
        CHECK_EQUAL(sys_test_descriptors(), 0);
    }
}

static void
a_private_block_leaves_no_file(void)
{
    struct control control;

    open_private(&control);

    CHECK(control.is_new);
    CHECK(!file_exists("ctl"));
    control_close(&control);
}

static void
change_file(size_t offset, uint64_t value, size_t size)
{
    int fd = open("ctl", O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQUAL(pwrite(fd, &value, size, (off_t)offset), (ssize_t)size);
    close(fd);
}

static void
new_file(void)
{
    struct control control;

    unlink("ctl");
    found(&control);
    control_close(&control);
}

static void
check_refused(int error)
{
    struct control control;

    CHECK_EQUAL(open_control(&control), error);
    CHECK(control.shared == NULL);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

/* The log has to go on: what can't be used is put aside, and a new one is founded. */
static void
check_replaced(void)
{
    struct control control;

    unlink("ctl.unusable");
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(control.is_new);
    CHECK(control.is_replaced);
    CHECK(!control.rebooted);
    CHECK(file_exists("ctl.unusable"));
    control_close(&control);
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(!control.is_new);
    CHECK(!control.is_replaced);
    control_close(&control);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
a_file_of_another_kind_or_version_is_put_aside(void)
{
    new_file();
    change_file(offsetof(struct control_shared, magic), 42, 8);
    check_replaced();
    change_file(offsetof(struct control_shared, version), CONTROL_VERSION + 1, 4);
    check_replaced();
    change_file(offsetof(struct control_shared, slot_count), CONTROL_SLOTS - 1, 4);
    check_replaced();
    CHECK_EQUAL(truncate("ctl", sizeof(struct control_shared) + 4096), 0);
    check_replaced();
    CHECK_EQUAL(truncate("ctl", sizeof(struct control_shared) - 1), 0);
    check_replaced();
}

static void
what_is_no_file_of_ours_is_never_written_to(void)
{
    static const char text[] = "somebody's";

    sys_test_reset();
    file_write("precious", text);
    CHECK_EQUAL(link("precious", "ctl"), 0);
    check_replaced();
    CHECK_TEXT(file_text("precious"), text);

    CHECK_EQUAL(unlink("ctl"), 0);
    CHECK_EQUAL(mkfifo("ctl", 0600), 0);
    check_replaced();

    CHECK_EQUAL(unlink("ctl"), 0);
    CHECK_EQUAL(symlink("precious", "ctl"), 0);
    check_refused(-ELOOP);
    CHECK_TEXT(file_text("precious"), text);
}

static void
a_file_that_can_not_be_put_aside_is_refused(void)
{
    new_file();
    change_file(offsetof(struct control_shared, magic), 42, 8);
    sys_test_fail(CALL_rename, EROFS, 1, 1);

    check_refused(-EROFS);
}

static void
another_place_for_the_rings_is_refused(void)
{
    static char longer[CONTROL_PATH_SIZE + 1];
    struct control control;

    sys_test_reset();
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "/a", 0600, (gid_t)-1), 0);
    CHECK_TEXT(control.shared->rings_path, "/a");
    control_close(&control);

    check_refused(-EINVAL);
    memset(longer, 'a', sizeof(longer) - 1);
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, longer, 0600, (gid_t)-1),
                -ENAMETOOLONG);
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "/a", 0600, (gid_t)-1), 0);
    control_close(&control);
}

static void
a_file_that_a_power_cut_emptied_is_founded_again(void)
{
    struct control control;

    new_file();
    CHECK_EQUAL(truncate("ctl", 0), 0);
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(control.is_new);
    control_close(&control);

    CHECK_EQUAL(truncate("ctl", 0), 0);
    CHECK_EQUAL(truncate("ctl", sizeof(struct control_shared)), 0);
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(control.is_new);
    control_close(&control);
}

static void
an_opening_that_fails_keeps_nothing_open(void)
{
    static const enum sys_call calls[] = {CALL_openat, CALL_fstat, CALL_mmap_shared};

    new_file();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        sys_test_fail(calls[i], ENOMEM, 1, 9);
        check_refused(-ENOMEM);
    }
    sys_test_fail(CALL_openat, EACCES, 2, 1); /* the first reads the boot id */
    check_refused(-EACCES);
}

static void
another_boot_is_noticed_and_a_reset_starts_over(void)
{
    struct control control;

    new_file();
    change_file(offsetof(struct control_shared, boot_id), 42, 8);
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(control.rebooted);
    control_add(&control, COUNTER_records_written, 3);
    control.shared->intents[1].valid = 1;
    uint64_t ticket = control_ask(&control, REQUEST_ROTATE);
    control.shared->leader = 6;
    control.shared->live_inode = 7;
    control.shared->syncing = 1;

    control_reset(&control);

    CHECK(!control.rebooted);
    CHECK(control_is_done(&control, REQUEST_ROTATE, ticket));
    CHECK_EQUAL(control.shared->leader, 0);
    CHECK_EQUAL(control.shared->live_inode, 0);
    CHECK_EQUAL(control.shared->syncing, 0);
    CHECK_EQUAL(control_count(&control, COUNTER_records_written), 3);
    CHECK_EQUAL(control.shared->intents[1].valid, 0);
    control_close(&control);
    CHECK_EQUAL(open_control(&control), 0);
    CHECK(!control.rebooted);
    control_close(&control);
}

/* All that may be anything says the same. */
static struct control_settings
settings_of(uint8_t byte)
{
    struct control_settings settings;

    memset(&settings, byte, sizeof(settings));
    settings.dialect = byte & 1;
    settings.compress = byte & 3;
    settings.mode = byte;
    settings.wipe_on_drain = settings.keep_for_followers = byte & 1;
    return settings;
}

static void
settings_are_read_as_they_were_stored(void)
{
    struct control control;
    struct control_settings stored = {.max_bytes = 1,
                                      .max_backups = 2,
                                      .max_age_s = 3,
                                      .max_total_bytes = 4,
                                      .dialect = DIALECT_STDLIB,
                                      .compress = 2,
                                      .compress_level = -5,
                                      .mode = 0640,
                                      .gid = (uint32_t)-1,
                                      .wipe_on_drain = 1,
                                      .sync_interval_ns = 6};
    struct control_settings read;

    open_private(&control);
    control_store_settings(&control, &stored);
    control_load_settings(&control, &read);

    CHECK_EQUAL(memcmp(&stored, &read, sizeof(read)), 0);
    control_close(&control);
}

static void
settings_that_no_opener_stores_are_brought_within_bounds(void)
{
    struct control control;
    struct control_settings stored, read;

    memset(&stored, 0xff, sizeof(stored));
    open_private(&control);
    control_store_settings(&control, &stored);
    control.shared->slots[5].durability = 0xffffffff;

    control_load_settings(&control, &read);

    CHECK_EQUAL(read.dialect, DIALECT_LUMBERJACK);
    CHECK_EQUAL(read.compress, 0);
    CHECK_EQUAL(read.mode, 0777);
    CHECK_EQUAL(read.wipe_on_drain, 1);
    CHECK_EQUAL(control_slot_durability(&control, 5), DURABILITY_SYNC);
    control_close(&control);
}

/* What an opener leaves that is killed after a word or two. */
static void
an_opener_killed_while_storing_changes_nothing(void)
{
    struct control control;
    struct control_settings stored = settings_of(7), read;
    _Atomic uint64_t *words;

    open_private(&control);
    control_store_settings(&control, &stored);
    words = control.shared->settings[(control.shared->settings_version + 1) & 1];
    words[0] = words[1] = 42;

    control_load_settings(&control, &read);

    CHECK_EQUAL(memcmp(&stored, &read, sizeof(read)), 0);
    control_close(&control);
}

static _Atomic bool must_store;
static _Atomic uint32_t loads;

/* No faster than they are read: else reading would never end. */
static void *
store_in_turn(void *context)
{
    for (uint8_t byte = 0; must_store; byte++) {
        struct control_settings settings = settings_of(byte);
        uint32_t seen = loads;

        control_store_settings(context, &settings);
        while (must_store && seen == loads) {
        }
    }
    return NULL;
}

static void
settings_are_never_read_half_changed(void)
{
    struct control control;
    struct control_settings settings;
    pthread_t thread;

    open_private(&control);
    must_store = true;
    CHECK_EQUAL(pthread_create(&thread, NULL, store_in_turn, &control), 0);

    while (control.shared->settings_version < 20000) {
        struct control_settings whole;

        control_load_settings(&control, &settings);
        loads++;
        whole = settings_of(*(uint8_t *)&settings);
        CHECK_EQUAL(memcmp(&settings, &whole, sizeof(whole)), 0);
    }

    must_store = false;
    pthread_join(thread, NULL);
    control_close(&control);
}

static void
the_used_part_of_the_table_is_known(void)
{
    struct control control;

    open_private(&control);
    CHECK_EQUAL(control.shared->slots_used, 0);
    control_set_slot(&control, 4, SLOT_FREE);
    CHECK_EQUAL(control.shared->slots_used, 0);
    control_set_slot(&control, 4, SLOT_CLAIMED);
    control_set_slot(&control, 2, SLOT_LIVE);

    CHECK_EQUAL(control.shared->slots_used, 5);
    CHECK_EQUAL(control_slot_state(&control, 4), SLOT_CLAIMED);
    CHECK_EQUAL(control_slot_state(&control, 2), SLOT_LIVE);
    CHECK_EQUAL(control_slot_state(&control, 3), SLOT_FREE);
    control_close(&control);
}

static void
every_counter_has_its_name(void)
{
    CHECK_TEXT(control_counter_name(COUNTER_records_written), "records_written");
    CHECK_TEXT(control_counter_name(COUNTER_settings_changes), "settings_changes");
    for (int i = 0; i < COUNTER_COUNT; i++) {
        CHECK(strlen(control_counter_name((enum control_counter)i)) > 3);
    }
}

static void
losses_and_errors_add_up(void)
{
    struct control control;

    open_private(&control);
    control_add_loss(&control, GAP_CUT, 2, 30);
    control_add_loss(&control, GAP_CUT, 1, 12);
    control_note_error(&control, -ENOSPC);
    control_note_error(&control, -EIO);

    CHECK_EQUAL(control.shared->losses[GAP_CUT].count, 3);
    CHECK_EQUAL(control.shared->losses[GAP_CUT].bytes, 42);
    CHECK_EQUAL(control.shared->losses[GAP_UNLINKED].count, 0);
    CHECK_EQUAL(control.shared->last_error, -EIO);
    CHECK_EQUAL(control.shared->error_word, 2);
    control_close(&control);
}

static void
a_request_is_done_when_its_ticket_is_fulfilled(void)
{
    struct control control;
    uint64_t first, second;

    open_private(&control);
    first = control_ask(&control, REQUEST_SYNC);
    second = control_ask(&control, REQUEST_SYNC);
    CHECK(second > first);
    CHECK(!control_is_done(&control, REQUEST_SYNC, first));
    CHECK_EQUAL(control.shared->leader_word, 2);

    control_fulfil(&control, REQUEST_SYNC, first, -EIO);

    CHECK(control_is_done(&control, REQUEST_SYNC, first));
    CHECK(!control_is_done(&control, REQUEST_SYNC, second));
    CHECK_EQUAL(control_answer(&control, REQUEST_SYNC, first), -EIO);
    CHECK_EQUAL(control.shared->requests[REQUEST_FLUSH].done, 0);
    CHECK_EQUAL(control.shared->done_word, 1);

    control_fulfil(&control, REQUEST_SYNC, second, 0);
    CHECK_EQUAL(control_answer(&control, REQUEST_SYNC, first), -EIO);
    CHECK_EQUAL(control_answer(&control, REQUEST_SYNC, second), 0);
    control_close(&control);
}

RUN(TEST(the_first_opener_founds_and_the_second_finds),
    TEST(the_file_has_its_mode_and_all_of_its_room),
    TEST(a_founding_that_was_cut_off_is_done_again),
    TEST(a_founding_that_fails_leaves_nothing_behind),
    TEST(a_private_block_leaves_no_file),
    TEST(a_file_of_another_kind_or_version_is_put_aside),
    TEST(what_is_no_file_of_ours_is_never_written_to),
    TEST(a_file_that_can_not_be_put_aside_is_refused),
    TEST(another_place_for_the_rings_is_refused),
    TEST(a_file_that_a_power_cut_emptied_is_founded_again),
    TEST(an_opening_that_fails_keeps_nothing_open),
    TEST(another_boot_is_noticed_and_a_reset_starts_over),
    TEST(settings_are_read_as_they_were_stored),
    TEST(settings_that_no_opener_stores_are_brought_within_bounds),
    TEST(an_opener_killed_while_storing_changes_nothing),
    TEST(settings_are_never_read_half_changed),
    TEST(the_used_part_of_the_table_is_known), TEST(every_counter_has_its_name),
    TEST(losses_and_errors_add_up),

    TEST(a_request_is_done_when_its_ticket_is_fulfilled))

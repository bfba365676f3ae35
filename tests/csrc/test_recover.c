/* What a new leader does about the batch that the last one did not end: every row of
 * the table in recover.h, built by hand.
 */
#include "recover.h"

#include "intentblock.h"
#include "ring.h"
#include "ringwait.h"
#include "support.h"
#include "support_log.h"
#include "support_scene.h"
#include "support_sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct control_settings plain = {0};
static const char before[] = "line before\n";
static const char three[] = "line one\nline two, a bit longer\nline three\n";
enum { BEFORE_SIZE = sizeof(before) - 1, THREE_SIZE = sizeof(three) - 1 };

static uint64_t
loss_of(enum gap_reason reason)
{
    return scene.control.shared->losses[reason].count;
}

static bool
is_drained(void)
{
    for (int i = 0; i < SCENE_RINGS; i++) {
        if (!scene_is_drained((uint32_t)i)) {
            return false;
        }
    }
    return true;
}

/* A log with one line, and a leader that died with `bytes` of three more in the file.
 */
static void
open_torn(uint64_t bytes)
{
    file_write("audit.log", before);
    scene_open(&plain);
    scene_put_three();
    scene_write_part(bytes);
}

/* The same, with all of it in the file. */
static void
open_written(void)
{
    int fd;

    open_torn(THREE_SIZE - 1);
    fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_EQUAL(write(fd, "\n", 1), 1);
    close(fd);
}

static int
recover_once(bool give_up)
{
    return recover_intent(&scene.control, &scene.map, &scene.file, AT_FDCWD, give_up);
}

static void
recover_now(void)
{
    scene_change_leader();
    CHECK_EQUAL(recover_once(false), 0);
    CHECK(!scene_has_intent());
    CHECK_EQUAL(recover_once(false), 0); /* and there is nothing more to do */
}

/* Removes the live file for good: while somebody reads it, no new file gets its inode.
 */
static int
remove_live_file(void)
{
    int reader = open("audit.log", O_RDONLY | O_CLOEXEC);

    CHECK(reader >= 0);
    CHECK_EQUAL(unlink("audit.log"), 0);
    return reader;
}

/* What the leader would do next: all that the rings still hold goes to the live file.
 */
static void
drain_rest(void)
{
    logfile_close(&scene.file);
    CHECK_EQUAL(logfile_open(&scene.file, 0600, (gid_t)-1), 0);
    scene_stage();
    if (!batch_is_empty(&scene.batch)) {
        CHECK_EQUAL(batch_write(&scene.batch), 0);
    }
}

static void
check_log_is(const char *expected)
{
    CHECK_TEXT(log_text("audit.log"), expected);
}

static const char whole[] =
    "line before\nline one\nline two, a bit longer\nline three\n";

static void
remove_all(void)
{
    scene_close();
    for (uint32_t slot = 0; slot < SCENE_RINGS; slot++) {
        char name[RING_NAME_SIZE];
        ring_name(slot, scene.rings[slot].nonce, name);
        (void)unlink(name);
    }
}

static void
a_batch_that_is_all_in_the_file_is_published(void)
{
    open_written();

    recover_now();

    CHECK(is_drained());
    check_log_is(whole);
    CHECK_EQUAL(scene_count(COUNTER_batches_forwarded), 1);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
    CHECK_EQUAL(scene_count(COUNTER_bytes_written), THREE_SIZE);
    CHECK_EQUAL(scene.control.shared->live_size, BEFORE_SIZE + THREE_SIZE);
    CHECK_EQUAL(file_size("audit.log"), BEFORE_SIZE + THREE_SIZE);
    scene_close();
}

static void
a_torn_batch_is_completed_wherever_it_stopped(void)
{
    for (uint64_t cut = 1; cut < THREE_SIZE; cut++) {
        open_torn(cut);

        recover_now();

        CHECK(is_drained());
        check_log_is(whole);
        CHECK_EQUAL(scene_count(COUNTER_batches_completed), 1);
        CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
        CHECK_EQUAL(sys_test_calls(CALL_ftruncate), 0); /* it only ever grows */
        remove_all();
        CHECK_EQUAL(unlink("audit.log"), 0);
    }
}

static void
a_batch_that_is_not_in_the_file_stays_in_the_rings(void)
{
    open_torn(0);

    recover_now();

    CHECK(!is_drained());
    check_log_is(before);
    CHECK_EQUAL(scene_count(COUNTER_batches_redone), 1);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 0);
    drain_rest();
    check_log_is(whole);
    scene_close();
}

/* Pads, holes of the dead, gap events: the batch is the same when it is made again. */
static void
a_torn_batch_with_holes_and_gap_events_is_completed(void)
{
    struct ring_reservation hole;
    uint64_t size;
    char *text;

    scene_open(&plain);
    scene_put(0, "before the wrap and before a hole");
    CHECK_EQUAL(ring_reserve(&scene.rings[0], 200, &hole), 0);
    scene_put_gap(0, GAP_DROPPED, 5);
    scene_put(0, "behind the wrap");
    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, true), BATCH_TOOK_ALL);
    size = scene.batch.size;
    sys_test_cut_write(size - 3);
    sys_test_fail(CALL_writev, EIO, 2, UINT32_MAX);
    CHECK_EQUAL(batch_write(&scene.batch), -EIO);

    recover_now();

    text = file_text("audit.log");
    CHECK_EQUAL(strlen(text), size);
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 5);
    CHECK_EQUAL(scene_count(COUNTER_abandoned_reservations), 1);
    CHECK_EQUAL(loss_of(GAP_ABANDONED), 1);
    CHECK_EQUAL(scene.rings[0].shared->dropped_count_reported, 5);
    CHECK_EQUAL(scene_count(COUNTER_batches_completed), 1);
    scene_close();
}

/* The leader died when two of three heads were published. */
static void
publishing_is_done_again_from_the_start(void)
{
    open_written();
    ring_publish(&scene.rings[0], ring_tail(&scene.rings[0]));
    ring_publish(&scene.rings[1], ring_tail(&scene.rings[1]));

    recover_now();

    CHECK(is_drained());
    check_log_is(whole);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
    scene_close();
}

/* It died behind the last head: producers have had the room, and another process wrote
 * behind the batch. What the rings hold by now says nothing of it. */
static void
a_batch_whose_heads_are_published_is_not_compared(void)
{
    int fd;

    open_written();
    for (int i = 0; i < SCENE_RINGS; i++) {
        ring_publish(&scene.rings[i], ring_tail(&scene.rings[i]));
        memset(scene.rings[i].data, 'x', scene.rings[i].capacity);
    }
    fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_EQUAL(write(fd, "line of another\n", 16), 16);
    close(fd);

    recover_now();

    CHECK_EQUAL(scene_count(COUNTER_batches_forwarded), 1);
    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 0);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 0);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
    check_log_is("line before\nline one\nline two, a bit longer\nline three\n"
                 "line of another\n");
    scene_close();
}

static void
a_batch_is_completed_in_the_file_it_was_begun_in(void)
{
    open_torn(12);
    CHECK_EQUAL(rename("audit.log", "audit-2026-11-22T01-02-03.004.log"), 0);

    recover_now();

    CHECK(is_drained());
    check_log_is(whole);
    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK_EQUAL(scene_count(COUNTER_batches_completed), 1);
    scene_close();
}

static void
a_batch_whose_file_was_removed_is_written_to_the_new_one(void)
{
    int reader;

    open_torn(12);
    reader = remove_live_file();

    recover_now();
    drain_rest();

    check_log_is(three);
    CHECK_EQUAL(scene_count(COUNTER_batches_redone), 1);
    close(reader);
    scene_close();
}

/* The batch goes to a new file; the old one is as somebody left it, under another name.
 */
static void
check_conflict(unsigned files)
{
    recover_now();

    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 1);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CONFLICT].bytes, THREE_SIZE);
    CHECK_EQUAL(log_files("audit.log"), files);
    CHECK(!is_drained());
}

static void
other_bytes_in_the_place_of_the_batch_are_kept(void)
{
    int fd;

    open_torn(12);
    fd = open("audit.log", O_WRONLY | O_CLOEXEC);
    CHECK_EQUAL(pwrite(fd, "somebody", 8, BEFORE_SIZE), 8);
    close(fd);

    check_conflict(2);
    drain_rest();

    check_log_is("line before\nsomebody\nlinline one\nline two, a bit longer\n"
                 "line three\n");
    scene_close();
}

static void
bytes_behind_the_batch_are_kept(void)
{
    int fd;

    open_written();
    fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_EQUAL(write(fd, "line of another\n", 16), 16);
    close(fd);

    recover_now();

    CHECK(is_drained());
    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 0);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 0);
    check_log_is("line before\nline one\nline two, a bit longer\nline three\n"
                 "line of another\n");
    scene_close();
}

/* A process without a ring waited in vain for the end of the line. */
static void
check_other_bytes_behind_a_part(uint32_t failing_read)
{
    int fd;

    open_torn(12);
    fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_EQUAL(write(fd, "\nline of another\n", 17), 17);
    close(fd);

    if (failing_read > 0) {
        scene_change_leader();
        sys_test_fail(CALL_pread, EIO, failing_read, 1);
        CHECK_EQUAL(recover_once(false), -EIO);
        sys_test_heal();
    }
    recover_now();
    drain_rest();

    CHECK(is_drained());
    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 1);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CONFLICT].bytes, THREE_SIZE - 9);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
    check_log_is("line before\nline one\nlin\nline of another\n"
                 "line two, a bit longer\nline three\n");
    scene_close();
}

static void
what_is_whole_before_other_bytes_is_not_written_again(void)
{
    check_other_bytes_behind_a_part(0);
}

/* It is compared twice: to find out that it isn't all, and how much there is. */
static void
a_file_that_can_not_be_compared_now_is_compared_later(void)
{
    check_other_bytes_behind_a_part(1);
}

static void
a_part_that_can_not_be_measured_now_is_measured_later(void)
{
    check_other_bytes_behind_a_part(3);
}

static void
a_file_that_was_cut_below_the_batch_is_left(void)
{
    open_torn(12);
    CHECK_EQUAL(truncate("audit.log", 5), 0);

    scene.control.shared->live_size = BEFORE_SIZE;
    check_conflict(2);
    drain_rest();

    check_log_is("line line one\nline two, a bit longer\nline three\n");
    CHECK_EQUAL(loss_of(GAP_CUT), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].bytes, BEFORE_SIZE - 5);
    scene_close();
}

static void
a_backup_with_other_bytes_is_not_rotated_again(void)
{
    open_torn(12);
    CHECK_EQUAL(rename("audit.log", "audit-2026-11-22T01-02-03.004.log"), 0);
    CHECK_EQUAL(truncate("audit-2026-11-22T01-02-03.004.log", 5), 0);

    check_conflict(2);

    CHECK_EQUAL(scene_count(COUNTER_rotations), 0);
    scene_close();
}

static void
a_ring_that_is_not_there_is_a_conflict(void)
{
    char name[RING_NAME_SIZE];

    open_torn(12);
    ring_name(1, scene.rings[1].nonce, name);
    CHECK_EQUAL(unlink(name), 0);

    check_conflict(2);
    scene_close();
}

static void
a_ring_that_holds_something_else_is_a_conflict(void)
{
    struct ring_reservation at;

    open_torn(12);
    at.position = ring_head(&scene.rings[1]);
    ring_payload(&scene.rings[1], &at)[3] ^= 1;

    check_conflict(2);
    scene_close();
}

static void
a_range_that_no_ring_can_have_is_a_conflict(void)
{
    struct control_intent *intent;

    open_torn(12);
    intent = scene.batch.intent;
    intent->ranges[0].to += 2 * RING_CAPACITY_MIN;
    intentblock_say(&scene.control, intent);

    check_conflict(2);
    scene_close();
}

static void
an_intent_that_is_damaged_is_dropped_and_told(void)
{
    open_torn(12);
    scene.control.shared->intents[scene.batch.intent->block].crc ^= 1;

    recover_now();

    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 1);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 1);
    CHECK(!is_drained());
    scene_close();
}

static void
want_sync(void)
{
    scene.control.shared->slots[1].durability = DURABILITY_SYNC;
}

/* The dead leader may have taken the kernel's one report of a failed write. */
static void
a_file_that_was_being_synced_is_not_trusted(void)
{
    open_written();
    want_sync();
    scene.control.shared->syncing = 1;

    recover_now();

    CHECK_EQUAL(scene.control.shared->syncing, 0);
    CHECK_EQUAL(scene_count(COUNTER_batches_redone), 1);
    CHECK_EQUAL(log_files("audit.log"), 2);
    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK(!is_drained());
    drain_rest();
    check_log_is(whole);
    CHECK_EQUAL(file_size("audit.log"), THREE_SIZE);
    scene_close();
}

static void
a_mark_without_a_batch_means_nothing(void)
{
    scene_open(&plain);
    scene.control.shared->syncing = 1;

    recover_now();

    CHECK_EQUAL(scene.control.shared->syncing, 0);
    CHECK_EQUAL(log_files("audit.log"), 1);
    scene_close();
}

static void
a_batch_that_is_given_up_is_cut_off_a_backup_and_redone(void)
{
    for (uint64_t cut = 0; cut < THREE_SIZE; cut += 5) {
        open_torn(cut);
        scene_change_leader();

        CHECK_EQUAL(recover_once(true), 0);

        CHECK(!scene_has_intent());
        CHECK(!is_drained());
        drain_rest();
        check_log_is(whole);
        CHECK_EQUAL(log_files("audit.log"), 2);
        CHECK_EQUAL(file_size("audit.log"), THREE_SIZE);
        remove_all();
        CHECK_EQUAL(system("rm -f audit*"), 0);
    }
}

/* Its first heads were published: it is in the file, and giving up would double it. */
static void
a_batch_that_is_being_published_is_not_given_up(void)
{
    open_written();
    ring_publish(&scene.rings[0], ring_tail(&scene.rings[0]));
    scene_change_leader();

    CHECK_EQUAL(recover_once(true), 0);

    CHECK(is_drained());
    check_log_is(whole);
    CHECK_EQUAL(log_files("audit.log"), 1);
    scene_close();
}

static void
a_batch_of_durability_sync_is_synced_before_it_is_published(void)
{
    open_torn(12);
    want_sync();

    recover_now();

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK(ring_wait_durable(&scene.rings[1], ring_tail(&scene.rings[1]), 0));
    check_log_is(whole);
    scene_close();
}

static void
a_batch_that_was_synced_and_is_being_published_is_not_synced_again(void)
{
    open_written();
    want_sync();
    ring_publish(&scene.rings[0], ring_tail(&scene.rings[0]));

    recover_now();

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 0);
    CHECK(ring_wait_durable(&scene.rings[1], ring_tail(&scene.rings[1]), 0));
    scene_close();
}

static void
a_batch_whose_sync_fails_goes_to_a_new_file(void)
{
    open_torn(12);
    want_sync();
    scene_change_leader();
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);

    CHECK_EQUAL(recover_once(false), 0);

    CHECK(!scene_has_intent());
    CHECK(!is_drained());
    CHECK_EQUAL(scene.control.shared->losses[GAP_SUSPECT].bytes, THREE_SIZE);
    CHECK_EQUAL(scene_count(COUNTER_sync_errors), 1);
    drain_rest();
    check_log_is(whole);
    CHECK_EQUAL(file_size("audit.log"), THREE_SIZE);
    CHECK(!sys_test_synced_after_failure());
    scene_close();
}

static void
check_goes_on(enum sys_call call, int error)
{
    scene_change_leader();
    sys_test_fail(call, error, 1, 1);

    CHECK_EQUAL(recover_once(false), -error);

    CHECK(scene_has_intent());
    CHECK(!is_drained());
    /* As the writer does: it opens the live file again before each try. */
    logfile_close(&scene.file);
    CHECK_EQUAL(logfile_open(&scene.file, 0600, (gid_t)-1), 0);
    CHECK_EQUAL(recover_once(false), 0);
    CHECK(!scene_has_intent());
    drain_rest();
    CHECK(is_drained());
}

static void
a_completion_that_fails_is_gone_on_with(void)
{
    static const enum sys_call calls[] = {CALL_writev, CALL_pread, CALL_openat,
                                          CALL_fstat, CALL_mmap_shared};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        open_torn(12);
        check_goes_on(calls[i], EIO);
        check_log_is(whole);
        remove_all();
        CHECK_EQUAL(unlink("audit.log"), 0);
    }
}

static void
a_search_that_fails_is_gone_on_with(void)
{
    static const char backup[] = "audit-2026-11-22T01-02-03.004.log";
    static const enum sys_call calls[] = {CALL_list, CALL_fstatat};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        open_torn(12);
        CHECK_EQUAL(rename("audit.log", backup), 0);
        check_goes_on(calls[i], EIO);
        check_log_is(whole);
        remove_all();
        CHECK_EQUAL(unlink("audit.log"), 0);
        CHECK_EQUAL(unlink(backup), 0);
    }
}

static void
a_rotation_that_fails_is_gone_on_with(void)
{
    open_torn(12);
    CHECK_EQUAL(truncate("audit.log", 5), 0);

    check_goes_on(CALL_rename_noreplace, EACCES);

    check_log_is("line line one\nline two, a bit longer\nline three\n");
    scene_close();
}

/* Something is mounted on the live file: it stays, and nothing waits for ever. */
static void
recover_mounted(void)
{
    scene_change_leader();
    sys_test_fail(CALL_rename_noreplace, EBUSY, 1, UINT32_MAX);
    CHECK_EQUAL(recover_once(false), 0);
    CHECK(!scene_has_intent());
    CHECK_EQUAL(log_files("audit.log"), 1);
}

static void
a_conflict_in_a_file_that_stays_is_told_there(void)
{
    open_torn(12);
    CHECK_EQUAL(truncate("audit.log", 5), 0);
    recover_mounted();

    CHECK_EQUAL(scene_count(COUNTER_recovery_conflicts), 1);
    CHECK_EQUAL(loss_of(GAP_CONFLICT), 1);
    CHECK(!is_drained());
    CHECK_EQUAL(recover_live_file(&scene.control, &scene.file), 0);
    CHECK_EQUAL(scene_count(COUNTER_live_file_cut), 0); /* told as the conflict */
    drain_rest();

    check_log_is("line line one\nline two, a bit longer\nline three\n");
    scene_close();
}

static void
a_file_that_stays_is_finished_although_it_is_suspect(void)
{
    open_torn(12);
    want_sync();
    scene.control.shared->syncing = 1;
    recover_mounted();

    CHECK_EQUAL(scene.control.shared->syncing, 0);
    CHECK_EQUAL(loss_of(GAP_SUSPECT), 1);
    CHECK(is_drained());
    check_log_is(whole);
    scene_close();
}

static void
a_cut_that_fails_is_gone_on_with(void)
{
    open_written();
    want_sync();
    scene.control.shared->syncing = 1;

    check_goes_on(CALL_ftruncate, EIO);

    check_log_is(whole);
    scene_close();
}

/* Three lines are written; then somebody meddles while nobody leads. */
static void
open_with_three_lines(void)
{
    scene_open(&plain);
    scene_put(0, "one");
    scene_put(0, "two");
    scene_put(0, "three");
    scene_stage();
    CHECK_EQUAL(batch_write(&scene.batch), 0);
}

static void
look_at_live_file(void)
{
    scene_change_leader();
    CHECK_EQUAL(recover_live_file(&scene.control, &scene.file), 0);
}

static void
an_untouched_live_file_is_no_loss(void)
{
    open_with_three_lines();

    look_at_live_file();

    for (int reason = 0; reason < GAP_REASONS; reason++) {
        CHECK_EQUAL(loss_of((enum gap_reason)reason), 0);
    }
    scene_close();
}

static void
a_live_file_cut_to_nothing_lost_all_its_lines(void)
{
    open_with_three_lines();
    CHECK_EQUAL(truncate("audit.log", 0), 0);

    look_at_live_file();

    CHECK_EQUAL(loss_of(GAP_CUT), 3);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].bytes, 29);
    CHECK_EQUAL(scene_count(COUNTER_live_file_cut), 1);
    scene_close();
}

static void
a_live_file_that_was_removed_lost_all_its_lines(void)
{
    int reader;

    open_with_three_lines();
    reader = remove_live_file();

    look_at_live_file();

    CHECK_EQUAL(loss_of(GAP_UNLINKED), 3);
    CHECK_EQUAL(scene.control.shared->losses[GAP_UNLINKED].bytes, 29);
    CHECK_EQUAL(scene_count(COUNTER_live_file_unlinked), 1);
    close(reader);
    scene_close();
}

static void
a_live_file_that_was_renamed_is_no_loss(void)
{
    open_with_three_lines();
    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);

    look_at_live_file();

    CHECK_EQUAL(loss_of(GAP_UNLINKED), 0);
    CHECK_EQUAL(scene_count(COUNTER_live_file_moved), 1);
    scene_close();
}

static void
a_live_file_that_grew_is_no_loss(void)
{
    int fd;

    open_with_three_lines();
    fd = open("audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_EQUAL(write(fd, "line of another\n", 16), 16);
    close(fd);

    look_at_live_file();

    CHECK_EQUAL(loss_of(GAP_CUT), 0);
    CHECK_EQUAL(scene_count(COUNTER_foreign_bytes), 16);
    scene_close();
}

static void
a_live_file_that_nobody_knew_is_no_loss(void)
{
    open_with_three_lines();
    scene.control.shared->live_inode = 0; /* a rotation was cut off */
    CHECK_EQUAL(unlink("audit.log"), 0);

    look_at_live_file();

    CHECK_EQUAL(loss_of(GAP_UNLINKED), 0);
    scene_close();
}

static void
a_directory_that_can_not_be_read_is_an_error(void)
{
    int reader;

    open_with_three_lines();
    reader = remove_live_file();
    scene_change_leader();
    sys_test_fail(CALL_list, EIO, 1, 1);

    CHECK_EQUAL(recover_live_file(&scene.control, &scene.file), -EIO);

    CHECK_EQUAL(loss_of(GAP_UNLINKED), 0);
    close(reader);
    scene_close();
}

RUN(TEST(a_batch_that_is_all_in_the_file_is_published),
    TEST(a_torn_batch_is_completed_wherever_it_stopped),
    TEST(a_batch_that_is_not_in_the_file_stays_in_the_rings),
    TEST(a_torn_batch_with_holes_and_gap_events_is_completed),
    TEST(publishing_is_done_again_from_the_start),
    TEST(a_batch_whose_heads_are_published_is_not_compared),
    TEST(a_batch_is_completed_in_the_file_it_was_begun_in),
    TEST(a_batch_whose_file_was_removed_is_written_to_the_new_one),
    TEST(other_bytes_in_the_place_of_the_batch_are_kept),
    TEST(bytes_behind_the_batch_are_kept),
    TEST(a_file_that_was_cut_below_the_batch_is_left),
    TEST(what_is_whole_before_other_bytes_is_not_written_again),
    TEST(a_file_that_can_not_be_compared_now_is_compared_later),
    TEST(a_part_that_can_not_be_measured_now_is_measured_later),
    TEST(a_backup_with_other_bytes_is_not_rotated_again),
    TEST(a_ring_that_is_not_there_is_a_conflict),
    TEST(a_ring_that_holds_something_else_is_a_conflict),
    TEST(a_range_that_no_ring_can_have_is_a_conflict),
    TEST(an_intent_that_is_damaged_is_dropped_and_told),
    TEST(a_file_that_was_being_synced_is_not_trusted),
    TEST(a_mark_without_a_batch_means_nothing),
    TEST(a_batch_that_is_given_up_is_cut_off_a_backup_and_redone),
    TEST(a_batch_that_is_being_published_is_not_given_up),
    TEST(a_batch_of_durability_sync_is_synced_before_it_is_published),
    TEST(a_batch_that_was_synced_and_is_being_published_is_not_synced_again),
    TEST(a_batch_whose_sync_fails_goes_to_a_new_file),
    TEST(a_completion_that_fails_is_gone_on_with),
    TEST(a_search_that_fails_is_gone_on_with),
    TEST(a_rotation_that_fails_is_gone_on_with),
    TEST(a_conflict_in_a_file_that_stays_is_told_there),
    TEST(a_file_that_stays_is_finished_although_it_is_suspect),
    TEST(a_cut_that_fails_is_gone_on_with), TEST(an_untouched_live_file_is_no_loss),
    TEST(a_live_file_cut_to_nothing_lost_all_its_lines),
    TEST(a_live_file_that_was_removed_lost_all_its_lines),
    TEST(a_live_file_that_was_renamed_is_no_loss),
    TEST(a_live_file_that_grew_is_no_loss),
    TEST(a_live_file_that_nobody_knew_is_no_loss),
    TEST(a_directory_that_can_not_be_read_is_an_error))

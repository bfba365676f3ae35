/* What is saved after the machine went down, and what is left as it was. */
#include "ring.h"
#include "ringwait.h"
#include "salvage.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char old_boot[] = "0badb007-0000-4000-8000-000000000000";
static const char salvaged[] = "audit-salvaged-0badb007.jsonl";
static const uint64_t nonce = UINT64_C(0x5a15a6e5a15a6e00);

static struct control control;
static struct ring ring; /* of slot 2 */

static void
create_ring(struct ring *out, uint32_t slot)
{
    struct ring_options options = {.capacity = RING_CAPACITY_MIN,
                                   .nonce = nonce + slot,
                                   .slot = slot,
                                   .first_position = 10 * RING_CAPACITY_MIN - 96};

    CHECK_EQUAL(ring_create(out, &sys_test, AT_FDCWD, &options, 0600, (gid_t)-1), 0);
    control.shared->slots[slot].nonce = nonce + slot;
    control_set_slot(&control, slot, SLOT_LIVE);
}

/* A log of an earlier boot: a control file, a live slot and its ring. */
static void
open_old_log(void)
{
    sys_test_reset();
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0600, (gid_t)-1), 0);
    create_ring(&ring, 2);
}

static void
put(struct ring *to, const char *line)
{
    struct ring_reservation at;

    CHECK_EQUAL(ring_write(to, RING_DATA, line, strlen(line), true, &at), 0);
}

/* Everything so far is in the log. */
static void
drain(struct ring *from)
{
    ring_publish(from, ring_tail(from));
}

static void
reboot(void)
{
    memcpy(control.shared->boot_id, old_boot, sizeof(old_boot));
    ring_close(&ring);
    control_close(&control);
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0600, (gid_t)-1), 0);
    CHECK(control.rebooted);
}

static void
salvage_now(void)
{
    CHECK_EQUAL(salvage(&control, AT_FDCWD, AT_FDCWD, "audit.log"), 0);
    CHECK(!control.rebooted);
}

static void
close_log(void)
{
    control_close(&control);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
what_was_not_drained_goes_to_a_file_of_its_own(void)
{
    open_old_log();
    put(&ring, "line drained");
    drain(&ring);
    put(&ring, "line one");
    put(&ring, "line two, behind the wrap");
    file_write("audit.log", "line drained\n");
    reboot();

    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\nline two, behind the wrap\n");
    CHECK_TEXT(file_text("audit.log"), "line drained\n");
    CHECK_EQUAL(control_count(&control, COUNTER_salvaged_records), 2);
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].count, 2);
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].bytes, 35);
    close_log();
}

static void
rings_and_slots_are_given_back(void)
{
    char name[RING_NAME_SIZE];

    open_old_log();
    put(&ring, "line one");
    control_set_slot(&control, 3, SLOT_CLAIMED);
    reboot();

    salvage_now();

    ring_name(2, nonce + 2, name);
    CHECK(!file_exists(name));
    CHECK_EQUAL(control_slot_state(&control, 2), SLOT_FREE);
    CHECK_EQUAL(control_slot_state(&control, 3), SLOT_FREE);
    close_log();
}

/* Head and tail, the header's order of arrival: nothing of it is relied on. */
static void
a_record_proves_itself_without_head_and_tail(void)
{
    open_old_log();
    put(&ring, "line one");
    put(&ring, "line two");
    ring.shared->tail = 42;
    reboot();

    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\nline two\n");
    close_log();
}

static void
what_did_not_reach_the_disk_whole_is_not_salvaged(void)
{
    struct ring_reservation at;

    open_old_log();
    put(&ring, "line one");
    CHECK_EQUAL(ring_write(&ring, RING_DATA, "line lost\n", 10, false, &at), 0);
    ring_payload(&ring, &at)[2] = 0;
    CHECK_EQUAL(ring_reserve(&ring, 100, &at), 0);
    put(&ring, "line three");
    reboot();

    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\nline three\n");
    CHECK_EQUAL(control_count(&control, COUNTER_salvaged_records), 2);
    close_log();
}

static void
gap_events_of_the_old_boot_are_not_salvaged(void)
{
    struct ring_reservation at;

    open_old_log();
    CHECK_EQUAL(ring_write(&ring, RING_GAP, "gap", 3, true, &at), 0);
    reboot();

    salvage_now();

    CHECK(!file_exists(salvaged));
    close_log();
}

static void
rings_are_salvaged_one_after_the_other(void)
{
    struct ring second;

    open_old_log();
    create_ring(&second, 1);
    put(&ring, "line one of two");
    put(&second, "line one of one");
    put(&ring, "line two of two");
    control_set_slot(&control, 1, SLOT_CLOSING);
    ring_close(&second);
    reboot();

    salvage_now();

    CHECK_TEXT(file_text(salvaged),
               "line one of one\nline one of two\nline two of two\n");
    close_log();
}

static void
a_ring_that_is_not_there_or_is_none_is_passed_over(void)
{
    char name[RING_NAME_SIZE];

    open_old_log();
    control.shared->slots[1].nonce = 77;
    control_set_slot(&control, 1, SLOT_LIVE);
    control.shared->slots[3].nonce = 78;
    control_set_slot(&control, 3, SLOT_LIVE);
    ring_name(3, 78, name);
    file_write(name, "nothing like a ring");
    put(&ring, "line one");
    reboot();

    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\n");
    close_log();
}

static void
a_log_that_was_drained_leaves_no_trace(void)
{
    open_old_log();
    put(&ring, "line drained");
    drain(&ring);
    file_write("audit.log", "line drained\n");
    reboot();

    salvage_now();

    CHECK(!file_exists(salvaged));
    CHECK(!file_exists("audit.log.torn"));
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].count, 0);
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].bytes, 0);
    close_log();
}

static void
check_torn(const char *log, const char *whole, const char *torn)
{
    open_old_log();
    file_write("audit.log", log);
    reboot();

    salvage_now();

    CHECK_TEXT(file_text("audit.log"), whole);
    CHECK_TEXT(file_text("audit.log.torn"), torn);
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].count, 0);
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].bytes, strlen(torn));
    close_log();
    CHECK_EQUAL(system("rm -rf *"), 0);
}

static void
a_torn_last_line_is_kept_aside(void)
{
    check_torn("line one\nline tw", "line one\n", "line tw");
    check_torn("line one, unfinish", "", "line one, unfinish");
}

/* Longer than what is read at a time. */
static void
a_long_torn_line_is_kept_aside(void)
{
    enum { SIZE = 200 * 1000 };
    char *log = test_memory(SIZE + 10), *torn = test_memory(SIZE + 1);

    memset(torn, 'x', SIZE);
    snprintf(log, SIZE + 10, "line one\n%s", torn);

    check_torn(log, "line one\n", torn);
}

static void
a_missing_log_has_no_torn_line(void)
{
    open_old_log();
    reboot();

    salvage_now();

    CHECK(!file_exists("audit.log"));
    CHECK(!file_exists("audit.log.torn"));
    close_log();
}

static void
what_is_no_regular_file_is_left_alone(void)
{
    open_old_log();
    CHECK_EQUAL(mkdir("audit.log", 0700), 0);
    reboot();

    CHECK_EQUAL(salvage(&control, AT_FDCWD, AT_FDCWD, "audit.log"), -EISDIR);

    CHECK(control.rebooted);
    close_log();
}

/* On failure nothing was reset, and the next opener gets all of it. */
static void
check_again_after(enum sys_call call, uint32_t number)
{
    open_old_log();
    put(&ring, "line one");
    put(&ring, "line two");
    file_write("audit.log", "line zero\nline to");
    reboot();
    sys_test_fail(call, ENOSPC, number, 1);

    CHECK_EQUAL(salvage(&control, AT_FDCWD, AT_FDCWD, "audit.log"), -ENOSPC);
    CHECK_EQUAL(sys_test_failed(), 1);
    CHECK(control.rebooted);
    CHECK_EQUAL(control_slot_state(&control, 2), SLOT_LIVE);
    sys_test_heal();
    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\nline two\n");
    CHECK_TEXT(file_text("audit.log"), "line zero\n");
    CHECK_EQUAL(control.shared->losses[GAP_REBOOT].count, 2);
    CHECK(strstr(file_text("audit.log.torn"), "line to") != NULL);
    close_log();
    CHECK_EQUAL(system("rm -rf *"), 0);
}

static void
a_salvage_that_fails_is_done_again(void)
{
    static const struct {
        enum sys_call call;
        uint32_t number;
    } faults[] = {
        {CALL_openat, 1}, /* the ring */
        {CALL_fstat, 1},  {CALL_mmap_shared, 1},
        {CALL_openat, 2}, /* the salvage file */
        {CALL_write, 1},  {CALL_write, 2},
        {CALL_fsync, 1},  {CALL_openat, 3}, /* the log */
        {CALL_fstat, 2},  {CALL_pread, 1},
        {CALL_openat, 4}, /* the torn line's file */
        {CALL_pread, 2},  {CALL_write, 3},
        {CALL_fsync, 2},  {CALL_ftruncate, 1},
    };

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        check_again_after(faults[i].call, faults[i].number);
    }
}

static void
short_and_interrupted_writes_are_continued(void)
{
    open_old_log();
    put(&ring, "line one");
    reboot();
    sys_test_cut_write(3);
    sys_test_fail(CALL_write, EINTR, 2, 2);

    salvage_now();

    CHECK_TEXT(file_text(salvaged), "line one\n");
    close_log();
}

static void
a_write_that_takes_nothing_is_an_error(void)
{
    open_old_log();
    put(&ring, "line one");
    reboot();
    sys_test_cut_write(0);

    CHECK_EQUAL(salvage(&control, AT_FDCWD, AT_FDCWD, "audit.log"), -EIO);

    CHECK(control.rebooted);
    close_log();
}

static void
a_planted_link_is_not_followed(void)
{
    open_old_log();
    put(&ring, "line one");
    file_write("precious", "his\n");
    CHECK_EQUAL(symlink("precious", salvaged), 0);
    reboot();

    CHECK_EQUAL(salvage(&control, AT_FDCWD, AT_FDCWD, "audit.log"), -ELOOP);

    CHECK_TEXT(file_text("precious"), "his\n");
    close_log();
}

RUN(TEST(what_was_not_drained_goes_to_a_file_of_its_own),
    TEST(rings_and_slots_are_given_back),
    TEST(a_record_proves_itself_without_head_and_tail),
    TEST(what_did_not_reach_the_disk_whole_is_not_salvaged),
    TEST(gap_events_of_the_old_boot_are_not_salvaged),
    TEST(rings_are_salvaged_one_after_the_other),
    TEST(a_ring_that_is_not_there_or_is_none_is_passed_over),
    TEST(a_log_that_was_drained_leaves_no_trace), TEST(a_torn_last_line_is_kept_aside),
    TEST(a_long_torn_line_is_kept_aside), TEST(a_missing_log_has_no_torn_line),
    TEST(what_is_no_regular_file_is_left_alone),
    TEST(a_salvage_that_fails_is_done_again),
    TEST(short_and_interrupted_writes_are_continued),
    TEST(a_write_that_takes_nothing_is_an_error), TEST(a_planted_link_is_not_followed))

/* Gap events beside the log: what a failure leaves of them, and who goes on. */
#include "support.h"
#include "support_log.h"
#include "support_scene.h"
#include "support_sys.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct control_settings stdlib_dialect = {.dialect = DIALECT_STDLIB,
                                                       .max_backups = 3};

static void
in_the_stdlib_dialect_gap_events_go_beside_the_log(void)
{
    scene_open(&stdlib_dialect);
    scene_put(0, "before");
    scene_put_gap(0, GAP_CUT, 2);
    scene_put(0, "after");

    scene_stage();
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), "live-file-cut"), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].count_reported, 2);
    scene_close();
}

static void
gap_events_that_can_not_be_written_hold_the_batch_up(void)
{
    scene_open(&stdlib_dialect);
    scene_put_gap(0, GAP_CUT, 2);
    scene_put(0, "after");
    CHECK_EQUAL(symlink("elsewhere", "audit.log.gaps"), 0);

    scene_stage();
    CHECK_EQUAL(batch_write(&scene.batch), -ELOOP);
    CHECK_EQUAL(unlink("audit.log.gaps"), 0);
    CHECK_EQUAL(mkfifo("audit.log.gaps", 0600), 0);
    scene_stage();
    CHECK(batch_write(&scene.batch) < 0);
    CHECK_EQUAL(unlink("audit.log.gaps"), 0);
    sys_test_fail(CALL_writev, ENOSPC, 1, 1);
    scene_stage();
    CHECK_EQUAL(batch_write(&scene.batch), -ENOSPC);

    CHECK(!file_exists("elsewhere"));
    CHECK(!scene_has_intent());
    CHECK_EQUAL(file_size("audit.log"), 0);
    scene_stage();
    scene_write();
    CHECK_TEXT(file_text("audit.log"), "line after\n");
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), "live-file-cut"), 1);
    scene_close();
}

static void
fill_disk_after(uint64_t bytes)
{
    sys_test_cut_write(bytes);
    sys_test_fail(CALL_writev, ENOSPC, 2, 1);
    scene_stage();
    CHECK_EQUAL(batch_write(&scene.batch), -ENOSPC);
    sys_test_heal();
}

static void
a_torn_gap_event_beside_the_log_is_completed(void)
{
    scene_open(&stdlib_dialect);
    scene_put_gap(0, GAP_CUT, 2);

    fill_disk_after(10);
    scene_put_gap(0, GAP_CUT, 3);
    fill_disk_after(10);
    scene_stage();
    scene_write();

    CHECK(log_is_whole(file_text("audit.log.gaps")));
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), "live-file-cut"), 2);
    scene_close();
}

/* Another leader does not know how far the last one got. */
static void
a_torn_gap_event_of_another_leader_is_ended(void)
{
    const char *text;

    scene_open(&stdlib_dialect);
    scene_put_gap(0, GAP_CUT, 2);
    fill_disk_after(10);

    scene_change_leader();
    scene_stage();
    scene_write();

    text = file_text("audit.log.gaps");
    CHECK(log_is_whole(strchr(text, '\n') + 1));
    CHECK_EQUAL(log_gaps(text, "live-file-cut"), 1);
    scene_close();
}

/* Each is about 500 bytes; 16 KiB of them fit into one batch. */
static void
many_gap_events_take_several_batches(void)
{
    int batches = 0;

    scene_open(&stdlib_dialect);
    for (uint64_t i = 0; i < 60; i++) {
        scene_put_gap(0, GAP_CUT, i + 1);
    }

    while (!scene_is_drained(0)) {
        batch_begin(&scene.batch);
        scene_take(0, false);
        scene_write();
        batches++;
    }

    CHECK(batches > 1);
    CHECK_EQUAL(log_gaps(file_text("audit.log.gaps"), NULL), 60);
    CHECK_EQUAL(file_size("audit.log"), 0);
    scene_close();
}

RUN(TEST(in_the_stdlib_dialect_gap_events_go_beside_the_log),
    TEST(gap_events_that_can_not_be_written_hold_the_batch_up),
    TEST(a_torn_gap_event_beside_the_log_is_completed),
    TEST(a_torn_gap_event_of_another_leader_is_ended),
    TEST(many_gap_events_take_several_batches))

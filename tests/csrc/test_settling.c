/* The end of a batch whose file is given up. */
#include "settling.h"
#include "support.h"
#include "support_log.h"
#include "support_scene.h"
#include "support_sys.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct control_settings plain = {0};

/* What is whole stays in the old file; the rest can be written to another. */
static void
settling_keeps_whole_lines_wherever_it_stopped(void)
{
    for (uint64_t cut = 0; cut < strlen(scene_three); cut++) {
        uint64_t kept = cut < 9 ? 0 : cut < 32 ? 9 : 32;
        char *text;

        scene_open(&plain);
        scene_put_three();
        scene_write_part(cut);
        sys_test_heal();
        batch_settle(&scene.batch, true);

        CHECK(!scene_has_intent());
        CHECK(!scene.batch.is_outstanding);
        CHECK_EQUAL(file_size("audit.log"), kept);
        CHECK_EQUAL(scene_is_drained(0), kept >= 9);
        CHECK_EQUAL(scene_is_drained(1), kept >= 32);
        CHECK_EQUAL(scene_count(COUNTER_bytes_written), kept);
        CHECK_EQUAL(scene_count(COUNTER_batches_settled), 1);
        scene_stage();
        scene_write();
        text = file_text("audit.log");
        CHECK_TEXT(text, scene_three);
        CHECK_EQUAL(scene_count(COUNTER_records_written), 3);
        scene_close();
        scene_forget();
    }
}

static void
settling_can_keep_nothing(void)
{
    scene_open(&plain);
    scene_put_three();
    scene_write_part(35);
    sys_test_heal();

    batch_settle(&scene.batch, false);

    CHECK(!scene_has_intent());
    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK(!scene_is_drained(0));
    CHECK_EQUAL(scene_count(COUNTER_records_written), 0);
    scene_close();
}

static void
a_file_that_can_not_be_cut_is_told_as_a_loss(void)
{
    scene_open(&plain);
    scene_put_three();
    scene_write_part(12);
    sys_test_fail(CALL_ftruncate, EIO, 1, 1);

    batch_settle(&scene.batch, true);

    CHECK_EQUAL(scene.control.shared->losses[GAP_CONFLICT].count, 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CONFLICT].bytes, 3);
    CHECK(!scene_has_intent());
    scene_close();
}

static void
settling_reports_the_gap_events_that_it_keeps(void)
{
    scene_open(&plain);
    scene_put_gap(0, GAP_CUT, 2);
    scene_put_gap(1, GAP_DROPPED, 3);
    scene_put(2, "last");
    scene_stage();
    sys_test_cut_write(scene.batch.size - 1);
    sys_test_fail(CALL_writev, EIO, 2, 1);
    CHECK_EQUAL(batch_write(&scene.batch), -EIO);

    batch_settle(&scene.batch, true);

    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].count_reported, 2);
    CHECK_EQUAL(scene.rings[1].shared->dropped_count_reported, 3);
    CHECK_EQUAL(scene_count(COUNTER_gap_events), 2);
    CHECK(scene_is_drained(0) && scene_is_drained(1) && !scene_is_drained(2));
    scene_close();
}

/* Who writes over his ring has only his own record counted by the leader's word. */
static void
a_ring_written_over_meanwhile_harms_no_other(void)
{
    for (uint64_t cut = 0; cut < strlen(scene_three); cut++) {
        uint64_t kept = cut < 9 ? 0 : cut < 32 ? 9 : 32;
        char *text;

        scene_open(&plain);
        scene_put_three();
        scene_write_part(cut);
        sys_test_heal();
        memset(scene.rings[0].data, 'x', scene.rings[0].capacity);
        memset(scene.rings[0].index, 0, ring_index_size(scene.rings[0].capacity));
        batch_settle(&scene.batch, true);

        CHECK_EQUAL(file_size("audit.log"), kept);
        CHECK_EQUAL(scene_is_drained(0), kept >= 9);
        CHECK_EQUAL(scene_is_drained(1), kept >= 32);
        CHECK_EQUAL(scene_count(COUNTER_bytes_written), kept);
        CHECK_EQUAL(scene_count(COUNTER_records_written), kept < 9    ? 0
                                                          : kept < 32 ? 1
                                                                      : 2);
        batch_begin(&scene.batch);
        scene_take(1, false);
        scene_take(2, false);
        scene_write();
        text = file_text("audit.log");
        CHECK_TEXT(text, kept < 9 ? scene_three + 9 : scene_three);
        scene_close();
        scene_forget();
    }
}

RUN(TEST(settling_keeps_whole_lines_wherever_it_stopped),
    TEST(settling_can_keep_nothing), TEST(a_file_that_can_not_be_cut_is_told_as_a_loss),
    TEST(settling_reports_the_gap_events_that_it_keeps),
    TEST(a_ring_written_over_meanwhile_harms_no_other))

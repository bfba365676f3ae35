/* One batch: what is staged, written, published, and what a failure leaves. */
#include "ring.h"
#include "ringwait.h"
#include "settling.h"
#include "support.h"
#include "support_log.h"
#include "support_scene.h"
#include "support_sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct control_settings plain = {0};

static void
records_of_all_rings_are_written_in_turn(void)
{
    scene_open(&plain);
    scene_put(0, "a1");
    scene_put(0, "a2");
    scene_put(1, "b1");
    scene_put(2, "c1");

    scene_stage();
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line a1\nline a2\nline b1\nline c1\n");
    CHECK(scene_is_drained(0) && scene_is_drained(1) && scene_is_drained(2));
    CHECK_EQUAL(scene_count(COUNTER_records_written), 4);
    CHECK_EQUAL(scene_count(COUNTER_bytes_written), 32);
    CHECK_EQUAL(scene_count(COUNTER_batches_written), 1);
    CHECK_EQUAL(scene.control.shared->live_size, 32);
    CHECK_EQUAL(scene.control.shared->live_lines, 4);
    CHECK_EQUAL(sys_test_calls(CALL_writev), 1);
    scene_close();
}

static void
nothing_staged_is_an_empty_batch(void)
{
    scene_open(&plain);

    scene_stage();

    CHECK(batch_is_empty(&scene.batch));
    scene_close();
}

static void
what_is_staged_stands_back_to_back(void)
{
    scene_open(&plain);
    for (int i = 0; i < 50; i++) {
        scene_put(0, "a line that is larger than the unit of a ring, and is one part");
        scene_put(1, "small");
    }

    scene_stage();

    scene_write();
    CHECK_EQUAL(sys_test_calls(CALL_writev), 1);
    CHECK_EQUAL(scene_count(COUNTER_short_writes), 0);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 100);
    scene_close();
}

/* Whoever may write to the log may write to its rings, at any moment. */
static void
what_is_staged_is_written_though_the_ring_changes(void)
{
    scene_open(&plain);
    scene_put_three();
    scene_stage();
    for (uint32_t i = 0; i < SCENE_RINGS; i++) {
        memset(scene.rings[i].data, '?', scene.rings[i].capacity);
        memset(scene.rings[i].index, 0xff, ring_index_size(scene.rings[i].capacity));
    }

    scene_write();

    CHECK_TEXT(file_text("audit.log"), scene_three);
    scene_close();
}

static void
a_source_gives_no_more_than_its_quota_but_always_a_record(void)
{
    struct batch_source source;

    scene_open(&plain);
    for (int i = 0; i < 10; i++) {
        scene_put(0, "thirty-two bytes with its header");
    }
    source = (struct batch_source){.ring = &scene.rings[0],
                                   .end = ring_tail(&scene.rings[0])};

    batch_begin(&scene.batch);
    CHECK_EQUAL(batch_take(&scene.batch, &source, 1), BATCH_TOOK_ALL);
    scene_write();
    CHECK_EQUAL(scene_count(COUNTER_records_written), 1);

    batch_begin(&scene.batch);
    CHECK_EQUAL(batch_take(&scene.batch, &source, 400), BATCH_TOOK_ALL);
    scene_write();
    /* A pad before the wrap, and five records of 64. */
    CHECK_EQUAL(scene_count(COUNTER_records_written), 1 + 5);
    scene_close();
}

static void
what_was_reserved_after_the_pass_began_waits_for_the_next(void)
{
    struct batch_source source;

    scene_open(&plain);
    scene_put(0, "before");
    source = (struct batch_source){.ring = &scene.rings[0],
                                   .end = ring_tail(&scene.rings[0])};
    scene_put(0, "after");

    batch_begin(&scene.batch);
    CHECK_EQUAL(batch_take(&scene.batch, &source, UINT64_MAX), BATCH_TOOK_ALL);
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line before\n");
    scene_close();
}

static void
small_and_large_records_keep_their_order(void)
{
    char large[RING_UNIT * 2 + 1], expected[8192] = {0};

    scene_open(&plain);
    for (int i = 0; i < 6; i++) {
        memset(large, 'a' + i, sizeof(large) - 1);
        large[i % 2 == 0 ? 3 : RING_UNIT * 2] = '\0';
        scene_put(0, large);
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                 "line %s\n", large);
    }

    scene_stage();
    scene_write();

    CHECK_TEXT(file_text("audit.log"), expected);
    CHECK_EQUAL(sys_test_calls(CALL_writev), 1);
    scene_close();
}

/* More bytes than a batch takes, in records that are copied. */
static void
a_full_batch_is_told(void)
{
    struct ring_options options = {.capacity = 4 * 1024 * 1024, .nonce = 42, .slot = 3};
    struct batch_source source = {.slot = 3};
    struct ring_reservation at;
    struct ring ring;
    char line[400];
    uint64_t written = 0;

    scene_open(&plain);
    CHECK_EQUAL(ring_create_private(&ring, &sys_test, &options), 0);
    memset(line, 'x', sizeof(line));
    while (ring_write(&ring, RING_DATA, line, sizeof(line), true, &at) == 0) {
        written++;
    }
    source.ring = &ring;
    source.end = ring_tail(&ring);

    while (!(ring_head(&ring) == source.end)) {
        enum batch_taken taken;

        batch_begin(&scene.batch);
        taken = batch_take(&scene.batch, &source, UINT64_MAX);
        CHECK(taken == BATCH_FULL || scene.batch.intent->ranges[0].to == source.end);
        CHECK(scene.batch.size <= BATCH_SIZE_LIMIT);
        scene_write();
    }

    CHECK_EQUAL(scene_count(COUNTER_records_written), written);
    CHECK_EQUAL(file_size("audit.log"), written * (sizeof(line) + 1));
    ring_close(&ring);
    scene_close();
}

/* Nobody writes such a record; a forged ring may hold it. */
static void
an_empty_record_writes_nothing_and_holds_up_nothing(void)
{
    struct ring_reservation at;

    scene_open(&plain);
    CHECK_EQUAL(ring_write(&scene.rings[0], RING_DATA, "", 0, false, &at), 0);

    scene_stage();
    scene_write();

    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK(scene_is_drained(0));
    scene_close();
}

static void
a_hole_ends_what_is_taken(void)
{
    struct ring_reservation hole;

    scene_open(&plain);
    scene_put(0, "before");
    CHECK_EQUAL(ring_reserve(&scene.rings[0], 10, &hole), 0);
    scene_put(0, "after");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_AT_HOLE);
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line before\n");
    CHECK_EQUAL(scene_count(COUNTER_abandoned_reservations), 0);
    scene_close();
}

static void
a_hole_of_the_dead_is_counted_as_a_loss(void)
{
    struct ring_reservation hole;

    scene_open(&plain);
    scene_put(0, "before");
    CHECK_EQUAL(ring_reserve(&scene.rings[0], 10, &hole), 0);
    scene_put(0, "after");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, true), BATCH_TOOK_ALL);
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line before\nline after\n");
    CHECK_EQUAL(scene_count(COUNTER_abandoned_reservations), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_ABANDONED].count, 1);
    CHECK_EQUAL(scene_count(COUNTER_recovered_records), 2);
    scene_close();
}

static void
a_damaged_record_is_counted_as_a_loss(void)
{
    scene_open(&plain);
    scene_put(0, "damaged");
    ring_payload(&scene.rings[0],
                 &(struct ring_reservation){.position = RING_CAPACITY_MIN - 160})[0] ^=
        1;
    scene_put(0, "whole");

    scene_stage();
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line whole\n");
    CHECK_EQUAL(scene_count(COUNTER_damaged_records), 1);
    CHECK_EQUAL(scene.control.shared->losses[GAP_DAMAGED].count, 1);
    scene_close();
}

/* "line 12345678\n" is 14 bytes. Source: lumberjack rotates at `>`. */
static void
a_line_that_makes_the_file_exactly_full_still_belongs_to_it(void)
{
    struct control_settings settings = {.max_bytes = 28};

    scene_open(&settings);
    scene_put(0, "12345678");
    scene_put(0, "12345678");
    scene_put(0, "x");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_FILE_FULL);
    scene_write();

    CHECK_EQUAL(file_size("audit.log"), 28);
    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_FILE_FULL);
    CHECK(batch_is_empty(&scene.batch));
    scene.batch.may_exceed = true;
    CHECK_EQUAL(scene_take(0, false), BATCH_TOOK_ALL);
    scene_close();
}

/* Source: lumberjack, openExistingOrNew: `>=` for the first write to a file it found.
 */
static void
the_first_line_may_not_make_a_found_file_full(void)
{
    struct control_settings settings = {.max_bytes = 28};

    file_write("audit.log", "line found it\n");
    scene_open(&settings);
    scene_put(0, "12345678");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_FILE_FULL);
    scene_close();
}

/* Source: RotatingFileHandler.shouldRollover: `>=`. */
static void
the_stdlib_dialect_rotates_one_byte_earlier(void)
{
    struct control_settings settings = {
        .dialect = DIALECT_STDLIB, .max_backups = 1, .max_bytes = 28};

    scene_open(&settings);
    scene_put(0, "12345678");
    scene_put(0, "12345678");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_FILE_FULL);
    scene_write();

    CHECK_EQUAL(file_size("audit.log"), 14);
    scene_close();
}

static void
without_backups_the_stdlib_dialect_never_rotates(void)
{
    struct control_settings settings = {.dialect = DIALECT_STDLIB, .max_bytes = 10};

    scene_open(&settings);
    scene_put(0, "12345678");
    scene_put(0, "12345678");

    scene_stage();
    scene_write();

    CHECK_EQUAL(file_size("audit.log"), 28);
    scene_close();
}

static void
a_line_above_the_limit_is_alone_in_its_file(void)
{
    struct control_settings settings = {.max_bytes = 10};

    scene_open(&settings);
    scene_put(0, "longer than the limit");
    scene_put(0, "x");

    batch_begin(&scene.batch);
    CHECK_EQUAL(scene_take(0, false), BATCH_FILE_FULL);
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line longer than the limit\n");
    CHECK_EQUAL(scene_count(COUNTER_oversize_records), 1);
    scene_close();
}

static void
a_gap_event_stands_where_it_was_committed_and_is_reported(void)
{
    char *text;

    scene_open(&plain);
    scene_put(0, "before");
    scene_put_gap(0, GAP_DROPPED, 7);
    scene_put_gap(0, GAP_CUT, 2);
    scene_put(0, "after");

    scene_stage();
    scene_write();

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK(strncmp(text, "line before\n{\"kind\"", 19) == 0);
    CHECK_EQUAL(log_count(text, "line after"), 1);
    CHECK_EQUAL(log_gap_sum(text, "dropped", "count"), 7);
    CHECK_EQUAL(scene.rings[0].shared->dropped_count_reported, 7);
    CHECK_EQUAL(scene.rings[0].shared->dropped_bytes_reported, 700);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].count_reported, 2);
    CHECK_EQUAL(scene.control.shared->losses[GAP_CUT].bytes_reported, 200);
    CHECK_EQUAL(scene_count(COUNTER_gap_events), 2);
    CHECK_EQUAL(scene_count(COUNTER_records_written), 2);
    scene_close();
}

static void
a_forged_gap_record_is_passed_over(void)
{
    struct gap_mark marks[] = {{.reason = GAP_REASONS, .line_size = 5},
                               {.reason = GAP_CUT, .line_size = 6},
                               {.reason = GAP_CUT, .line_size = UINT32_MAX}};
    struct ring_reservation at;
    char record[sizeof(struct gap_mark) + 5];

    scene_open(&plain);
    CHECK_EQUAL(ring_write(&scene.rings[0], RING_GAP, "short", 5, false, &at), 0);
    for (int i = 0; i < 3; i++) {
        memcpy(record, &marks[i], sizeof(marks[i]));
        memcpy(record + sizeof(marks[i]), "gap!\n", 5);
        CHECK_EQUAL(
            ring_write(&scene.rings[0], RING_GAP, record, sizeof(record), false, &at),
            0);
    }
    scene_put(0, "after");

    scene_stage();
    scene_write();

    CHECK_TEXT(file_text("audit.log"), "line after\n");
    CHECK_EQUAL(scene_count(COUNTER_gap_events), 0);
    scene_close();
}

static void
a_batch_that_stopped_anywhere_is_continued(void)
{
    for (uint64_t cut = 0; cut < strlen(scene_three); cut++) {
        scene_open(&plain);
        scene_put_three();
        scene_write_part(cut);
        CHECK(scene.batch.is_outstanding);
        CHECK(scene_has_intent());
        CHECK(!scene_is_drained(0));

        sys_test_heal();
        scene_write();

        CHECK_TEXT(file_text("audit.log"), scene_three);
        CHECK(scene_is_drained(0) && scene_is_drained(1) && scene_is_drained(2));
        scene_close();
        scene_forget();
    }
}

static void
a_batch_is_not_continued_in_a_file_that_somebody_changed(void)
{
    scene_open(&plain);
    scene_put_three();
    scene_write_part(12);
    sys_test_heal();

    CHECK_EQUAL(truncate("audit.log", 3), 0);
    CHECK_EQUAL(batch_write(&scene.batch), -ESTALE);
    CHECK_EQUAL(truncate("audit.log", 20), 0);
    CHECK_EQUAL(batch_write(&scene.batch), -ESTALE);
    CHECK_EQUAL(unlink("audit.log"), 0);
    CHECK_EQUAL(batch_write(&scene.batch), -ESTALE);
    sys_test_fail(CALL_fstat, EIO, 1, 1);
    CHECK_EQUAL(batch_write(&scene.batch), -EIO);
    close(scene.file.fd);
    CHECK_EQUAL(batch_write(&scene.batch), -EBADF);

    CHECK(scene_has_intent());
    scene.file.fd = -1;
    batch_close(&scene.batch);
    control_close(&scene.control);
}

static void
a_batch_goes_on_in_a_file_that_was_renamed(void)
{
    scene_open(&plain);
    scene_put_three();
    scene_write_part(12);
    sys_test_heal();
    CHECK_EQUAL(rename("audit.log", "audit.log.1"), 0);

    scene_write();

    CHECK_TEXT(file_text("audit.log.1"), scene_three);
    scene_close();
}

static void
want_sync(uint32_t slot)
{
    scene.control.shared->slots[slot].durability = DURABILITY_SYNC;
}

static void
a_batch_is_synced_when_one_of_its_slots_wants_it(void)
{
    scene_open(&plain);
    want_sync(1);
    scene_put(0, "process");
    scene_stage();
    scene_write();
    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 0);

    scene_put(0, "process");
    scene_put(1, "sync");
    scene_stage();
    scene_write();

    CHECK_EQUAL(sys_test_calls(CALL_fdatasync), 1);
    CHECK_EQUAL(scene_count(COUNTER_syncs), 1);
    CHECK(ring_wait_durable(&scene.rings[1], ring_tail(&scene.rings[1]), 0));
    CHECK_EQUAL(scene.control.shared->syncing, 0);
    scene_close();
}

static void
a_failed_sync_publishes_nothing_and_leaves_its_mark(void)
{
    scene_open(&plain);
    want_sync(0);
    scene_put_three();
    scene_stage();
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);

    CHECK_EQUAL(batch_write(&scene.batch), -EREMOTEIO);

    CHECK_EQUAL(scene.control.shared->syncing, 1);
    CHECK(scene_has_intent());
    CHECK(!scene_is_drained(0));
    CHECK(!ring_wait_durable(&scene.rings[0], ring_tail(&scene.rings[0]), 0));
    CHECK_EQUAL(scene_count(COUNTER_sync_errors), 1);
    scene_close();
}

/* The kernel reports a lost page once: a second try that succeeds proves nothing. */
static void
a_failed_sync_is_never_tried_again_as_proof(void)
{
    scene_open(&plain);
    want_sync(0);
    scene_put_three();
    scene_stage();
    sys_test_fail(CALL_fdatasync, EIO, 1, 1);
    CHECK_EQUAL(batch_write(&scene.batch), -EREMOTEIO);

    CHECK_EQUAL(batch_write(&scene.batch), -EREMOTEIO);

    CHECK(!scene_is_drained(0));
    CHECK(!ring_wait_durable(&scene.rings[0], ring_tail(&scene.rings[0]), 0));
    batch_settle(&scene.batch, false);
    CHECK_EQUAL(scene.control.shared->syncing, 0);
    scene_close();
}

static bool
is_in_ring(const char *text)
{
    const struct ring *ring = &scene.rings[0];
    size_t size = strlen(text);

    for (uint64_t at = 0; at + size <= ring->capacity; at++) {
        if (memcmp(ring->data + at, text, size) == 0) {
            return true;
        }
    }
    return false;
}

static void
drained_records_are_wiped_when_asked_for(void)
{
    struct control_settings settings = {.wipe_on_drain = 1};

    scene_open(&settings);
    scene_put(0, "with a secret");
    scene_put(0, "behind the wrap, with a secret");
    CHECK(is_in_ring("secret"));

    scene_stage();
    scene_write();

    CHECK(!is_in_ring("secret"));
    CHECK_EQUAL(log_count(file_text("audit.log"), "line with a secret"), 1);
    scene_close();
}

static void
drained_records_stay_when_nobody_asked(void)
{
    scene_open(&plain);
    scene_put(0, "with a secret");

    scene_stage();
    scene_write();

    CHECK(is_in_ring("secret"));
    scene_close();
}

RUN(TEST(records_of_all_rings_are_written_in_turn),
    TEST(nothing_staged_is_an_empty_batch), TEST(what_is_staged_stands_back_to_back),
    TEST(what_is_staged_is_written_though_the_ring_changes),
    TEST(a_source_gives_no_more_than_its_quota_but_always_a_record),
    TEST(what_was_reserved_after_the_pass_began_waits_for_the_next),
    TEST(small_and_large_records_keep_their_order), TEST(a_full_batch_is_told),
    TEST(an_empty_record_writes_nothing_and_holds_up_nothing),
    TEST(a_hole_ends_what_is_taken), TEST(a_hole_of_the_dead_is_counted_as_a_loss),
    TEST(a_damaged_record_is_counted_as_a_loss),
    TEST(a_line_that_makes_the_file_exactly_full_still_belongs_to_it),
    TEST(the_first_line_may_not_make_a_found_file_full),
    TEST(the_stdlib_dialect_rotates_one_byte_earlier),
    TEST(without_backups_the_stdlib_dialect_never_rotates),
    TEST(a_line_above_the_limit_is_alone_in_its_file),
    TEST(a_gap_event_stands_where_it_was_committed_and_is_reported),
    TEST(a_forged_gap_record_is_passed_over),
    TEST(a_batch_that_stopped_anywhere_is_continued),
    TEST(a_batch_is_not_continued_in_a_file_that_somebody_changed),
    TEST(a_batch_goes_on_in_a_file_that_was_renamed),
    TEST(a_batch_is_synced_when_one_of_its_slots_wants_it),
    TEST(a_failed_sync_publishes_nothing_and_leaves_its_mark),
    TEST(a_failed_sync_is_never_tried_again_as_proof),
    TEST(drained_records_are_wiped_when_asked_for),
    TEST(drained_records_stay_when_nobody_asked))

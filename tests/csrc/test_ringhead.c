/* The leader's place in a ring, whoever writes over the head that all can write.
 *
 * Who may be there: somebody who puts the head back, puts it forward, or fills it with
 * rubbish, while a leader leads and between two of them; and nobody of that kind.
 */
#include "ring.h"
#include "ringhead.h"
#include "ringwait.h"
#include "support.h"
#include "support_log.h"
#include "support_ring.h"
#include "support_sys.h"
#include "support_writer.h"

#include <stdatomic.h>
#include <string.h>

static const uint64_t s = 1000000000;

static void
scribble(struct ring *ring, uint64_t head)
{
    atomic_store_explicit(&ring->shared->head, head, memory_order_release);
}

static void
a_head_that_is_put_back_has_nothing_written_twice(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    scribble(&writer->current->ring, 0);
    log_step(writer, 1 * s);
    CHECK_EQUAL(ring_head(&writer->current->ring), ring_tail(&writer->current->ring));
    log_put(writer, "two");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    CHECK_EQUAL(ring_head(&writer->current->ring), ring_tail(&writer->current->ring));
    log_close(writer);
}

static void
a_head_that_is_put_forward_has_nothing_skipped(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    log_put(writer, "three");
    scribble(&writer->current->ring, ring_tail(&writer->current->ring));
    log_step(writer, 1 * s);
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\n");
    log_close(writer);
}

static void
what_another_leader_drained_is_not_written_again(void)
{
    struct writer *writer = log_open_stepped(NULL);

    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two, written by the other");
    scribble(&writer->current->ring, ring_tail(&writer->current->ring));
    atomic_store_explicit(&writer->control.shared->leader, CONTROL_SLOTS,
                          memory_order_release);
    log_step(writer, 1 * s);
    log_put(writer, "three");
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline three\n");
    log_close(writer);
}

static void
the_first_look_takes_what_the_file_says(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    CHECK_EQUAL(put_text(&ring, "two"), 0);
    ring_publish(&ring, 64);

    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_GOOD);
    CHECK_EQUAL(ringhead_at(&ring), 64);
    ringhead_publish(&ring, 128);
    CHECK_EQUAL(ringhead_at(&ring), 128);
    CHECK_EQUAL(ring_head(&ring), 128);
    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_GOOD);
    ring_close(&ring);
}

static void
a_head_that_is_written_over_is_put_back(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_GOOD);
    scribble(&ring, UINT64_MAX / 3);

    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_WRITTEN_OVER);
    ringhead_put_back(&ring);
    CHECK_EQUAL(ring_head(&ring), 0);
    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_GOOD);
    ring_close(&ring);
}

static void
a_head_within_a_record_is_moved_behind_it(void)
{
    static const char text[] =
        "a text that takes up more than two units of the ring, so "
        "that there is a unit in which nothing begins, for heads";
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, text), 0);
    CHECK_EQUAL(put_text(&ring, "two"), 0);
    for (uint64_t head = 1; head < strlen(text); head++) {
        ringhead_forget(&ring);
        scribble(&ring, head);
        CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_MOVED);
        CHECK_EQUAL(ringhead_at(&ring), strlen(text));
        CHECK_EQUAL(ring_head(&ring), strlen(text));
    }
    ring_close(&ring);
}

/* Wherever records begin and end, around the wrap too. */
static void
a_head_between_records_is_good(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        const char *text = "";

        for (int n = 0; n < 3000; n++) {
            ringhead_forget(&ring);
            CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_GOOD);
            CHECK_EQUAL(put_text(&ring, n % 3 == 0 ? "a" : "a longer text"), 0);
            text = n % 2 == 0 ? take_text(&ring) : text;
            while (n % 5 == 0 && take_text(&ring) != NULL) {
                continue;
            }
        }
        CHECK(text != NULL);
        ring_close(&ring);
    }
}

static void
a_head_that_can_be_none_is_refused(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put_text(&ring, "one"), 0);
    scribble(&ring, ring_tail(&ring) + 64);
    CHECK_EQUAL(ringhead_find(&ring, ring_tail(&ring)), RINGHEAD_BAD);
    ring_close(&ring);
}

RUN(TEST(a_head_that_is_put_back_has_nothing_written_twice),
    TEST(a_head_that_is_put_forward_has_nothing_skipped),
    TEST(what_another_leader_drained_is_not_written_again),
    TEST(the_first_look_takes_what_the_file_says),
    TEST(a_head_that_is_written_over_is_put_back),
    TEST(a_head_within_a_record_is_moved_behind_it),
    TEST(a_head_between_records_is_good), TEST(a_head_that_can_be_none_is_refused))

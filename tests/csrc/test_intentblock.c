/* An intent is said in memory that others may write to.
 *
 * Who may be there: a leader that was killed between any two stores; another user who
 * has the log open as well and writes rubbish, once or all the time; the leader itself,
 * whose own intent must not change under it.
 */
#include "intentblock.h"

#include "support.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct control control;
static struct control_intent found;

static void
begin(void)
{
    CHECK_EQUAL(control_open_private(&control, &sys_posix), 0);
}

static struct control_intent *
said_in(uint32_t block)
{
    return &control.shared->intents[block];
}

/* Two ranges; `start` tells it apart. */
static struct control_intent
say(uint32_t block, uint64_t sequence, uint64_t start)
{
    struct control_intent intent = {.block = block,
                                    .sequence = sequence,
                                    .start = start,
                                    .range_count = 2,
                                    .ranges = {{.slot = 3}, {.slot = 7, .to = start}}};

    intentblock_say(&control, &intent);
    return intent;
}

static void
an_intent_is_found_from_saying_to_clearing(void)
{
    struct control_intent intent;

    begin();
    CHECK_EQUAL(intentblock_find(&control, &found), -ENOENT);

    intent = say(1, 4, 10);
    CHECK_EQUAL(intentblock_find(&control, &found), 0);
    CHECK_EQUAL(found.block, 1);
    CHECK_EQUAL(found.start, 10);
    CHECK_EQUAL(found.ranges[1].to, 10);

    intentblock_clear(&control, &intent);
    CHECK_EQUAL(intentblock_find(&control, &found), -ENOENT);
    control_close(&control);
}

static void
of_two_intents_the_later_counts_and_the_other_is_cleared(void)
{
    for (uint32_t later = 0; later < 2; later++) {
        begin();
        say(1 - later, 4, 10);
        say(later, 5, 20);

        CHECK_EQUAL(intentblock_find(&control, &found), 0);

        CHECK_EQUAL(found.start, 20);
        CHECK_EQUAL(found.block, later);
        CHECK_EQUAL(said_in(later)->valid, 1);
        CHECK_EQUAL(said_in(1 - later)->valid, 0);
        control_close(&control);
    }
}

static void
rubbish_beside_a_good_intent_changes_nothing(void)
{
    for (uint32_t good = 0; good < 2; good++) {
        begin();
        memset(said_in(1 - good), 0xff, sizeof(struct control_intent));
        say(good, 4, 10);

        CHECK_EQUAL(intentblock_find(&control, &found), 0);

        CHECK_EQUAL(found.start, 10);
        CHECK_EQUAL(said_in(1 - good)->valid, 0);
        control_close(&control);
    }
}

static void
check_damage_noticed(size_t offset)
{
    begin();
    say(0, 4, 10);
    ((uint8_t *)said_in(0))[offset] ^= 0x10;

    CHECK_EQUAL(intentblock_find(&control, &found), -EUCLEAN);
    control_close(&control);
}

static void
a_changed_intent_is_noticed(void)
{
    check_damage_noticed(offsetof(struct control_intent, crc));
    check_damage_noticed(offsetof(struct control_intent, sequence));
    check_damage_noticed(offsetof(struct control_intent, start));
    check_damage_noticed(offsetof(struct control_intent, length));
    check_damage_noticed(offsetof(struct control_intent, digest));
    check_damage_noticed(offsetof(struct control_intent, range_count));
    check_damage_noticed(offsetof(struct control_intent, range_count) + 3);
    check_damage_noticed(offsetof(struct control_intent, records_after));
    check_damage_noticed(offsetof(struct control_intent, ranges));
    check_damage_noticed(offsetof(struct control_intent, ranges[1].to));
}

/* As somebody says it who knows how the CRC is made. */
static void
check_refused(struct control_intent intent)
{
    begin();
    intentblock_say(&control, &intent);

    CHECK_EQUAL(intentblock_find(&control, &found), -EUCLEAN);
    control_close(&control);
}

static void
bounds_that_no_batch_has_are_refused_though_the_crc_is_right(void)
{
    check_refused(
        (struct control_intent){.range_count = 1, .ranges = {{.slot = CONTROL_SLOTS}}});
    check_refused((struct control_intent){.range_count = 1, .ranges = {{.from = 1}}});
    check_refused((struct control_intent){.range_count = 1,
                                          .ranges = {{.to = (uint64_t)INT64_MAX + 1}}});
    check_refused((struct control_intent){.range_count = 2,
                                          .ranges = {{.slot = 5}, {.slot = 5}}});
    check_refused((struct control_intent){.start = UINT64_MAX});
    check_refused((struct control_intent){.start = INT64_MAX, .length = 1});
}

static void
more_ranges_than_there_are_slots_are_not_read(void)
{
    static const uint32_t counts[] = {CONTROL_SLOTS + 1, 0x7fffffff, UINT32_MAX};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        begin();
        say(0, 4, 10);
        said_in(0)->range_count = counts[i];
        said_in(1)->range_count = counts[i];
        said_in(1)->valid = 1;

        CHECK_EQUAL(intentblock_find(&control, &found), -EUCLEAN);
        control_close(&control);
    }
}

static void
who_says_an_intent_never_reads_it_back(void)
{
    struct control_intent intent;

    begin();
    intent = say(0, 4, 10);
    memset(said_in(0), 0xff, sizeof(struct control_intent));
    memset(said_in(1), 0xff, sizeof(struct control_intent));

    intentblock_say(&control, &intent);

    CHECK_EQUAL(intentblock_find(&control, &found), 0);
    CHECK_EQUAL(found.range_count, 2);
    CHECK_EQUAL(found.start, 10);
    control_close(&control);
}

RUN(TEST(an_intent_is_found_from_saying_to_clearing),
    TEST(of_two_intents_the_later_counts_and_the_other_is_cleared),
    TEST(rubbish_beside_a_good_intent_changes_nothing),
    TEST(a_changed_intent_is_noticed),
    TEST(bounds_that_no_batch_has_are_refused_though_the_crc_is_right),
    TEST(more_ranges_than_there_are_slots_are_not_read),
    TEST(who_says_an_intent_never_reads_it_back))

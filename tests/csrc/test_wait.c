/* Waiting on a word, and how long a polling consumer sleeps. */
#include "support.h"
#include "support_sys.h"
#include "wait.h"

#include <pthread.h>

static const uint64_t us = 1000, ms = 1000000, s = 1000000000;

static void
a_word_that_has_changed_is_not_waited_for(void)
{
    _Atomic uint32_t word = 8;

    sys_test_reset();
    wait_word(&sys_test, &word, 7, 3600 * s);

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 0);
}

static void
a_wait_ends_at_its_limit(void)
{
    _Atomic uint32_t word = 7;

    sys_test_reset();
    wait_word(&sys_test, &word, 7, 1 * ms);

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 1);
}

static _Atomic uint32_t shared_word;

static void *
wait_for_change(void *context)
{
    uint64_t begin = test_wait_begin();

    (void)context;
    while (shared_word == 0 && test_wait_begin() - begin < 10 * s) {
        wait_word(&sys_test, &shared_word, 0, 10 * s);
    }
    CHECK(shared_word != 0);
    return NULL;
}

static void
a_wake_reaches_everybody_who_waits(void)
{
    pthread_t threads[3];

    sys_test_reset();
    shared_word = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, wait_for_change, NULL), 0);
    }
    WAIT_UNTIL(sys_test_calls(CALL_futex_wait) >= 3);

    wait_wake(&sys_test, &shared_word);

    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQUAL(shared_word, 1);
}

static void
sleep_is_short_after_work_and_doubles_while_idle(void)
{
    struct wait_backoff backoff = {0};

    CHECK_EQUAL(wait_backoff_next(&backoff, true, 10 * s), 200 * us);
    CHECK_EQUAL(wait_backoff_next(&backoff, false, 10 * s), 400 * us);
    CHECK_EQUAL(wait_backoff_next(&backoff, false, 10 * s), 800 * us);
    CHECK_EQUAL(wait_backoff_next(&backoff, true, 10 * s), 200 * us);
}

static void
sleep_stays_below_7_ms_until_a_second_was_idle(void)
{
    struct wait_backoff backoff = {0};
    uint64_t longest = 0;

    for (uint64_t now = 10 * s; now < 11 * s; now += 10 * ms) {
        uint64_t sleep = wait_backoff_next(&backoff, false, now);
        longest = sleep > longest ? sleep : longest;
    }

    CHECK(longest >= 5 * ms);
    CHECK(longest < 7 * ms);
    CHECK_EQUAL(wait_backoff_next(&backoff, false, 11 * s), 20 * ms);
    CHECK_EQUAL(wait_backoff_next(&backoff, false, 100 * s), 20 * ms);
    CHECK_EQUAL(wait_backoff_next(&backoff, true, 100 * s), 200 * us);
}

RUN(TEST(a_word_that_has_changed_is_not_waited_for), TEST(a_wait_ends_at_its_limit),
    TEST(a_wake_reaches_everybody_who_waits),
    TEST(sleep_is_short_after_work_and_doubles_while_idle),
    TEST(sleep_stays_below_7_ms_until_a_second_was_idle))

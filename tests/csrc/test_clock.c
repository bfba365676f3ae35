/* Times as text, and back. */
#include "clock.h"
#include "support.h"

#include <string.h>

static const uint64_t day_ms = 86400000;

static void
a_name_has_dashes_and_three_digits(void)
{
    char name[CLOCK_NAME_SIZE];

    clock_name(1795309323004, name);

    CHECK_TEXT(name, "2026-11-22T01-02-03.004");
}

static void
a_micro_time_has_six_digits_and_is_utc(void)
{
    char micro[CLOCK_MICRO_SIZE];

    clock_micro(1795309323000004999, micro);

    CHECK_TEXT(micro, "2026-11-22T01:02:03.000004Z");
}

static void
a_leap_day_is_known(void)
{
    char name[CLOCK_NAME_SIZE];

    clock_name(UINT64_C(1709164800000), name);

    CHECK_TEXT(name, "2024-02-29T00-00-00.000");
}

static void
a_name_is_read_as_it_was_written(void)
{
    char name[CLOCK_NAME_SIZE];
    uint64_t read_ms;

    /* Two centuries in steps that meet every field. */
    for (uint64_t ms = 0; ms < 200 * 365 * day_ms; ms += 13 * day_ms + 3723017) {
        clock_name(ms, name);
        CHECK(clock_parse_name(name, &read_ms));
        CHECK_EQUAL(read_ms, ms);
    }
}

static void
names_sort_as_their_times(void)
{
    char earlier[CLOCK_NAME_SIZE], later[CLOCK_NAME_SIZE];

    for (uint64_t ms = 1; ms < UINT64_C(4102444800000); ms = ms * 3 + 1) {
        clock_name(ms, earlier);
        clock_name(ms + 1, later);
        CHECK(strcmp(earlier, later) < 0);
    }
}

static void
what_follows_a_name_is_not_looked_at(void)
{
    uint64_t ms;

    CHECK(clock_parse_name("2026-11-22T01-02-03.004.log.gz", &ms));
    CHECK_EQUAL(ms, 1795309323004);
}

static void
text_that_is_no_time_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11-22T01-02-03.00",   /* a digit is missing */
        "2026-11-22T01:02:03.004",  /* colons */
        "2026-11-22 01-02-03.004",  /* no T */
        "2026-11-22T01-02-03,004",  /* a comma */
        "2026-02-30T01-02-03.004",  /* no such day */
        "2023-02-29T01-02-03.004",  /* no such year for it */
        "2026-13-22T01-02-03.004",  /* no such month */
        "2026-00-22T01-02-03.004",  /* none */
        "2026-11-00T01-02-03.004",  /* no such day */
        "2026-11-22T24-02-03.004",  /* no such hour */
        "2026-11-22T01-60-03.004",  /* no such minute */
        "2026-11-22T01-02-60.004",  /* no leap second in Unix time */
        "2026-11-22T01-02-03.00a",  /* no digit */
        "2026-1a-22T01-02-03.004",
        "+026-11-22T01-02-03.004",
        " 026-11-22T01-02-03.004",
        "1969-12-31T23-59-59.999", /* before the epoch */
    };
    uint64_t ms = 42;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(!clock_parse_name(texts[i], &ms));
    }
    CHECK_EQUAL(ms, 42);
}

RUN(TEST(a_name_has_dashes_and_three_digits),
    TEST(a_micro_time_has_six_digits_and_is_utc), TEST(a_leap_day_is_known),
    TEST(a_name_is_read_as_it_was_written), TEST(names_sort_as_their_times),
    TEST(what_follows_a_name_is_not_looked_at), TEST(text_that_is_no_time_is_refused))

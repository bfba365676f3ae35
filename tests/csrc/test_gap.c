/* A gap event is one line of valid JSON that says what is missing. */
#include "gap.h"
#include "support.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Reads one JSON value; where it ends, or NULL. Strings without escapes are enough. */
static const char *skip_value(const char *at);

static const char *
skip_string(const char *at)
{
    if (*at++ != '"') {
        return NULL;
    }
    while (*at != '"') {
        if (*at == '\0' || *at == '\\' || (unsigned char)*at < 0x20 ||
            (unsigned char)*at > 0x7e) {
            return NULL;
        }
        at++;
    }
    return at + 1;
}

static const char *
skip_member(const char *at)
{
    at = skip_string(at);
    return at != NULL && *at == ':' ? skip_value(at + 1) : NULL;
}

static const char *
skip_object(const char *at)
{
    do {
        at = skip_member(at + 1);
    } while (at != NULL && *at == ',');
    return at != NULL && *at == '}' ? at + 1 : NULL;
}

static const char *
skip_value(const char *at)
{
    return *at == '{' ? skip_object(at) : skip_string(at);
}

static bool
is_json_line(const char *line)
{
    const char *end = *line == '{' ? skip_object(line) : NULL;

    return end != NULL && strcmp(end, "\n") == 0;
}

static struct gap
some_gap(void)
{
    return (struct gap){.reason = GAP_CUT,
                        .count = 3,
                        .bytes = 141,
                        .total_count = 10,
                        .total_bytes = 500,
                        .pid = 77,
                        .real_ns = UINT64_C(1795309323000004999),
                        .random = {UINT64_C(0x0123456789abcdef), UINT64_MAX}};
}

/* The line, with a NUL. */
static const char *
format(const struct gap *gap, struct gap_mark *mark)
{
    static char out[sizeof(struct gap_mark) + GAP_LINE_MAX + 1];
    size_t size = gap_format(gap, out);

    CHECK(size <= sizeof(out) - 1);
    out[size] = '\0';
    memcpy(mark, out, sizeof(*mark));
    CHECK_EQUAL(mark->line_size, size - sizeof(*mark));
    CHECK_EQUAL(strlen(out + sizeof(*mark)), mark->line_size);
    return out + sizeof(*mark);
}

static void
it_is_a_kubernetes_event_in_one_line(void)
{
    struct gap gap = some_gap();
    struct gap_mark mark;

    CHECK_TEXT(
        format(&gap, &mark),
        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\","
        "\"auditID\":\"01234567-89ab-4def-bfff-ffffffffffff\","
        "\"stage\":\"ResponseComplete\",\"requestURI\":\"/auditring/gap\","
        "\"verb\":\"gap\",\"user\":{\"username\":\"auditring\"},"
        "\"requestReceivedTimestamp\":\"2026-11-22T01:02:03.000004Z\","
        "\"stageTimestamp\":\"2026-11-22T01:02:03.000004Z\","
        "\"annotations\":{\"auditring.io/bytes\":\"141\",\"auditring.io/count\":\"3\","
        "\"auditring.io/pid\":\"77\",\"auditring.io/reason\":\"live-file-cut\"}}\n");
}

static void
the_mark_holds_the_totals(void)
{
    struct gap gap = some_gap();
    struct gap_mark mark;

    format(&gap, &mark);

    CHECK_EQUAL(mark.reason, GAP_CUT);
    CHECK_EQUAL(mark.count, 10);
    CHECK_EQUAL(mark.bytes, 500);
}

static void
every_reason_has_a_name_and_makes_valid_json(void)
{
    for (int reason = 0; reason < GAP_REASONS; reason++) {
        struct gap gap = some_gap();
        struct gap_mark mark;
        const char *line;

        gap.reason = (enum gap_reason)reason;
        line = format(&gap, &mark);
        CHECK(is_json_line(line));
        CHECK(strstr(line, gap_reason_name(gap.reason)) != NULL);
    }
}

static void
a_detail_is_told(void)
{
    struct gap gap = some_gap();
    struct gap_mark mark;
    const char *line;

    gap.detail = "disk full";
    line = format(&gap, &mark);

    CHECK(is_json_line(line));
    CHECK(strstr(line, "\"auditring.io/detail\":\"disk full\"") != NULL);
}

static void
the_largest_numbers_fit(void)
{
    struct gap gap = {.reason = GAP_ABANDONED, /* the longest name */
                      .count = UINT64_MAX,
                      .bytes = UINT64_MAX,
                      .total_count = UINT64_MAX,
                      .total_bytes = UINT64_MAX,
                      .pid = UINT32_MAX,
                      .detail = "disk full",
                      .real_ns = INT64_MAX,
                      .random = {UINT64_MAX, UINT64_MAX}};
    struct gap_mark mark;

    CHECK(is_json_line(format(&gap, &mark)));
    CHECK(mark.line_size < GAP_LINE_MAX);
}

static void
audit_ids_differ_as_their_random_bits_do(void)
{
    struct gap gap = some_gap();
    struct gap_mark mark;
    char first[GAP_LINE_MAX];

    snprintf(first, sizeof(first), "%s", format(&gap, &mark));
    gap.random[1]--;

    CHECK(strcmp(first, format(&gap, &mark)) != 0);
}

RUN(TEST(it_is_a_kubernetes_event_in_one_line), TEST(the_mark_holds_the_totals),
    TEST(every_reason_has_a_name_and_makes_valid_json), TEST(a_detail_is_told),
    TEST(the_largest_numbers_fit), TEST(audit_ids_differ_as_their_random_bits_do))

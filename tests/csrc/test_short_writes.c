/* A write leaves off after every length that it can, and then whatever may come comes:
 * the log is the same bytes as if nothing had happened.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

static const char whole[] =
    "line before\nline one\nline two, a bit longer\nline three\n";
enum { BEFORE_SIZE = 12, BATCH_SIZE = sizeof(whole) - 1 - BEFORE_SIZE };

/* What becomes of the writes after the one that was cut. */
struct aftermath {
    const char *name;
    int error; /* 0: they succeed */
    uint32_t count;
    bool is_killed;
};
static const struct aftermath aftermaths[] = {
    {.name = "going on"},
    {.name = "interrupted", .error = EINTR, .count = 10},
    {.name = "full for a while", .error = ENOSPC, .count = 3},
    {.name = "broken", .error = EIO, .count = 5},
    {.name = "too big", .error = EFBIG, .count = 1},
    {.name = "closed", .error = EBADF, .count = 1},
    {.name = "full, and killed",
     .error = ENOSPC,
     .count = UINT32_MAX,
     .is_killed = true},
};
enum { AFTERMATHS = sizeof(aftermaths) / sizeof(aftermaths[0]) };

static struct writer_options options;
static const struct aftermath *aftermath;
static uint64_t cut;

static void
begin(void)
{
    sys_test_reset();
    sys_test_stop_time();
}

/* The next write leaves off after `cut` bytes, and then comes what comes. */
static void
cut_next_write(enum sys_call call)
{
    sys_test_cut_write(cut);
    sys_test_fail(call, aftermath->error, 2,
                  aftermath->error != 0 ? aftermath->count : 0);
}

static struct writer *
write_cut(void)
{
    struct writer *writer = log_open(&options);

    log_put(writer, "before");
    log_flush(writer);
    log_put(writer, "one");
    log_put(writer, "two, a bit longer");
    log_put(writer, "three");
    cut_next_write(CALL_writev);
    log_step(writer, 2 * s);
    return writer;
}

static void
write_and_be_killed(void)
{
    write_cut();
    child_exit();
}

/* Numbered backups, the oldest first; there are few. */
static char *
text_of_log(void)
{
    char *text = test_memory(4096);

    if (options.settings.dialect == DIALECT_LUMBERJACK) {
        return log_text("audit.log");
    }
    for (int i = 9; i >= 0; i--) {
        char name[32];
        const char *part;

        snprintf(name, sizeof(name), i > 0 ? "audit.log.%d" : "audit.log", i);
        part = file_text(name);
        if (part != NULL) {
            strncat(text, part, 4095 - strlen(text));
        }
    }
    return text;
}

static void
check_whole(void)
{
    char what[128];

    if (strcmp(text_of_log(), whole) != 0) {
        snprintf(what, sizeof(what), "whole after %d bytes, %s (durability %d)",
                 (int)cut, aftermath->name, (int)options.durability);
        test_fail(__FILE__, __LINE__, what);
    }
}

static void
cut_once(void)
{
    if (aftermath->is_killed) {
        CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), 0);
        begin();
        log_close(log_open(&options));
    } else {
        log_close(write_cut());
    }
    check_whole();
    test_forget_memory();
    folder_empty(".");
}

static void
cut_every_length(void)
{
    for (int i = 0; i < AFTERMATHS; i++) {
        aftermath = &aftermaths[i];
        for (cut = 1; cut < BATCH_SIZE; cut++) {
            begin();
            cut_once();
        }
    }
}

static void
a_batch_is_whole_after_every_short_write(void)
{
    options = log_options();
    cut_every_length();
}

static void
a_synced_batch_is_whole_after_every_short_write(void)
{
    options = log_options();
    options.durability = DURABILITY_SYNC;
    cut_every_length();
}

static void
a_batch_before_numbered_backups_is_whole_after_every_short_write(void)
{
    options = log_options();
    options.settings.dialect = DIALECT_STDLIB;
    options.settings.max_backups = 9;
    cut_every_length();
}

/* A gap event that goes to the file beside the log. */
static uint64_t
write_gap_cut(void)
{
    struct writer *writer = log_open(&options);
    uint64_t size;

    writer_drop(writer, 10);
    log_put(writer, "one");
    cut_next_write(CALL_writev);
    log_step(writer, 2 * s);
    log_close(writer);

    CHECK_TEXT(text_of_log(), "line one\n");
    CHECK(log_is_whole(file_text("audit.log.gaps")));
    CHECK_EQUAL(log_gap_sum(file_text("audit.log.gaps"), "dropped", "count"), 1);
    size = file_size("audit.log.gaps");
    test_forget_memory();
    folder_empty(".");
    return size;
}

static void
a_gap_event_beside_the_log_is_whole_after_every_short_write(void)
{
    options = log_options();
    options.settings.dialect = DIALECT_STDLIB;
    options.settings.max_backups = 9;
    for (int i = 0; i < AFTERMATHS; i++) {
        uint64_t size = 2;

        aftermath = &aftermaths[i];
        for (cut = 1; cut < size && !aftermath->is_killed; cut += 1 + cut / 20) {
            begin();
            size = write_gap_cut();
        }
    }
}

/* A pipe is written to line by line. */
static void
a_stream_is_whole_after_every_short_write(void)
{
    struct writer *writer;
    int ends[2];

    aftermath = &aftermaths[0];
    for (cut = 1; cut < strlen("line one\n"); cut++) {
        char *text = test_memory(4096);

        begin();
        options = log_options();
        CHECK_EQUAL(pipe(ends), 0);
        options.path = NULL;
        options.stream_fd = ends[1];
        writer = log_open(&options);
        log_put(writer, "one");
        log_put(writer, "two");
        cut_next_write(CALL_write);
        log_step(writer, 10 * ms);
        log_close(writer);
        close(ends[1]);

        CHECK(read(ends[0], text, 4095) > 0);
        CHECK_TEXT(text, "line one\nline two\n");
        close(ends[0]);
    }
}

RUN(TEST(a_batch_is_whole_after_every_short_write),
    TEST(a_synced_batch_is_whole_after_every_short_write),
    TEST(a_batch_before_numbered_backups_is_whole_after_every_short_write),
    TEST(a_gap_event_beside_the_log_is_whole_after_every_short_write),
    TEST(a_stream_is_whole_after_every_short_write))

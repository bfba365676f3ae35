/* The rings of other processes, living and dead: drained, retired, never lost. */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

/* What children count up, and whether they may go on. */
struct signs {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
};
static struct signs *signs;

static void
write_undrained(const char *text)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    drainer_stop(writer);
    log_put(writer, text);
}

static void
write_and_be_killed(void)
{
    write_undrained("of the dead");
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

static unsigned
count_rings(void)
{
    DIR *directory = opendir(".audit.log.ring");
    struct dirent *entry;
    unsigned count = 0;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        count += strncmp(entry->d_name, "ring.", 5) == 0;
    }
    closedir(directory);
    return count;
}

static void
what_the_dead_left_is_in_the_log_before_the_opening_returns(void)
{
    struct writer *writer;

    CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), -SIGKILL);
    CHECK(!file_exists("audit.log") || file_size("audit.log") == 0);
    CHECK_EQUAL(count_rings(), 1);
    sys_test_reset();

    writer = log_open_default();

    CHECK_TEXT(file_text("audit.log"), "line of the dead\n");
    CHECK_EQUAL(count_rings(), 1); /* our own */
    CHECK_EQUAL(log_counter(writer, COUNTER_recovered_records), 1);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 1);
    log_close(writer);
    CHECK_EQUAL(count_rings(), 0);
}

static void
many_dead_are_all_drained(void)
{
    struct writer *writer;

    for (int i = 0; i < 100; i++) {
        /* Each opener drains what the one before left: so all are killed together. */
        if (i == 0) {
            signs = shared_memory(sizeof(*signs));
        }
        pid_t child = fork();
        if (child == 0) {
            write_undrained("of one of many");
            signs->ready++;
            WAIT_UNTIL(signs->go);
            CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
        }
        WAIT_UNTIL(signs->ready == (uint32_t)i + 1);
    }
    signs->go = 1;
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(child_wait(-1), -SIGKILL);
    }
    sys_test_reset();

    writer = log_open_default();

    CHECK_EQUAL(log_count(file_text("audit.log"), "line of one of many"), 100);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 100);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
    log_close(writer);
}

/* Somebody removed a ring: what was in it nobody knows, and that is told, once. */
static void
a_ring_that_was_removed_is_told_once_and_holds_up_nothing(void)
{
    struct writer *writer;
    const char *text;

    CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), -SIGKILL);
    CHECK_EQUAL(system("rm .audit.log.ring/ring.*"), 0);
    sys_test_reset();
    writer = log_open_default();
    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    log_flush(writer);
    log_close(writer);
    log_close(log_open_default());

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "damaged-record", "count"), 1);
    CHECK_EQUAL(log_count(text, "line two"), 1);
}

static void
check_lost_ring(const char *command)
{
    const char *text;

    CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), -SIGKILL);
    CHECK_EQUAL(system(command), 0);
    sys_test_reset();
    log_close(log_open_default());

    text = file_text("audit.log");
    CHECK(log_is_whole(text));
    CHECK_EQUAL(log_gaps(text, "damaged-record"), 1);
    CHECK_EQUAL(log_count(text, "line of the dead"), 0);
    CHECK_EQUAL(system("rm -rf audit.log .audit.log.ring"), 0);
}

static void
a_ring_that_is_none_any_more_is_told(void)
{
    check_lost_ring("for f in .audit.log.ring/ring.*; do echo nothing >$f; done");
    check_lost_ring("for f in .audit.log.ring/ring.*; do "
                    "rm $f; ln -s /dev/null $f; rm $f; mkfifo $f; done");
    /* Its tail is far behind its head. */
    check_lost_ring("for f in .audit.log.ring/ring.*; do printf '\\377\\377\\377' |"
                    "dd of=$f bs=1 seek=514 conv=notrunc 2>/dev/null; done");
}

static void
claim_and_be_killed(void)
{
    struct writer_options options = log_options();
    struct writer *writer;

    sys_test_reset();
    (void)writer_open(&writer, &sys_test, &options);
}

static void
kill_at_claim(enum test_point point)
{
    if (point == TEST_POINT_slot_ring_created) {
        CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
    }
}

static void
a_claim_that_was_cut_off_is_given_back_with_its_ring(void)
{
    struct writer *writer;

    test_point_hook = kill_at_claim;
    CHECK_EQUAL(child_wait(child_start(claim_and_be_killed)), -SIGKILL);
    test_point_hook = NULL;
    CHECK_EQUAL(count_rings(), 1);
    sys_test_reset();
    writer = log_open_default();

    CHECK_EQUAL(count_rings(), 1);
    CHECK_EQUAL(control_slot_state(&writer->control, 0), SLOT_FREE);
    CHECK_EQUAL(log_counter(writer, COUNTER_damaged_records), 0);
    log_close(writer);
    CHECK(!file_exists("audit.log") || file_size("audit.log") == 0);
}

static void
write_and_stay(void)
{
    write_undrained("of the living");
    signs->ready = 1;
    WAIT_UNTIL(signs->go == UINT32_MAX);
}

static pid_t
start_living(void)
{
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(write_and_stay);
    WAIT_UNTIL(signs->ready == 1);
    return child;
}

/* The child opened first and leads, but its thread was stopped: it holds the lead. Only
 * when it is gone may anybody else write. */
static void
a_leader_that_stands_still_is_not_overtaken(void)
{
    pid_t child = start_living();
    struct writer *writer;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    log_put(writer, "of another");
    log_step(writer, 60 * s);
    CHECK_EQUAL(file_size("audit.log"), 0);
    CHECK_EQUAL(log_ask(writer, REQUEST_FLUSH, 1 * s), -ETIMEDOUT);

    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    log_flush(writer);

    CHECK_EQUAL(log_count(file_text("audit.log"), "line of another"), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the living"), 1);
    log_close(writer);
}

static void
write_beside_a_leader(void)
{
    sys_test_reset();
    struct writer *writer = log_open_default();

    drainer_stop(writer);
    log_put(writer, "of the living");
    signs->ready = 1;
    WAIT_UNTIL(signs->go == 1);
    log_put(writer, "of the living, later");
    signs->ready = 2;
    WAIT_UNTIL(signs->go == UINT32_MAX);
}

static void
a_living_ring_is_drained_and_kept(void)
{
    struct writer *writer;
    pid_t child;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    signs = shared_memory(sizeof(*signs));
    /* The child must not inherit the parent's writer: it starts a program's life. */
    child = child_start(write_beside_a_leader);
    WAIT_UNTIL(signs->ready == 1);
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line of the living\n");
    signs->go = 1;
    WAIT_UNTIL(signs->ready == 2);
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"),
               "line of the living\nline of the living, later\n");
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 0);
    CHECK_EQUAL(count_rings(), 2);
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    log_step(writer, 1000 * ms);
    CHECK_EQUAL(log_counter(writer, COUNTER_retired_slots), 1);
    CHECK_EQUAL(count_rings(), 1);
    log_close(writer);
}

static void
a_flush_does_not_claim_a_ring_that_could_not_be_read(void)
{
    struct writer *writer;
    pid_t child;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    signs = shared_memory(sizeof(*signs));
    child = child_start(write_beside_a_leader);
    WAIT_UNTIL(signs->ready == 1);
    sys_test_fail(CALL_mmap_shared, ENOMEM, 1, UINT32_MAX);
    CHECK_EQUAL(log_ask(writer, REQUEST_FLUSH, 1 * s), -ETIMEDOUT);

    sys_test_heal();
    log_flush(writer);

    CHECK_TEXT(file_text("audit.log"), "line of the living\n");
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    log_close(writer);
}

static void
a_table_full_of_the_dead_is_cleared_by_the_next_opener(void)
{
    struct writer *writer;

    sys_test_reset();
    log_close(log_open_default());
    writer = log_open_default();
    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        if (slot != writer->current->slot) {
            writer->control.shared->slots[slot].pid = 0;
            control_set_slot(&writer->control, slot, SLOT_CLAIMED);
        }
    }
    log_put(writer, "one");
    log_close(writer);

    writer = log_open_default();
    log_put(writer, "two");
    log_close(writer);

    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
}

RUN(TEST(what_the_dead_left_is_in_the_log_before_the_opening_returns),
    TEST(many_dead_are_all_drained),
    TEST(a_ring_that_was_removed_is_told_once_and_holds_up_nothing),
    TEST(a_ring_that_is_none_any_more_is_told),
    TEST(a_claim_that_was_cut_off_is_given_back_with_its_ring),
    TEST(a_leader_that_stands_still_is_not_overtaken),
    TEST(a_living_ring_is_drained_and_kept),
    TEST(a_flush_does_not_claim_a_ring_that_could_not_be_read),
    TEST(a_table_full_of_the_dead_is_cleared_by_the_next_opener))

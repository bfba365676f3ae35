/* Logs that close at the same moment: the last of them leaves no ring behind.
 *
 * Who else may be there: another process that closes while we lead and still drain, or
 * when we have drained and are about to leave; one that goes on.
 */
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <glob.h>
#include <stdatomic.h>

static struct {
    _Atomic bool is_led, is_closing, may_go_on, is_closed;
} *shared;

static void
seal_when_told(enum test_point point)
{
    if (point == TEST_POINT_slot_sealing) {
        atomic_store(&shared->is_closing, true);
        WAIT_UNTIL(atomic_load(&shared->may_go_on));
    }
}

static void
close_when_told(void)
{
    struct writer *writer;

    WAIT_UNTIL(atomic_load(&shared->is_led));
    sys_test_reset();
    test_point_hook = seal_when_told;
    writer = log_open_default();
    log_put(writer, "other");
    log_close(writer);
    atomic_store(&shared->is_closed, true);
}

static bool
leads(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.leads;
}

static unsigned
count_rings(void)
{
    glob_t found;
    unsigned count = 0;

    if (glob(".audit.log.ring/ring.*", 0, NULL, &found) == 0) {
        count = (unsigned)found.gl_pathc;
        globfree(&found);
    }
    return count;
}

static void
let_the_other_close(enum test_point point)
{
    if (point == TEST_POINT_step_down && !atomic_load(&shared->is_closed)) {
        atomic_store(&shared->may_go_on, true);
        WAIT_UNTIL(atomic_load(&shared->is_closed));
    }
}

static struct writer *
lead_until_the_other_closes(pid_t *child, void (*hook)(enum test_point))
{
    struct writer *writer;

    shared = shared_memory(sizeof(*shared));
    *child = child_start(close_when_told);
    sys_test_reset();
    test_point_hook = hook;
    writer = log_open_default();
    log_put(writer, "one");
    log_flush(writer);
    CHECK(leads(writer));
    atomic_store(&shared->is_led, true);
    WAIT_UNTIL(atomic_load(&shared->is_closing));
    return writer;
}

static void
check_that_nothing_is_left(pid_t child)
{
    CHECK_EQUAL(child_wait(child), 0);
    CHECK_EQUAL(count_rings(), 0);
    CHECK_TEXT(file_text("audit.log"), "line one\nline other\n");
}

static void
who_closes_while_the_leader_leaves_leaves_no_ring(void)
{
    pid_t child;
    struct writer *writer = lead_until_the_other_closes(&child, let_the_other_close);

    log_close(writer);
    test_point_hook = NULL;

    check_that_nothing_is_left(child);
}

static void
who_closes_after_the_leader_left_leaves_no_ring(void)
{
    pid_t child;
    struct writer *writer = lead_until_the_other_closes(&child, NULL);

    log_close(writer);
    atomic_store(&shared->may_go_on, true);

    check_that_nothing_is_left(child);
}

RUN(TEST(who_closes_while_the_leader_leaves_leaves_no_ring),
    TEST(who_closes_after_the_leader_left_leaves_no_ring))

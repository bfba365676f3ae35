/* The control file goes in the middle of a batch, and what said the batch with it.
 *
 * Who else is there: a leader that is killed at any point of its batch, with none, a
 * part or all of it in the file; a second process whose lines are in the same batch,
 * which is killed too or lives on; a leader that is alive and finishes its batch
 * itself; what an earlier batch left behind; whoever changes what the rings say.
 */
#include "drainer.h"
#include "ownring.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 20, CUT = 150 };

struct signs {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
};
static struct signs *signs;
static enum test_point deadly;
static bool is_cut;

static void
die_there(enum test_point point)
{
    if (point == deadly) {
        kill(getpid(), SIGKILL);
    }
}

static void
put_lines(struct writer *writer, const char *whose)
{
    char text[64];

    for (int i = 0; i < LINES; i++) {
        snprintf(text, sizeof(text), "%s %d.", whose, i);
        log_put(writer, text);
    }
}

/* Writes, waits for company, and is killed while it drains all of it. */
static void
lead_and_die(void)
{
    struct writer_options options = log_options();
    struct writer *writer = log_open_stepped(&options);

    put_lines(writer, "first");
    log_flush(writer);
    put_lines(writer, "leader");
    signs->ready = 1;
    WAIT_UNTIL(signs->go == 1);
    test_point_hook = die_there;
    if (is_cut) {
        sys_test_cut_write(CUT);
    }
    log_step(writer, UINT64_C(1000000000));
    CHECK(!"reached");
}

static void
keep_company(void)
{
    struct writer_options options = log_options();
    struct writer *writer = log_open_stepped(&options);

    put_lines(writer, "company");
    signs->ready = 2;
    WAIT_UNTIL(signs->go == 2);
    log_flush(writer);
    log_close(writer);
}

static void
check_once(const char *whose)
{
    const char *text = log_text("audit.log");
    char line[64];

    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof(line), "line %s %d.", whose, i);
        CHECK_EQUAL(log_count(text, line), 1);
    }
}

static void
run(const char *command)
{
    CHECK_EQUAL(system(command), 0);
}

static pid_t
start_company(void)
{
    pid_t child = child_start(keep_company);

    WAIT_UNTIL(signs->ready == 2);
    return child;
}

static void
try_death(const char *harm, bool is_company_killed)
{
    pid_t leader, company;

    *signs = (struct signs){0};
    leader = child_start(lead_and_die);
    WAIT_UNTIL(signs->ready == 1);
    company = start_company();
    signs->go = 1;
    CHECK_EQUAL(child_wait(leader), -SIGKILL);
    if (is_company_killed) {
        kill(company, SIGKILL);
        CHECK_EQUAL(child_wait(company), -SIGKILL);
    }
    run(harm);
    sys_test_reset();
    struct writer *writer = log_open_default();
    if (!is_company_killed) {
        signs->go = 2;
        CHECK_EQUAL(child_wait(company), 0);
    }
    log_put(writer, "after");
    log_flush(writer);
    log_close(writer);

    check_once("first");
    check_once("leader");
    check_once("company");
    CHECK_EQUAL(log_count(log_text("audit.log"), "line after"), 1);
    CHECK_EQUAL(log_gaps(log_text("audit.log"), NULL), 0);
    CHECK_EQUAL(system("ls .audit.log.ring/ring.* 2>/dev/null"), 512);
    run("rm -r audit* .audit.log.ring");
}

static const enum test_point points[] = {
    TEST_POINT_batch_staged,          TEST_POINT_batch_intent_filled,
    TEST_POINT_batch_intent_valid,    TEST_POINT_batch_part_written,
    TEST_POINT_batch_written,         TEST_POINT_batch_head_published,
    TEST_POINT_batch_heads_published, TEST_POINT_batch_counted,
    TEST_POINT_batch_cleared};

static void
check_every_point(const char *harm, bool is_company_killed)
{
    signs = shared_memory(sizeof(*signs));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        deadly = points[i];
        is_cut = deadly == TEST_POINT_batch_part_written;
        try_death(harm, is_company_killed);
    }
}

static void
a_removed_control_file_costs_no_line_and_doubles_none(void)
{
    check_every_point("rm .audit.log.ring/ctl", true);
}

static void
an_emptied_control_file_costs_no_line_and_doubles_none(void)
{
    check_every_point("truncate -s 0 .audit.log.ring/ctl", true);
}

static void
a_garbled_control_file_costs_no_line_and_doubles_none(void)
{
    check_every_point("dd if=/dev/urandom of=.audit.log.ring/ctl conv=notrunc bs=64 "
                      "count=1 2>/dev/null",
                      true);
}

static void
all_but_the_rings_may_go(void)
{
    check_every_point("cd .audit.log.ring && ls | grep -v ring | xargs rm -r", true);
}

static void
who_lives_on_has_its_lines_once(void)
{
    check_every_point("rm .audit.log.ring/ctl", false);
}

RUN(TEST(a_removed_control_file_costs_no_line_and_doubles_none),
    TEST(an_emptied_control_file_costs_no_line_and_doubles_none),
    TEST(a_garbled_control_file_costs_no_line_and_doubles_none),
    TEST(all_but_the_rings_may_go), TEST(who_lives_on_has_its_lines_once))

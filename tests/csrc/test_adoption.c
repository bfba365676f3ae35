/* Rings that no slot names: found by their files, drained, or told; and the owner's own
 * look at its entry.
 *
 * Who else is there: killed owners, living ones that stand still, a control file that
 * is missing, empty, garbled, larger or of another version, a wiped slot, a slot that
 * somebody else took meanwhile, files that are no rings, rings whose label or cursors
 * are damaged, rings of a later layout, a leader that is killed while it adopts.
 */
#include "adoption.h"
#include "ownring.h"
#include "ringlabel.h"
#include "support.h"
#include "support_log.h"
#include "support_sys.h"
#include "support_writer.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t s = 1000000000;
static const char state[] = ".audit.log.ring", control[] = ".audit.log.ring/ctl";

/* What children count up, and whether they may go on. */
struct signs {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
};
static struct signs *signs;

static void
write_and_be_killed(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    drainer_stop(writer);
    log_put(writer, "of the dead");
    CHECK_EQUAL(kill(getpid(), SIGKILL), 0);
}

static unsigned
count_files(const char *prefix)
{
    DIR *directory = opendir(state);
    struct dirent *entry;
    unsigned count = 0;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    closedir(directory);
    return count;
}

static void
run(const char *command)
{
    CHECK_EQUAL(system(command), 0);
}

static void
begin_anew(void)
{
    run("rm -rf audit.log .audit.log.ring");
}

/* Leaves a dead process's ring, does that to it, and opens and closes the log. */
static char *
log_after(const char *command)
{
    CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), -SIGKILL);
    CHECK_EQUAL(count_files("ring."), 1);
    run(command);
    sys_test_reset();
    log_close(log_open_default());
    CHECK_EQUAL(count_files("ring."), 0);
    return file_text("audit.log");
}

static void
check_comes_back(const char *command)
{
    CHECK_TEXT(log_after(command), "line of the dead\n");
    begin_anew();
}

static void
rings_outlive_their_control_file(void)
{
    check_comes_back("true");
    check_comes_back("rm .audit.log.ring/ctl");
    check_comes_back(": > .audit.log.ring/ctl");
    check_comes_back("truncate -s 1000 .audit.log.ring/ctl");
    check_comes_back("truncate -s +4096 .audit.log.ring/ctl");
    check_comes_back("printf garbage! | "
                     "dd of=.audit.log.ring/ctl conv=notrunc 2>/dev/null");
    check_comes_back("printf '\\377' | "
                     "dd of=.audit.log.ring/ctl bs=1 seek=8 conv=notrunc 2>/dev/null");
    check_comes_back("rm .audit.log.ring/ctl; "
                     "cd .audit.log.ring; for f in ring.*; do "
                     "mv $f ring.900.${f##*.}; done");
}

static void
each_record_comes_back_once(void)
{
    char *text = log_after("rm .audit.log.ring/ctl");

    CHECK_EQUAL(log_count(text, "line of the dead"), 1);
    run("rm .audit.log.ring/ctl");
    log_close(log_open_default());
    CHECK_TEXT(file_text("audit.log"), "line of the dead\n");
}

/* The label is the first 112 bytes and its CRC; head and tail stand at 512 and 256. */
static void
a_damaged_label_is_written_again(void)
{
    check_comes_back("rm .audit.log.ring/ctl; printf '\\377' | dd bs=1 seek=80 "
                     "of=$(echo .audit.log.ring/ring.*) conv=notrunc 2>/dev/null");
    check_comes_back("rm .audit.log.ring/ctl; dd if=/dev/zero bs=256 count=1 "
                     "of=$(echo .audit.log.ring/ring.*) conv=notrunc 2>/dev/null");
}

static void
check_is_told(const char *command, unsigned left_aside)
{
    char *text = log_after(command);

    CHECK_EQUAL(log_gaps(text, NULL), 1);
    CHECK_EQUAL(log_gap_sum(text, "lost-ring", "count"), 1);
    CHECK_EQUAL(count_files("later-"), left_aside);
    log_close(log_open_default());
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 1);
    begin_anew();
}

static void
what_can_not_be_read_is_told_once(void)
{
    check_is_told("rm .audit.log.ring/ctl; : > $(echo .audit.log.ring/ring.*)", 0);
    check_is_told("rm .audit.log.ring/ctl; dd if=/dev/zero bs=4096 count=1 "
                  "of=$(echo .audit.log.ring/ring.*) conv=notrunc 2>/dev/null",
                  0);
    /* Label and head are damaged. */
    check_is_told("rm .audit.log.ring/ctl; for at in 80 519; do printf '\\377' | "
                  "dd bs=1 seek=$at of=$(echo .audit.log.ring/ring.*) conv=notrunc "
                  "2>/dev/null; done",
                  0);
    check_is_told("rm .audit.log.ring/ctl; printf '\\377' | dd bs=1 seek=8 "
                  "of=$(echo .audit.log.ring/ring.*) conv=notrunc 2>/dev/null",
                  1);
}

static void
names_that_are_no_rings_are_left(void)
{
    log_close(log_open_default());
    run("cd .audit.log.ring; rm ctl; touch ring. ring.1 ring.x.1 ring.1.1 "
        "ring.01.0123456789abcdef ring.1.0123456789abcdeg ring.1.0123456789abcdef.x; "
        "mkdir ring.1.00000000000000ff");
    log_close(log_open_default());
    CHECK_EQUAL(count_files("ring"), 8);
}

static void
write_and_stand_still(void)
{
    struct writer *writer;

    sys_test_reset();
    writer = log_open_default();
    drainer_stop(writer);
    leader_step_down(&writer->leader);
    log_put(writer, "of the living");
    signs->ready = 1;
    WAIT_UNTIL(signs->go == 1);
    drainer_step(writer);
    signs->ready = 2;
    WAIT_UNTIL(signs->go == UINT32_MAX);
}

static void
wipe_slot(struct writer *writer, uint32_t slot)
{
    memset(&writer->control.shared->slots[slot], 0, sizeof(struct control_slot));
}

static pid_t
start_living(void)
{
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    *signs = (struct signs){0};
    child = child_start(write_and_stand_still);
    WAIT_UNTIL(signs->ready == 1);
    return child;
}

static void
stop_living(pid_t child)
{
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
}

/* Its owner enters it again as soon as it goes on, and nobody else before. */
static void
a_living_ring_is_its_owners(void)
{
    pid_t child = start_living();
    struct writer *writer;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    log_flush(writer);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the living"), 1);
    wipe_slot(writer, 0);
    log_step(writer, 20 * s);
    CHECK_EQUAL(log_counter(writer, COUNTER_adopted_rings), 0);
    CHECK_EQUAL(count_files("ring."), 2);

    signs->go = 1;
    WAIT_UNTIL(signs->ready == 2);
    CHECK_EQUAL(log_counter(writer, COUNTER_adopted_rings), 1);
    CHECK_EQUAL(control_slot_state(&writer->control, 0), SLOT_LIVE);
    stop_living(child);
    log_step(writer, 1 * s);
    CHECK_EQUAL(count_files("ring."), 1);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the living"), 1);
    log_close(writer);
}

static void
a_wiped_ring_is_adopted_once_its_owner_is_dead(void)
{
    pid_t child = start_living();
    struct writer *writer;

    sys_test_reset();
    sys_test_stop_time();
    writer = log_open_default();
    wipe_slot(writer, 0);
    stop_living(child);
    log_step(writer, 20 * s);

    CHECK_EQUAL(log_count(file_text("audit.log"), "line of the living"), 1);
    CHECK_EQUAL(log_gaps(file_text("audit.log"), NULL), 0);
    CHECK_EQUAL(log_counter(writer, COUNTER_adopted_rings), 1);
    CHECK_EQUAL(count_files("ring."), 1);
    log_close(writer);
}

/* Ours: whoever leads, a flush that did not know of the ring is none. */
static void
a_flush_waits_for_a_ring_that_was_forgotten(void)
{
    struct writer *writer;
    uint64_t ticket;
    int error;

    sys_test_stop_time();
    writer = log_open_default();
    log_put(writer, "one");
    log_flush(writer);
    log_put(writer, "two");
    CHECK_EQUAL(writer_ask(writer, REQUEST_FLUSH, &ticket), 0);
    wipe_slot(writer, ownring_current(writer)->slot);
    /* As a leader does that has not seen it. */
    control_fulfil(&writer->control, REQUEST_FLUSH, ticket, 0);
    CHECK_EQUAL(writer_wait_answer(writer, REQUEST_FLUSH, ticket, 1, &error), 0);
    CHECK_EQUAL(log_count(file_text("audit.log"), "line two"), 0);

    CHECK_EQUAL(ownring_enter_again(writer), 0);
    CHECK_EQUAL(writer_wait_answer(writer, REQUEST_FLUSH, ticket, 1, &error), 0);
    log_step(writer, 1 * s);
    CHECK_EQUAL(writer_wait_answer(writer, REQUEST_FLUSH, ticket, 1, &error), 1);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    log_close(writer);
}

/* And if somebody else has the slot by now, ours goes to another one. */
static void
a_slot_that_is_taken_is_left_to_its_taker(void)
{
    struct writer *writer;
    struct own_ring *own;

    sys_test_stop_time();
    writer = log_open_default();
    own = ownring_current(writer);
    log_put(writer, "one");
    writer->control.shared->slots[0].nonce = own->ring.nonce + 1;
    CHECK_EQUAL(ownring_enter_again(writer), 0);

    CHECK_EQUAL(own->slot, 1);
    CHECK_EQUAL(control_slot_state(&writer->control, 1), SLOT_LIVE);
    CHECK_EQUAL(count_files("ring.0."), 0);
    CHECK_EQUAL(count_files("ring.1."), 1);
    wipe_slot(writer, 0);
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\n");
    log_close(writer);
    CHECK_EQUAL(count_files("ring."), 0);
}

/* Whatever the control file says of itself: its rings are drained. */
static void
a_control_file_that_forgets_itself_costs_nothing(void)
{
    struct writer *writer;

    sys_test_stop_time();
    writer = log_open_default();
    log_put(writer, "one");
    writer->control.shared->identity ^= 1;
    log_put(writer, "two");
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\n");
    writer->control.shared->identity = 0;
    log_put(writer, "three");
    log_flush(writer);
    CHECK_TEXT(file_text("audit.log"), "line one\nline two\nline three\n");
    log_close(writer);
}

static enum test_point deadly;

static void
die_there(enum test_point point)
{
    if (point == deadly) {
        kill(getpid(), SIGKILL);
    }
}

static void
open_and_die(void)
{
    sys_test_reset();
    (void)log_open_default();
}

/* The dead one's slot is another's by now, so that its file has to move. */
static void
an_adoption_that_was_cut_off_is_made_again(void)
{
    static const enum test_point points[] = {
        TEST_POINT_adopt_moved, TEST_POINT_adopt_named, TEST_POINT_orphan_sealed,
        TEST_POINT_batch_intent_valid, TEST_POINT_retire_unlinked};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        CHECK_EQUAL(child_wait(child_start(write_and_be_killed)), -SIGKILL);
        CHECK_EQUAL(unlink(control), 0);
        deadly = points[i];
        test_point_hook = die_there;
        CHECK_EQUAL(child_wait(child_start(open_and_die)), -SIGKILL);
        test_point_hook = NULL;
        sys_test_reset();
        log_close(log_open_default());
        CHECK_TEXT(file_text("audit.log"), "line of the dead\n");
        CHECK_EQUAL(count_files("ring."), 0);
        begin_anew();
    }
}

static void
names_are_read_as_they_are_written(void)
{
    char name[RING_NAME_SIZE];
    uint64_t nonce;
    uint32_t slot;

    ring_name(1023, UINT64_C(0x0123456789abcdef), name);
    CHECK(ringlabel_parse(name, &slot, &nonce));
    CHECK_EQUAL(slot, 1023);
    CHECK(nonce == UINT64_C(0x0123456789abcdef));
    CHECK(!ringlabel_parse("ring.1", &slot, &nonce));
    CHECK(!ringlabel_parse("ring.1.1", &slot, &nonce));
    CHECK(!ringlabel_parse("ring.+1.0123456789abcdef", &slot, &nonce));
    CHECK(!ringlabel_parse("ring.1.0123456789abcdef ", &slot, &nonce));
}

RUN(TEST(rings_outlive_their_control_file), TEST(each_record_comes_back_once),
    TEST(a_damaged_label_is_written_again), TEST(what_can_not_be_read_is_told_once),
    TEST(names_that_are_no_rings_are_left), TEST(a_living_ring_is_its_owners),
    TEST(a_wiped_ring_is_adopted_once_its_owner_is_dead),
    TEST(a_flush_waits_for_a_ring_that_was_forgotten),
    TEST(a_slot_that_is_taken_is_left_to_its_taker),
    TEST(a_control_file_that_forgets_itself_costs_nothing),
    TEST(an_adoption_that_was_cut_off_is_made_again),
    TEST(names_are_read_as_they_are_written))

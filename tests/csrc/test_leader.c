/* Claims, liveness and leadership, between real processes. */
#include "leader.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One control block for all processes of a test; each opens the lock file itself. */
static struct control control;
static struct leader leader;

static void
open_leader(void)
{
    sys_test_reset();
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0600, (gid_t)-1), 0);
    CHECK_EQUAL(leader_open(&leader, &sys_test, &control, AT_FDCWD, 0600, (gid_t)-1),
                0);
}

static void
close_leader(void)
{
    leader_close(&leader);
    control_close(&control);
}

/* In a child: keeps the control block, has locks of its own. */
static void
open_in_child(void)
{
    CHECK_EQUAL(leader_open(&leader, &sys_test, &control, AT_FDCWD, 0600, (gid_t)-1),
                0);
}

static uint32_t
claim(void)
{
    uint32_t slot;

    CHECK_EQUAL(leader_claim_slot(&leader, 77, DURABILITY_SYNC, &slot), 0);
    return slot;
}

/* What a child tells and is told. */
struct signs {
    _Atomic uint32_t slot_plus_1; /* of the child, once it has one */
    _Atomic int result_plus_100;  /* of what it tried */
    _Atomic uint32_t step;        /* how far it may go */
};
static struct signs *signs;

static void
wait_for_step(uint32_t step)
{
    WAIT_UNTIL(signs->step >= step);
}

static void
claim_and_stay(void)
{
    open_in_child();
    signs->slot_plus_1 = claim() + 1;
    wait_for_step(UINT32_MAX);
}

static pid_t
start_owner(void (*run)(void))
{
    pid_t child;

    signs = shared_memory(sizeof(*signs));
    child = child_start(run);
    WAIT_UNTIL(signs->slot_plus_1 != 0);
    return child;
}

static void
end_by_kill(pid_t child)
{
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(child_wait(child), -SIGKILL);
}

static void
a_claim_marks_the_slot_as_this_process_s(void)
{
    struct control_slot *slot;

    open_leader();

    CHECK_EQUAL(claim(), 0);

    slot = &control.shared->slots[0];
    CHECK_EQUAL(slot->state, SLOT_CLAIMED);
    CHECK_EQUAL(slot->pid, getpid());
    CHECK_EQUAL(slot->nonce, 77);
    CHECK_EQUAL(slot->durability, DURABILITY_SYNC);
    CHECK(slot->start_time != 0);
    CHECK(slot->pid_namespace != 0);
    CHECK(leader_owns(&leader, 0));
    close_leader();
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
only_free_and_retired_slots_are_claimed(void)
{
    open_leader();
    CHECK_EQUAL(claim(), 0);
    CHECK_EQUAL(claim(), 1);
    CHECK_EQUAL(claim(), 2);
    control_set_slot(&control, 0, SLOT_LIVE);
    control_set_slot(&control, 1, SLOT_RETIRED);
    control_set_slot(&control, 2, SLOT_CLOSING);

    CHECK_EQUAL(claim(), 1);
    CHECK_EQUAL(claim(), 3);
    close_leader();
}

static void
a_full_table_is_an_error(void)
{
    uint32_t slot = 42;

    open_leader();
    for (uint32_t i = 0; i < CONTROL_SLOTS; i++) {
        control_set_slot(&control, i, SLOT_LIVE);
    }

    CHECK_EQUAL(leader_claim_slot(&leader, 77, DURABILITY_PROCESS, &slot), -EUSERS);

    CHECK_EQUAL(slot, 42);
    close_leader();
}

static void
a_slot_whose_owner_still_holds_it_is_not_claimed(void)
{
    pid_t child;

    open_leader();
    child = start_owner(claim_and_stay);
    CHECK_EQUAL(signs->slot_plus_1, 1);
    control_set_slot(&control, 0, SLOT_RETIRED);

    CHECK_EQUAL(claim(), 1);

    end_by_kill(child);
    CHECK_EQUAL(claim(), 0);
    close_leader();
}

/* Another process takes slot 0, goes live and dies, all before we have its lock. */
static int
lock_after_another(int fd, int command, short type, uint64_t offset)
{
    if (offset == 1 && control_slot_state(&control, 0) == SLOT_FREE) {
        control_set_slot(&control, 0, SLOT_LIVE);
    }
    return sys_posix.lock_byte(fd, command, type, offset);
}

static void
the_state_is_looked_at_again_under_the_lock(void)
{
    struct sys raced = sys_test;

    open_leader();
    raced.lock_byte = lock_after_another;
    leader.sys = &raced;

    CHECK_EQUAL(claim(), 1);

    CHECK_EQUAL(control_slot_state(&control, 0), SLOT_LIVE);
    close_leader();
}

static void
a_lock_that_can_not_be_had_is_an_error(void)
{
    uint32_t slot;

    open_leader();
    sys_test_fail(CALL_lock_byte, ENOLCK, 1, 1);

    CHECK_EQUAL(leader_claim_slot(&leader, 77, DURABILITY_PROCESS, &slot), -ENOLCK);

    CHECK_EQUAL(control_slot_state(&control, 0), SLOT_FREE);
    close_leader();
}

static void
a_released_slot_can_be_claimed_by_another(void)
{
    pid_t child;

    open_leader();
    CHECK_EQUAL(claim(), 0);
    control_set_slot(&control, 0, SLOT_FREE);
    leader_release_slot(&leader, 0);

    child = start_owner(claim_and_stay);

    CHECK_EQUAL(signs->slot_plus_1, 1);
    end_by_kill(child);
    close_leader();
}

static void
an_owner_is_gone_when_it_was_killed_and_not_before(void)
{
    pid_t child;

    open_leader();
    child = start_owner(claim_and_stay);
    CHECK(!leader_owns(&leader, 0));
    CHECK(!leader_is_gone(&leader, 0));

    end_by_kill(child);

    CHECK(leader_is_gone(&leader, 0));
    close_leader();
}

static void
a_zombie_is_gone(void)
{
    pid_t child;
    siginfo_t info;

    open_leader();
    child = start_owner(claim_and_stay);

    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);

    CHECK(leader_is_gone(&leader, 0));
    CHECK_EQUAL(child_wait(child), -SIGKILL);
    close_leader();
}

/* Where addresses are not random, only other arguments move the start of a stack. */
static char longer_name[4096];

static void
claim_and_become_another_program(void)
{
    char *const arguments[] = {longer_name, "1000", NULL};

    open_in_child();
    memset(longer_name, 's', sizeof(longer_name) - 1);
    signs->slot_plus_1 = claim() + 1;
    execv("/bin/sleep", arguments);
}

static void
a_program_that_executed_another_is_gone(void)
{
    pid_t child;

    open_leader();
    child = start_owner(claim_and_become_another_program);

    WAIT_UNTIL(leader_is_gone(&leader, 0));

    end_by_kill(child);
    close_leader();
}

static void
drop_locks_and_stay(void)
{
    open_in_child();
    claim();
    close(open("lock", O_RDWR | O_CLOEXEC)); /* as a backup program would */
    signs->slot_plus_1 = 1;
    wait_for_step(1);
    signs->result_plus_100 = leader_assert_slot(&leader, 0) + 100;
    wait_for_step(UINT32_MAX);
}

static void
an_owner_that_lost_its_locks_is_not_gone_and_gets_them_back(void)
{
    pid_t child;

    open_leader();
    child = start_owner(drop_locks_and_stay);
    CHECK_EQUAL(sys_posix.lock_byte(leader.lock_fd, F_GETLK, F_WRLCK, 1), 0);
    CHECK(!leader_is_gone(&leader, 0));

    signs->step = 1;
    WAIT_UNTIL(signs->result_plus_100 != 0);

    CHECK_EQUAL(signs->result_plus_100, 100);
    CHECK_EQUAL(sys_posix.lock_byte(leader.lock_fd, F_GETLK, F_WRLCK, 1), 1);
    end_by_kill(child);
    close_leader();
}

/* The child has dropped its lock, so only its marks speak for it. */
static void
check_marks(bool is_gone)
{
    CHECK_EQUAL(leader_is_gone(&leader, 0), is_gone);
}

static void
a_lock_that_is_free_is_no_proof_while_the_marks_hold(void)
{
    struct control_slot *slot;
    struct control_slot right;
    pid_t child;

    open_leader();
    child = start_owner(drop_locks_and_stay);
    slot = &control.shared->slots[0];
    memcpy(&right, slot, sizeof(right));

    slot->start_time++; /* the pid was given to another process */
    check_marks(true);
    slot->start_time = 0; /* not known: the lock decides */
    check_marks(true);
    slot->start_time = right.start_time;
    slot->pid_namespace++; /* pids of another container say nothing */
    check_marks(true);
    slot->pid_namespace = right.pid_namespace;
    slot->start_stack = right.start_stack + 4096; /* it executed another program */
    check_marks(right.start_stack > 1);
    slot->start_stack = 1; /* it was not to be read */
    check_marks(false);
    slot->start_stack = right.start_stack;
    check_marks(false);
    sys_test_fail(CALL_process, EACCES, 1, 1); /* /proc is not readable */
    check_marks(false);
    sys_test_heal();

    end_by_kill(child);
    check_marks(true);
    close_leader();
}

static void
one_leads_and_steps_down(void)
{
    uint32_t slot;

    open_leader();
    slot = claim();

    CHECK_EQUAL(leader_try(&leader, slot), 1);
    CHECK(leader.leads);
    CHECK_EQUAL(control.shared->leader, slot + 1);
    CHECK_EQUAL(control_count(&control, COUNTER_leader_changes), 1);
    CHECK_EQUAL(leader_assert(&leader), 0);

    leader_step_down(&leader);
    leader_step_down(&leader);
    CHECK(!leader.leads);
    CHECK_EQUAL(control.shared->leader, 0);
    CHECK_EQUAL(leader_assert(&leader), -EPERM);
    close_leader();
}

static void
lead_and_stay(void)
{
    uint32_t slot;

    open_in_child();
    slot = claim();
    control_set_slot(&control, slot, SLOT_LIVE);
    CHECK_EQUAL(leader_try(&leader, slot), 1);
    signs->slot_plus_1 = slot + 1;
    wait_for_step(1);
    close(open("lock", O_RDWR | O_CLOEXEC));
    signs->result_plus_100 = 1;
    wait_for_step(2);
    signs->result_plus_100 = leader_assert(&leader) + 100;
    wait_for_step(UINT32_MAX);
}

static void
a_second_process_leads_only_when_the_first_is_dead(void)
{
    pid_t child;
    uint32_t slot;

    open_leader();
    child = start_owner(lead_and_stay);
    slot = claim();
    CHECK_EQUAL(leader_try(&leader, slot), 0);
    CHECK(!leader.leads);

    end_by_kill(child);

    CHECK_EQUAL(leader_try(&leader, slot), 1);
    CHECK_EQUAL(control.shared->leader, slot + 1);
    close_leader();
}

/* The first has lost its lock on byte 0 and doesn't know yet. */
static void
there_are_no_two_leaders_when_the_lock_is_lost(void)
{
    pid_t child;
    uint32_t slot;

    open_leader();
    child = start_owner(lead_and_stay);
    slot = claim();
    signs->step = 1;
    WAIT_UNTIL(signs->result_plus_100 != 0);

    CHECK_EQUAL(leader_try(&leader, slot), 0);
    CHECK_EQUAL(control.shared->leader, signs->slot_plus_1);

    signs->result_plus_100 = 0;
    signs->step = 2;
    WAIT_UNTIL(signs->result_plus_100 != 0);
    CHECK_EQUAL(signs->result_plus_100, 100); /* it leads on, with its lock again */
    CHECK_EQUAL(leader_try(&leader, slot), 0);
    end_by_kill(child);
    close_leader();
}

static void
a_leader_whose_byte_was_taken_steps_down(void)
{
    pid_t child;

    open_leader();
    child = start_owner(lead_and_stay);
    signs->step = 1;
    WAIT_UNTIL(signs->result_plus_100 != 0);
    CHECK_EQUAL(sys_posix.lock_byte(leader.lock_fd, F_SETLK, F_WRLCK, 0), 0);

    signs->result_plus_100 = 0;
    signs->step = 2;
    WAIT_UNTIL(signs->result_plus_100 != 0);

    CHECK_EQUAL(signs->result_plus_100, 100 - EPERM);
    CHECK_EQUAL(control.shared->leader, 0);
    end_by_kill(child);
    close_leader();
}

static void
a_leader_that_is_not_named_any_more_steps_down(void)
{
    uint32_t slot;

    open_leader();
    slot = claim();
    CHECK_EQUAL(leader_try(&leader, slot), 1);
    control.shared->leader = 500;

    CHECK_EQUAL(leader_assert(&leader), -EPERM);

    CHECK_EQUAL(control.shared->leader, 500);
    close_leader();
}

/* Nonsense, a slot that ended, our own slot of before: none of them leads. */
static void
a_name_without_a_live_owner_stops_nobody(void)
{
    static const enum slot_state states[] = {SLOT_FREE, SLOT_RETIRED};
    pid_t child;
    uint32_t slot;

    open_leader();
    slot = claim();
    control.shared->leader = CONTROL_SLOTS + 7;
    CHECK_EQUAL(leader_try(&leader, slot), 1);
    leader_step_down(&leader);
    control.shared->leader = slot + 1;
    CHECK_EQUAL(leader_try(&leader, slot), 1);
    leader_step_down(&leader);

    child = start_owner(claim_and_stay);
    for (size_t i = 0; i < 2; i++) {
        control_set_slot(&control, signs->slot_plus_1 - 1, states[i]);
        control.shared->leader = signs->slot_plus_1;
        CHECK_EQUAL(leader_try(&leader, slot), 1);
        leader_step_down(&leader);
    }
    end_by_kill(child);
    close_leader();
}

static void
a_lock_error_while_trying_is_told(void)
{
    open_leader();
    claim();
    sys_test_fail(CALL_lock_byte, ENOLCK, 1, 1);

    CHECK_EQUAL(leader_try(&leader, 0), -ENOLCK);

    CHECK(!leader.leads);
    close_leader();
}

static void
try_as_a_child(void)
{
    leader_forget(&leader);
    CHECK(!leader.leads);
    CHECK(!leader_owns(&leader, 0));
    CHECK_EQUAL(leader.pid, getpid());
    CHECK_EQUAL(leader_try(&leader, 1), 0);
}

static void
a_forked_child_does_not_lead_with_its_parent(void)
{
    open_leader();
    claim();
    CHECK_EQUAL(leader_try(&leader, 0), 1);

    CHECK_EQUAL(child_wait(child_start(try_as_a_child)), 0);

    CHECK_EQUAL(leader_assert(&leader), 0);
    close_leader();
}

static void
a_lock_file_that_was_replaced_is_noticed(void)
{
    open_leader();
    CHECK_EQUAL(leader_check_lock_file(&leader), 0);

    CHECK_EQUAL(unlink("lock"), 0);
    CHECK_EQUAL(leader_check_lock_file(&leader), -ESTALE);
    file_write("lock", "");
    CHECK_EQUAL(leader_check_lock_file(&leader), -ESTALE);
    CHECK_EQUAL(leader_reopen(&leader, 0600, (gid_t)-1), 0);
    CHECK_EQUAL(leader_check_lock_file(&leader), 0);
    close_leader();
}

static void
a_descriptor_that_was_closed_is_noticed(void)
{
    int other;

    open_leader();
    close(leader.lock_fd);
    CHECK_EQUAL(leader_check_lock_file(&leader), -EBADF);

    other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQUAL(other, leader.lock_fd);
    CHECK_EQUAL(leader_check_lock_file(&leader), -EBADF);

    CHECK_EQUAL(leader_reopen(&leader, 0600, (gid_t)-1), 0);
    CHECK(leader.lock_fd != other);
    CHECK_EQUAL(leader_check_lock_file(&leader), 0);
    close(other);
    close_leader();
}

static void
what_is_no_lock_file_is_refused(void)
{
    struct leader other;

    open_leader();
    CHECK_EQUAL(link("lock", "second"), 0);
    CHECK_EQUAL(leader_open(&other, &sys_test, &control, AT_FDCWD, 0600, (gid_t)-1),
                -EUCLEAN);
    CHECK_EQUAL(unlink("lock"), 0);
    CHECK_EQUAL(symlink("second", "lock"), 0);
    CHECK_EQUAL(leader_open(&other, &sys_test, &control, AT_FDCWD, 0600, (gid_t)-1),
                -ELOOP);
    CHECK_EQUAL(unlink("lock"), 0);
    CHECK_EQUAL(mkfifo("lock", 0600), 0);
    CHECK_EQUAL(leader_open(&other, &sys_test, &control, AT_FDCWD, 0600, (gid_t)-1),
                -EUCLEAN);
    close_leader();
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
the_group_gets_its_rights(void)
{
    struct stat status;
    mode_t before;

    if (geteuid() != 0) {
        test_skip("needs root");
    }
    sys_test_reset();
    before = umask(077);
    CHECK_EQUAL(control_open(&control, &sys_test, AT_FDCWD, "", 0600, (gid_t)-1), 0);
    CHECK_EQUAL(leader_open(&leader, &sys_test, &control, AT_FDCWD, 0660, 4242), 0);
    umask(before);

    CHECK_EQUAL(stat("lock", &status), 0);
    CHECK_EQUAL(status.st_gid, 4242);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    close_leader();
}

static void
rights_that_can_not_be_given_are_an_error(void)
{
    static const enum sys_call calls[] = {CALL_fstat, CALL_fchown, CALL_fchmod};

    for (size_t i = 0; i < 3; i++) {
        sys_test_reset();
        sys_test_fail(calls[i], EPERM, 1, 1);
        unlink("lock");
        CHECK_EQUAL(
            leader_open(&leader, &sys_test, &control, AT_FDCWD, 0660, getgid() + 1),
            -EPERM);
        CHECK_EQUAL(sys_test_descriptors(), 0);
    }
}

static void
hold_both_and_stay(void)
{
    open_in_child();
    CHECK_EQUAL(leader_lock_opening(&leader), 0);
    CHECK_EQUAL(leader_lock_mill(&leader), 0);
    signs->slot_plus_1 = 1;
    wait_for_step(1);
    leader_unlock_opening(&leader);
    leader_unlock_mill(&leader);
    wait_for_step(UINT32_MAX);
}

static void
one_opens_at_a_time(void)
{
    pid_t child;
    uint64_t begin;

    open_leader();
    child = start_owner(hold_both_and_stay);
    sys_test_stop_time();
    begin = sys_test.now_mono();
    CHECK_EQUAL(leader_lock_opening(&leader), -EBUSY);
    CHECK(sys_test.now_mono() - begin >= UINT64_C(30000000000));

    signs->step = 1;
    WAIT_UNTIL(leader_lock_opening(&leader) == 0);

    end_by_kill(child);
    close_leader();
}

static void
one_compresses_at_a_time(void)
{
    pid_t child;

    open_leader();
    child = start_owner(hold_both_and_stay);
    CHECK_EQUAL(leader_lock_mill(&leader), -EAGAIN);

    signs->step = 1;
    WAIT_UNTIL(leader_lock_mill(&leader) == 0);

    end_by_kill(child);
    close_leader();
}

RUN(TEST(a_claim_marks_the_slot_as_this_process_s),
    TEST(only_free_and_retired_slots_are_claimed), TEST(a_full_table_is_an_error),
    TEST(a_slot_whose_owner_still_holds_it_is_not_claimed),
    TEST(the_state_is_looked_at_again_under_the_lock),
    TEST(a_lock_that_can_not_be_had_is_an_error),
    TEST(a_released_slot_can_be_claimed_by_another),
    TEST(an_owner_is_gone_when_it_was_killed_and_not_before), TEST(a_zombie_is_gone),
    TEST(a_program_that_executed_another_is_gone),
    TEST(an_owner_that_lost_its_locks_is_not_gone_and_gets_them_back),
    TEST(a_lock_that_is_free_is_no_proof_while_the_marks_hold),
    TEST(one_leads_and_steps_down),
    TEST(a_second_process_leads_only_when_the_first_is_dead),
    TEST(there_are_no_two_leaders_when_the_lock_is_lost),
    TEST(a_leader_whose_byte_was_taken_steps_down),
    TEST(a_leader_that_is_not_named_any_more_steps_down),
    TEST(a_name_without_a_live_owner_stops_nobody),
    TEST(a_lock_error_while_trying_is_told),
    TEST(a_forked_child_does_not_lead_with_its_parent),
    TEST(a_lock_file_that_was_replaced_is_noticed),
    TEST(a_descriptor_that_was_closed_is_noticed),
    TEST(what_is_no_lock_file_is_refused), TEST(the_group_gets_its_rights),
    TEST(rights_that_can_not_be_given_are_an_error), TEST(one_opens_at_a_time),
    TEST(one_compresses_at_a_time))

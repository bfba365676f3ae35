#include "leader.h"

#include "ownership.h"
#include "testpoint.h"
#include "wait.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char lock_name[] = "lock";
static const uint64_t leader_byte = 0, first_slot_byte = 1, opening_byte = 1 << 20,
                      mill_byte = (1 << 20) + 1, past_byte = (1 << 20) + 2;
static const uint64_t opening_limit_ns = 30000000000U, opening_poll_ns = 500000U;

static int
lock(struct leader *leader, uint64_t byte)
{
    int error = leader->sys->lock_byte(leader->lock_fd, F_SETLK, F_WRLCK, byte);

    return error == -EACCES ? -EAGAIN : error;
}

static void
unlock(struct leader *leader, uint64_t byte)
{
    leader->sys->lock_byte(leader->lock_fd, F_SETLK, F_UNLCK, byte);
}

static void
learn_identity(struct leader *leader)
{
    struct sys_process self = {0};

    leader->pid = leader->sys->getpid();
    leader->pid_namespace = leader->sys->pid_namespace();
    leader->start_time = 0;
    leader->start_stack = 0;
    if (leader->sys->process(leader->pid, &self) == 0) {
        leader->start_time = self.start_time;
        leader->start_stack = self.start_stack;
    }
}

/* Whatever the umask left of the mode, and the directory gave as a group. */
static int
set_rights(struct leader *leader, int fd, const struct stat *now, mode_t mode,
           gid_t gid)
{
    const struct sys *sys = leader->sys;
    uid_t uid;
    int error = ownership_of(sys, leader->state_dir, &uid);
    bool is_ours = (uid == (uid_t)-1 || uid == now->st_uid) &&
                   (gid == (gid_t)-1 || gid == now->st_gid);

    if (error == 0 && !is_ours) {
        error = sys->fchown(fd, uid, gid);
    }
    if (error == 0 && (now->st_mode & 07777) != mode) {
        error = sys->fchmod(fd, mode);
    }
    return error;
}

static int
open_lock_file(struct leader *leader, mode_t mode, gid_t gid)
{
    const struct sys *sys = leader->sys;
    struct stat status;
    int error, fd = sys->openat(leader->state_dir, lock_name,
                                O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0) {
        return fd;
    }
    error = sys->fstat(fd, &status);
    if (error == 0 && (!S_ISREG(status.st_mode) || status.st_nlink != 1)) {
        error = -EUCLEAN;
    }
    if (error == 0 && status.st_uid == geteuid()) {
        error = set_rights(leader, fd, &status, mode, gid);
    }
    if (error < 0) {
        sys->close(fd);
        return error;
    }
    leader->lock_fd = fd;
    leader->lock_device = status.st_dev;
    leader->lock_inode = status.st_ino;
    return 0;
}

int
leader_open(struct leader *leader, const struct sys *sys, struct control *control,
            int state_dir, mode_t mode, gid_t gid)
{
    *leader = (struct leader){
        .sys = sys, .control = control, .state_dir = state_dir, .lock_fd = -1};
    learn_identity(leader);
    return open_lock_file(leader, mode, gid);
}

void
leader_close(struct leader *leader)
{
    if (leader->lock_fd >= 0) {
        sys_close_file(leader->sys, leader->lock_fd, leader->lock_device,
                       leader->lock_inode);
        leader->lock_fd = -1;
    }
}

void
leader_forget(struct leader *leader)
{
    leader->leads = false;
    leader->mills = false;
    leader->has_rested = false;
    learn_identity(leader);
}

int
leader_lock_opening(struct leader *leader)
{
    uint64_t deadline = leader->sys->now_mono() + opening_limit_ns;
    _Atomic uint32_t never = 0;
    int error;

    while ((error = lock(leader, opening_byte)) == -EAGAIN) {
        if (leader->sys->now_mono() >= deadline) {
            return -EBUSY;
        }
        wait_word(leader->sys, &never, 0, opening_poll_ns);
    }
    return error;
}

void
leader_unlock_opening(struct leader *leader)
{
    unlock(leader, opening_byte);
}

struct ring_owner
leader_self(const struct leader *leader)
{
    return (struct ring_owner){.pid = leader->pid,
                               .start_time = leader->start_time,
                               .start_stack = leader->start_stack,
                               .pid_namespace = leader->pid_namespace};
}

static bool
is_vacant(const struct leader *leader, uint32_t slot)
{
    enum slot_state state = control_slot_state(leader->control, slot);

    return state == SLOT_FREE || state == SLOT_RETIRED;
}

/* 1: its byte is ours and it is vacant; 0: it is not, or somebody has the byte. */
static int
try_slot(struct leader *leader, uint32_t slot)
{
    int error =
        is_vacant(leader, slot) ? lock(leader, first_slot_byte + slot) : -EAGAIN;

    if (error < 0) {
        return error == -EAGAIN ? 0 : error;
    }
    TEST_POINT(slot_locked);
    if (is_vacant(leader, slot)) {
        return 1;
    }
    unlock(leader, first_slot_byte + slot);
    return 0;
}

int
leader_offer_slot(struct leader *leader, uint32_t wanted, uint32_t *slot)
{
    int taken = wanted < CONTROL_SLOTS ? try_slot(leader, wanted) : 0;
    uint32_t at = wanted;

    for (uint32_t i = 0; i < CONTROL_SLOTS && taken == 0; i++) {
        taken = try_slot(leader, i);
        at = i;
    }
    if (taken > 0) {
        *slot = at;
    }
    return taken < 0 ? taken : taken == 0 ? -EUSERS : 0;
}

void
leader_fill_slot(struct leader *leader, uint32_t slot, uint64_t nonce,
                 const struct ring_owner *owner, enum durability durability)
{
    struct control_slot *entry = &leader->control->shared->slots[slot];

    entry->pid = owner->pid;
    entry->start_time = owner->start_time;
    entry->start_stack = owner->start_stack;
    entry->pid_namespace = owner->pid_namespace;
    entry->nonce = nonce;
    atomic_store_explicit(&entry->durability, durability, memory_order_relaxed);
    atomic_store_explicit(&entry->stalled, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->unread, 0, memory_order_relaxed);
}

int
leader_claim_slot(struct leader *leader, uint64_t nonce, enum durability durability,
                  uint32_t *slot)
{
    struct ring_owner self = leader_self(leader);
    int error = leader_offer_slot(leader, CONTROL_SLOTS, slot);

    if (error == 0) {
        leader_fill_slot(leader, *slot, nonce, &self, durability);
        control_set_slot(leader->control, *slot, SLOT_CLAIMED);
        TEST_POINT(slot_claimed);
    }
    return error;
}

void
leader_release_slot(struct leader *leader, uint32_t slot)
{
    unlock(leader, first_slot_byte + slot);
}

int
leader_assert_slot(struct leader *leader, uint32_t slot)
{
    return lock(leader, first_slot_byte + slot);
}

bool
leader_owns(const struct leader *leader, uint32_t slot)
{
    const struct control_slot *entry = &leader->control->shared->slots[slot];

    return entry->pid == leader->pid && entry->start_time == leader->start_time &&
           entry->start_stack == leader->start_stack &&
           entry->pid_namespace == leader->pid_namespace;
}

/* Whether that can be told by the process's marks alone. */
static bool
is_known(const struct leader *leader, const struct ring_owner *owner)
{
    return owner->pid_namespace == leader->pid_namespace && owner->start_time != 0;
}

/* The program that took the slot: not a later one of the same pid, and not what the
 * process became through execve, which dropped its locks and its mapping. */
static bool
is_running(const struct leader *leader, const struct ring_owner *owner)
{
    struct sys_process now = {0};

    if (!is_known(leader, owner)) {
        return false;
    }
    if (leader->sys->process(owner->pid, &now) < 0) {
        return true; /* can't know: rather wait than take a live ring for dead */
    }
    return now.running && now.start_time == owner->start_time &&
           (owner->start_stack <= 1 || now.start_stack <= 1 ||
            now.start_stack == owner->start_stack);
}

/* Whether another process has the byte of a slot. */
static int
is_held(struct leader *leader, uint32_t slot)
{
    return leader->sys->lock_byte(leader->lock_fd, F_GETLK, F_WRLCK,
                                  first_slot_byte + slot);
}

bool
leader_misses(struct leader *leader, uint32_t slot, const struct ring_owner *owner)
{
    if (is_known(leader, owner)) {
        return !is_running(leader, owner);
    }
    return slot >= CONTROL_SLOTS || is_held(leader, slot) == 0;
}

bool
leader_is_gone(struct leader *leader, uint32_t slot)
{
    const struct control_slot *entry = &leader->control->shared->slots[slot];
    struct ring_owner owner = {.pid = entry->pid,
                               .start_time = entry->start_time,
                               .start_stack = entry->start_stack,
                               .pid_namespace = entry->pid_namespace};
    int held;

    if (leader->is_past && is_known(leader, &owner)) {
        return !is_running(leader, &owner); /* the byte may be another log's */
    }
    held = is_held(leader, slot);
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 3
    (void)owner;
    return held == 0;
#endif
    return held == 0 && !is_running(leader, &owner);
}

/* Whether the leader named in the control file may still be writing. */
static bool
other_leads(struct leader *leader, uint32_t named)
{
    enum slot_state state;

    if (named == 0 || named > CONTROL_SLOTS || leader_owns(leader, named - 1)) {
        return false;
    }
    state = control_slot_state(leader->control, named - 1);
    if (state == SLOT_FREE || state == SLOT_RETIRED) {
        return false;
    }
    return !leader_is_gone(leader, named - 1);
}

/* What leading takes besides the name. */
static int
lock_to_lead(struct leader *leader)
{
    int error;

    if (!leader->is_past) {
        return lock(leader, leader_byte);
    }
    error = leader->sys->lock_byte(leader->lock_fd, F_SETLK, F_RDLCK, past_byte);
    return error == -EACCES ? -EAGAIN : error;
}

static void
unlock_to_lead(struct leader *leader)
{
    unlock(leader, leader->is_past ? past_byte : leader_byte);
}

void
leader_set_past(struct leader *leader)
{
    if (leader->is_past) {
        return;
    }
    leader->is_past = true;
    if (leader->leads) {
        (void)lock_to_lead(leader);
        unlock(leader, leader_byte);
    }
}

int
leader_begin_adopting(struct leader *leader)
{
    return lock(leader, past_byte);
}

void
leader_end_adopting(struct leader *leader)
{
    unlock(leader, past_byte);
}

static uint64_t
count_changes(const struct leader *leader)
{
    return control_count(leader->control, COUNTER_leader_changes);
}

int
leader_try(struct leader *leader, uint32_t slot)
{
    _Atomic uint32_t *name = &leader->control->shared->leader;
    int error = lock_to_lead(leader);
    uint32_t before;

    if (error < 0) {
        return error == -EAGAIN ? 0 : error;
    }
    TEST_POINT(lead_locked);
    before = atomic_load_explicit(name, memory_order_acquire); /* lead:A */
    /* Who leads the past takes the name without the byte: one of them gets it. */
    if (other_leads(leader, before) ||
        /* lead:RMW */
        !atomic_compare_exchange_strong_explicit(
            name, &before, slot + 1, memory_order_acq_rel, memory_order_relaxed)) {
        unlock_to_lead(leader);
        return 0;
    }
    leader->leads = true;
    leader->slot = slot;
    leader->goes_on =
        leader->has_rested && leader->changes_seen == count_changes(leader);
    leader->has_rested = false;
    if (!leader->goes_on) {
        control_add(leader->control, COUNTER_leader_changes, 1);
    }
    TEST_POINT(lead_named);
    return 1;
}

int
leader_assert(struct leader *leader)
{
    uint32_t named =
        /* lead:A */
        atomic_load_explicit(&leader->control->shared->leader, memory_order_acquire);

    if (leader->leads && named == leader->slot + 1 && lock_to_lead(leader) == 0) {
        return 0;
    }
    leader_step_down(leader);
    return -EPERM;
}

void
leader_rename(struct leader *leader, uint32_t slot)
{
    leader->slot = slot;
    atomic_store_explicit(&leader->control->shared->leader, slot + 1,
                          memory_order_release); /* lead:B */
}

void
leader_step_down(struct leader *leader)
{
    uint32_t own = leader->slot + 1;

    if (!leader->leads) {
        return;
    }
    leader->leads = false;
    /* lead:B */
    atomic_compare_exchange_strong_explicit(&leader->control->shared->leader, &own, 0,
                                            memory_order_release, memory_order_relaxed);
    TEST_POINT(step_down);
    unlock_to_lead(leader);
}

void
leader_rest(struct leader *leader)
{
    leader->has_rested |= leader->leads;
    leader->changes_seen = leader->leads ? count_changes(leader) : leader->changes_seen;
}

bool
leader_is_led(struct leader *leader)
{
    return atomic_load_explicit(&leader->control->shared->leader,
                                memory_order_relaxed) != 0 &&
           leader->sys->lock_byte(leader->lock_fd, F_GETLK, F_WRLCK, leader_byte) == 1;
}

int
leader_check_lock_file(struct leader *leader)
{
    struct stat held, named;
    int error = leader->sys->fstat(leader->lock_fd, &held);

    if (error == -EBADF || (error == 0 && (held.st_dev != leader->lock_device ||
                                           held.st_ino != leader->lock_inode))) {
        return -EBADF;
    }
    error = leader->sys->fstatat(leader->state_dir, lock_name, &named);
    if (error == -ENOENT || error == -EBADF ||
        (error == 0 &&
         (named.st_dev != leader->lock_device || named.st_ino != leader->lock_inode))) {
        return -ESTALE;
    }
    return 0; /* other errors say nothing about the file */
}

int
leader_reopen(struct leader *leader, mode_t mode, gid_t gid)
{
    /* A number that was closed under us may be somebody else's file by now. */
    int before = leader_check_lock_file(leader) == -EBADF ? -1 : leader->lock_fd;
    int error = open_lock_file(leader, mode, gid);

    if (error == 0 && before >= 0) {
        leader->sys->close(before);
    }
    if (error == 0 && leader->mills) {
        (void)leader_lock_mill(leader);
    }
    return error;
}

int
leader_lock_mill(struct leader *leader)
{
    int error = lock(leader, mill_byte);

    leader->mills = error == 0;
    return error;
}

void
leader_unlock_mill(struct leader *leader)
{
    leader->mills = false;
    unlock(leader, mill_byte);
}

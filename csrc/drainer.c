/* drainer.c - the thread stands by, or leads: then every step is a pass. */
#include "drainer.h"

#include "appending.h"
#include "departed.h"
#include "directories.h"
#include "generation.h"
#include "growth.h"
#include "losses.h"
#include "ownring.h"
#include "pass.h"
#include "resting.h"
#include "testpoint.h"
#include "yielding.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t standby_ns = 50 * 1000 * 1000, resting_ns = 20 * 1000 * 1000,
                      unread_pause_ns = 200 * 1000 * 1000, over_ns = 1000 * 1000 * 1000;
enum { thread_stack_size = 512 * 1024, gone_tries = 10000 };

/* Of `must_stop`: a request that was not taken yet may be withdrawn. */
enum stop { STOP_NONE, STOP_ASKED, STOP_TAKEN };

void
drainer_step_down(struct writer *writer, uint64_t pause_ns)
{
    writer->batch.is_outstanding = false;
    if (writer->leader.leads) {
        departed_end(writer);
    } else {
        departed_drop(writer); /* what was counted is the other leader's */
    }
    appending_end(&writer->file);
    logfile_close(&writer->file);
    ringmap_drop_all(&writer->map);
    leader_step_down(&writer->leader);
    writer->must_recover = true;
    writer->next_try_ns = writer->sys->now_mono() + pause_ns;
    writer->is_paused = pause_ns > 0;
}

static void
try_to_lead(struct writer *writer, uint64_t now)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    bool is_urgent = !writer->is_paused && pass_is_asked_for(writer);
    int result;

    if (now < writer->next_try_ns && !is_urgent) {
        return;
    }
    writer->is_paused = false;
    result = leader_try(&writer->leader, own != NULL ? own->slot : CONTROL_SLOTS);
    if (result != 1) {
        writer->led_last &= result != 0;
        writer->next_try_ns = now + standby_ns;
        return;
    }
    writer->led_last = true;
    writer->batch.leader = leader_self(&writer->leader);
    writer->batch.leader_slot = writer->leader.slot;
    writer->must_recover = true;
    writer->is_settled = false;
    writer->wants_to_yield = false;
    writer->batch.is_outstanding = false;
    writer->failures = 0;
    writer->rotation_failures = 0;
    writer->next_retry_ns = 0;
    writer->next_orphans_ns = 0;
    writer->next_adopt_ns = 0;
    ownring_forget_heads(writer);
    memset(writer->is_gone, 0, sizeof(writer->is_gone));
    memset(writer->hole_since_ns, 0, sizeof(writer->hole_since_ns));
}

/* Locks of ours may have been dropped by closing another descriptor of the lock file.
 * -EAGAIN: somebody took our current slot. */
static int
assert_slots(struct writer *writer, const struct own_ring *current)
{
    struct own_ring *own;
    int result = 0;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (control_slot_state(&writer->control, own->slot) == SLOT_LIVE &&
            writer->control.shared->slots[own->slot].nonce == own->ring.nonce &&
            leader_assert_slot(&writer->leader, own->slot) == -EAGAIN &&
            own == current) {
            result = -EAGAIN;
        }
    }
    if (writer->leader.mills) {
        (void)leader_lock_mill(&writer->leader);
    }
    pthread_mutex_unlock(&writer->mutex);
    return result;
}

/* A past log goes on with the lock file that all of its processes have. */
static int
repair(struct writer *writer)
{
    int broken = leader_check_lock_file(&writer->leader);
    bool is_lost = directories_are_lost(writer);

    if (broken == 0 && !is_lost) {
        return 0;
    }
    if (!is_lost && broken == -ESTALE && generation_look(writer) != WHERE_HERE) {
        return 0;
    }
    if (generation_is_past(writer)) {
        generation_forsake(writer); /* what was closed can't be opened again */
        return -ESTALE;
    }
    return writer_repair(writer);
}

/* Holds what is ours; a ring that was sealed or stalled is left for a new one. */
static void
maintain(struct writer *writer)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    int error;

    mapping_watch();
    error = repair(writer);
    if (error < 0) {
        control_note_error(&writer->control, error);
        return;
    }
    if (own == NULL || generation_is_past(writer)) {
        return; /* bytes of slots may be those of another log */
    }
    error = ownring_enter_again(writer);
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
    error = growth_run(writer);
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
    error = 0;
    own = atomic_load_explicit(&writer->current, memory_order_acquire);
    ownring_check(own);
    if (assert_slots(writer, own) == -EAGAIN ||
        (ring_is_sealed(&own->ring) && !ring_is_cut(&own->ring))) {
        error = ownring_attach(writer, own, COUNTER_false_deaths);
    } else if (ring_is_cut(&own->ring) ||
               atomic_load_explicit(&own->is_left, memory_order_relaxed)) {
        error = ownring_attach(writer, own, COUNTER_COUNT);
    } else if (atomic_load_explicit(&writer->control.shared->slots[own->slot].stalled,
                                    memory_order_relaxed)) {
        error = ownring_attach(writer, own, COUNTER_COUNT);
    }
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
}

/* What can't be opened now, without descriptors or rights, is not needed to drain. */
static void
wake(struct writer *writer)
{
    int error;

    pthread_mutex_lock(&writer->mutex);
    error = resting_wake(writer);
    pthread_mutex_unlock(&writer->mutex);
    if (error < 0 && generation_is_past(writer)) {
        return; /* what is left of its directories is not needed to settle its rings */
    }
    if (error == 0 || error == -ESTALE || error == -EBADF) {
        maintain(writer);
    } else if (error != writer->wake_error) {
        control_note_error(&writer->control, error);
    }
    writer->wake_error = error;
}

/* A past log has a leader only while there is something to do: its lock file may be
 * that of the present one. */
static bool
has_to_lead(struct writer *writer)
{
    return !generation_is_past(writer) || writer->batch.is_outstanding ||
           ownring_has_left(writer) || drainer_has_closing(writer) ||
           pass_is_asked_for(writer) ||
           (writer->led_last && !writer->has_looked_back) ||
           (writer->leader.leads && (!writer->is_settled || !losses_are_told(writer)));
}

/* Before it leaves, it tells what became of the live file. */
static void
look_back(struct writer *writer)
{
    if (generation_is_past(writer) && !writer->has_looked_back) {
        writer->has_looked_back = true;
        writer->next_look_ns = 0;
    }
}

static uint64_t
step_in_silence(struct writer *writer)
{
    uint64_t now = writer->sys->now_mono(), sleep_ns = standby_ns;
    bool rests;

    if (writer->is_private) {
        return pass_run(writer, now);
    }
    if (mapping_is_cut(writer->control.mapping)) {
        generation_forsake(writer);
    }
    generation_look_at_times(writer, now);
    if (generation_is_forsaken(writer)) {
        return standby_ns;
    }
    if (generation_is_past(writer)) {
        leader_set_past(&writer->leader);
    }
    rests = resting_goes_on(writer, now);
    if (!rests) {
        wake(writer);
    }
    if (writer->leader.leads && leader_assert(&writer->leader) < 0) {
        drainer_step_down(writer, 0);
    }
    if (writer->leader.leads) {
        yielding_run(writer);
    } else {
        yielding_ask(writer, now);
    }
    if (!writer->leader.leads && has_to_lead(writer)) {
        try_to_lead(writer, now);
    }
    if (rests && writer->leader.leads && writer->must_recover) {
        rests = false;
        wake(writer);
    }
    if (rests) {
        return resting_ns;
    }
    if (writer->leader.leads) {
        look_back(writer);
        sleep_ns = pass_run(writer, now);
        if (sleep_ns > 0 && !has_to_lead(writer)) {
            drainer_step_down(writer, 0);
        } else if (generation_is_past(writer) && writer->has_unread) {
            /* A file went with its directory before it was mapped here: its owner can
             * still read it. */
            drainer_step_down(writer, unread_pause_ns);
        }
    } else {
        losses_tell_own_drops(writer);
    }
    resting_begin(writer, sleep_ns, now);
    return sleep_ns;
}

static uint64_t
step(struct writer *writer)
{
    uint64_t sleep_ns = step_in_silence(writer);

    if (!writer->batch.is_outstanding) {
        appending_end(&writer->file);
    }
    speaker_look(writer);
    return sleep_ns;
}

static void
doze(struct writer *writer, bool leads, uint32_t seen, uint64_t sleep_ns)
{
    struct control_shared *shared = writer->control.shared;

    if (!leads) {
        wait_word(writer->sys, &writer->thread_word, seen, sleep_ns);
        return;
    }
    atomic_store_explicit(&shared->leader_sleeps, 1, memory_order_relaxed);
    wait_word(writer->sys, &shared->leader_word, seen, sleep_ns);
    atomic_store_explicit(&shared->leader_sleeps, 0, memory_order_relaxed);
}

static void
populate_current(const struct writer *writer)
{
    struct own_ring *current =
        atomic_load_explicit(&writer->current, memory_order_acquire);

    if (current != NULL) {
        ring_populate(&current->ring);
    }
}

static bool
change_stop(struct writer *writer, uint32_t before, uint32_t after)
{
    return atomic_compare_exchange_strong_explicit(
        &writer->must_stop, &before, after, memory_order_acq_rel, memory_order_acquire);
}

static bool
is_over(const struct writer *writer)
{
    return atomic_load_explicit(&writer->is_over, memory_order_relaxed);
}

static void *
run(void *context)
{
    struct writer *writer = context;

    (void)pthread_setname_np(pthread_self(), "auditring");
    atomic_store_explicit(&writer->thread_id, (int32_t)syscall(SYS_gettid),
                          memory_order_release);
    while (!change_stop(writer, STOP_ASKED, STOP_TAKEN)) {
        struct control_shared *shared = writer->control.shared;
        uint32_t asked =
            atomic_load_explicit(&shared->leader_word, memory_order_acquire);
        uint32_t woken =
            atomic_load_explicit(&writer->thread_word, memory_order_acquire);
        uint64_t sleep_ns = is_over(writer) ? over_ns : step(writer);
        bool leads = writer->is_private || writer->leader.leads;

        if (generation_settle(writer)) {
            /* The thread waits to be ended, as ever. */
            atomic_store_explicit(&writer->is_over, true, memory_order_release);
        }
        populate_current(writer);
        if (sleep_ns > 0 &&
            !atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
            doze(writer, leads, leads ? asked : woken, sleep_ns);
        }
    }
    appending_end(&writer->file); /* a child may be about to inherit it */
    return NULL;
}

/* Signals are the program's: SIGXFSZ shows as EFBIG here and SIGPIPE as EPIPE. Faults
 * of our own must still kill. */
static void
block_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

uint64_t
drainer_step(struct writer *writer)
{
    sigset_t before;
    uint64_t sleep_ns;

    block_signals(&before);
    sleep_ns = step(writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sleep_ns;
}

int
drainer_start(struct writer *writer)
{
    sigset_t before;
    int error;

    pthread_mutex_lock(&writer->thread_mutex);
    if (atomic_load_explicit(&writer->has_thread, memory_order_relaxed) ||
        writer->is_parked) {
        pthread_mutex_unlock(&writer->thread_mutex);
        return 0;
    }
    atomic_store_explicit(&writer->must_stop, STOP_NONE, memory_order_relaxed);
    atomic_store_explicit(&writer->thread_id, 0, memory_order_relaxed);
    block_signals(&before);
    error = writer->sys->thread_start(&writer->thread, thread_stack_size, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store_explicit(&writer->has_thread, error == 0, memory_order_relaxed);
    pthread_mutex_unlock(&writer->thread_mutex);
    return error;
}

/* Joining returns before the kernel has taken the thread off the process; CPython
 * counts threads right after a fork, and warns. Asked by a signal that is none, the
 * kernel needs neither /proc nor a descriptor. */
static void
wait_until_gone(const struct writer *writer)
{
    int32_t thread = atomic_load_explicit(&writer->thread_id, memory_order_acquire);

    for (int i = 0; i < gone_tries && thread > 0; i++) {
        if (syscall(SYS_tgkill, getpid(), thread, 0) < 0) {
            return;
        }
        sched_yield();
    }
}

static void
ask_to_stop(struct writer *writer)
{
    atomic_store_explicit(&writer->must_stop, STOP_ASKED, memory_order_release);
    wait_wake(writer->sys, &writer->thread_word);
    control_wake_leader(&writer->control);
}

/* The thread has been joined. */
static void
note_end(struct writer *writer)
{
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    wait_until_gone(writer);
    atomic_store_explicit(&writer->must_stop, STOP_NONE, memory_order_relaxed);
}

void
drainer_stop(struct writer *writer)
{
    pthread_mutex_lock(&writer->thread_mutex);
    if (atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        ask_to_stop(writer);
        writer->sys->thread_join(writer->thread, SYS_FOREVER);
        note_end(writer);
    }
    syncer_join(&writer->syncer);
    pthread_mutex_unlock(&writer->thread_mutex);
}

/* Tells whether the thread has ended; else it goes on, as if it was never asked. */
static bool
ends_within(struct writer *writer, uint64_t limit_ns)
{
    ask_to_stop(writer);
    if (writer->sys->thread_join(writer->thread, limit_ns) == -ETIMEDOUT) {
        if (change_stop(writer, STOP_ASKED, STOP_NONE)) {
            return false;
        }
        writer->sys->thread_join(writer->thread, SYS_FOREVER); /* it is at its end */
    }
    note_end(writer);
    return true;
}

void
drainer_park(struct writer *writer, uint64_t limit_ns)
{
    pthread_mutex_lock(&writer->thread_mutex);
    writer->is_parked = true;
    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed) ||
        ends_within(writer, limit_ns)) {
        syncer_wait(&writer->syncer, limit_ns);
    }
    pthread_mutex_unlock(&writer->thread_mutex);
}

int
drainer_resume(struct writer *writer)
{
    pthread_mutex_lock(&writer->thread_mutex);
    writer->is_parked = false;
    pthread_mutex_unlock(&writer->thread_mutex);
    /* A child that never wrote has no ring, and no use for a thread. */
    return atomic_load_explicit(&writer->current, memory_order_relaxed) != NULL
               ? drainer_start(writer)
               : 0;
}

bool
drainer_has_closing(struct writer *writer)
{
    struct own_ring *own;
    bool has_closing = false;

    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        has_closing |=
            control_slot_state(&writer->control, own->slot) == SLOT_CLOSING &&
            writer->control.shared->slots[own->slot].nonce == own->ring.nonce;
    }
    pthread_mutex_unlock(&writer->mutex);
    return has_closing;
}

void
drainer_finish(struct writer *writer)
{
    /* Losses found meanwhile can't go through a ring that is closing: the next leader
     * tells them. */
    for (int i = 0; i < 100 && drainer_has_closing(writer); i++) {
        if (drainer_step(writer) == standby_ns || writer->failures > 0) {
            return;
        }
    }
}

/* drainer.c - the thread stands by, or leads: then every step is a pass. */
#include "drainer.h"

#include "appending.h"
#include "departed.h"
#include "directories.h"
#include "generation.h"
#include "growth.h"
#include "keptfile.h"
#include "losses.h"
#include "ownring.h"
#include "pass.h"
#include "resting.h"
#include "testpoint.h"
#include "thread.h"
#include "yielding.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const uint64_t standby_ns = 50 * 1000 * 1000,
                      unread_pause_ns = 200 * 1000 * 1000;

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
    if (writer->file.is_kept) {
        keptfile_keep(writer); /* it can't be opened again */
    }
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
    /* current:A */
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
    return directories_repair(writer);
}

/* Holds what is ours; a ring that was sealed or stalled is left for a new one. */
static void
maintain(struct writer *writer)
{
    /* current:A */
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
    own = atomic_load_explicit(&writer->current, memory_order_acquire); /* current:A */
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
        /* What is left of its directories is not needed to settle its rings; but the
         * lock file is. */
        if (leader_check_lock_file(&writer->leader) == -EBADF) {
            generation_forsake(writer);
        }
        return;
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
    wake(writer);
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
        keptfile_drop_left(writer);
    }
    return sleep_ns;
}

uint64_t
drainer_step_blocked(struct writer *writer)
{
    uint64_t sleep_ns = step_in_silence(writer);

    if (!writer->batch.is_outstanding) {
        appending_end(&writer->file);
    }
    speaker_look(writer);
    return sleep_ns;
}

uint64_t
drainer_step(struct writer *writer)
{
    sigset_t before;
    uint64_t sleep_ns;

    thread_block_signals(&before);
    sleep_ns = drainer_step_blocked(writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sleep_ns;
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

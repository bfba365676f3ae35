/* drainer.c - one step is: stand by, or lead: recover, drain, retire, tell, serve. */
#include "drainer.h"

#include "durability.h"
#include "livefile.h"
#include "losses.h"
#include "recover.h"
#include "rotate.h"
#include "sources.h"
#include "testpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t ms = 1000000U;
static const uint64_t standby_ns = 50 * ms, orphans_every_ns = 50 * ms,
                      look_every_ns = 500 * ms, retry_min_ns = 50 * ms,
                      retry_max_ns = 1000 * ms, handover_pause_ns = 1000 * ms,
                      rotate_pause_ns = 1000 * ms, stream_pause_ns = 1 * ms;
static const uint64_t quota_min = 64 * 1024, busy_bytes = 128 * 1024;
static const uint32_t settle_after_failures = 4;
enum { thread_stack_size = 512 * 1024 };

static bool
is_disk_full(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

static void
note_failure(struct writer *writer, int error)
{
    uint64_t pause = retry_min_ns << (writer->failures < 5 ? writer->failures : 5);

    writer->failures++;
    writer->next_retry_ns =
        writer->sys->now_mono() + (pause < retry_max_ns ? pause : retry_max_ns);
    control_note_error(&writer->control, error);
    atomic_store_explicit(&writer->control.shared->health,
                          is_disk_full(error) ? HEALTH_DISK_FULL : HEALTH_DISK_ERROR,
                          memory_order_relaxed);
}

static void
note_success(struct writer *writer)
{
    _Atomic uint32_t *health = &writer->control.shared->health;

    if (writer->failures > 0) {
        writer->failures = 0;
        writer->next_retry_ns = 0;
    }
    /* It may also be the trouble of an earlier leader that is over. */
    if (atomic_load_explicit(health, memory_order_relaxed) != HEALTH_OK) {
        atomic_store_explicit(health, HEALTH_OK, memory_order_relaxed);
    }
}

static bool
is_asked(const struct writer *writer, enum request request, uint64_t *ticket)
{
    const struct control_request *asked = &writer->control.shared->requests[request];

    *ticket = atomic_load_explicit(&asked->requested, memory_order_acquire);
    return *ticket != atomic_load_explicit(&asked->done, memory_order_relaxed);
}

static bool
is_anything_asked(const struct writer *writer)
{
    uint64_t ticket;

    for (int request = 0; request < REQUEST_COUNT; request++) {
        if (is_asked(writer, (enum request)request, &ticket)) {
            return true;
        }
    }
    return false;
}

/* Stages from every source in turn, starting after the one where the last batch ended.
 * `complete`: no source has anything left within this pass. */
static enum batch_taken
fill(struct writer *writer, bool *complete)
{
    uint32_t count = writer->source_count;
    uint64_t quota = count > 0 ? BATCH_SIZE_LIMIT / count : BATCH_SIZE_LIMIT;
    enum batch_taken taken = BATCH_TOOK_ALL;

    *complete = true;
    quota = quota > quota_min ? quota : quota_min;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (writer->next_source + i) % count;
        struct batch_source *source = &writer->sources[index];

        if (ring_head(source->ring) >= source->end) {
            continue;
        }
        *complete = false;
        taken = batch_take(&writer->batch, source, quota);
        if (taken == BATCH_FULL || taken == BATCH_FILE_FULL) {
            writer->next_source = (index + 1) % count;
            return taken;
        }
        if (taken == BATCH_AT_HOLE) {
            sources_watch_hole(writer, source);
        }
    }
    return BATCH_TOOK_ALL;
}

/* Leaves the outstanding intent to whoever leads next, which may be ourselves. */
static void
step_down(struct writer *writer, uint64_t pause_ns)
{
    writer->batch.is_outstanding = false;
    logfile_close(&writer->file);
    ringmap_drop_all(&writer->map);
    leader_step_down(&writer->leader);
    writer->must_recover = true;
    writer->next_try_ns = writer->sys->now_mono() + pause_ns;
    writer->is_paused = pause_ns > 0;
}

/* Gives up on the live file: what is whole in it stays, the rest goes to a new one. */
static void
settle(struct writer *writer, bool keep)
{
    uint64_t kept = keep ? batch_whole(&writer->batch) : 0;
    uint64_t size = writer->batch.intent->start + kept;
    int error;

    if (size == 0 && writer->batch.sync_error == 0) {
        return; /* an empty file is as good as a new one */
    }
    error = size > 0
                ? rotate_away(&writer->file, &writer->control, writer->state_dir, true)
                : rotate_discard(&writer->file, &writer->control, writer->state_dir);
    if (error < 0 && error != -ENOENT) {
        return; /* stays outstanding and is tried again */
    }
    batch_settle(&writer->batch, keep);
    (void)livefile_renew(writer); /* else the next pass opens or makes it */
    if (kept > 0) {
        /* It gets on, if only a file at a time: no reason to wait. */
        writer->failures = 0;
        writer->next_retry_ns = 0;
    }
}

static bool
is_hopeless(const struct writer *writer, int error)
{
    return error == -EFBIG ||
           (!is_disk_full(error) && writer->failures >= settle_after_failures);
}

static void
fail_write(struct writer *writer, int error)
{
    if (writer->file.is_stream && error == -EAGAIN) {
        writer->next_retry_ns = writer->sys->now_mono() + stream_pause_ns;
        return; /* a slow reader is no failure */
    }
    control_add(&writer->control, COUNTER_write_errors, 1);
    note_failure(writer, error == -EREMOTEIO ? writer->batch.sync_error : error);
    if (writer->file.is_stream || !writer->batch.is_outstanding) {
        return;
    }
    if (error == -EBADF || error == -ESTALE) {
        step_down(writer, retry_min_ns);
    } else if (error == -EREMOTEIO) {
        settle(writer, false);
    } else if ((error == -EFBIG || error == -EDQUOT) && sources_have_others(writer)) {
        control_add(&writer->control, COUNTER_handovers, 1);
        step_down(writer, handover_pause_ns);
    } else if (is_hopeless(writer, error)) {
        /* A kept part would count as synced once the rest is. */
        settle(writer, !writer->batch.must_sync);
    }
}

static bool
write_batch(struct writer *writer)
{
    bool was_suspect = writer->batch.sync_error < 0;
    int error = batch_write(&writer->batch);

    if (error == -EREMOTEIO && !was_suspect) {
        durability_note_failed_sync(writer);
    }
    if (error < 0) {
        fail_write(writer, error);
        return false;
    }
    if (writer->batch.must_sync) {
        durability_note_sync(writer, writer->file.size);
    }
    note_success(writer);
    return true;
}

/* Between two batches. A rotation that fails is counted and tried again a little later;
 * until then the file may grow beyond its limit. */
static void
rotate_full(struct writer *writer)
{
    int error = livefile_rotate(writer, false);

    if (error < 0) {
        control_note_error(&writer->control, error);
        writer->next_rotate_ns = writer->sys->now_mono() + rotate_pause_ns;
    }
}

/* Writes one batch, or finds that there is none; false when the pass has to end. */
static bool
drain_batch(struct writer *writer, bool *complete, uint64_t *bytes)
{
    enum batch_taken taken;
    int error = livefile_prepare(writer);

    if (error < 0) {
        note_failure(writer, error);
        *complete = false;
        return false;
    }
    batch_begin(&writer->batch);
    writer->batch.may_exceed = writer->sys->now_mono() < writer->next_rotate_ns;
    taken = fill(writer, complete);
    if (batch_is_empty(&writer->batch)) {
        if (taken == BATCH_FILE_FULL) {
            rotate_full(writer);
        }
        return taken == BATCH_FILE_FULL;
    }
    if (!writer->is_private && leader_assert(&writer->leader) < 0) {
        step_down(writer, 0);
        *complete = false;
        return false;
    }
    if (!write_batch(writer)) {
        *complete = false;
        return false;
    }
    *bytes += writer->batch.size;
    /* At once: when leaders die faster than they can drain everything, the table of
     * slots would fill up. */
    (void)sources_retire(writer);
    return true;
}

static bool
has_anything(const struct writer *writer)
{
    for (uint32_t i = 0; i < writer->source_count; i++) {
        if (ring_head(writer->sources[i].ring) < writer->sources[i].end) {
            return true;
        }
    }
    return false;
}

/* Drains everything up to the ends of the sources. Returns the bytes written.
 * `complete`: nothing of it is left. */
static uint64_t
drain(struct writer *writer, bool *complete)
{
    uint64_t bytes = 0;

    *complete = !has_anything(writer);
    while (!*complete) {
        if (atomic_load_explicit(&writer->must_stop, memory_order_relaxed) ||
            !drain_batch(writer, complete, &bytes)) {
            break;
        }
    }
    return bytes;
}

static int
rotate_on_request(struct writer *writer)
{
    int error = livefile_rotate(writer, false);

    /* Without backups RotatingFileHandler only opens the same file again. */
    return error == -ENOTSUP ? livefile_reopen(writer) : error;
}

static int
answer(struct writer *writer, enum request request)
{
    switch (request) {
    case REQUEST_FLUSH:
        return 0;
    case REQUEST_SYNC:
        return durability_sync(writer);
    case REQUEST_ROTATE:
        return rotate_on_request(writer);
    case REQUEST_REOPEN:
        return livefile_reopen(writer);
    }
    return -EINVAL;
}

/* Answers what was asked before the tails were read. Only a flush and a sync promise
 * that every record was drained. */
static void
serve(struct writer *writer, const uint64_t tickets[REQUEST_COUNT], bool complete)
{
    for (int request = 0; request < REQUEST_COUNT; request++) {
        bool needs_all = request == REQUEST_FLUSH || request == REQUEST_SYNC;

        if (tickets[request] != 0 && (complete || !needs_all)) {
            control_fulfil(&writer->control, (enum request)request, tickets[request],
                           answer(writer, (enum request)request));
        }
    }
}

static int
recover(struct writer *writer)
{
    struct control_settings settings;
    uint64_t newest_ms = 0;
    int error;

    control_load_settings(&writer->control, &settings);
    logfile_close(&writer->file);
    error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
    if (error == 0) {
        error = rotate_newest(writer->sys, writer->dir, writer->name, &newest_ms);
    }
    if (error == 0 && newest_ms > writer->control.shared->last_backup_ms) {
        writer->control.shared->last_backup_ms = newest_ms;
    }
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 2
    control_clear(&writer->control.shared->intents[0]);
    control_clear(&writer->control.shared->intents[1]);
#else
    if (error == 0) {
        error = recover_intent(&writer->control, &writer->map, &writer->file,
                               writer->state_dir,
                               writer->failures >= settle_after_failures);
    }
#endif
    if (error == 0 && writer->file.fd >= 0) {
        error = recover_live_file(&writer->control, &writer->file);
    }
    logfile_close(&writer->file);
    if (error == 0) {
        error = livefile_prepare(writer);
    }
    if (error < 0) {
        if (error == -EFBIG) {
            writer->failures = settle_after_failures;
        }
        note_failure(writer, error);
        return error;
    }
    sources_finish_inheritance(writer);
    TEST_POINT(lead_recovered);
    note_success(writer);
    writer->must_recover = false;
    return 0;
}

static void
try_to_lead(struct writer *writer, uint64_t now)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    bool is_urgent = !writer->is_paused && is_anything_asked(writer);

    if (now < writer->next_try_ns && !is_urgent) {
        return;
    }
    writer->is_paused = false;
    if (leader_try(&writer->leader, own != NULL ? own->slot : CONTROL_SLOTS) != 1) {
        writer->next_try_ns = now + standby_ns;
        return;
    }
    writer->must_recover = true;
    writer->is_settled = false;
    writer->batch.is_outstanding = false;
    writer->failures = 0;
    writer->next_retry_ns = 0;
    writer->next_orphans_ns = 0;
    memset(writer->is_gone, 0, sizeof(writer->is_gone));
    memset(writer->hole_since_ns, 0, sizeof(writer->hole_since_ns));
}

/* What follows a pass, also one that a stopped thread kept from completing. Returns
 * whether it made new work. */
static bool
end_pass(struct writer *writer, const uint64_t tickets[REQUEST_COUNT], bool complete,
         uint64_t now)
{
    bool all_retired = sources_retire(writer);

    serve(writer, tickets, complete && !writer->has_unread && !writer->has_more);
    if (!writer->is_private) {
        durability_sync_at_interval(writer, now);
    }
    /* Before the event that tells of it, which should be in a file that is sound. */
    if (writer->wants_rotation && now >= writer->next_rotate_ns) {
        (void)livefile_rotate(writer, true); /* else it still wants it */
        writer->next_rotate_ns = now + rotate_pause_ns;
    }
    if (all_retired && !writer->has_more && !writer->is_settled) {
        losses_learn_told(writer);
    }
    losses_tell_own_drops(writer);
    return writer->is_settled && losses_tell(writer);
}

static uint64_t
remaining(uint64_t until, uint64_t now)
{
    return until > now ? until - now : 1;
}

/* Looks at the live file although there is nothing to write: now and then, and after a
 * failure, because nothing else may tell that it is over. */
static int
look_while_idle(struct writer *writer, uint64_t now)
{
    int error;

    if (now < writer->next_look_ns && writer->failures == 0) {
        return 0;
    }
    writer->next_look_ns = now + look_every_ns;
    error = livefile_prepare(writer);
    if (error < 0) {
        note_failure(writer, error);
    } else if (!has_anything(writer)) {
        note_success(writer);
    }
    return error;
}

static bool
collect_tickets(struct writer *writer, uint64_t tickets[REQUEST_COUNT])
{
    bool asked = false;

    for (int request = 0; request < REQUEST_COUNT; request++) {
        uint64_t ticket;
        bool is_open = is_asked(writer, (enum request)request, &ticket);

        tickets[request] = is_open ? ticket : 0;
        asked |= is_open;
    }
    return asked;
}

static uint64_t
lead(struct writer *writer, uint64_t now)
{
    uint64_t tickets[REQUEST_COUNT], bytes;
    bool complete, asked, has_told;

    atomic_store_explicit(&writer->control.shared->heartbeat_ns, now,
                          memory_order_relaxed);
    if (now < writer->next_retry_ns) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->must_recover && !writer->is_private && recover(writer) < 0) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->batch.is_outstanding && !write_batch(writer)) {
        return remaining(writer->next_retry_ns, now);
    }
    writer->has_unread = false;
    writer->has_more = false;
    asked = collect_tickets(writer, tickets);
    if (!writer->is_private && (asked || now >= writer->next_orphans_ns)) {
        sources_find_orphans(writer);
        writer->next_orphans_ns = writer->has_more ? now : now + orphans_every_ns;
    }
    sources_find(writer);
    if (look_while_idle(writer, now) < 0) {
        return remaining(writer->next_retry_ns, now);
    }
    bytes = drain(writer, &complete);
    if (!writer->is_private && !writer->leader.leads) {
        return 1; /* stepped down: try again at once */
    }
    if (writer->failures > 0) {
        return remaining(writer->next_retry_ns, now);
    }
    has_told = end_pass(writer, tickets, complete, now);
    if (bytes >= busy_bytes || has_told || writer->has_more) {
        return 0;
    }
    return wait_backoff_next(&writer->backoff, bytes > 0, now);
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

/* Holds what is ours; a ring that was sealed or stalled is left for a new one. */
static void
maintain(struct writer *writer)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    int error = 0;

    if (leader_check_lock_file(&writer->leader) < 0 ||
        writer_has_lost_directory(writer)) {
        error = writer_repair(writer);
        if (error < 0) {
            control_note_error(&writer->control, error);
            return;
        }
    }
    if (own == NULL) {
        return;
    }
    if (assert_slots(writer, own) == -EAGAIN || ring_is_sealed(&own->ring)) {
        error = writer_attach(writer, own, COUNTER_false_deaths);
    } else if (atomic_load_explicit(&writer->control.shared->slots[own->slot].stalled,
                                    memory_order_relaxed)) {
        error = writer_attach(writer, own, COUNTER_COUNT);
    }
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
}

static uint64_t
step(struct writer *writer)
{
    uint64_t now = writer->sys->now_mono();

    if (writer->is_private) {
        return lead(writer, now);
    }
    maintain(writer);
    if (writer->leader.leads && leader_assert(&writer->leader) < 0) {
        step_down(writer, 0);
    }
    if (!writer->leader.leads) {
        try_to_lead(writer, now);
    }
    if (writer->leader.leads) {
        return lead(writer, now);
    }
    losses_tell_own_drops(writer);
    return standby_ns;
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

static void *
run(void *context)
{
    struct writer *writer = context;

    (void)pthread_setname_np(pthread_self(), "auditring");
    atomic_store_explicit(&writer->thread_id, (int32_t)syscall(SYS_gettid),
                          memory_order_release);
    while (!atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
        struct control_shared *shared = writer->control.shared;
        uint32_t asked =
            atomic_load_explicit(&shared->leader_word, memory_order_acquire);
        uint32_t woken =
            atomic_load_explicit(&writer->thread_word, memory_order_acquire);
        uint64_t sleep_ns = step(writer);
        bool leads = writer->is_private || writer->leader.leads;

        populate_current(writer);
        if (sleep_ns > 0 &&
            !atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
            doze(writer, leads, leads ? asked : woken, sleep_ns);
        }
    }
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
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->thread_id, 0, memory_order_relaxed);
    block_signals(&before);
    error = writer->sys->thread_start(&writer->thread, thread_stack_size, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store_explicit(&writer->has_thread, error == 0, memory_order_relaxed);
    pthread_mutex_unlock(&writer->thread_mutex);
    return error;
}

/* Joining returns before the kernel has taken the thread off the process; CPython
 * counts threads right after a fork, and warns. */
static void
wait_until_gone(const struct writer *writer)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%d",
             (int)atomic_load_explicit(&writer->thread_id, memory_order_acquire));
    for (int i = 0; i < 10000 && stat(path, &status) == 0; i++) {
        sched_yield();
    }
}

static void
stop_thread(struct writer *writer)
{
    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        return;
    }
    atomic_store_explicit(&writer->must_stop, 1, memory_order_release);
    wait_wake(writer->sys, &writer->thread_word);
    control_wake_leader(&writer->control);
    writer->sys->thread_join(writer->thread);
    syncer_join(&writer->syncer);
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    wait_until_gone(writer);
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
}

void
drainer_stop(struct writer *writer)
{
    pthread_mutex_lock(&writer->thread_mutex);
    stop_thread(writer);
    pthread_mutex_unlock(&writer->thread_mutex);
}

void
drainer_park(struct writer *writer)
{
    pthread_mutex_lock(&writer->thread_mutex);
    writer->is_parked = true;
    stop_thread(writer);
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

static bool
has_closing(struct writer *writer)
{
    struct own_ring *own;

    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (control_slot_state(&writer->control, own->slot) == SLOT_CLOSING &&
            writer->control.shared->slots[own->slot].nonce == own->ring.nonce) {
            return true;
        }
    }
    return false;
}

void
drainer_finish(struct writer *writer)
{
    /* Losses found meanwhile can't go through a ring that is closing: the next leader
     * tells them. */
    for (int i = 0; i < 100 && has_closing(writer); i++) {
        if (drainer_step(writer) == standby_ns || writer->failures > 0) {
            return;
        }
    }
}

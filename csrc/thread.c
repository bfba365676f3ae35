#include "thread.h"

#include "appending.h"
#include "generation.h"
#include "keeper.h"
#include "ownring.h"
#include "resting.h"
#include "spare.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t over_ns = 1000 * 1000 * 1000, lock_poll_ns = 100 * 1000,
                      resume_limit_ns = 1000 * 1000 * 1000;
enum { thread_stack_size = 512 * 1024, gone_tries = 10000 };

/* Of `must_stop`: a request that was not taken yet may be withdrawn. */
enum stop { STOP_NONE, STOP_ASKED, STOP_TAKEN };

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
        atomic_load_explicit(&writer->current, memory_order_acquire); /* current:A */

    if (current != NULL) {
        ring_populate(&current->ring);
    }
}

static bool
change_stop(struct writer *writer, uint32_t before, uint32_t after)
{
    return atomic_compare_exchange_strong_explicit(&writer->must_stop, &before, after,
                                                   memory_order_acq_rel, /* stop:RMW */
                                                   memory_order_acquire);
}

static bool
is_over(const struct writer *writer)
{
    return atomic_load_explicit(&writer->is_over, memory_order_relaxed);
}

/* Until the request is taken whoever asked waits within his limit. */
static bool
ends(struct writer *writer)
{
    /* stop:A */
    if (atomic_load_explicit(&writer->must_stop, memory_order_acquire) == STOP_ASKED &&
        atomic_load_explicit(&writer->is_parked, memory_order_relaxed)) {
        spare_prepare(writer);
    }
    return change_stop(writer, STOP_ASKED, STOP_TAKEN);
}

static void *
run(void *context)
{
    struct writer *writer = context;

    (void)pthread_setname_np(pthread_self(), "auditring");
    atomic_store_explicit(&writer->thread_id, (int32_t)syscall(SYS_gettid),
                          memory_order_release); /* tid:B */
    resting_end(writer);
    while (!ends(writer)) {
        struct control_shared *shared = writer->control.shared;
        /* wake:A */
        uint32_t asked =
            atomic_load_explicit(&shared->leader_word, memory_order_acquire);
        /* wake:A */
        uint32_t woken =
            atomic_load_explicit(&writer->thread_word, memory_order_acquire);
        uint64_t sleep_ns = is_over(writer) ? over_ns : drainer_step_blocked(writer);
        bool leads = writer->is_private || writer->leader.leads;

        if (generation_settle(writer)) {
            /* The thread waits to be ended, as ever. */
            /* over:B */
            atomic_store_explicit(&writer->is_over, true, memory_order_release);
        }
        populate_current(writer);
        if (sleep_ns > 0 && resting_begin(writer)) {
            return NULL;
        }
        if (sleep_ns > 0 &&
            /* stop:A */
            !atomic_load_explicit(&writer->must_stop, memory_order_acquire)) {
            doze(writer, leads, leads ? asked : woken, sleep_ns);
        }
    }
    appending_end(&writer->file); /* a child may be about to inherit it */
    return NULL;
}

void
thread_block_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* Asked by a signal that is none, the kernel needs neither /proc nor a descriptor. */
void
thread_wait_until_gone(int32_t thread_id)
{
    for (int i = 0; i < gone_tries && thread_id > 0; i++) {
        if (syscall(SYS_tgkill, getpid(), thread_id, 0) < 0) {
            return;
        }
        sched_yield();
    }
}

/* The thread has been joined. */
static void
note_end(struct writer *writer)
{
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    writer->has_left = false;
    thread_wait_until_gone(
        atomic_load_explicit(&writer->thread_id, memory_order_acquire)); /* tid:A */
    atomic_store_explicit(&writer->must_stop, STOP_NONE, memory_order_relaxed);
}

/* One that ended by itself is at its last instructions, or past them. */
static void
join_who_left(struct writer *writer)
{
    if (writer->has_left) {
        writer->sys->thread_join(writer->thread, SYS_FOREVER);
        note_end(writer);
    }
}

/* Of writes. */
static void
stop_asking(struct writer *writer)
{
    atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_THREAD,
                              memory_order_relaxed);
}

int
thread_start_locked(struct writer *writer)
{
    sigset_t before;
    int error;

    if (atomic_load_explicit(&writer->is_parked, memory_order_relaxed)) {
        return 0;
    }
    if (atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        stop_asking(writer);
        return 0;
    }
    join_who_left(writer);
    atomic_store_explicit(&writer->must_stop, STOP_NONE, memory_order_relaxed);
    atomic_store_explicit(&writer->thread_id, 0, memory_order_relaxed);
    thread_block_signals(&before);
    error = writer->sys->thread_start(&writer->thread, thread_stack_size, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store_explicit(&writer->has_thread, error == 0, memory_order_relaxed);
    if (error == 0) {
        keeper_drop(writer);
        stop_asking(writer);
    }
    return error;
}

int
drainer_start(struct writer *writer)
{
    int error;

    pthread_mutex_lock(&writer->thread_mutex);
    error = thread_start_locked(writer);
    pthread_mutex_unlock(&writer->thread_mutex);
    return error;
}

int
thread_try_start(struct writer *writer)
{
    int error;

    if (pthread_mutex_trylock(&writer->thread_mutex) != 0) {
        return -EBUSY;
    }
    error = thread_start_locked(writer);
    pthread_mutex_unlock(&writer->thread_mutex);
    return error;
}

static void
ask_to_stop(struct writer *writer)
{
    /* stop:B */
    atomic_store_explicit(&writer->must_stop, STOP_ASKED, memory_order_release);
    wait_wake(writer->sys, &writer->thread_word);
    control_wake_leader(&writer->control);
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
    join_who_left(writer);
    keeper_drop(writer);
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

/* Who steps in place of the thread has the mutex for as long as a disk hangs. */
static bool
lock_before(struct writer *writer, uint64_t deadline)
{
    _Atomic uint32_t never = 0;

    while (pthread_mutex_trylock(&writer->thread_mutex) != 0) {
        if (writer->sys->now_mono() >= deadline) {
            return false;
        }
        wait_word(writer->sys, &never, 0, lock_poll_ns);
    }
    return true;
}

static uint64_t
left_ns(const struct writer *writer, uint64_t deadline)
{
    uint64_t now = writer->sys->now_mono();

    return deadline == SYS_FOREVER ? SYS_FOREVER : now < deadline ? deadline - now : 0;
}

void
drainer_park(struct writer *writer, uint64_t deadline)
{
    if (!lock_before(writer, deadline)) {
        return;
    }
    atomic_store_explicit(&writer->is_parked, true, memory_order_relaxed);
    join_who_left(writer);
    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed) ||
        ends_within(writer, left_ns(writer, deadline))) {
        syncer_wait(&writer->syncer, left_ns(writer, deadline));
    }
    pthread_mutex_unlock(&writer->thread_mutex);
}

/* A child that never wrote has no ring, and no use for a thread; a log that rests, not
 * before somebody writes. */
int
drainer_resume(struct writer *writer)
{
    int error = 0;

    atomic_store_explicit(&writer->is_parked, false, memory_order_relaxed);
    if (!lock_before(writer, writer->sys->now_mono() + resume_limit_ns)) {
        return -EBUSY;
    }
    if (atomic_load_explicit(&writer->current, memory_order_relaxed) != NULL &&
        !keeper_has(writer)) {
        error = thread_start_locked(writer);
    }
    pthread_mutex_unlock(&writer->thread_mutex);
    return error;
}

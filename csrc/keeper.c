#include "keeper.h"

#include "resting.h"
#include "spare.h"
#include "thread.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t ms = 1000 * 1000;
static const uint64_t look_every_ns = 500 * ms, soon_ns = 1 * ms;
enum { stack_size = 512 * 1024, rounds_alone = 4 };

#define UNLOCKED PTHREAD_MUTEX_INITIALIZER

/* `mutex` guards the rest but for the words. */
static pthread_mutex_t mutex = UNLOCKED;
static struct writer *first, *last;
static uint64_t this_round; /* so that each log is looked at once in it */
static pthread_t thread;
static bool has_thread; /* it was started, and not joined yet */
static bool is_running; /* it has not decided to end */
static bool is_parked;
static _Atomic int32_t thread_id;
static _Atomic uint32_t word; /* futex: its sleep */

/* Those that were looked at in this round stand at the end. With the mutex held. */
static void
append(struct writer *writer)
{
    writer->kept_round = this_round;
    writer->kept_after = NULL;
    writer->kept_before = last;
    *(last != NULL ? &last->kept_after : &first) = writer;
    last = writer;
}

static void
take_out(struct writer *writer)
{
    struct writer *before = writer->kept_before, *after = writer->kept_after;

    *(before != NULL ? &before->kept_after : &first) = after;
    *(after != NULL ? &after->kept_before : &last) = before;
}

static void
begin_round(void)
{
    pthread_mutex_lock(&mutex);
    this_round++;
    pthread_mutex_unlock(&mutex);
}

/* The next log of this round, with its thread_mutex held; NULL: there is none, or a
 * fork began or ended. `all_looked_at`: no other thread had one of them. */
static struct writer *
take_next(bool while_parked, bool *all_looked_at)
{
    struct writer *writer, *taken = NULL;

    pthread_mutex_lock(&mutex);
    while (is_parked == while_parked && (writer = first) != NULL && taken == NULL &&
           writer->kept_round != this_round) {
        take_out(writer);
        append(writer);
        if (pthread_mutex_trylock(&writer->thread_mutex) == 0) {
            taken = writer;
        } else {
            *all_looked_at = false;
        }
    }
    pthread_mutex_unlock(&mutex);
    return taken;
}

/* Returns how long the log can do without. With its thread_mutex held. */
static uint64_t
look_after(struct writer *writer)
{
    if (!resting_has_work(writer)) {
        return look_every_ns;
    }
    return thread_start_locked(writer) == 0 ? look_every_ns : resting_step(writer);
}

static uint64_t
look_after_all(void)
{
    uint64_t sleep_ns = look_every_ns, wanted_ns;
    bool all_looked_at = true;
    struct writer *writer;

    begin_round();
    mapping_watch();
    while ((writer = take_next(false, &all_looked_at)) != NULL) {
        wanted_ns = look_after(writer);
        pthread_mutex_unlock(&writer->thread_mutex);
        sleep_ns = wanted_ns < sleep_ns ? wanted_ns : sleep_ns;
    }
    return all_looked_at ? sleep_ns : soon_ns;
}

/* For the children of a fork that waits for this thread to end; else nothing. */
static void
prepare_all(void)
{
    bool all_looked_at;
    struct writer *writer;

    begin_round();
    while ((writer = take_next(true, &all_looked_at)) != NULL) {
        spare_prepare(writer);
        pthread_mutex_unlock(&writer->thread_mutex);
    }
}

/* Tells whether the thread has to end. */
static bool
ends(int *alone)
{
    bool result;

    prepare_all();
    pthread_mutex_lock(&mutex);
    *alone = first == NULL ? *alone + 1 : 0;
    result = is_parked || *alone > rounds_alone;
    is_running = !result;
    pthread_mutex_unlock(&mutex);
    return result;
}

static void *
run(void *context)
{
    int alone = 0;

    (void)context;
    (void)pthread_setname_np(pthread_self(), "auditring-quiet");
    atomic_store_explicit(&thread_id, (int32_t)syscall(SYS_gettid),
                          memory_order_release); /* tid:B */
    while (!ends(&alone)) {
        uint32_t seen = atomic_load_explicit(&word, memory_order_acquire); /* wake:A */

        wait_word(&sys_posix, &word, seen, look_after_all());
    }
    return NULL;
}

/* With the mutex held; the thread has ended, or is about to. */
static void
join(void)
{
    if (has_thread) {
        sys_posix.thread_join(thread, SYS_FOREVER);
        /* tid:A */
        thread_wait_until_gone(atomic_load_explicit(&thread_id, memory_order_acquire));
        has_thread = false;
    }
}

/* With the mutex held. */
static int
start(void)
{
    sigset_t before;
    int error;

    if (is_parked) {
        return -EAGAIN;
    }
    if (is_running) {
        return 0;
    }
    join();
    atomic_store_explicit(&thread_id, 0, memory_order_relaxed);
    thread_block_signals(&before);
    error = sys_posix.thread_start(&thread, stack_size, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    has_thread = is_running = error == 0;
    return error;
}

int
keeper_add(struct writer *writer)
{
    int error;

    pthread_mutex_lock(&mutex);
    error = start();
    if (error == 0) {
        writer->is_kept = true;
        append(writer);
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

void
keeper_drop(struct writer *writer)
{
    pthread_mutex_lock(&mutex);
    if (writer->is_kept) {
        take_out(writer);
        writer->is_kept = false;
    }
    pthread_mutex_unlock(&mutex);
}

bool
keeper_has(const struct writer *writer)
{
    bool result;

    pthread_mutex_lock(&mutex);
    result = writer->is_kept;
    pthread_mutex_unlock(&mutex);
    return result;
}

void
keeper_wake(void)
{
    pthread_mutex_lock(&mutex);
    if (first != NULL) {
        (void)start(); /* after a fork there may have been no room for it */
    }
    pthread_mutex_unlock(&mutex);
    wait_wake(&sys_posix, &word);
}

static void
stop(uint64_t limit_ns)
{
    bool is_there;

    pthread_mutex_lock(&mutex);
    is_parked = true;
    is_there = has_thread;
    pthread_mutex_unlock(&mutex);
    if (!is_there) {
        return;
    }
    wait_wake(&sys_posix, &word);
    if (sys_posix.thread_join(thread, limit_ns) != -ETIMEDOUT) {
        /* tid:A */
        thread_wait_until_gone(atomic_load_explicit(&thread_id, memory_order_acquire));
        pthread_mutex_lock(&mutex);
        has_thread = is_running = false;
        pthread_mutex_unlock(&mutex);
    }
}

void
keeper_end(void)
{
    stop(SYS_FOREVER);
    pthread_mutex_lock(&mutex);
    is_parked = false;
    pthread_mutex_unlock(&mutex);
}

void
keeper_park(uint64_t limit_ns)
{
    stop(limit_ns);
}

void
keeper_resume(void)
{
    pthread_mutex_lock(&mutex);
    is_parked = false;
    if (first != NULL) {
        (void)start();
    }
    pthread_mutex_unlock(&mutex);
}

void
keeper_forget(void)
{
    mutex = (pthread_mutex_t)UNLOCKED;
    first = last = NULL;
    has_thread = is_running = is_parked = false;
}

#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* What was there before ours. Read by handlers while another thread stores: of two
 * places the one counts that the lowest bit of the count tells (before:B / before:A).
 */
static struct sigaction before[2];
static _Atomic uint32_t before_count; /* 0: ours was never installed */

static const struct sys *system_calls;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t handing_on; /* the thread that is in the handler before ours */

static void
die(int signal, bool is_raised)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    (void)system_calls->signal_action(signal, &action, NULL);
    if (is_raised) {
        (void)system_calls->signal_raise(signal);
    }
    /* Else the instruction runs again, and dies of the same fault. */
}

static bool
is_ignored(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_IGN;
}

static bool
is_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_IGN && action->sa_handler != SIG_DFL);
}

static void
call(const struct sigaction *action, int signal, siginfo_t *info, void *context)
{
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        action->sa_sigaction(signal, info, context);
    } else {
        action->sa_handler(signal);
    }
}

/* A handler that raises the signal again, having been installed after ours as well, is
 * not called a second time. */
static void
hand_on(int signal, siginfo_t *info, void *context)
{
    /* before:A */
    uint32_t count = atomic_load_explicit(&before_count, memory_order_acquire);
    struct sigaction action = before[count & 1];
    bool is_raised = info->si_code <= 0, has_handler = is_handler(&action);
    pid_t self = system_calls->gettid();

    if (is_raised && is_ignored(&action)) {
        return;
    }
    if (!has_handler || (is_raised && atomic_load_explicit(
                                          &handing_on, memory_order_relaxed) == self)) {
        die(signal, is_raised);
        return;
    }
    atomic_store_explicit(&handing_on, self, memory_order_relaxed);
    call(&action, signal, info, context);
    atomic_store_explicit(&handing_on, 0, memory_order_relaxed);
}

static void
handle(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    /* A signal that was raised has no address, but may be one that a handler after
     * ours hands on. */
    bool is_mended = info->si_code > 0 ? mapping_mend_at((uintptr_t)info->si_addr)
                                       : mapping_mend_all();

    if (!is_mended) {
        hand_on(signal, info, context);
    }
    errno = saved;
}

static bool
is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handle;
}

/* Under the mutex. */
static void
take_signal(void)
{
    uint32_t next = atomic_load_explicit(&before_count, memory_order_relaxed) + 1;
    struct sigaction action;

    if (system_calls->signal_action(SIGBUS, NULL, &before[next & 1]) < 0 ||
        is_ours(&before[next & 1])) {
        return;
    }
    atomic_store_explicit(&before_count, next, memory_order_release); /* before:B */
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    (void)system_calls->signal_action(SIGBUS, &action, NULL);
}

void
fault_catch(const struct sys *sys)
{
    if (atomic_load_explicit(&before_count, memory_order_acquire) != 0) { /* before:A */
        return;
    }
    pthread_mutex_lock(&mutex);
    if (atomic_load_explicit(&before_count, memory_order_relaxed) == 0) {
        system_calls = sys;
        take_signal();
    }
    pthread_mutex_unlock(&mutex);
}

void
fault_watch(void)
{
    if (pthread_mutex_trylock(&mutex) == 0) {
        if (system_calls != NULL) {
            take_signal();
        }
        pthread_mutex_unlock(&mutex);
    }
}

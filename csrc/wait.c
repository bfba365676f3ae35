#include "wait.h"

#include <limits.h>

static const uint64_t sleep_min_ns = 200 * 1000;
static const uint64_t sleep_busy_max_ns = 5 * 1000 * 1000;
static const uint64_t sleep_idle_ns = 20 * 1000 * 1000;
static const uint64_t idle_after_ns = 1000U * 1000 * 1000;

void
wait_word(const struct sys *sys, _Atomic uint32_t *word, uint32_t seen,
          uint64_t limit_ns)
{
    if (atomic_load_explicit(word, memory_order_relaxed) == seen) {
        sys->futex_wait(word, seen, limit_ns);
    }
}

void
wait_wake(const struct sys *sys, _Atomic uint32_t *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_release); /* wake:B */
    sys->futex_wake(word, INT_MAX);
}

uint64_t
wait_backoff_next(struct wait_backoff *backoff, bool had_work, uint64_t now_ns)
{
    if (had_work || backoff->idle_since_ns == 0) {
        backoff->idle_since_ns = now_ns;
        backoff->sleep_ns = sleep_min_ns;
    } else if (now_ns - backoff->idle_since_ns >= idle_after_ns) {
        backoff->sleep_ns = sleep_idle_ns;
    } else if (backoff->sleep_ns < sleep_busy_max_ns) {
        backoff->sleep_ns *= 2;
    }
    return backoff->sleep_ns;
}

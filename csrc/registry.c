#include "registry.h"

#include "generation.h"

/* Recursive, because other fork hooks of the forking thread may open and close writers
 * meanwhile. */
#define UNLOCKED PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
static pthread_mutex_t registry_mutex = UNLOCKED;
static struct writer *registry;
static _Atomic uint32_t registry_size;
enum { CROWD = 16 };
static const uint64_t look_ns = 100 * 1000;

void
registry_lock(void)
{
    pthread_mutex_lock(&registry_mutex);
}

bool
registry_try_lock(const struct sys *sys, uint64_t limit_ns)
{
    uint64_t deadline = sys->now_mono() + limit_ns;
    _Atomic uint32_t never = 0;

    while (pthread_mutex_trylock(&registry_mutex) != 0) {
        if (sys->now_mono() >= deadline) {
            return false;
        }
        wait_word(sys, &never, 0, look_ns);
    }
    return true;
}

void
registry_unlock(void)
{
    pthread_mutex_unlock(&registry_mutex);
}

void
registry_break_lock(void)
{
    registry_mutex = (pthread_mutex_t)UNLOCKED;
}

struct writer *
registry_first(void)
{
    return registry;
}

struct writer *
registry_find(const struct writer *wanted)
{
    struct writer *writer = registry;

    while (writer != NULL && (writer->is_private || generation_is_past(writer) ||
                              writer->state_device != wanted->state_device ||
                              writer->state_inode != wanted->state_inode)) {
        writer = writer->next;
    }
    return writer;
}

void
registry_add(struct writer *writer)
{
    writer->next = registry;
    registry = writer;
    atomic_fetch_add_explicit(&registry_size, 1, memory_order_relaxed);
}

bool
registry_is_crowded(void)
{
    return atomic_load_explicit(&registry_size, memory_order_relaxed) > CROWD;
}

void
registry_remove(struct writer *writer)
{
    struct writer **link = &registry;

    while (*link != writer) {
        link = &(*link)->next;
    }
    *link = writer->next;
    atomic_fetch_sub_explicit(&registry_size, 1, memory_order_relaxed);
}

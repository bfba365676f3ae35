#include "storm_fuse.h"

#include "support.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

struct fuse {
    _Atomic uint32_t point;
    _Atomic uint64_t left; /* hits until it blows; 0: not set, or blown */
};

struct shared_fuse {
    struct fuse fuse;
    _Atomic bool has_blown;
    _Atomic bool was_reached[TEST_POINT_COUNT];
};

static struct fuse own;
static struct shared_fuse *shared;

static void
set(struct fuse *fuse, enum test_point point, uint64_t hit)
{
    atomic_store_explicit(&fuse->point, (uint32_t)point, memory_order_relaxed);
    atomic_store_explicit(&fuse->left, hit, memory_order_release);
}

/* True for the one hit that the fuse was waiting for. */
static bool
burn(struct fuse *fuse, enum test_point point)
{
    uint64_t left = atomic_load_explicit(&fuse->left, memory_order_acquire);

    if (left == 0 ||
        atomic_load_explicit(&fuse->point, memory_order_relaxed) != (uint32_t)point) {
        return false;
    }
    while (left > 0 && !atomic_compare_exchange_weak_explicit(
                           &fuse->left, &left, left - 1, memory_order_relaxed,
                           memory_order_relaxed)) {
    }
    return left == 1;
}

static void
die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

static void
reached(enum test_point point)
{
    if (burn(&own, point)) {
        die();
    }
    if (shared == NULL) {
        return;
    }
    if (!atomic_load_explicit(&shared->was_reached[point], memory_order_relaxed)) {
        atomic_store_explicit(&shared->was_reached[point], true, memory_order_relaxed);
    }
    if (burn(&shared->fuse, point)) {
        atomic_store_explicit(&shared->has_blown, true, memory_order_relaxed);
        die();
    }
}

void
fuse_set(enum test_point point, uint64_t hit)
{
    test_point_hook = reached;
    set(&own, point, hit);
}

bool
fuse_share(void)
{
    void *address = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (address == MAP_FAILED) {
        return false;
    }
    shared = address;
    test_point_hook = reached;
    return true;
}

void
fuse_set_shared(enum test_point point, uint64_t hit)
{
    atomic_store_explicit(&shared->has_blown, false, memory_order_relaxed);
    set(&shared->fuse, point, hit);
}

bool
fuse_has_blown(void)
{
    return atomic_load_explicit(&shared->has_blown, memory_order_relaxed);
}

bool
fuse_was_reached(enum test_point point)
{
    return atomic_load_explicit(&shared->was_reached[point], memory_order_relaxed);
}

const char *
fuse_point_name(enum test_point point)
{
    static const char *const names[] = {
#define AS_NAME(name) #name,
        TEST_POINTS(AS_NAME)
#undef AS_NAME
    };

    return names[point];
}

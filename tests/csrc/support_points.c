#include "support_points.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

struct fuse {
    _Atomic uint32_t point;
    _Atomic uint64_t left; /* hits until it goes off; 0: not set, or gone off */
};

struct shared_points {
    struct fuse fuse;
    _Atomic bool has_fired;
    _Atomic bool was_reached[TEST_POINT_COUNT];
};

static struct fuse own_fuse;
static struct shared_points *shared;

static void
set_fuse(struct fuse *fuse, enum test_point point, uint64_t hit)
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
    while (left > 0 && !atomic_compare_exchange_weak_explicit(&fuse->left, &left,
                                                              left - 1,
                                                              memory_order_relaxed,
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

void
test_point_reached(enum test_point point)
{
    if (burn(&own_fuse, point)) {
        die();
    }
    if (shared == NULL) {
        return;
    }
    if (!atomic_load_explicit(&shared->was_reached[point], memory_order_relaxed)) {
        atomic_store_explicit(&shared->was_reached[point], true, memory_order_relaxed);
    }
    if (burn(&shared->fuse, point)) {
        atomic_store_explicit(&shared->has_fired, true, memory_order_relaxed);
        die();
    }
}

void
points_arm(enum test_point point, uint64_t hit)
{
    set_fuse(&own_fuse, point, hit);
}

bool
points_share(void)
{
    void *address = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    shared = address == MAP_FAILED ? NULL : address;
    return shared != NULL;
}

void
points_arm_shared(enum test_point point, uint64_t hit)
{
    atomic_store_explicit(&shared->has_fired, false, memory_order_relaxed);
    set_fuse(&shared->fuse, point, hit);
}

bool
points_has_fired(void)
{
    return atomic_load_explicit(&shared->has_fired, memory_order_relaxed);
}

bool
points_was_reached(enum test_point point)
{
    return atomic_load_explicit(&shared->was_reached[point], memory_order_relaxed);
}

const char *
points_name(enum test_point point)
{
    static const char *const names[] = {
#define AS_NAME(name) #name,
        TEST_POINTS(AS_NAME)
#undef AS_NAME
    };

    return names[point];
}

#include "syncer.h"

#include <errno.h>
#include <stddef.h>

enum { thread_stack_size = 256 * 1024 };

static void *
run(void *context)
{
    struct syncer *syncer = context;
    int result = syncer->sys->fdatasync(syncer->fd);

    syncer->sys->close(syncer->fd);
    atomic_store_explicit(&syncer->result, result, memory_order_release); /* synced:B */
    return NULL;
}

int
syncer_start(struct syncer *syncer, const struct sys *sys, int fd, uint64_t size)
{
    int error;

    syncer->sys = sys;
    syncer->size = size;
    syncer->fd = sys->dup(fd);
    if (syncer->fd < 0) {
        return syncer->fd;
    }
    atomic_store_explicit(&syncer->result, -EINPROGRESS, memory_order_relaxed);
    error = sys->thread_start(&syncer->thread, thread_stack_size, run, syncer);
    if (error < 0) {
        sys->close(syncer->fd);
        return error;
    }
    syncer->has_thread = true;
    return 0;
}

int
syncer_poll(struct syncer *syncer)
{
    int result;

    if (!syncer->has_thread && !syncer->has_result) {
        return -EINPROGRESS;
    }
    result = atomic_load_explicit(&syncer->result, memory_order_acquire); /* synced:A */
    if (result != -EINPROGRESS) {
        syncer_join(syncer);
        syncer->has_result = false;
    }
    return result;
}

void
syncer_join(struct syncer *syncer)
{
    syncer_wait(syncer, SYS_FOREVER);
}

void
syncer_wait(struct syncer *syncer, uint64_t limit_ns)
{
    if (syncer->has_thread &&
        syncer->sys->thread_join(syncer->thread, limit_ns) != -ETIMEDOUT) {
        syncer->has_thread = false;
        syncer->has_result = true;
    }
}

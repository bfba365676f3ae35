#include "revival.h"

#include "generation.h"
#include "registry.h"

static bool
has_control_of(const struct writer *past, const struct writer *wanted)
{
    struct stat status;

    return wanted->sys->fstatat(wanted->state_dir, control_name, &status) == 0 &&
           status.st_dev == past->control.device &&
           status.st_ino == past->control.inode;
}

static bool
is_where(const struct writer *past, const struct writer *wanted)
{
    return past->dir_device == wanted->dir_device &&
           past->dir_inode == wanted->dir_inode &&
           past->state_device == wanted->state_device &&
           past->state_inode == wanted->state_inode &&
           past->rings_device == wanted->rings_device &&
           past->rings_inode == wanted->rings_inode && has_control_of(past, wanted);
}

static bool
is_over(const struct writer *writer)
{
    return atomic_load_explicit(&writer->is_over, memory_order_acquire); /* over:A */
}

static struct writer *
find(const struct writer *wanted)
{
    struct writer *writer = registry_first();

    while (writer != NULL && (writer->is_private || !generation_is_past(writer) ||
                              generation_is_forsaken(writer) || is_over(writer) ||
                              !is_where(writer, wanted))) {
        writer = writer->next;
    }
    return writer;
}

/* Its thread does not run. */
static void
revive(struct writer *writer)
{
    drainer_step_down(writer, 0);
    writer->leader.is_past = false;
    if (writer->path_dir >= 0) {
        writer->sys->close(writer->path_dir);
        writer->path_dir = -1;
        writer->file.dir = writer->dir;
    }
    writer->has_looked_back = false;
    writer->settling_steps = 0;
    atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_ANEW, memory_order_relaxed);
    atomic_store_explicit(&writer->past, PAST_NOT, memory_order_release); /* past:B */
}

struct writer *
revival_run(const struct writer *wanted)
{
    struct writer *writer = find(wanted);
    bool has_thread;

    if (writer == NULL) {
        return NULL;
    }
    has_thread = atomic_load_explicit(&writer->has_thread, memory_order_relaxed);
    drainer_stop(writer);
    if (is_over(writer)) {
        return NULL; /* it leads no more, and is freed in a moment */
    }
    revive(writer);
    if (has_thread && drainer_start(writer) < 0) {
        atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_relaxed);
    }
    return writer;
}

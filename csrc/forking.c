#include "forking.h"

#include "departed.h"
#include "keeper.h"
#include "keptfile.h"
#include "registry.h"
#include "spare.h"

#include <string.h>
#include <unistd.h>

/* How long a fork waits for the threads of all writers; most end at once. */
static const uint64_t park_limit_ns = 1000000000;

/* Both under the registry's lock; the second is looked at without it, too. */
static bool is_forking;
static _Atomic uint64_t parked_since_ns; /* 0: nothing is parked */
static pid_t known_pid; /* a child sees its parent's here, once */
static pthread_once_t handler = PTHREAD_ONCE_INIT;

/* Everything of the parent that a writer must not go on with. */
static void
forget_parent(struct writer *writer)
{
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_mutex_init(&writer->thread_mutex, NULL);
    atomic_store_explicit(&writer->current, NULL, memory_order_relaxed);
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->due, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->callers, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    writer->own_rings = NULL;
    atomic_store_explicit(&writer->is_parked, false, memory_order_relaxed);
    writer->is_kept = false;
    writer->has_left = false;
    writer->needs_control = writer->is_private;
    writer->is_settled = false;
    writer->syncer.has_thread = false;
    writer->syncer.has_result = false;
    writer->batch.is_outstanding = false;
    writer->failures = 0;
    writer->sync_failures = 0;
    writer->is_suspect = false;
    writer->wants_rotation = false;
    writer->next_try_ns = 0;
    writer->next_retry_ns = 0;
    memset(writer->map.rings, 0, sizeof(writer->map.rings));
    leader_forget(&writer->leader);
    departed_drop(writer);
    speaker_forget(writer);
    if (!writer->is_private) {
        spare_reserve(writer);
        keptfile_keep(writer);
        logfile_close(&writer->file);
    }
}

/* Only what is safe in the child of a threaded process: no allocation, no locks. The
 * parent's rings are not mapped here (keep_from_children); their structs stay, because
 * nobody knows who looks at them. Runs once a child: from pthread_atfork, and again
 * from a caller that can't know of that. */
static void
mark_forked(void)
{
    struct writer *writer;

    if (known_pid == getpid()) {
        return;
    }
    known_pid = getpid();
    registry_break_lock();
    mapping_after_fork();
    keeper_forget();
    is_forking = false;
    atomic_store_explicit(&parked_since_ns, 0, memory_order_relaxed);
    for (writer = registry_first(); writer != NULL; writer = writer->next) {
        forget_parent(writer);
    }
}

static void
register_handler(void)
{
    known_pid = getpid();
    pthread_atfork(NULL, NULL, mark_forked);
}

void
forking_watch(void)
{
    pthread_once(&handler, register_handler);
}

bool
forking_is_under_way(void)
{
    return is_forking;
}

void
writer_before_fork(void)
{
    uint64_t now = sys_posix.now_mono();
    struct writer *writer;

    if (!registry_try_lock(&sys_posix, park_limit_ns)) {
        return; /* the child does without, as that of a fork that nobody tells of */
    }
    is_forking = true;
    atomic_store_explicit(&parked_since_ns, now, memory_order_relaxed);
    keeper_park(park_limit_ns);
    for (writer = registry_first(); writer != NULL; writer = writer->next) {
        drainer_park(writer, now + park_limit_ns);
    }
    registry_unlock();
}

static void
resume(struct writer *writer)
{
    int error = drainer_resume(writer);

    if (error == 0) {
        return;
    }
    /* The next write tries again; until then another process may lead. */
    atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_relaxed);
    control_note_error(&writer->control, error);
    if (!writer->is_private) {
        leader_step_down(&writer->leader);
    }
}

void
writer_after_fork_parent(void)
{
    struct writer *writer;

    if (!registry_try_lock(&sys_posix, park_limit_ns)) {
        return; /* who waits for the log does this once more (writer_is_parked) */
    }
    is_forking = false;
    atomic_store_explicit(&parked_since_ns, 0, memory_order_relaxed);
    for (writer = registry_first(); writer != NULL; writer = writer->next) {
        resume(writer);
    }
    keeper_resume();
    registry_unlock();
}

bool
writer_is_parked(uint64_t limit_ns)
{
    uint64_t since = atomic_load_explicit(&parked_since_ns, memory_order_relaxed);

    return since != 0 && sys_posix.now_mono() - since > limit_ns;
}

void
writer_after_fork_child(void)
{
    mark_forked();
}

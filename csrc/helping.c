#include "helping.h"

#include "mutant.h"
#include "thread.h"

void
helping_step(struct writer *writer)
{
    if (MUTANT_LACKS(helping) ||
        atomic_load_explicit(&writer->has_thread, memory_order_relaxed) ||
        pthread_mutex_trylock(&writer->thread_mutex) != 0) {
        return;
    }
    if (thread_start_locked(writer) < 0) {
        (void)drainer_step(writer);
    }
    pthread_mutex_unlock(&writer->thread_mutex);
}

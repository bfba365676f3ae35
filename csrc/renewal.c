#include "renewal.h"

#include "generation.h"
#include "registry.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum writer_place
writer_find(struct writer *writer)
{
    enum where where = generation_look(writer);

    if (generation_is_past(writer)) {
        return WRITER_PAST;
    }
    return where == WHERE_NOWHERE ? WRITER_GONE : WRITER_HERE;
}

int
writer_renew(struct writer *past, struct writer **out)
{
    struct writer_options options = past->options;
    char path[PATH_MAX + WRITER_NAME_SIZE + 2];
    int error;

    if (snprintf(path, sizeof(path), "%s/%s", past->directory, past->name) >=
        (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    options.path = path;
    options.rings_path = past->rings_path;
    if (generation_is_forsaken(past)) {
        registry_lock();
        generation_finish_batch(past);
        registry_unlock();
    } else {
        control_load_settings(&past->control, &options.settings);
    }
    error = writer_open(out, past->sys, &options);
    if (error == 0 && generation_is_forsaken(past)) {
        registry_lock();
        generation_take_over(*out, past);
        registry_unlock();
    }
    return error;
}

void
writer_leave(struct writer *past)
{
    atomic_fetch_sub_explicit(&past->users, 1, memory_order_release); /* users:B */
    wait_wake(past->sys, &past->thread_word);
}

void
writer_give_back(struct writer *past)
{
    registry_lock();
    past->references--;
    registry_unlock();
    generation_reap();
}

void
writer_put_off(struct writer *past, int error)
{
    control_note_error(&past->control, error);
    atomic_fetch_and_explicit(&past->due, ~(uint32_t)DUE_ANEW, memory_order_relaxed);
}

void
writer_hold(struct writer *writer)
{
    atomic_fetch_add_explicit(&writer->callers, 1, memory_order_relaxed);
}

void
writer_let_go(struct writer *writer)
{
    /* callers:B */
    atomic_fetch_sub_explicit(&writer->callers, 1, memory_order_release);
}

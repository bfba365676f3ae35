#include "opening.h"

#include "departed.h"
#include "directories.h"
#include "keptfile.h"
#include "ownring.h"
#include "salvage.h"
#include "spare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t open_limit_ns = 5000000000U;
enum { open_idle_limit = 20 };

void
opening_store_settings(struct writer *writer)
{
    bool is_first = atomic_load_explicit(&writer->control.shared->settings_version,
                                         memory_order_relaxed) == 0;
    struct control_settings before;

    control_load_settings(&writer->control, &before);
    if (writer->options.adopt_settings && !is_first) {
        writer->options.settings = before;
    } else if (memcmp(&before, &writer->options.settings, sizeof(before)) != 0) {
        control_store_settings(&writer->control, &writer->options.settings);
        control_add(&writer->control, COUNTER_settings_changes, is_first ? 0 : 1);
    }
}

static int
found_log(struct writer *writer)
{
    int error = control_open(&writer->control, writer->sys, writer->state_dir,
                             writer->rings_path != NULL ? writer->rings_path : "",
                             directories_file_mode(writer),
                             (gid_t)writer->options.settings.gid);

    if (error == 0 && writer->control.rebooted) {
        error = salvage(&writer->control, writer->dir, writer->rings_dir, writer->name);
    }
    if (error == 0) {
        opening_store_settings(writer);
    }
    return error;
}

int
opening_private(struct writer *writer)
{
    int error = ownring_open_control(writer);

    if (error < 0) {
        return error;
    }
    writer->is_private = true;
    writer->leader = (struct leader){.sys = writer->sys,
                                     .control = &writer->control,
                                     .lock_fd = -1,
                                     .pid = writer->sys->getpid()};
    logfile_adopt_stream(&writer->file, writer->sys, writer->options.stream_fd);
    error = batch_open(&writer->batch, writer->sys, &writer->control, &writer->file);
    return error < 0 ? error : ownring_attach(writer, NULL, COUNTER_COUNT);
}

/* A table full of the dead's slots is cleared first: nobody else may be alive to do it.
 */
static int
attach_first(struct writer *writer)
{
    int error = ownring_attach(writer, NULL, COUNTER_COUNT);

    for (int i = 0; i < open_idle_limit && error == -EUSERS; i++) {
        drainer_step(writer);
        error = ownring_attach(writer, NULL, COUNTER_COUNT);
        if (error == 0 && writer->leader.leads) {
            leader_rename(&writer->leader, ownring_current(writer)->slot);
        }
    }
    return error;
}

/* Under the opening lock, so that one opener founds and the others find. */
static int
found_and_attach(struct writer *writer)
{
    int error;

    writer->file = (struct logfile){
        .sys = writer->sys, .dir = writer->dir, .name = writer->name, .fd = -1};
    writer->map = (struct ringmap){.sys = writer->sys, .dir = writer->rings_dir};
    error =
        leader_open(&writer->leader, writer->sys, &writer->control, writer->state_dir,
                    directories_file_mode(writer), (gid_t)writer->options.settings.gid);
    if (error < 0) {
        return error;
    }
    error = leader_lock_opening(&writer->leader);
    if (error < 0) {
        return error;
    }
    error = batch_open(&writer->batch, writer->sys, &writer->control, &writer->file);
    if (error == 0) {
        error = found_log(writer);
    }
    if (error == 0) {
        error = attach_first(writer);
    }
    leader_unlock_opening(&writer->leader);
    return error;
}

/* Trouble with the disk may pass; trouble with the file's name won't. */
static int
refusal(int error)
{
    switch (error) {
    case -EIO:
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
    case -ESTALE:
    case -EINTR:
        return 0;
    default:
        return error;
    }
}

/* Writes what dead processes left before anybody writes more. A disk that refuses does
 * not keep the log from opening: the ring takes what comes. */
static int
finish_orphans(struct writer *writer)
{
    uint64_t deadline = writer->sys->now_mono() + open_limit_ns;
    _Atomic uint32_t never = 0;
    int idle = 0;

    while (writer->sys->now_mono() < deadline && idle < open_idle_limit) {
        uint64_t sleep_ns = drainer_step(writer);

        if (!writer->leader.leads) {
            return 0;
        }
        if (writer->must_recover && writer->failures > 0) {
            return refusal(atomic_load_explicit(&writer->control.shared->last_error,
                                                memory_order_relaxed));
        }
        if (writer->failures > 0 || (sleep_ns > 0 && writer->is_settled)) {
            return 0;
        }
        if (sleep_ns > 0) {
            /* A live process is in the middle of a write, or was stopped there. */
            idle++;
            wait_word(writer->sys, &never, 0, sleep_ns);
        }
    }
    return 0;
}

int
opening_shared(struct writer *writer)
{
    int error = found_and_attach(writer);

    return error < 0 ? error : finish_orphans(writer);
}

void
opening_free(struct writer *writer)
{
    struct own_ring *own, *next;

    syncer_join(&writer->syncer);
    ringmap_drop_all(&writer->map);
    for (own = writer->own_rings; own != NULL; own = next) {
        next = own->next;
        ring_close(&own->ring);
        free(own);
    }
    spare_drop(writer);
    batch_close(&writer->batch);
    departed_drop(writer);
    logfile_close(&writer->file);
    keptfile_drop(writer);
    leader_close(&writer->leader);
    control_close(&writer->control);
    directories_close(writer);
    if (writer->path_dir >= 0) {
        writer->sys->close(writer->path_dir);
    }
    pthread_mutex_destroy(&writer->mutex);
    pthread_mutex_destroy(&writer->thread_mutex);
    free(writer->directory);
    free(writer->rings_path);
    free(writer);
}

/* Splits the path; the name becomes a directory's and must leave room for that. */
static int
split_path(struct writer *writer, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return -EISDIR;
    }
    if (strlen(name) > WRITER_NAME_SIZE) {
        return -ENAMETOOLONG;
    }
    snprintf(writer->name, sizeof(writer->name), "%s", name);
    if (slash == NULL) {
        writer->directory = strdup(".");
    } else if (slash == path) {
        writer->directory = strdup("/");
    } else {
        writer->directory = strndup(path, (size_t)(slash - path));
    }
    return writer->directory != NULL ? 0 : -ENOMEM;
}

int
opening_new(struct writer **out, const struct sys *sys,
            const struct writer_options *options)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    int error = 0;

    if (writer == NULL) {
        return -ENOMEM;
    }
    writer->sys = sys;
    writer->options = *options;
    writer->options.ring_bytes = ring_capacity_for(options->ring_bytes);
    writer->references = 1;
    writer->users = 1;
    writer->path_dir = -1;
    writer->dir = writer->state_dir = writer->rings_dir = -1;
    writer->leader.lock_fd = -1;
    writer->leader.sys = sys;
    writer->file.fd = -1;
    writer->file.sys = sys;
    writer->kept_fd = -1;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_mutex_init(&writer->thread_mutex, NULL);
    if (options->rings_path != NULL) {
        writer->rings_path = strdup(options->rings_path);
        error = writer->rings_path == NULL ? -ENOMEM : 0;
    }
    if (error == 0 && options->path != NULL) {
        error = split_path(writer, options->path);
    }
    if (error < 0) {
        opening_free(writer);
        return error;
    }
    *out = writer;
    return 0;
}

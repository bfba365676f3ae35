#include "departed.h"

#include "packsearch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t s = 1000000000U;
static const uint64_t look_every_ns = 250U * 1000 * 1000;
/* How long a packer may rest, and how long all of that may take. */
static const uint64_t patience_ns = 5 * s, patience_all_ns = 600 * s;
/* What is read in one look. */
static const uint64_t slice_bytes = 16 * 1024 * 1024;
enum { BUFFER_SIZE = 64 * 1024 };

/* Adds the next slice of the file; whether it is through with it. -EIO and the like: it
 * will never be. */
static int
add_slice(struct writer *writer)
{
    struct departed *departed = &writer->departed;
    uint64_t end = departed->sum.size + slice_bytes;
    uint8_t *buffer = malloc(BUFFER_SIZE);
    int64_t got = buffer != NULL ? 1 : -ENOMEM;

    end = end < departed->size ? end : departed->size;
    while (got > 0 && departed->sum.size < end) {
        uint64_t left = end - departed->sum.size;

        got = writer->sys->pread(departed->fd, buffer,
                                 left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE,
                                 departed->sum.size);
        if (got > 0) {
            checksum_add(&departed->sum, buffer, (size_t)got);
        }
    }
    free(buffer);
    if (got <= 0) {
        return got < 0 ? (int)got : -EIO;
    }
    return departed->sum.size == departed->size;
}

static void
forget(struct writer *writer)
{
    struct departed *departed = &writer->departed;

    if (departed->is_open) {
        sys_close_file(writer->sys, departed->fd, departed->device, departed->inode);
        if (departed->past_dir >= 0) {
            sys_close_file(writer->sys, departed->past_dir, departed->past_device,
                           departed->past_inode);
        }
    }
    departed->is_open = false;
}

static void
acquit(struct writer *writer)
{
    const struct departed *departed = &writer->departed;

    control_retract_loss(&writer->control, GAP_UNLINKED, departed->lines,
                         departed->told_bytes);
    control_add(&writer->control, COUNTER_live_file_moved, 1);
    forget(writer);
}

static void
give_up(struct writer *writer)
{
    control_add(&writer->control, COUNTER_live_file_unlinked, 1);
    forget(writer);
}

static bool
is_summed(const struct departed *departed)
{
    return departed->has_sum && departed->sum.size == departed->size;
}

static void
look_around(struct writer *writer, struct packsearch *search)
{
    const struct departed *departed = &writer->departed;

    *search = (struct packsearch){.sys = writer->sys,
                                  .dir = writer->dir,
                                  .size = departed->size,
                                  .since = departed->written,
                                  .sum = is_summed(departed) ? &departed->sum : NULL};
    packsearch_run(search);
    if (!search->is_proven && departed->past_dir >= 0) {
        search->dir = departed->past_dir;
        packsearch_run(search);
    }
}

/* logrotate's `olddir`: it was renamed to another directory, and packed there. */
static void
open_past_dir(struct writer *writer)
{
    struct departed *departed = &writer->departed;
    const struct sys *sys = writer->sys;
    char path[PATH_MAX], *slash;
    struct stat status;

    if (sys->last_path(departed->fd, path, sizeof(path)) < 0) {
        return;
    }
    slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    departed->past_dir =
        sys->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (departed->past_dir < 0) {
        return;
    }
    if (sys->fstat(departed->past_dir, &status) < 0 ||
        (status.st_dev == writer->dir_device && status.st_ino == writer->dir_inode)) {
        sys->close(departed->past_dir);
        departed->past_dir = -1;
        return;
    }
    departed->past_device = status.st_dev;
    departed->past_inode = status.st_ino;
}

void
departed_begin(struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;
    struct departed *departed = &writer->departed;
    uint64_t now = writer->sys->now_mono();
    struct stat status;

    departed_end(writer);
    control_add_loss(&writer->control, GAP_UNLINKED, shared->live_lines,
                     shared->live_size);
    *departed = (struct departed){.is_open = true,
                                  .fd = writer->file.fd,
                                  .device = writer->file.device,
                                  .inode = writer->file.inode,
                                  .past_dir = -1,
                                  .lines = shared->live_lines,
                                  .told_bytes = shared->live_size,
                                  .end_ns = now + patience_ns,
                                  .end_all_ns = now + patience_all_ns};
    writer->file.fd = -1;
    if (writer->sys->fstat(departed->fd, &status) < 0) {
        give_up(writer);
        return;
    }
    departed->size = (uint64_t)status.st_size;
    departed->written = status.st_mtim;
    open_past_dir(writer);
    (void)departed_look(writer, now);
}

/* Whether the checksum that a packed file says is being made, or is there now. */
static bool
work_on_sum(struct writer *writer, const struct packsearch *search)
{
    struct departed *departed = &writer->departed;

    if (!departed->has_sum || departed->sum.kind != search->kind) {
        checksum_begin(&departed->sum, search->kind);
        departed->has_sum = true;
    }
    return add_slice(writer) >= 0;
}

bool
departed_look(struct writer *writer, uint64_t now)
{
    struct departed *departed = &writer->departed;
    struct packsearch search;

    if (!departed->is_open || now < departed->next_look_ns) {
        return false;
    }
    look_around(writer, &search);
    if (search.is_proven) {
        acquit(writer);
        return false;
    }
    if (search.wants_sum && work_on_sum(writer, &search)) {
        return true;
    }
    if (search.growth != departed->growth) {
        departed->growth = search.growth;
        departed->end_ns = now + patience_ns;
    }
    if (search.growth == 0 || now >= departed->end_ns || now >= departed->end_all_ns) {
        give_up(writer);
        return false;
    }
    departed->next_look_ns = now + look_every_ns;
    return false;
}

void
departed_end(struct writer *writer)
{
    struct departed *departed = &writer->departed;
    uint64_t now = writer->sys->now_mono();

    departed->next_look_ns = 0;
    while (departed_look(writer, now)) {
        continue;
    }
    if (departed->is_open) {
        give_up(writer);
    }
}

void
departed_drop(struct writer *writer)
{
    forget(writer);
}

bool
departed_is_decided(const struct writer *writer)
{
    return !writer->departed.is_open;
}

#include "appending.h"

#include "wait.h"

#include <errno.h>

/* Behind all that anybody may have written, or locked with what he wrote. */
static const uint64_t lock_offset = (uint64_t)1 << 62;
/* A line is there in microseconds. */
static const uint64_t patience_ns = 100U * 1000 * 1000, poll_ns = 500U * 1000;

static bool
is_taken(int error)
{
    return error == -EAGAIN || error == -EACCES;
}

/* 0: it is ours; -EAGAIN: somebody else's; other errors: there are no locks here. */
static int
lock(const struct sys *sys, int fd, bool is_inherited, short type)
{
    int command = is_inherited ? F_SETLK : F_OFD_SETLK;
    int error = sys->lock_byte(fd, command, type, lock_offset);

    return is_taken(error) ? -EAGAIN : error;
}

void
appending_begin(struct logfile *file)
{
    _Atomic uint32_t never = 0;
    uint64_t begin;
    int error;

    if (file->is_stream || file->fd < 0 || file->is_locked) {
        return;
    }
    begin = file->sys->now_mono();
    while ((error = lock(file->sys, file->fd, false, F_WRLCK)) == -EAGAIN &&
           !file->is_contended && file->sys->now_mono() - begin < patience_ns) {
        wait_word(file->sys, &never, 0, poll_ns);
    }
    file->is_locked = error == 0;
    file->is_contended = error == -EAGAIN;
}

void
appending_end(struct logfile *file)
{
    if (file->is_locked) {
        /* Not by closing it only: a child may have the open file, too. */
        (void)lock(file->sys, file->fd, false, F_UNLCK);
        file->is_locked = false;
    }
}

/* The file, unless its name shows another one. */
static int
look(const struct appending_line *line, struct logfile *file)
{
    struct stat held, named;
    int error = line->sys->fstat(line->fd, &held);

    if (error < 0) {
        return error;
    }
    if (line->name != NULL) {
        error = line->sys->fstatat(line->dir, line->name, &named);
        if (error < 0 && error != -ENOENT) {
            return error;
        }
        if (error == -ENOENT || named.st_dev != held.st_dev ||
            named.st_ino != held.st_ino) {
            return -ESTALE;
        }
    }
    *file = (struct logfile){.sys = line->sys,
                             .fd = line->fd,
                             .is_stream = !S_ISREG(held.st_mode),
                             .size = (uint64_t)held.st_size};
    return 0;
}

static uint64_t
size_of(const struct logfile_parts *parts)
{
    uint64_t size = 0;

    for (uint32_t i = 0; i < parts->count; i++) {
        size += parts->next[i].iov_len;
    }
    return size;
}

/* Room for all of the line, so that no part of it is written alone. */
static int
make_room(const struct logfile *file, uint64_t size)
{
    int error;

    if (file->is_stream) {
        return 0;
    }
    if (file->size + size > file->sys->file_size_limit()) {
        return -EFBIG;
    }
    error = file->sys->reserve(file->fd, file->size, size);
    return error == -ENOSPC || error == -EDQUOT ? error : 0;
}

static int
put(const struct appending_line *line)
{
    char newline[] = "\n";
    struct iovec all[] = {
        {.iov_base = newline, .iov_len = 1}, line->parts[0], line->parts[1]};
    struct logfile_parts parts = {.next = all + 1, .count = 2};
    uint64_t written = 0, short_writes = 0;
    struct logfile file;
    int error = look(line, &file);

    /* Who may only write can't look. */
    if (error == 0 && logfile_is_unfinished(&file) > 0) {
        if (!line->ends_torn) {
            return -EBUSY;
        }
        parts = (struct logfile_parts){.next = all, .count = 3};
    }
    if (error == 0) {
        error = make_room(&file, size_of(&parts));
    }
    return error < 0 ? error : logfile_append(&file, &parts, &written, &short_writes);
}

int
appending_put(const struct appending_line *line)
{
    int locked = lock(line->sys, line->fd, line->is_inherited, F_WRLCK);
    int error;

    if (locked == -EAGAIN) {
        return locked;
    }
    error = put(line);
    if (locked == 0) {
        (void)lock(line->sys, line->fd, line->is_inherited, F_UNLCK);
    }
    return error;
}

#include "logfile.h"

#include "ownership.h"
#include "testpoint.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stddef.h>
#include <unistd.h>

enum { stream_patience_ms = 100 };
/* Appends of that size come from programs that write tens of thousands of lines a
 * second. */
static const uint64_t reserve_from = 256 * 1024, reserve_size = 8 * 1024 * 1024;

void
logfile_adopt(struct logfile *file, int fd, const struct stat *status)
{
    file->fd = fd;
    file->device = status->st_dev;
    file->inode = status->st_ino;
    file->size = (uint64_t)status->st_size;
    file->since_ns = (uint64_t)status->st_mtim.tv_sec * 1000000000U +
                     (uint64_t)status->st_mtim.tv_nsec;
    file->reserved = 0;
    file->is_kept = false;
    file->is_adopted = status->st_size > 0;
    file->is_locked = false;
    file->is_contended = false;
}

/* A file that we just made gets its rights before anybody writes to it. */
static int
set_rights(const struct logfile *file, int fd, const struct stat *before, mode_t mode,
           gid_t gid)
{
    const struct sys *sys = file->sys;
    int error = sys->fchmod(fd, before != NULL ? before->st_mode & 07777 : mode);

    if (before != NULL) {
        /* Only root may give files away; a writer of the same group needs no more. */
        (void)sys->fchown(fd, before->st_uid, before->st_gid);
    } else if (error == 0) {
        error = ownership_give(sys, fd, file->dir, gid);
    }
    return error;
}

int
logfile_create(struct logfile *file, const struct stat *before, mode_t mode, gid_t gid)
{
    const struct sys *sys = file->sys;
    struct stat status;
    int error, fd = sys->openat(file->dir, file->name,
                                O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW |
                                    O_CLOEXEC | O_NONBLOCK,
                                mode & 0600);

    if (fd < 0) {
        return fd;
    }
    error = set_rights(file, fd, before, mode, gid);
    if (error == 0) {
        error = sys->fstat(fd, &status);
    }
    if (error < 0) {
        /* The next opener would take it as it is, with rights that nobody asked for. */
        sys->unlinkat(file->dir, file->name);
        sys->close(fd);
        return error;
    }
    logfile_adopt(file, fd, &status);
    return 0;
}

int
logfile_open_existing(struct logfile *file)
{
    const struct sys *sys = file->sys;
    struct stat status;
    /* O_NONBLOCK: a FIFO planted at the name must not hang the opener. */
    int error,
        fd = sys->openat(file->dir, file->name,
                         O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);

    if (fd < 0) {
        return fd;
    }
    error = sys->fstat(fd, &status);
    if (error == 0 && status.st_nlink == 0) {
        error = -ENOENT; /* being removed: its name stays for a moment */
    } else if (error == 0 && !S_ISREG(status.st_mode)) {
        error = -EINVAL;
    } else if (error == 0 && status.st_nlink > 1 && status.st_uid != geteuid()) {
        error = -EMLINK;
    }
    if (error < 0) {
        sys->close(fd);
        return error;
    }
    logfile_adopt(file, fd, &status);
    return 0;
}

int
logfile_open(struct logfile *file, mode_t mode, gid_t gid)
{
    int error = logfile_open_existing(file);

    if (error == -ENOENT) {
        error = logfile_create(file, NULL, mode, gid);
        if (error == -EEXIST) {
            error = logfile_open_existing(file);
        }
    }
    return error;
}

void
logfile_adopt_stream(struct logfile *file, const struct sys *sys, int fd)
{
    struct stat status;

    *file = (struct logfile){
        .sys = sys, .dir = -1, .name = "-", .fd = fd, .is_stream = true};
    file->may_block = sys->fstat(fd, &status) < 0 || !S_ISREG(status.st_mode);
}

void
logfile_close(struct logfile *file)
{
    if (file->fd >= 0 && !file->is_stream) {
        sys_close_file(file->sys, file->fd, file->device, file->inode);
    }
    file->fd = -1;
    file->is_locked = false;
}

int
logfile_look(struct logfile *file, struct logfile_look *look)
{
    struct stat held, named;
    int error;

    look->change = LOGFILE_SAME;
    look->size_now = file->size;
    if (file->is_stream) {
        return 0;
    }
    error = file->sys->fstat(file->fd, &held);
    if (error == -EBADF ||
        (error == 0 && (held.st_dev != file->device || held.st_ino != file->inode))) {
        look->change = LOGFILE_LOST;
        return 0;
    }
    if (error < 0) {
        return error;
    }
    look->size_now = (uint64_t)held.st_size;
    if (held.st_nlink == 0) {
        look->change = LOGFILE_UNLINKED;
        return 0;
    }
    error = file->dir != -1 ? file->sys->fstatat(file->dir, file->name, &named) : 0;
    if (file->dir == -1 || (error == -EACCES && file->is_kept)) {
        named = held; /* nobody can ask for its name now */
        error = 0;
    }
    if (error < 0 && error != -ENOENT) {
        return error;
    }
    if (error == -ENOENT || named.st_dev != file->device ||
        named.st_ino != file->inode) {
        /* It may have gone since it was looked at first. */
        error = file->sys->fstat(file->fd, &held);
        if (error < 0) {
            return error;
        }
        look->change = held.st_nlink == 0 ? LOGFILE_UNLINKED : LOGFILE_MOVED;
    } else if (look->size_now < file->size) {
        look->change = LOGFILE_CUT;
    } else if (look->size_now > file->size) {
        look->change = LOGFILE_GREW;
    }
    return 0;
}

/* A pipe that is ready takes PIPE_BUF bytes without blocking: a reader that stops must
 * not take this thread with it. */
static int64_t
write_to_pipe(struct logfile *file, const struct iovec *part)
{
    int ready = file->sys->poll_writable(file->fd, stream_patience_ms);

    if (ready <= 0) {
        return ready < 0 && ready != -EINTR ? ready : -EAGAIN;
    }
    return file->sys->write(file->fd, part->iov_base,
                            part->iov_len < PIPE_BUF ? part->iov_len : PIPE_BUF);
}

/* One write that is continued through EINTR. */
static int64_t
write_some(struct logfile *file, const struct logfile_parts *parts)
{
    int64_t result;

    do {
        result = file->may_block
                     ? write_to_pipe(file, parts->next)
                     : file->sys->writev(file->fd, parts->next, (int)parts->count);
    } while (result == -EINTR);
    return result;
}

/* Takes `size` bytes off the front. */
static void
advance(struct logfile_parts *parts, uint64_t size)
{
    while (parts->count > 0 && size >= parts->next->iov_len) {
        size -= parts->next->iov_len;
        parts->next++;
        parts->count--;
    }
    if (size > 0) {
        parts->next->iov_base = (uint8_t *)parts->next->iov_base + size;
        parts->next->iov_len -= size;
    }
}

int
logfile_append(struct logfile *file, struct logfile_parts *parts, uint64_t *written,
               uint64_t *short_writes)
{
    advance(parts, 0); /* a part may be empty, and writing nothing is no progress */
    while (parts->count > 0) {
        int64_t result = write_some(file, parts);
        if (result < 0) {
            return (int)result;
        }
        if (result == 0) {
            return -EIO;
        }
        *written += (uint64_t)result;
        file->size += (uint64_t)result;
        file->is_adopted = false;
        advance(parts, (uint64_t)result);
        if (parts->count > 0) {
            ++*short_writes;
            TEST_POINT(batch_part_written);
        }
    }
    return 0;
}

/* On ext4 an append into reserved blocks takes an eighth less time than one that has
 * to account for each new block. Other file systems either look ahead on their own
 * (xfs) or pay for it (btrfs, tmpfs). What a file that is left early has too much stays
 * with it: giving it back could cut what others append meanwhile. So a log that isn't
 * busy reserves nothing. */
void
logfile_reserve(struct logfile *file, uint64_t size, uint64_t limit)
{
    const struct sys *sys = file->sys;
    uint64_t from = file->size > file->reserved ? file->size : file->reserved;
    uint64_t room = limit == 0 ? reserve_size : limit > from ? limit - from : 0;

    if (size < reserve_from || file->size + size <= file->reserved || room == 0) {
        return;
    }
    if (file->reserved == 0 && sys->fs_type(file->fd) != EXT4_SUPER_MAGIC) {
        file->reserved = UINT64_MAX;
        return;
    }
    room = room < reserve_size ? room : reserve_size;
    /* Without it the append fares as it fares: a full disk is its matter. */
    file->reserved = sys->reserve(file->fd, from, room) < 0 ? UINT64_MAX : from + room;
}

int
logfile_is_unfinished(const struct logfile *file)
{
    char last = '\n';
    int64_t got;

    if (file->is_stream || file->size == 0) {
        return 0;
    }
    got = file->sys->pread(file->fd, &last, 1, file->size - 1);
    return got < 0 ? (int)got : got > 0 && last != '\n';
}

int
logfile_complete_last_line(struct logfile *file)
{
    uint64_t written = 0, short_writes = 0;
    char newline[] = "\n";
    struct iovec part = {.iov_base = newline, .iov_len = 1};
    struct logfile_parts parts = {.next = &part, .count = 1};
    int error = logfile_is_unfinished(file);

    if (error <= 0) {
        return error;
    }
    error = logfile_append(file, &parts, &written, &short_writes);
    return error < 0 ? error : 1;
}

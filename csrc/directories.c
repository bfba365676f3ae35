#include "directories.h"

#include "ownership.h"
#include "testpoint.h"
#include "trust.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
is_network_fs(int64_t type)
{
    static const int64_t types[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x01021997, /* 9p */
        0x65735546  /* FUSE */
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (type == types[i]) {
            return true;
        }
    }
    return false;
}

static bool
has_group(const struct writer *writer)
{
    return writer->options.settings.gid != (uint32_t)-1;
}

mode_t
directories_file_mode(const struct writer *writer)
{
    if (has_group(writer)) {
        return 0660;
    }
    return writer->state_mode & S_IWOTH   ? 0666
           : writer->state_mode & S_IWGRP ? 0660
                                          : 0600;
}

/* What a new state directory is like. */
struct sharing {
    mode_t mode;
    gid_t gid;
};

/* Whoever may write to the log may have a ring, as with the file's own rights. */
static struct sharing
find_sharing(const struct writer *writer)
{
    struct sharing found = {.mode = 0700, .gid = (gid_t)writer->options.settings.gid};
    mode_t mode = writer->options.settings.mode;
    struct stat log;

    if (has_group(writer)) {
        found.mode = 02770;
        return found;
    }
    if (writer->sys->fstatat(writer->dir, writer->name, &log) == 0 &&
        S_ISREG(log.st_mode)) {
        mode = log.st_mode;
        found.gid = (mode & S_IWGRP) != 0 ? log.st_gid : found.gid;
    }
    if ((mode & S_IWOTH) != 0) {
        found.mode = 01777;
    } else if ((mode & S_IWGRP) != 0) {
        found.mode = 02770;
    }
    return found;
}

/* Without the right to give it to the group it stays ours. */
static int
share(struct writer *writer, int fd, const struct sharing *sharing)
{
    int error = ownership_give(writer->sys, fd, writer->dir, sharing->gid);

    if (error == -EPERM && !has_group(writer) && sharing->mode == 02770) {
        return writer->sys->fchmod(fd, 0700);
    }
    if (error == 0 && sharing->mode != 0700) {
        error = writer->sys->fchmod(fd, sharing->mode);
    }
    return error;
}

static int
open_directory(const struct sys *sys, int at, const char *path)
{
    return sys->openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static int
make_state_dir(struct writer *writer, const char *name)
{
    const struct sys *sys = writer->sys;
    struct sharing sharing = find_sharing(writer);
    int fd, error = sys->mkdirat(writer->dir, name, sharing.mode & 0700);
    bool is_new = error == 0;

    if (error < 0 && error != -EEXIST) {
        return error;
    }
    fd = open_directory(sys, writer->dir, name);
    if (fd >= 0 && is_new) {
        error = share(writer, fd, &sharing);
        if (error < 0) {
            sys->close(fd);
            return error;
        }
    }
    return fd == -ELOOP || fd == -ENOTDIR ? -EPERM : fd;
}

static int
check_fs(const struct writer *writer, int dir)
{
    int64_t type = writer->sys->fs_type(dir);

    if (type < 0) {
        return (int)type;
    }
    return is_network_fs(type) && !writer->options.allow_network_fs ? -EREMOTE : 0;
}

/* Takes a new descriptor over, with what tells whether it still is ours later. */
static int
keep_directory(struct writer *writer, int fd, int *kept, uint64_t *device,
               uint64_t *inode, struct stat *status)
{
    int error;

    if (fd < 0) {
        return fd;
    }
    error = writer->sys->fstat(fd, status);
    if (error < 0) {
        writer->sys->close(fd);
        return error;
    }
    *kept = fd;
    *device = status->st_dev;
    *inode = status->st_ino;
    return 0;
}

static int
open_state_dir(struct writer *writer, const struct stat *log_dir)
{
    char name[WRITER_NAME_SIZE + 8];
    struct stat status;
    int error;

    snprintf(name, sizeof(name), ".%s.ring", writer->name);
    error = keep_directory(writer, make_state_dir(writer, name), &writer->state_dir,
                           &writer->state_device, &writer->state_inode, &status);
    TEST_POINT(open_state_dir);
    if (error == 0) {
        writer->state_mode = status.st_mode;
        error = trust_directory(writer, log_dir, &status);
    }
    if (error == 0) {
        error = trust_files(writer, &status);
    }
    return error < 0 ? error : check_fs(writer, writer->state_dir);
}

int
directories_open(struct writer *writer)
{
    const struct sys *sys = writer->sys;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, fd, error;
    struct stat log_dir, status;

    fd = sys->openat(AT_FDCWD, writer->directory, flags, 0);
    error = keep_directory(writer, fd, &writer->dir, &writer->dir_device,
                           &writer->dir_inode, &log_dir);
    if (error == 0) {
        error = open_state_dir(writer, &log_dir);
    }
    if (error < 0) {
        return error;
    }
    fd = writer->rings_path != NULL
             ? sys->openat(AT_FDCWD, writer->rings_path, flags, 0)
             : sys->dup(writer->state_dir);
    error = keep_directory(writer, fd, &writer->rings_dir, &writer->rings_device,
                           &writer->rings_inode, &status);
    if (error == 0) {
        error = trust_directory(writer, &log_dir, &status);
    }
    return error < 0 ? error : check_fs(writer, writer->rings_dir);
}

void
directories_close(struct writer *writer)
{
    const struct sys *sys = writer->sys;

    sys_close_file(sys, writer->dir, writer->dir_device, writer->dir_inode);
    sys_close_file(sys, writer->state_dir, writer->state_device, writer->state_inode);
    sys_close_file(sys, writer->rings_dir, writer->rings_device, writer->rings_inode);
    writer->dir = writer->state_dir = writer->rings_dir = -1;
}

/* What a log has of directories, in a second copy. */
struct opened {
    int dir, state_dir, rings_dir;
};

/* The descriptor of a directory that is known already. */
static int
open_again(const struct writer *writer, int fd, uint64_t device, uint64_t inode)
{
    if (fd >= 0 && !sys_is_file(writer->sys, fd, device, inode)) {
        writer->sys->close(fd);
        return -ESTALE;
    }
    return fd;
}

/* Names in it can be used without the right to list them. */
static int
open_at_path(const struct writer *writer)
{
    const struct sys *sys = writer->sys;
    int fd =
        sys->openat(AT_FDCWD, writer->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd == -EACCES) {
        fd = sys->openat(AT_FDCWD, writer->directory, O_PATH | O_DIRECTORY | O_CLOEXEC,
                         0);
    }
    return open_again(writer, fd, writer->dir_device, writer->dir_inode);
}

/* It was moved: it is where the live file that we kept is. */
static int
open_around_kept(const struct writer *writer)
{
    const struct sys *sys = writer->sys;
    char path[PATH_MAX], *slash;
    int error = sys->last_path(writer->kept_fd, path, sizeof(path));

    if (error < 0 || (slash = strrchr(path, '/')) == NULL) {
        return error < 0 ? error : -ESTALE;
    }
    *(slash == path ? slash + 1 : slash) = '\0';
    return open_again(
        writer, sys->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0),
        writer->dir_device, writer->dir_inode);
}

static int
open_log_dir(const struct writer *writer)
{
    int fd = open_at_path(writer), moved;

    if ((fd != -ESTALE && fd != -ENOENT) || writer->kept_fd < 0) {
        return fd;
    }
    moved = open_around_kept(writer);
    return moved >= 0 ? moved : -ESTALE;
}

static int
open_inner_dirs(const struct writer *writer, struct opened *opened)
{
    const struct sys *sys = writer->sys;
    char name[WRITER_NAME_SIZE + 8];
    int fd;

    snprintf(name, sizeof(name), ".%s.ring", writer->name);
    fd = open_again(writer, open_directory(sys, opened->dir, name),
                    writer->state_device, writer->state_inode);
    if (fd < 0) {
        return fd == -ENOENT ? -ESTALE : fd;
    }
    opened->state_dir = fd;
    fd = writer->rings_path != NULL ? sys->openat(AT_FDCWD, writer->rings_path,
                                                  O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
                                    : sys->dup(opened->state_dir);
    opened->rings_dir =
        open_again(writer, fd, writer->rings_device, writer->rings_inode);
    if (opened->rings_dir < 0) {
        sys->close(opened->state_dir);
        return opened->rings_dir;
    }
    return 0;
}

/* Whether they can be opened again: the process may have other rights by now, or
 * another root. */
static bool
can_open_again(const struct writer *writer, bool with_dir)
{
    const struct sys *sys = writer->sys;
    struct opened opened = {.dir = with_dir ? open_at_path(writer) : writer->dir};
    int error = opened.dir < 0 ? opened.dir : open_inner_dirs(writer, &opened);

    if (with_dir && opened.dir >= 0) {
        sys->close(opened.dir);
    }
    if (error < 0) {
        return false;
    }
    sys->close(opened.state_dir);
    sys->close(opened.rings_dir);
    return true;
}

void
directories_rest(struct writer *writer)
{
    const struct sys *sys = writer->sys;
    bool with_dir = writer->kept_fd >= 0;

    if (writer->dir < 0 || writer->state_dir < 0 || !can_open_again(writer, with_dir)) {
        return;
    }
    sys_close_file(sys, writer->state_dir, writer->state_device, writer->state_inode);
    sys_close_file(sys, writer->rings_dir, writer->rings_device, writer->rings_inode);
    writer->state_dir = writer->rings_dir = -1;
    writer->map.dir = writer->leader.state_dir = -1;
    if (with_dir) {
        sys_close_file(sys, writer->dir, writer->dir_device, writer->dir_inode);
        writer->dir = writer->file.dir = -1;
    }
}

int
directories_wake(struct writer *writer)
{
    struct opened opened = {.dir = writer->dir};
    int error;

    if (writer->state_dir >= 0) {
        return 0;
    }
    if (opened.dir < 0) {
        opened.dir = open_log_dir(writer);
    }
    error = opened.dir < 0 ? opened.dir : open_inner_dirs(writer, &opened);
    if (error == -ESTALE && writer->dir < 0 && opened.dir >= 0) {
        writer->sys->close(opened.dir);
        return error;
    }
    if (opened.dir >= 0) {
        writer->dir = writer->file.dir = opened.dir; /* also alone it is of use */
    }
    if (error == 0) {
        writer->state_dir = writer->leader.state_dir = opened.state_dir;
        writer->rings_dir = writer->map.dir = opened.rings_dir;
    }
    return error;
}

bool
directories_are_lost(const struct writer *writer)
{
    const struct sys *sys = writer->sys;

    return !sys_is_file(sys, writer->dir, writer->dir_device, writer->dir_inode) ||
           !sys_is_file(sys, writer->state_dir, writer->state_device,
                        writer->state_inode) ||
           !sys_is_file(sys, writer->rings_dir, writer->rings_device,
                        writer->rings_inode);
}

int
directories_reopen(struct writer *writer)
{
    uint64_t inode = writer->state_inode, device = writer->state_device;
    int error;

    directories_close(writer);
    error = directories_open(writer);
    if (error == 0 &&
        (writer->state_inode != inode || writer->state_device != device)) {
        directories_close(writer);
        writer->state_inode = inode;
        writer->state_device = device;
        error = -ESTALE;
    }
    writer->file.dir = writer->dir;
    writer->map.dir = writer->rings_dir;
    writer->leader.state_dir = writer->state_dir;
    return error;
}

int
directories_repair(struct writer *writer)
{
    int error = 0, broken;

    pthread_mutex_lock(&writer->mutex);
    if (directories_are_lost(writer)) {
        error = directories_reopen(writer);
    }
    broken = leader_check_lock_file(&writer->leader);
    if (error == 0 && broken < 0) {
        if (broken == -EBADF) {
            /* The number may be somebody else's file by now. */
            writer->leader.lock_fd = -1;
        }
        leader_step_down(&writer->leader);
        error = leader_reopen(&writer->leader, directories_file_mode(writer),
                              (gid_t)writer->options.settings.gid);
        if (error == 0) {
            control_add(&writer->control, COUNTER_locks_reopened, 1);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

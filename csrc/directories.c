#include "directories.h"

#include "ownership.h"
#include "testpoint.h"

#include <errno.h>
#include <stdio.h>
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
    return has_group(writer) ? 0660 : 0600;
}

/* The state directory is ours, root's, or of the group that shares the log. */
static int
check_owner(const struct writer *writer, const struct stat *status)
{
    uid_t self = geteuid();

    if (status->st_uid == self || status->st_uid == 0 || self == 0 ||
        (has_group(writer) && status->st_gid == (gid_t)writer->options.settings.gid)) {
        return 0;
    }
    return -EPERM;
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
    mode_t mode = has_group(writer) ? 02770 : 0700;
    int fd, error = sys->mkdirat(writer->dir, name, mode);
    bool is_new = error == 0;

    if (error < 0 && error != -EEXIST) {
        return error;
    }
    fd = open_directory(sys, writer->dir, name);
    if (fd >= 0 && is_new) {
        error =
            ownership_give(sys, fd, writer->dir, (gid_t)writer->options.settings.gid);
        if (error == 0 && has_group(writer)) {
            error = sys->fchmod(fd, mode);
        }
        if (error < 0) {
            sys->close(fd);
            return error;
        }
    }
    return fd;
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
open_state_dir(struct writer *writer)
{
    char name[WRITER_NAME_SIZE + 8];
    struct stat status;
    int error;

    snprintf(name, sizeof(name), ".%s.ring", writer->name);
    error = keep_directory(writer, make_state_dir(writer, name), &writer->state_dir,
                           &writer->state_device, &writer->state_inode, &status);
    TEST_POINT(open_state_dir);
    if (error == 0) {
        error = check_owner(writer, &status);
    }
    return error < 0 ? error : check_fs(writer, writer->state_dir);
}

int
directories_open(struct writer *writer)
{
    const struct sys *sys = writer->sys;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, fd, error;
    struct stat status;

    fd = sys->openat(AT_FDCWD, writer->directory, flags, 0);
    error = keep_directory(writer, fd, &writer->dir, &writer->dir_device,
                           &writer->dir_inode, &status);
    if (error == 0) {
        error = open_state_dir(writer);
    }
    if (error < 0) {
        return error;
    }
    fd = writer->rings_path != NULL
             ? sys->openat(AT_FDCWD, writer->rings_path, flags, 0)
             : sys->dup(writer->state_dir);
    error = keep_directory(writer, fd, &writer->rings_dir, &writer->rings_device,
                           &writer->rings_inode, &status);
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

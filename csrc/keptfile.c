#include "keptfile.h"

#include "appending.h"
#include "wait.h"
#include "yielding.h"

#include <errno.h>

static const uint64_t patience_ns = 20U * 1000 * 1000, poll_ns = 500U * 1000;

void
keptfile_keep(struct writer *writer)
{
    if (writer->file.fd < 0 || writer->file.is_stream) {
        return;
    }
    keptfile_drop(writer);
    writer->kept_fd = writer->file.fd;
    writer->kept_device = writer->file.device;
    writer->kept_inode = writer->file.inode;
    writer->file.fd = -1;
}

void
keptfile_drop(struct writer *writer)
{
    if (writer->kept_fd >= 0) {
        sys_close_file(writer->sys, writer->kept_fd, writer->kept_device,
                       writer->kept_inode);
    }
    writer->kept_fd = -1;
}

void
keptfile_drop_left(struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;

    if (writer->kept_fd >= 0 && shared->live_inode != 0 &&
        (shared->live_inode != writer->kept_inode ||
         shared->live_device != writer->kept_device)) {
        keptfile_drop(writer);
    }
}

void
keptfile_restore(struct writer *writer)
{
    struct stat status;

    if (writer->kept_fd < 0) {
        return;
    }
    if (sys_is_file(writer->sys, writer->kept_fd, writer->kept_device,
                    writer->kept_inode) &&
        writer->sys->fstat(writer->kept_fd, &status) == 0) {
        logfile_adopt(&writer->file, writer->kept_fd, &status);
    }
    writer->kept_fd = -1;
}

/* Who can't look there, without the directory or the right to search it, takes the word
 * of the log's last leader. */
static bool
is_at_its_name(const struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;
    struct stat named;
    int error = writer->dir < 0
                    ? -EACCES
                    : writer->sys->fstatat(writer->dir, writer->name, &named);

    if (error == -EACCES) {
        return writer->kept_device == shared->live_device &&
               writer->kept_inode == shared->live_inode;
    }
    return error == 0 && named.st_dev == writer->kept_device &&
           named.st_ino == writer->kept_inode;
}

int
keptfile_take(struct writer *writer, int error)
{
    struct stat status;

    if (writer->kept_fd < 0 || (writer->dir >= 0 && !yielding_may_help(error)) ||
        !sys_is_file(writer->sys, writer->kept_fd, writer->kept_device,
                     writer->kept_inode) ||
        !is_at_its_name(writer) || writer->sys->fstat(writer->kept_fd, &status) < 0 ||
        status.st_nlink == 0) {
        return error;
    }
    logfile_adopt(&writer->file, writer->kept_fd, &status);
    writer->file.is_kept = true;
    writer->kept_fd = -1;
    return 0;
}

bool
keptfile_helps(const struct writer *writer, int error)
{
    return writer->kept_fd >= 0 && yielding_may_help(error) &&
           writer->options.durability == DURABILITY_PROCESS &&
           sys_is_file(writer->sys, writer->kept_fd, writer->kept_device,
                       writer->kept_inode) &&
           writer->dir >= 0 && is_at_its_name(writer);
}

/* Others have the file for the time of a write. */
static int
put_patiently(const struct appending_line *line)
{
    _Atomic uint32_t never = 0;
    uint64_t begin = line->sys->now_mono();
    int error;

    while (((error = appending_put(line)) == -EAGAIN || error == -EBUSY) &&
           line->sys->now_mono() - begin < patience_ns) {
        wait_word(line->sys, &never, 0, poll_ns);
    }
    return error;
}

int
keptfile_append(struct writer *writer, const void *data, size_t size, bool terminate,
                int error)
{
    char newline[] = "\n";
    struct appending_line line = {
        .sys = writer->sys,
        .fd = writer->kept_fd,
        .is_inherited = true,
        .dir = writer->dir,
        .name = writer->name,
        .parts = {{.iov_base = (void *)(uintptr_t)data, .iov_len = size},
                  {.iov_base = newline, .iov_len = terminate}}};
    int refusal = error;

    if (!keptfile_helps(writer, error)) {
        return refusal;
    }
    error = put_patiently(&line);
    return error == -EAGAIN || error == -EBUSY || error == -ESTALE ? refusal : error;
}

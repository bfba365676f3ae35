#include "keptfile.h"

#include "yielding.h"

#include <errno.h>

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

bool
keptfile_helps(const struct writer *writer, int error)
{
    struct stat named;

    return writer->kept_fd >= 0 && yielding_may_help(error) &&
           writer->options.durability == DURABILITY_PROCESS &&
           sys_is_file(writer->sys, writer->kept_fd, writer->kept_device,
                       writer->kept_inode) &&
           writer->sys->fstatat(writer->dir, writer->name, &named) == 0 &&
           named.st_dev == writer->kept_device && named.st_ino == writer->kept_inode;
}

int
keptfile_append(struct writer *writer, const void *data, size_t size, bool terminate,
                int error)
{
    char newline[] = "\n";
    struct iovec lines[] = {{.iov_base = (void *)(uintptr_t)data, .iov_len = size},
                            {.iov_base = newline, .iov_len = terminate}};
    struct logfile_parts parts = {.next = lines, .count = 2};
    struct logfile file = {.sys = writer->sys, .fd = writer->kept_fd};
    uint64_t written = 0, short_writes = 0;

    return keptfile_helps(writer, error)
               ? logfile_append(&file, &parts, &written, &short_writes)
               : error;
}

/* sys.c - the production table: each entry is one libc or kernel call. */
#include "sys.h"

#include "sysfault.h"
#include "sysprocess.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Linux 5.14; older headers don't have it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int
negative_errno(int result)
{
    return result < 0 ? -errno : result;
}

static int
posix_openat(int dir, const char *path, int flags, mode_t mode)
{
    return negative_errno(openat(dir, path, flags, mode));
}

static int
posix_close(int fd)
{
    return negative_errno(close(fd));
}

static int
posix_dup(int fd)
{
    return negative_errno(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static int64_t
posix_write(int fd, const void *data, size_t size)
{
    ssize_t written = write(fd, data, size);
    return written < 0 ? -errno : written;
}

static int64_t
posix_writev(int fd, const struct iovec *parts, int count)
{
    ssize_t written = writev(fd, parts, count);
    return written < 0 ? -errno : written;
}

static int64_t
posix_pread(int fd, void *data, size_t size, uint64_t offset)
{
    ssize_t got = pread(fd, data, size, (off_t)offset);
    return got < 0 ? -errno : got;
}

static int
posix_fstat(int fd, struct stat *out)
{
    return negative_errno(fstat(fd, out));
}

static int
posix_fstatat(int dir, const char *path, struct stat *out)
{
    return negative_errno(fstatat(dir, path, out, AT_SYMLINK_NOFOLLOW));
}

static int
posix_ftruncate(int fd, uint64_t size)
{
    return negative_errno(ftruncate(fd, (off_t)size));
}

static int
posix_fallocate_all(int fd, uint64_t size)
{
    return -posix_fallocate(fd, 0, (off_t)size);
}

static int
posix_reserve(int fd, uint64_t offset, uint64_t size)
{
    return negative_errno(
        fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size));
}

static int
posix_fsync(int fd)
{
    return negative_errno(fsync(fd));
}

static int
posix_fdatasync(int fd)
{
    return negative_errno(fdatasync(fd));
}

static int
posix_syncfs(int fd)
{
    return negative_errno(syncfs(fd));
}

static int
posix_rename(int dir, const char *from, const char *to)
{
    return negative_errno(renameat(dir, from, dir, to));
}

static int
posix_rename_noreplace(int dir, const char *from, const char *to)
{
    struct stat existing;

    if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    /* The file system lacks the flag; one leader a log makes check-then-rename safe. */
    if (fstatat(dir, to, &existing, AT_SYMLINK_NOFOLLOW) == 0) {
        return -EEXIST;
    }
    return posix_rename(dir, from, to);
}

static int
posix_unlinkat(int dir, const char *path)
{
    return negative_errno(unlinkat(dir, path, 0));
}

static int
posix_mkdirat(int dir, const char *path, mode_t mode)
{
    return negative_errno(mkdirat(dir, path, mode));
}

static int
posix_fchmod(int fd, mode_t mode)
{
    return negative_errno(fchmod(fd, mode));
}

static int
posix_fchown(int fd, uid_t uid, gid_t gid)
{
    return negative_errno(fchown(fd, uid, gid));
}

static int64_t
posix_fs_type(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0) {
        return -errno;
    }
    return (int64_t)((uint64_t)fs.f_type & 0xffffffffU);
}

static int
posix_last_path(int fd, char *out, size_t size)
{
    static const char mark[] = " (deleted)";
    char link[32];
    ssize_t got;
    size_t tail = sizeof(mark) - 1;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    got = readlink(link, out, size);
    if (got <= 0 || (size_t)got >= size || out[0] != '/') {
        return -ENOENT;
    }
    if ((size_t)got > tail && memcmp(out + got - tail, mark, tail) == 0) {
        got -= (ssize_t)tail;
    }
    out[got] = '\0';
    return 0;
}

static int
posix_list(int dir, int (*each)(void *context, const char *name), void *context)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *stream;
    int result = 0;

    if (fd < 0) {
        return -errno;
    }
    stream = fdopendir(fd);
    if (stream == NULL) {
        result = -errno;
        close(fd);
        return result;
    }
    while (result == 0 && (entry = readdir(stream)) != NULL) {
        result = each(context, entry->d_name);
    }
    closedir(stream);
    return result;
}

static int
posix_mmap_shared(int fd, size_t size, void **out)
{
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (address == MAP_FAILED) {
        return -errno;
    }
    *out = address;
    return 0;
}

static int
posix_munmap(void *address, size_t size)
{
    return negative_errno(munmap(address, size));
}

static int
posix_keep_from_children(void *address, size_t size)
{
    return negative_errno(madvise(address, size, MADV_DONTFORK));
}

static int
posix_populate(void *address, size_t size)
{
    return negative_errno(madvise(address, size, MADV_POPULATE_WRITE));
}

static int
posix_lock_byte(int fd, int command, short type, uint64_t offset)
{
    struct flock range = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};

    if (fcntl(fd, command, &range) < 0) {
        return -errno;
    }
    return command == F_GETLK && range.l_type != F_UNLCK ? 1 : 0;
}

static uint64_t
posix_file_size_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY
               ? UINT64_MAX
               : limit.rlim_cur;
}

static int
posix_flock(int fd, int operation)
{
    return negative_errno(flock(fd, operation));
}

static int
posix_futex_wait(void *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000U),
                               .tv_nsec = (long)(timeout_ns % 1000000000U)};

    return negative_errno(
        (int)syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0));
}

static int
posix_futex_wake(void *word, int count)
{
    return negative_errno(
        (int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0));
}

static int
posix_poll_writable(int fd, int timeout_ms)
{
    struct pollfd waited = {.fd = fd, .events = POLLOUT};

    return negative_errno(poll(&waited, 1, timeout_ms));
}

static int
posix_fd_flags(int fd)
{
    return negative_errno(fcntl(fd, F_GETFD));
}

static uint64_t
read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t
posix_now_mono(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t
posix_now_real(void)
{
    return read_clock(CLOCK_REALTIME);
}

static pid_t
posix_getpid(void)
{
    return getpid();
}

static int
posix_random(void *out, size_t size)
{
    ssize_t got = getrandom(out, size, 0);

    if (got < 0) {
        return -errno;
    }
    return (size_t)got == size ? 0 : -EIO;
}

static int
posix_thread_start(pthread_t *out, size_t stack_size, void *(*run)(void *context),
                   void *context)
{
    pthread_attr_t attributes;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_size);
    error = pthread_create(out, &attributes, run, context);
    pthread_attr_destroy(&attributes);
    return -error;
}

static int
posix_thread_join(pthread_t thread, uint64_t limit_ns)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000};
    uint64_t began;
    int error;

    if (limit_ns == SYS_FOREVER) {
        return -pthread_join(thread, NULL);
    }
    /* pthread_timedjoin_np goes by a clock that may be set back meanwhile. */
    began = posix_now_mono();
    while ((error = pthread_tryjoin_np(thread, NULL)) == EBUSY) {
        if (posix_now_mono() - began >= limit_ns) {
            return -ETIMEDOUT;
        }
        nanosleep(&pause, NULL);
    }
    return -error;
}

const struct sys sys_posix = {
    .openat = posix_openat,
    .close = posix_close,
    .dup = posix_dup,
    .write = posix_write,
    .writev = posix_writev,
    .pread = posix_pread,
    .fstat = posix_fstat,
    .fstatat = posix_fstatat,
    .ftruncate = posix_ftruncate,
    .fallocate = posix_fallocate_all,
    .reserve = posix_reserve,
    .fsync = posix_fsync,
    .fdatasync = posix_fdatasync,
    .syncfs = posix_syncfs,
    .rename = posix_rename,
    .rename_noreplace = posix_rename_noreplace,
    .unlinkat = posix_unlinkat,
    .mkdirat = posix_mkdirat,
    .fchmod = posix_fchmod,
    .fchown = posix_fchown,
    .fs_type = posix_fs_type,
    .last_path = posix_last_path,
    .list = posix_list,
    .mmap_shared = posix_mmap_shared,
    .munmap = posix_munmap,
    .keep_from_children = posix_keep_from_children,
    .populate = posix_populate,
    .lock_byte = posix_lock_byte,
    .flock = posix_flock,
    .futex_wait = posix_futex_wait,
    .futex_wake = posix_futex_wake,
    .poll_writable = posix_poll_writable,
    .fd_flags = posix_fd_flags,
    .file_size_limit = posix_file_size_limit,
    .now_mono = posix_now_mono,
    .now_real = posix_now_real,
    .getpid = posix_getpid,
    .pid_namespace = sysprocess_namespace,
    .process = sysprocess_look,
    .random = posix_random,
    .thread_start = posix_thread_start,
    .thread_join = posix_thread_join,
    .signal_action = sysfault_signal_action,
    .signal_raise = sysfault_signal_raise,
    .put_zeros = sysfault_put_zeros,
    .probe = sysfault_probe,
    .gettid = sysfault_gettid,
    .page_size = sysfault_page_size,
};

bool
sys_is_file(const struct sys *sys, int fd, uint64_t device, uint64_t inode)
{
    struct stat status;
    int error = sys->fstat(fd, &status);

    return error == 0 ? status.st_dev == device && status.st_ino == inode
                      : error != -EBADF;
}

void
sys_close_file(const struct sys *sys, int fd, uint64_t device, uint64_t inode)
{
    if (sys_is_file(sys, fd, device, inode)) {
        sys->close(fd);
    }
}

#include "support_sys.h"

#include "sysfault.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

/* One kind of call is told to fail; all are counted. */
static _Atomic int fail_call;
static _Atomic int fail_error;
static _Atomic uint32_t fail_from, fail_count;
static _Atomic uint32_t calls[CALL_COUNT];
static _Atomic uint32_t failed;

static _Atomic uint64_t cut_size; /* of the next write, when below UINT64_MAX */
static _Atomic bool is_stopped;
static _Atomic uint64_t stopped_mono_ns, stopped_real_ns;
static _Atomic uint64_t passed_ns; /* by sys_test_advance */
static _Atomic int64_t wall_shift_ns;
static _Atomic int descriptors;
static _Atomic uint64_t suspect_inode;
static _Atomic bool was_synced_again;

enum { PLAIN_STACK_MAX = 256 * 1024 };

/* Time passes, too, while one tries again and again to wait. */
static const uint64_t failed_wait_ns = 100000;

/* Counts the call; tells the error it has to fail with, or 0. */
static int
enter(enum sys_call call)
{
    uint32_t number = atomic_fetch_add(&calls[call], 1) + 1;
    uint32_t from = atomic_load(&fail_from);

    if (atomic_load(&fail_call) != (int)call || number < from ||
        number - from >= atomic_load(&fail_count)) {
        return 0;
    }
    atomic_fetch_add(&failed, 1);
    return -atomic_load(&fail_error);
}

#define FAIL_HERE(name)                                                                \
    do {                                                                               \
        int error_ = enter(CALL_##name);                                               \
        if (error_ != 0) {                                                             \
            return error_;                                                             \
        }                                                                              \
    } while (0)

static int
count_descriptor(int fd)
{
    if (fd >= 0) {
        atomic_fetch_add(&descriptors, 1);
    }
    return fd;
}

static uint64_t
inode_of(int fd)
{
    struct stat status;

    return sys_posix.fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static int
test_openat(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    FAIL_HERE(openat);
    fd = sys_posix.openat(dir, path, flags, mode);
    if (fd >= 0 && (flags & O_EXCL) != 0 && inode_of(fd) == suspect_inode) {
        suspect_inode = 0; /* a new file that got the number of a removed one */
    }
    return count_descriptor(fd);
}

static int
test_close(int fd)
{
    int error = enter(CALL_close);

    if (sys_posix.close(fd) == 0) {
        atomic_fetch_sub(&descriptors, 1);
    }
    return error;
}

static int
test_dup(int fd)
{
    FAIL_HERE(dup);
    return count_descriptor(sys_posix.dup(fd));
}

static int64_t
test_write(int fd, const void *data, size_t size)
{
    uint64_t cut;

    FAIL_HERE(write);
    cut = atomic_exchange(&cut_size, UINT64_MAX);
    return sys_posix.write(fd, data, size < cut ? size : (size_t)cut);
}

enum { PARTS_MAX = 1024 };

/* The parts up to `size` bytes; tells how many. */
static int
cut_parts(struct iovec *out, const struct iovec *parts, int count, uint64_t size)
{
    int kept = 0;

    while (kept < count && size > 0) {
        out[kept] = parts[kept];
        if (out[kept].iov_len > size) {
            out[kept].iov_len = size;
        }
        size -= out[kept++].iov_len;
    }
    return kept;
}

static int64_t
test_writev(int fd, const struct iovec *parts, int count)
{
    struct iovec part[PARTS_MAX];
    uint64_t cut;

    FAIL_HERE(writev);
    cut = atomic_exchange(&cut_size, UINT64_MAX);
    return sys_posix.writev(fd, part, cut_parts(part, parts, count, cut));
}

static int64_t
test_pread(int fd, void *data, size_t size, uint64_t offset)
{
    FAIL_HERE(pread);
    return sys_posix.pread(fd, data, size, offset);
}

static int
test_fstat(int fd, struct stat *out)
{
    FAIL_HERE(fstat);
    return sys_posix.fstat(fd, out);
}

static int
test_fstatat(int dir, const char *path, struct stat *out)
{
    FAIL_HERE(fstatat);
    return sys_posix.fstatat(dir, path, out);
}

static int
test_ftruncate(int fd, uint64_t size)
{
    FAIL_HERE(ftruncate);
    return sys_posix.ftruncate(fd, size);
}

static int
test_fallocate(int fd, uint64_t size)
{
    FAIL_HERE(fallocate);
    return sys_posix.fallocate(fd, size);
}

static int
test_reserve(int fd, uint64_t offset, uint64_t size)
{
    FAIL_HERE(reserve);
    return sys_posix.reserve(fd, offset, size);
}

static int
test_fsync(int fd)
{
    FAIL_HERE(fsync);
    return inode_of(fd) != 0 ? 0 : -EBADF;
}

static int
test_fdatasync(int fd)
{
    uint64_t inode = inode_of(fd);
    int error = enter(CALL_fdatasync);

    if (error < 0) {
        atomic_store(&suspect_inode, inode);
        return error;
    }
    if (inode != 0 && inode == atomic_load(&suspect_inode)) {
        atomic_store(&was_synced_again, true);
    }
    return inode != 0 ? 0 : -EBADF;
}

static int
test_syncfs(int fd)
{
    FAIL_HERE(syncfs);
    return inode_of(fd) != 0 ? 0 : -EBADF;
}

static int
test_rename(int dir, const char *from, const char *to)
{
    FAIL_HERE(rename);
    return sys_posix.rename(dir, from, to);
}

static int
test_rename_noreplace(int dir, const char *from, const char *to)
{
    FAIL_HERE(rename_noreplace);
    return sys_posix.rename_noreplace(dir, from, to);
}

static int
test_unlinkat(int dir, const char *path)
{
    FAIL_HERE(unlinkat);
    return sys_posix.unlinkat(dir, path);
}

static int
test_mkdirat(int dir, const char *path, mode_t mode)
{
    FAIL_HERE(mkdirat);
    return sys_posix.mkdirat(dir, path, mode);
}

static int
test_fchmod(int fd, mode_t mode)
{
    FAIL_HERE(fchmod);
    return sys_posix.fchmod(fd, mode);
}

static int
test_fchown(int fd, uid_t uid, gid_t gid)
{
    FAIL_HERE(fchown);
    return sys_posix.fchown(fd, uid, gid);
}

static int64_t
test_fs_type(int fd)
{
    FAIL_HERE(fs_type);
    return sys_posix.fs_type(fd);
}

static int
test_last_path(int fd, char *out, size_t size)
{
    FAIL_HERE(last_path);
    return sys_posix.last_path(fd, out, size);
}

static int
test_list(int dir, int (*each)(void *context, const char *name), void *context)
{
    FAIL_HERE(list);
    return sys_posix.list(dir, each, context);
}

static int
test_mmap_shared(int fd, size_t size, void **out)
{
    FAIL_HERE(mmap_shared);
    return sys_posix.mmap_shared(fd, size, out);
}

static int
test_munmap(void *address, size_t size)
{
    FAIL_HERE(munmap);
    return sys_posix.munmap(address, size);
}

static int
test_keep_from_children(void *address, size_t size)
{
    FAIL_HERE(keep_from_children);
    return sys_posix.keep_from_children(address, size);
}

static int
test_populate(void *address, size_t size)
{
    FAIL_HERE(populate);
    return sys_posix.populate(address, size);
}

static int
test_lock_byte(int fd, int command, short type, uint64_t offset)
{
    FAIL_HERE(lock_byte);
    return sys_posix.lock_byte(fd, command, type, offset);
}

static int
test_flock(int fd, int operation)
{
    FAIL_HERE(flock);
    return sys_posix.flock(fd, operation);
}

static int
test_futex_wait(void *word, uint32_t expected, uint64_t timeout_ns)
{
    int error = enter(CALL_futex_wait);

    if (error != 0) {
        sys_test_advance(failed_wait_ns);
        return error;
    }
    if (atomic_load(&is_stopped)) {
        sys_test_advance(timeout_ns);
        return -ETIMEDOUT;
    }
    return sys_posix.futex_wait(word, expected, timeout_ns);
}

static int
test_futex_wake(void *word, int count)
{
    FAIL_HERE(futex_wake);
    return sys_posix.futex_wake(word, count);
}

static int
test_poll_writable(int fd, int timeout_ms)
{
    FAIL_HERE(poll_writable);
    if (atomic_load(&is_stopped)) {
        int ready = sys_posix.poll_writable(fd, 0);
        if (ready == 0) {
            sys_test_advance((uint64_t)timeout_ms * 1000000U);
        }
        return ready;
    }
    return sys_posix.poll_writable(fd, timeout_ms);
}

static uint64_t
test_now_mono(void)
{
    return atomic_load(&passed_ns) + (atomic_load(&is_stopped)
                                          ? atomic_load(&stopped_mono_ns)
                                          : sys_posix.now_mono());
}

static uint64_t
test_now_real(void)
{
    return atomic_load(&passed_ns) + (uint64_t)atomic_load(&wall_shift_ns) +
           (atomic_load(&is_stopped) ? atomic_load(&stopped_real_ns)
                                     : sys_posix.now_real());
}

static pid_t
test_getpid(void)
{
    return sys_posix.getpid();
}

static uint64_t
test_pid_namespace(void)
{
    return sys_posix.pid_namespace();
}

static int
test_process(pid_t pid, struct sys_process *out)
{
    FAIL_HERE(process);
    return sys_posix.process(pid, out);
}

static int
test_random(void *out, size_t size)
{
    FAIL_HERE(random);
    return sys_posix.random(out, size);
}

static int
test_thread_start(pthread_t *out, size_t stack_size, void *(*run)(void *context),
                  void *context)
{
    FAIL_HERE(thread_start);
    if (!atomic_load(&is_stopped)) {
        return sys_posix.thread_start(out, stack_size, run, context);
    }
    *out = pthread_self();
    if (stack_size <= PLAIN_STACK_MAX) {
        run(context);
    }
    return 0;
}

static int
test_thread_join(pthread_t thread, uint64_t limit_ns)
{
    int error = enter(CALL_thread_join);

    if (!pthread_equal(thread, pthread_self()) &&
        sys_posix.thread_join(thread, limit_ns) == -ETIMEDOUT) {
        return -ETIMEDOUT;
    }
    return error;
}

static uint64_t
test_file_size_limit(void)
{
    return sys_posix.file_size_limit();
}

const struct sys sys_test = {
#define AS_ENTRY(name) .name = test_##name,
    SYS_CALLS(AS_ENTRY)
#undef AS_ENTRY
        .now_mono = test_now_mono,
    .now_real = test_now_real,
    .getpid = test_getpid,
    .pid_namespace = test_pid_namespace,
    .file_size_limit = test_file_size_limit,
    .signal_action = sysfault_signal_action,
    .signal_raise = sysfault_signal_raise,
    .put_zeros = sysfault_put_zeros,
    .probe = sysfault_probe,
    .gettid = sysfault_gettid,
    .page_size = sysfault_page_size,
};

void
sys_test_reset(void)
{
    sys_test_fail(0, 0, 0, 0);
    atomic_store(&cut_size, UINT64_MAX);
    atomic_store(&is_stopped, false);
    atomic_store(&passed_ns, 0);
    atomic_store(&wall_shift_ns, 0);
    atomic_store(&descriptors, 0);
    atomic_store(&suspect_inode, 0);
    atomic_store(&was_synced_again, false);
}

void
sys_test_fail(enum sys_call call, int error, uint32_t from, uint32_t count)
{
    atomic_store(&fail_count, 0);
    for (int i = 0; i < CALL_COUNT; i++) {
        atomic_store(&calls[i], 0);
    }
    atomic_store(&failed, 0);
    atomic_store(&fail_call, (int)call);
    atomic_store(&fail_error, error);
    atomic_store(&fail_from, from);
    atomic_store(&fail_count, count);
}

void
sys_test_heal(void)
{
    atomic_store(&fail_count, 0);
}

uint32_t
sys_test_calls(enum sys_call call)
{
    return atomic_load(&calls[call]);
}

uint32_t
sys_test_failed(void)
{
    return atomic_load(&failed);
}

const char *
sys_call_name(enum sys_call call)
{
    static const char *const names[CALL_COUNT] = {
#define AS_NAME(name) #name,
        SYS_CALLS(AS_NAME)
#undef AS_NAME
    };

    return names[call];
}

void
sys_test_cut_write(uint64_t size)
{
    atomic_store(&cut_size, size);
}

void
sys_test_stop_time(void)
{
    atomic_store(&stopped_mono_ns, sys_posix.now_mono());
    atomic_store(&stopped_real_ns, sys_posix.now_real());
    atomic_store(&is_stopped, true);
}

bool
sys_test_is_stopped(void)
{
    return atomic_load(&is_stopped);
}

void
sys_test_advance(uint64_t ns)
{
    atomic_fetch_add(&passed_ns, ns);
}

void
sys_test_shift_wall(int64_t ns)
{
    atomic_fetch_add(&wall_shift_ns, ns);
}

int
sys_test_descriptors(void)
{
    return atomic_load(&descriptors);
}

bool
sys_test_synced_after_failure(void)
{
    return atomic_load(&was_synced_again);
}

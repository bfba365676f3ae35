/* sys.h - the table of every system call, clock and thread that the core uses.
 *
 * All of csrc reaches the kernel through one `struct sys`, so that tests can fail
 * the N-th call of a kind, cut a write short, or turn the clock. `sys_posix` is the
 * production table.
 *
 * Ownership:  the table is borrowed and outlives everything opened with it.
 * Threads:    entries are called from any thread.
 * Errors:     every entry returns a result >= 0 or a negative errno; errno itself
 *             is not part of the contract.
 * Units:      times in nanoseconds.
 */
#ifndef AUDITRING_SYS_H
#define AUDITRING_SYS_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A limit that never comes. */
#define SYS_FOREVER UINT64_MAX

struct sys_process {
    uint64_t start_time;  /* clock ticks after boot; distinguishes reused pids */
    uint64_t start_stack; /* changes with execve; 0 or 1 when it may not be read */
    bool running;         /* false: gone, or a zombie that waits to be reaped */
    char state; /* as ps(1) shows it: T is stopped, t halted by a debugger */
    char name[64]; /* of the command; whatever it wants to be called */
    uid_t uid;
};

struct sys {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    int (*dup)(int fd);
    int64_t (*write)(int fd, const void *data, size_t size);
    int64_t (*writev)(int fd, const struct iovec *parts, int count);
    int64_t (*pread)(int fd, void *data, size_t size, uint64_t offset);
    int (*fstat)(int fd, struct stat *out);
    int (*fstatat)(int dir, const char *path, struct stat *out);
    int (*ftruncate)(int fd, uint64_t size);
    int (*fallocate)(int fd, uint64_t size);
    /* Gives a file room for `size` bytes at `offset`; its size stays as it is. */
    int (*reserve)(int fd, uint64_t offset, uint64_t size);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*syncfs)(int fd);
    int (*rename)(int dir, const char *from, const char *to);
    /* -EEXIST when `to` exists; atomic where the file system can. */
    int (*rename_noreplace)(int dir, const char *from, const char *to);
    int (*unlinkat)(int dir, const char *path);
    int (*mkdirat)(int dir, const char *path, mode_t mode);
    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t uid, gid_t gid);
    /* The magic number of the file system that holds fd (statfs.f_type). */
    int64_t (*fs_type)(int fd);
    /* The path that led to the file last, though it may lead elsewhere by now, or to
     * nothing. -ENOENT: nobody knows. */
    int (*last_path)(int fd, char *out, size_t size);
    /* Calls `each` for every name in the directory until it returns non-zero. */
    int (*list)(int dir, int (*each)(void *context, const char *name), void *context);
    int (*mmap_shared)(int fd, size_t size, void **out);
    int (*munmap)(void *address, size_t size);
    /* Forked children will not have the mapping. */
    int (*keep_from_children)(void *address, size_t size);
    /* Gives the pages to write to at once; whole pages only. */
    int (*populate)(void *address, size_t size);
    /* command: F_SETLK or F_GETLK over one byte, type F_RDLCK/F_WRLCK/F_UNLCK.
     * F_GETLK returns 0 when the byte is free for us, 1 when somebody holds it.
     * F_OFD_SETLK: the lock is the open file's, not the process's. */
    int (*lock_byte)(int fd, int command, short type, uint64_t offset);
    int (*flock)(int fd, int operation);
    int (*futex_wait)(void *word, uint32_t expected, uint64_t timeout_ns);
    int (*futex_wake)(void *word, int count);
    int (*poll_writable)(int fd, int timeout_ms);
    int (*fd_flags)(int fd); /* FD_CLOEXEC or not */
    /* The size that this process may make a file; UINT64_MAX: any. */
    uint64_t (*file_size_limit)(void);
    uint64_t (*now_mono)(void);
    uint64_t (*now_real)(void);
    pid_t (*getpid)(void);
    /* Tells apart the pid name spaces of containers; 0 when unknown. */
    uint64_t (*pid_namespace)(void);
    int (*process)(pid_t pid, struct sys_process *out);
    int (*random)(void *out, size_t size);
    int (*thread_start)(pthread_t *out, size_t stack_size, void *(*run)(void *context),
                        void *context);
    /* -ETIMEDOUT: it is still running. */
    int (*thread_join)(pthread_t thread, uint64_t limit_ns);
    /* The rest is safe in a handler of signals. sigaction(2). */
    int (*signal_action)(int signal, const struct sigaction *action,
                         struct sigaction *before);
    int (*signal_raise)(int signal);
    /* Private zero pages in place of what is mapped there; whole pages only. */
    int (*put_zeros)(void *address, size_t size);
    /* -EFAULT: touching the page would raise a signal. */
    int (*probe)(void *address);
    pid_t (*gettid)(void);
    size_t (*page_size)(void);
};

extern const struct sys sys_posix;

/* Whether fd still is that file. A program may close every number there is, ours too,
 * and open others' files under them: whoever keeps a descriptor asks before he writes
 * to it or closes it. An error other than -EBADF says nothing. */
bool sys_is_file(const struct sys *sys, int fd, uint64_t device, uint64_t inode);

/* Closes fd, if it still is that file. */
void sys_close_file(const struct sys *sys, int fd, uint64_t device, uint64_t inode);

#endif

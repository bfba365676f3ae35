/* support_sys.h - a table of system calls that fails, shortens and stops time on
 * demand.
 *
 * `sys_test` passes everything on to sys_posix, but that no call reaches a disk
 * (fsync, fdatasync and syncfs succeed at once), until it is told otherwise. A call
 * that is told to fail has no effect, except close and thread_join, which the kernel
 * carries out whatever it answers.
 *
 * With time stopped there is no waiting and no thread: a futex wait moves the clock by
 * its limit and times out; a thread with a small stack (the syncer's) runs at once and
 * to its end; the drainer's is never started, and the test takes its steps. Everything
 * that happens is then in the order of the test.
 *
 * Threads:  calls from any; the sys_test_* functions from the test's thread.
 */
#ifndef AUDITRING_SUPPORT_SYS_H
#define AUDITRING_SUPPORT_SYS_H

#include "sys.h"

/* Every entry that can fail. */
#define SYS_CALLS(X)                                                                   \
    X(openat)                                                                          \
    X(close)                                                                           \
    X(dup)                                                                             \
    X(write)                                                                           \
    X(writev)                                                                          \
    X(pread)                                                                           \
    X(fstat)                                                                           \
    X(fstatat)                                                                         \
    X(ftruncate)                                                                       \
    X(fallocate)                                                                       \
    X(reserve)                                                                         \
    X(fsync)                                                                           \
    X(fdatasync)                                                                       \
    X(syncfs)                                                                          \
    X(rename)                                                                          \
    X(rename_noreplace)                                                                \
    X(unlinkat)                                                                        \
    X(mkdirat)                                                                         \
    X(fchmod)                                                                          \
    X(fchown)                                                                          \
    X(fs_type)                                                                         \
    X(last_path)                                                                       \
    X(list)                                                                            \
    X(mmap_shared)                                                                     \
    X(munmap)                                                                          \
    X(keep_from_children)                                                              \
    X(populate)                                                                        \
    X(lock_byte)                                                                       \
    X(flock)                                                                           \
    X(futex_wait)                                                                      \
    X(futex_wake)                                                                      \
    X(poll_writable)                                                                   \
    X(process)                                                                         \
    X(random)                                                                          \
    X(thread_start)                                                                    \
    X(thread_join)

enum sys_call {
#define AS_CALL(name) CALL_##name,
    SYS_CALLS(AS_CALL)
#undef AS_CALL
        CALL_COUNT
};

extern const struct sys sys_test;

/* As described above, with real time. */
void sys_test_reset(void);

/* Fails the calls `from` up to and with `from + count - 1` of that kind, counted from
 * here; the first is 1. One kind at a time. */
void sys_test_fail(enum sys_call call, int error, uint32_t from, uint32_t count);
void sys_test_heal(void);

/* Since the last sys_test_fail or reset: calls of that kind, and those that failed. */
uint32_t sys_test_calls(enum sys_call call);
uint32_t sys_test_failed(void);
const char *sys_call_name(enum sys_call call);

/* Of the writes from here on, the first leaves off after `size` bytes. */
void sys_test_cut_write(uint64_t size);

void sys_test_stop_time(void);
bool sys_test_is_stopped(void);
void sys_test_advance(uint64_t ns);
/* Moves the clock on the wall only. */
void sys_test_shift_wall(int64_t ns);

/* Descriptors that were opened through the table and not closed through it. */
int sys_test_descriptors(void);

/* Syncs that failed on a file (by inode), for tests that look for a second try. */
bool sys_test_synced_after_failure(void);

#endif

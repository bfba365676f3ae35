#include "support_fault.h"

#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { INTERRUPTIONS = 100 };

#define ERRORS(...) ((const int[]){__VA_ARGS__, 0})
static const int *const errors[CALL_COUNT] = {
    [CALL_openat] = ERRORS(EACCES, EBADF, EDQUOT, EINTR, EIO, EMFILE, ENFILE, ENOMEM,
                           ENOSPC, EPERM, EROFS, ESTALE),
    [CALL_close] = ERRORS(EDQUOT, EINTR, EIO, ENOSPC),
    [CALL_dup] = ERRORS(EBADF, EMFILE),
    [CALL_write] = ERRORS(EAGAIN, EBADF, EDQUOT, EFBIG, EINTR, EIO, ENOMEM, ENOSPC,
                          EPERM, EROFS, ESTALE),
    [CALL_writev] = ERRORS(EAGAIN, EBADF, EDQUOT, EFBIG, EINTR, EIO, ENOMEM, ENOSPC,
                           EPERM, EROFS, ESTALE),
    [CALL_pread] = ERRORS(EBADF, EINTR, EIO, ENOMEM, ESTALE),
    [CALL_fstat] = ERRORS(EBADF, EIO, ENOMEM, ESTALE),
    [CALL_fstatat] = ERRORS(EACCES, EBADF, EIO, ENOMEM, ESTALE),
    [CALL_ftruncate] = ERRORS(EBADF, EFBIG, EINTR, EIO, ENOSPC, EPERM, EROFS, ESTALE),
    [CALL_fallocate] = ERRORS(EDQUOT, EFBIG, EINTR, EIO, ENOSPC, EOPNOTSUPP),
    [CALL_reserve] = ERRORS(EBADF, EDQUOT, EFBIG, EINTR, EIO, ENOSPC, EOPNOTSUPP),
    [CALL_fsync] = ERRORS(EBADF, EDQUOT, EIO, ENOSPC, EROFS, ESTALE),
    [CALL_fdatasync] = ERRORS(EBADF, EDQUOT, EIO, ENOSPC, EROFS, ESTALE),
    [CALL_syncfs] = ERRORS(EBADF, EDQUOT, EIO, ENOSPC),
    [CALL_rename] =
        ERRORS(EACCES, EBADF, EBUSY, EDQUOT, EIO, ENOMEM, ENOSPC, EPERM, EROFS, ESTALE),
    [CALL_rename_noreplace] =
        ERRORS(EACCES, EBADF, EBUSY, EDQUOT, EIO, ENOMEM, ENOSPC, EPERM, EROFS, ESTALE),
    [CALL_unlinkat] = ERRORS(EACCES, EBADF, EBUSY, EIO, ENOMEM, EPERM, EROFS, ESTALE),
    [CALL_mkdirat] =
        ERRORS(EACCES, EBADF, EDQUOT, EIO, EMLINK, ENOMEM, ENOSPC, EROFS, ESTALE),
    [CALL_fchmod] = ERRORS(EBADF, EIO, EPERM, EROFS),
    [CALL_fchown] = ERRORS(EBADF, EDQUOT, EIO, EPERM, EROFS),
    [CALL_fs_type] = ERRORS(EBADF, EINTR, EIO, ENOMEM, ENOSYS),
    [CALL_last_path] = ERRORS(ENOENT),
    [CALL_list] = ERRORS(EACCES, EBADF, EIO, EMFILE, ENFILE, ENOMEM, ESTALE),
    [CALL_mmap_shared] = ERRORS(EACCES, EAGAIN, ENFILE, ENOMEM, EPERM),
    [CALL_munmap] = ERRORS(ENOMEM),
    [CALL_keep_from_children] = ERRORS(EAGAIN, ENOMEM),
    [CALL_populate] = ERRORS(EAGAIN, EFAULT, EINVAL, ENOMEM),
    [CALL_lock_byte] = ERRORS(EACCES, EAGAIN, EBADF, EINTR, ENOLCK),
    [CALL_flock] = ERRORS(EAGAIN, EBADF, EINTR, ENOLCK),
    [CALL_futex_wait] = ERRORS(EAGAIN, EINTR, ENOSYS),
    [CALL_futex_wake] = ERRORS(ENOSYS),
    [CALL_poll_writable] = ERRORS(EINTR, ENOMEM),
    [CALL_process] = ERRORS(EACCES, EIO, EPROTO),
    [CALL_random] = ERRORS(EAGAIN, EINTR, EIO, ENOSYS),
    [CALL_thread_start] = ERRORS(EAGAIN, EPERM),
    [CALL_thread_join] = ERRORS(EDEADLK, ESRCH),
};

const int *
fault_errors(enum sys_call call)
{
    CHECK(errors[call] != NULL);
    return errors[call];
}

void
fault_begin(const struct fault *fault)
{
    uint32_t count = fault->error == EINTR ? INTERRUPTIONS : UINT32_MAX;

    sys_test_fail(fault->call, fault->error, fault->number,
                  fault->is_sticky ? count : 1);
}

void
fault_describe(const struct fault *fault, char *out, size_t size)
{
    snprintf(out, size, "%s number %u%s: %s", sys_call_name(fault->call), fault->number,
             fault->is_sticky ? " and on" : "", strerror(fault->error));
}

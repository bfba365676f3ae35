#include "sysfault.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef SYS_mmap2
enum { PUT_PAGES = SYS_mmap2 };
#else
enum { PUT_PAGES = SYS_mmap };
#endif

static int
negative_errno(long result)
{
    return result < 0 ? -errno : (int)result;
}

int
sysfault_signal_action(int signal, const struct sigaction *action,
                       struct sigaction *before)
{
    return negative_errno(sigaction(signal, action, before));
}

int
sysfault_signal_raise(int signal)
{
    return negative_errno(raise(signal));
}

int
sysfault_put_zeros(void *address, size_t size)
{
    /* Past libc: a sanitizer that stands in for mmap takes it for a store. */
    long there =
        syscall(PUT_PAGES, address, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

    return there == -1 ? -errno : 0;
}

/* Waiting on a futex looks up its page first, in every kernel. Whether the value is the
 * expected one does not matter: there is no time to wait. */
int
sysfault_probe(void *address)
{
    struct timespec none = {0};

    return negative_errno(syscall(SYS_futex, address, FUTEX_WAIT, 1, &none, NULL, 0));
}

pid_t
sysfault_gettid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

size_t
sysfault_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

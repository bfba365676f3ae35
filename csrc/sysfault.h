/* sysfault.h - what a handler of faults needs of the kernel; a part of `sys_posix`.
 *
 * Threads:  any, and handlers of signals.
 * Errors:   0 or a negative errno.
 */
#ifndef AUDITRING_SYSFAULT_H
#define AUDITRING_SYSFAULT_H

#include "sys.h"

int sysfault_signal_action(int signal, const struct sigaction *action,
                           struct sigaction *before);
int sysfault_signal_raise(int signal);
int sysfault_put_zeros(void *address, size_t size);
int sysfault_probe(void *address);
pid_t sysfault_gettid(void);
size_t sysfault_page_size(void);

#endif

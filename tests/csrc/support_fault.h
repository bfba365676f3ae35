/* support_fault.h - a fault: one call of a kind fails, or all from that one on.
 *
 * Which errors a call is tried with: those that the kernel can give for it (the man
 * pages' lists), but for errors that say how the world is rather than that a call
 * failed (ENOENT, EEXIST): a table that lies about the world has no right answer.
 */
#ifndef AUDITRING_SUPPORT_FAULT_H
#define AUDITRING_SUPPORT_FAULT_H

#include "support_sys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault {
    enum sys_call call;
    int error;
    uint32_t number; /* of the first call that fails; the first is 1 */
    bool is_sticky;
};

/* The errors of a call, with a 0 after the last. */
const int *fault_errors(enum sys_call call);

/* From here on sys_test has that fault. A sticky one lasts until sys_test_heal, but
 * that signals interrupt some calls in a row and not all that come. */
void fault_begin(const struct fault *fault);

void fault_describe(const struct fault *fault, char *out, size_t size);

#endif

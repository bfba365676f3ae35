/* mapping.h - mapped files, and what happens when one is cut while it is mapped.
 *
 * Whoever may write to a file may cut it: a cleaner that empties what is large, a file
 * system that has no block left for a store. The next touch of a page that is gone is a
 * SIGBUS, which would kill every process that has the file mapped. A handler puts
 * private zero pages there instead and marks the mapping as cut. What was on those
 * pages is lost, and what is stored from then on nobody else sees: whoever owns the
 * mapping has to leave it, and to tell.
 *
 * Any other SIGBUS goes to the handler that was there before ours, or kills.
 *
 * Who else may be there: another thread that faults on the same file; a handler that
 * was installed after ours and hands the signal on with raise(), as Python's
 * faulthandler does (then there is no address, and all mappings are probed); a program
 * that takes the signal for itself (mapping_watch takes it back, and hands on what is
 * not ours); a forked child, which has none of the mappings that are kept from it; a
 * stack of its own for signals; a system call that meets such a page, which fails with
 * -EFAULT and raises nothing.
 *
 * Ownership:  mapping_open gives a mapping, mapping_close takes it back and unmaps.
 * Threads:    any. The handler takes no lock that is held outside of it.
 * Ordering:   size and address of an entry, then its being in use (entry:B / entry:A).
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_MAPPING_H
#define AUDITRING_MAPPING_H

#include "sys.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping;

/* Maps `size` bytes of the file, shared; of no file with fd -1. */
int mapping_open(struct mapping **out, const struct sys *sys, int fd, size_t size);
void mapping_close(struct mapping *mapping);

void *mapping_address(const struct mapping *mapping);

/* Forked children will not have it; failing here harms nobody. */
void mapping_keep_from_children(struct mapping *mapping);

/* Once it is cut, `bits` are set in `word`, which has to live as long as the mapping.
 */
void mapping_tell(struct mapping *mapping, _Atomic uint32_t *word, uint32_t bits);

/* Whether pages of it are not the file's any more. */
bool mapping_is_cut(const struct mapping *mapping);

/* Whether bytes there are not the file's any more: nobody else sees them. */
bool mapping_has_lost(const struct mapping *mapping, const void *address, size_t size);

/* Looks at every page now, rather than when it is touched: after a system call that
 * failed with -EFAULT. Returns mapping_is_cut. */
bool mapping_probe(struct mapping *mapping);

/* Takes the signal back if somebody else has it. One system call. */
void mapping_watch(void);

/* In a forked child. */
void mapping_after_fork(void);

#endif

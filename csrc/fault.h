/* fault.h - the handler of SIGBUS that asks mapping.c first.
 *
 * Threads:  any; what the handler calls is safe in a signal.
 */
#ifndef AUDITRING_FAULT_H
#define AUDITRING_FAULT_H

#include "sys.h"

/* Installs the handler, once; later calls cost a load. */
void fault_catch(const struct sys *sys);

/* Puts it back in front of a handler that was installed since. */
void fault_watch(void);

/* In mapping.c. Puts zeros under an address of a mapping, or under every page that is
 * gone; false: there is none. */
bool mapping_mend_at(uintptr_t address);
bool mapping_mend_all(void);

#endif

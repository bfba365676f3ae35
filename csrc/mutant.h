/* mutant.h - safety mechanisms that a test may take out, to see that it is missed.
 *
 * Release builds compile it to nothing. A build with AUDITRING_SWITCHED_MUTANTS lacks
 * the mechanism that the environment variable AUDITRING_MUTANT names: so many mutants
 * are one build, and each is a run of the one test that must fail.
 */
#ifndef AUDITRING_MUTANT_H
#define AUDITRING_MUTANT_H

#ifdef AUDITRING_SWITCHED_MUTANTS
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool
mutant_lacks(const char *mechanism)
{
    const char *named = getenv("AUDITRING_MUTANT");

    return named != NULL && strcmp(named, mechanism) == 0;
}
#define MUTANT_LACKS(mechanism) mutant_lacks(#mechanism)
#else
#define MUTANT_LACKS(mechanism) 0
#endif

#endif

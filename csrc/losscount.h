/* losscount.h - what a count of losses can be.
 *
 * Counts stand in files where whoever may write the log may write. A gap event must not
 * repeat rubbish: what grew by more than anybody can lose between two looks, or went
 * back, was written over. Then one loss is told, as the least that may have been.
 */
#ifndef AUDITRING_LOSSCOUNT_H
#define AUDITRING_LOSSCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* What a gap event of a count that was written over says. */
#define LOSSCOUNT_DETAIL "at least: the count was written over"

/* Whether lines, or bytes, can be so many once so many were told. */
bool losscount_is_possible(uint64_t count, uint64_t told);
bool losscount_has_bytes(uint64_t bytes, uint64_t told);

/* A total to go on from. */
uint64_t losscount_base(uint64_t told);

#endif

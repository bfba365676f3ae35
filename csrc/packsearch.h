/* packsearch.h - looks for a packed file that holds what a file held that is gone.
 *
 * Whatever its name, it isn't older than the last line of that file: packers keep the
 * time. Proof is the checksum that it says of what is in it; where nobody has the file
 * open any more, the size and a name that begins as that of the log.
 *
 * Threads:  any; no state.
 */
#ifndef AUDITRING_PACKSEARCH_H
#define AUDITRING_PACKSEARCH_H

#include "checksum.h"
#include "logfile.h"
#include "sys.h"

#include <stdbool.h>
#include <time.h>

struct packsearch {
    const struct sys *sys;
    int dir;
    const char *log; /* by its name and size alone; NULL: by checksum */
    uint64_t size;
    struct timespec since;
    const struct checksum *sum; /* of the file; NULL: not known yet */

    /* What was found. */
    bool is_proven;
    bool wants_sum; /* of this kind: then it may be proven */
    enum checksum_kind kind;
    uint64_t growth; /* changes while a packer is at work; 0: nothing is new enough */
};

/* Looks at all files of the directory; what can't be read proves nothing. */
void packsearch_run(struct packsearch *search);

/* Whether a file of a log that nobody had open is packed, as far as its size tells.
 * `since_ns`: it was the live file at that time; 0: not known, and nothing is proven.
 */
bool packsearch_by_size(const struct logfile *live, uint64_t size, uint64_t since_ns);

#endif

/* filelimit.h - a live file that this process may not make larger (RLIMIT_FSIZE).
 *
 * A batch ends at the limit with a whole record: a part of one in the file would keep
 * those who append without a ring waiting, and end as a fragment. Another process gets
 * a try with the file, because the limit may be ours alone; if we come to lead it
 * again, none could, and we go on in a new one.
 *
 * Threads:  the leader's.
 */
#ifndef AUDITRING_FILELIMIT_H
#define AUDITRING_FILELIMIT_H

#include "drainer.h"

/* Nothing more goes into the live file. True: the next batch may begin, in a new one;
 * false: the pass is over. */
bool filelimit_leave(struct writer *writer);

#endif

/* support_past.h - what an opener finds of processes that are gone. */
#ifndef AUDITRING_SUPPORT_PAST_H
#define AUDITRING_SUPPORT_PAST_H

#include "writer.h"

/* The dead wrote "line of the dead", which is in the log, and "line of the dead, torn",
 * "..., in its ring" and "..., in another ring", which are not. */
enum past {
    PAST_NONE,
    PAST_TORN,  /* a process with two rings was killed in the middle of a batch */
    PAST_MOVED, /* the same, and then somebody made the live file a backup */
    PAST_BOOT   /* the same, and then the machine restarted */
};

/* Makes it so, in the current folder. Everything goes through sys_test. */
void past_leave(enum past past, const struct writer_options *options);

#endif

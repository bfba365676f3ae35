/* opening.h - what makes a writer of options: memory, files, a ring, a clean log.
 *
 * Errors:  0 or a negative errno, as writer_open; what is there so far is left to
 *          opening_free.
 */
#ifndef AUDITRING_OPENING_H
#define AUDITRING_OPENING_H

#include "drainer.h"

/* A writer with nothing open. On failure there is none. */
int opening_new(struct writer **out, const struct sys *sys,
                const struct writer_options *options);

/* Founds the log or joins it, attaches, and finishes what dead processes left. Its
 * directories are open. */
int opening_shared(struct writer *writer);

/* Standard output: nobody else knows of it. */
int opening_private(struct writer *writer);

/* Makes the writer's settings those of the log. Under the opening lock. */
void opening_store_settings(struct writer *writer);

/* Gives everything back that the process has of it. */
void opening_free(struct writer *writer);

#endif

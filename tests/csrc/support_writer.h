/* support_writer.h - a writer as tests use it, with its thread or taking its steps.
 *
 * With time stopped (support_sys.h) a writer has no thread: these functions take the
 * steps that it would take, and move the clock by what it would sleep.
 */
#ifndef AUDITRING_SUPPORT_WRITER_H
#define AUDITRING_SUPPORT_WRITER_H

#include "drainer.h"

/* audit.log in the current folder, a ring of 64 KiB, no limits. */
struct writer_options log_options(void);

struct writer *log_open(const struct writer_options *options);
struct writer *log_open_default(void);

/* The same with time stopped, from now on; NULL: log_options(). */
struct writer *log_open_stepped(const struct writer_options *options);

/* Writes "line <text>\n", and it is committed. */
void log_put(struct writer *writer, const char *text);

/* The same; 0 or what writer_write returned. */
int log_try(struct writer *writer, const char *text);

/* Asks and waits for the answer; -ETIMEDOUT: none came within the limit. */
int log_ask(struct writer *writer, enum request request, uint64_t limit_ns);
void log_flush(struct writer *writer);

/* Takes the thread's steps for that long. Only with time stopped. */
void log_step(struct writer *writer, uint64_t ns);

/* Closes; everything that was written is in the file, no descriptor is left. */
void log_close(struct writer *writer);

uint32_t log_health(struct writer *writer);
uint64_t log_counter(struct writer *writer, enum control_counter counter);

#endif

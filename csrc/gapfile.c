#include "gapfile.h"

#include "crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
gapfile_open(struct gapfile *gaps)
{
    *gaps = (struct gapfile){.lines = malloc(GAPFILE_LINES_SIZE)};
    return gaps->lines == NULL ? -ENOMEM : 0;
}

void
gapfile_close(struct gapfile *gaps)
{
    free(gaps->lines);
    gaps->lines = NULL;
}

void
gapfile_begin(struct gapfile *gaps)
{
    gaps->size = 0;
}

bool
gapfile_add(struct gapfile *gaps, const uint8_t *line, uint64_t size)
{
    if (size > GAPFILE_LINES_SIZE - gaps->size) {
        return false;
    }
    memcpy(gaps->lines + gaps->size, line, size);
    gaps->size += size;
    return true;
}

/* How much of the lines is there already: the batch that they were written for failed,
 * and this one has the same. */
static uint64_t
present(const struct gapfile *gaps)
{
    return gaps->written <= gaps->size &&
                   crc32c(0, gaps->lines, gaps->written) == gaps->digest
               ? gaps->written
               : 0;
}

/* Appends the rest of them, and notes how far that got. */
static int
append_rest(struct gapfile *gaps, struct logfile *file)
{
    uint64_t begin = present(gaps), short_writes = 0;
    struct iovec part = {.iov_base = gaps->lines + begin,
                         .iov_len = gaps->size - begin};
    struct logfile_parts parts = {.next = &part, .count = 1};
    int error = begin == 0 ? logfile_complete_last_line(file) : 0;

    if (error < 0) {
        return error;
    }
    gaps->written = begin;
    error = logfile_append(file, &parts, &gaps->written, &short_writes);
    gaps->digest = crc32c(0, gaps->lines, gaps->written);
    return error;
}

int
gapfile_write(struct gapfile *gaps, const struct logfile *log,
              const struct control_settings *settings)
{
    char name[300];
    struct logfile file = {.sys = log->sys, .dir = log->dir, .name = name, .fd = -1};
    int error;

    if (gaps->size == 0) {
        return 0;
    }
    snprintf(name, sizeof(name), "%.280s.gaps", log->name);
    error = logfile_open(&file, settings->mode, (gid_t)settings->gid);
    if (error < 0) {
        return error;
    }
    error = append_rest(gaps, &file);
    logfile_close(&file);
    return error;
}

#include "packsearch.h"

#include "packed.h"

#include <string.h>

static const uint64_t s = 1000000000U;

/* Packers keep the time of what they packed, some but for the fraction. */
static bool
is_older(const struct stat *status, const struct packsearch *search)
{
    const struct timespec *written = &status->st_mtim;

    if (written->tv_sec != search->since.tv_sec) {
        return written->tv_sec < search->since.tv_sec;
    }
    return written->tv_nsec != 0 && written->tv_nsec < search->since.tv_nsec;
}

/* Begins with the name, but for its extension, and goes on with a date or number. */
static bool
is_named_like(const char *name, const char *log)
{
    const char *dot = strrchr(log, '.');
    size_t stem = dot != NULL ? (size_t)(dot - log) : strlen(log);

    return strncmp(name, log, stem) == 0 && name[stem] != '\0' &&
           strchr(".-_", name[stem]) != NULL;
}

static void
compare(struct packsearch *search, const struct packed *packed)
{
    if (packed->has_size &&
        (packed->size & packed->size_mask) != (search->size & packed->size_mask)) {
        return;
    }
    if (search->log != NULL) {
        search->is_proven |= packed->has_size;
    } else if (packed->has_checksum && search->sum != NULL &&
               search->sum->kind == packed->kind) {
        search->is_proven |= checksum_value(search->sum) == packed->checksum;
    } else if (packed->has_checksum && !search->wants_sum) {
        search->wants_sum = true;
        search->kind = packed->kind;
    }
}

static int
examine(void *context, const char *name)
{
    struct packsearch *search = context;
    struct packed packed;
    struct stat status;
    int fd;

    if (!packed_is_name(name) ||
        (search->log != NULL && !is_named_like(name, search->log)) ||
        search->sys->fstatat(search->dir, name, &status) < 0 ||
        !S_ISREG(status.st_mode) || is_older(&status, search)) {
        return 0;
    }
    search->growth += 1 + (uint64_t)status.st_size;
    fd = search->sys->openat(search->dir, name,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0) {
        return 0;
    }
    if (packed_read(search->sys, fd, name, &packed) > 0) {
        compare(search, &packed);
    }
    search->sys->close(fd);
    return search->is_proven;
}

void
packsearch_run(struct packsearch *search)
{
    (void)search->sys->list(search->dir, examine, search);
}

bool
packsearch_by_size(const struct logfile *live, uint64_t size, uint64_t since_ns)
{
    struct packsearch search = {
        .sys = live->sys,
        .dir = live->dir,
        .log = live->name,
        .size = size,
        .since = {.tv_sec = (time_t)(since_ns / s), .tv_nsec = (long)(since_ns % s)}};

    if (since_ns > 0) {
        packsearch_run(&search);
    }
    return search.is_proven;
}

#include "heir.h"

#include "intentblock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { SLOTS_SIZE = CONTROL_SLOTS * sizeof(struct control_slot) };

/* The control file that is there now, unless it is ours. */
static int
open_control(const struct writer *writer)
{
    const struct sys *sys = writer->sys;
    struct stat status;
    int fd = sys->openat(writer->state_dir, control_name,
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0) {
        return fd;
    }
    if (sys->fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
        (status.st_dev == writer->control.device &&
         status.st_ino == writer->control.inode)) {
        sys->close(fd);
        return -ENOENT;
    }
    return fd;
}

/* A slot names its last ring until it gets another one. */
static bool
has_named(const struct sys *sys, int fd, uint64_t nonce)
{
    struct control_slot *slots = malloc(SLOTS_SIZE);
    bool is_found = false;

    if (slots != NULL &&
        sys->pread(fd, slots, SLOTS_SIZE, offsetof(struct control_shared, slots)) ==
            SLOTS_SIZE) {
        for (int i = 0; i < CONTROL_SLOTS && !is_found; i++) {
            is_found = slots[i].nonce == nonce;
        }
    }
    free(slots);
    return is_found;
}

bool
heir_has_had(const struct writer *writer, uint64_t nonce)
{
    int fd = open_control(writer);
    bool is_found = fd >= 0 && has_named(writer->sys, fd, nonce);

    if (fd >= 0) {
        writer->sys->close(fd);
    }
    return is_found;
}

static bool
is_with_heir(const struct writer *writer, const struct control_range *range)
{
    char name[RING_NAME_SIZE];
    struct stat status;

    ring_name(range->slot, range->nonce, name);
    return writer->sys->fstatat(writer->rings_dir, name, &status) == -ENOENT &&
           heir_has_had(writer, range->nonce);
}

void
heir_relieve(struct writer *writer)
{
    struct control_intent *intent = calloc(1, sizeof(*intent));

    if (intent != NULL && intentblock_find(&writer->control, intent) == 0) {
        for (uint32_t i = 0; i < intent->range_count; i++) {
            if (is_with_heir(writer, &intent->ranges[i])) {
                intentblock_clear(&writer->control, intent);
                break;
            }
        }
    }
    free(intent);
}

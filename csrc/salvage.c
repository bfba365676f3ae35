#include "salvage.h"

#include "logfile.h"
#include "ring.h"
#include "ringlabel.h"
#include "ringreader.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct salvage {
    struct control *control;
    const struct sys *sys;
    int dir;
    const char *name;
    int out; /* the salvage file; -1 until there is something for it */
    uint64_t records;
    uint64_t bytes;
    uint64_t lost; /* rings of which nobody knows what they held */
};

static int
write_all(const struct sys *sys, int fd, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        int64_t written = sys->write(fd, data, size);
        if (written == -EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? (int)written : -EIO;
        }
        data += written;
        size -= (uint64_t)written;
    }
    return 0;
}

static int
open_beside(struct salvage *salvage, const char *name, int flags)
{
    return salvage->sys->openat(salvage->dir, name,
                                O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW |
                                    O_NONBLOCK | O_CLOEXEC | flags,
                                0600);
}

/* The boot whose rings these are, as a part of a name: the control file may say
 * anything.
 */
static void
name_boot(const struct salvage *salvage, char out[9])
{
    memcpy(out, salvage->control->shared->boot_id, 8);
    out[8] = '\0';
    for (int i = 0; i < 8; i++) {
        bool is_hex =
            (out[i] >= '0' && out[i] <= '9') || (out[i] >= 'a' && out[i] <= 'f');
        out[i] = is_hex ? out[i] : '0';
    }
}

static int
open_output(struct salvage *salvage)
{
    const char *dot = strrchr(salvage->name, '.');
    int stem = dot != NULL ? (int)(dot - salvage->name) : (int)strlen(salvage->name);
    char boot[9], path[320];

    if (salvage->out >= 0) {
        return 0;
    }
    name_boot(salvage, boot);
    snprintf(path, sizeof(path), "%.*s-salvaged-%s.jsonl", stem, salvage->name, boot);
    /* A salvage that was killed began the same file; this one finds all of it again. */
    salvage->out = open_beside(salvage, path, O_TRUNC);
    return salvage->out < 0 ? salvage->out : 0;
}

static int
save_record(struct salvage *salvage, const struct ring_record *record)
{
    int error;

    if (record->type != RING_DATA) {
        return 0;
    }
    error = open_output(salvage);
    if (error == 0) {
        error = write_all(salvage->sys, salvage->out, record->data, record->size);
    }
    if (error == 0) {
        salvage->records++;
        salvage->bytes += record->size;
    }
    return error;
}

static int
compare_positions(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Looks at every place where a record can stand: head and tail may be of another moment
 * than the data. A whole record proves itself by its nonce and CRC. */
static int
save_ring(struct salvage *salvage, struct ring *ring)
{
    uint64_t units = ring->capacity / RING_UNIT, found = 0, head = ring_head(ring);
    uint64_t *positions = calloc(units, sizeof(*positions));
    struct ring_record record;
    int error = 0;

    if (positions == NULL) {
        return -ENOMEM;
    }
    for (uint64_t offset = 0; offset < ring->capacity; offset += RING_UNIT) {
        uint64_t position;
        if (ring_begins_at(ring, offset, &position) && position >= head &&
            position < INT64_MAX &&
            ring_next(ring, position, position + ring->capacity, false, &record) &&
            record.position == position) {
            positions[found++] = position;
        }
    }
    qsort(positions, found, sizeof(*positions), compare_positions);
    for (uint64_t i = 0; i < found && error == 0; i++) {
        if (ring_next(ring, positions[i], positions[i] + ring->capacity, false,
                      &record)) {
            error = save_record(salvage, &record);
        }
    }
    free(positions);
    return error;
}

static int
save_slot(struct salvage *salvage, int rings_dir, uint32_t slot)
{
    struct ringlabel label = {.slot = slot,
                              .nonce = salvage->control->shared->slots[slot].nonce};
    struct ring ring;
    int error = ring_open(&ring, salvage->sys, rings_dir, slot, label.nonce);

    if (error == -EUCLEAN && ringlabel_mend(salvage->sys, rings_dir, &label) == 0) {
        error = ring_open(&ring, salvage->sys, rings_dir, slot, label.nonce);
    }
    if (error == -ENOENT || error == -EUCLEAN) {
        salvage->lost++; /* it was on a memory file system, or did not reach the disk */
        return 0;
    }
    if (error == 0) {
        error = save_ring(salvage, &ring);
        ring_close(&ring);
    }
    return error;
}

static int
save_slots(struct salvage *salvage, int rings_dir)
{
    int error = 0;

    for (uint32_t slot = 0; slot < CONTROL_SLOTS && error == 0; slot++) {
        enum slot_state state = control_slot_state(salvage->control, slot);
        if (state == SLOT_LIVE || state == SLOT_CLOSING) {
            error = save_slot(salvage, rings_dir, slot);
        }
    }
    if (error == 0 && salvage->out >= 0) {
        error = salvage->sys->fsync(salvage->out);
    }
    return error;
}

/* A slot whose ring can't be removed now stays CLAIMED: a leader will do it. */
static void
remove_rings(struct salvage *salvage, int rings_dir)
{
    struct control *control = salvage->control;

    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        char name[RING_NAME_SIZE];
        int error;

        if (control_slot_state(control, slot) == SLOT_FREE) {
            continue;
        }
        ring_name(slot, control->shared->slots[slot].nonce, name);
        error = salvage->sys->unlinkat(rings_dir, name);
        control_set_slot(control, slot,
                         error == 0 || error == -ENOENT ? SLOT_FREE : SLOT_CLAIMED);
    }
}

/* Where the last whole line of the file ends. */
static int64_t
find_last_line_end(const struct sys *sys, int fd, uint64_t size)
{
    uint8_t block[65536];

    while (size > 0) {
        uint64_t part = size < sizeof(block) ? size : sizeof(block);
        int64_t got = sys->pread(fd, block, (size_t)part, size - part);
        if (got != (int64_t)part) {
            return got < 0 ? got : -EIO;
        }
        for (uint64_t i = part; i > 0; i--) {
            if (block[i - 1] == '\n') {
                return (int64_t)(size - part + i);
            }
        }
        size -= part;
    }
    return 0;
}

/* Moves [from, size) of the log to `<name>.torn`. */
static int
set_aside(struct salvage *salvage, int fd, uint64_t from, uint64_t size)
{
    uint8_t block[65536];
    char path[300];
    int error = 0, torn;

    snprintf(path, sizeof(path), "%.280s.torn", salvage->name);
    torn = open_beside(salvage, path, 0);
    if (torn < 0) {
        return torn;
    }
    for (uint64_t at = from; at < size && error == 0;) {
        int64_t got = salvage->sys->pread(fd, block, sizeof(block), at);
        if (got <= 0) {
            error = got < 0 ? (int)got : -EIO;
        } else {
            error = write_all(salvage->sys, torn, block, (uint64_t)got);
            at += (uint64_t)got;
        }
    }
    if (error == 0) {
        error = salvage->sys->fsync(torn);
    }
    salvage->sys->close(torn);
    return error == 0 ? salvage->sys->ftruncate(fd, from) : error;
}

static int
cut_torn_line(struct salvage *salvage)
{
    const struct sys *sys = salvage->sys;
    struct stat status;
    int64_t end;
    int error, fd = sys->openat(salvage->dir, salvage->name,
                                O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);

    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    error = sys->fstat(fd, &status);
    if (error == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        end = find_last_line_end(sys, fd, (uint64_t)status.st_size);
        if (end < 0) {
            error = (int)end;
        } else if (end < status.st_size) {
            salvage->bytes += (uint64_t)(status.st_size - end);
            error = set_aside(salvage, fd, (uint64_t)end, (uint64_t)status.st_size);
        }
    }
    sys->close(fd);
    return error;
}

int
salvage(struct control *control, int dir, int rings_dir, const char *name)
{
    struct salvage salvage = {
        .control = control, .sys = control->sys, .dir = dir, .name = name, .out = -1};
    int error = save_slots(&salvage, rings_dir);

    if (salvage.out >= 0) {
        salvage.sys->close(salvage.out);
    }
    if (error == 0) {
        error = cut_torn_line(&salvage);
    }
    if (error < 0) {
        return error;
    }
    if (salvage.records > 0 || salvage.bytes > 0) {
        control_add(control, COUNTER_salvaged_records, salvage.records);
        control_add_loss(control, GAP_REBOOT, salvage.records, salvage.bytes);
    }
    if (salvage.lost > 0) {
        control_add_loss(control, GAP_LOST_RING, salvage.lost, 0);
    }
    remove_rings(&salvage, rings_dir);
    control_reset(control);
    return 0;
}

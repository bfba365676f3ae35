#include "ringlabel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_SIZE = offsetof(struct ring_shared, tail) };

bool
ringlabel_parse(const char *name, uint32_t *slot, uint64_t *nonce)
{
    char same[RING_NAME_SIZE];

    if (sscanf(name, "ring.%" SCNu32 ".%" SCNx64, slot, nonce) != 2) {
        return false;
    }
    ring_name(*slot, *nonce, same);
    return strcmp(name, same) == 0;
}

static int
open_file(const struct sys *sys, int dir, const struct ringlabel *label, int flags,
          uint64_t *size)
{
    char name[RING_NAME_SIZE];
    struct stat status;
    int error, fd;

    ring_name(label->slot, label->nonce, name);
    fd = sys->openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) {
        return fd == -ELOOP ? -EUCLEAN : fd;
    }
    error = sys->fstat(fd, &status);
    if (error == 0 && (!S_ISREG(status.st_mode) || status.st_nlink > 1)) {
        error = -EUCLEAN;
    }
    if (error < 0) {
        sys->close(fd);
        return error;
    }
    *size = (uint64_t)status.st_size;
    return fd;
}

int
ringlabel_read(const struct sys *sys, int dir, struct ringlabel *label)
{
    struct ring_shared page;
    uint64_t size;
    int64_t got;
    int fd = open_file(sys, dir, label, O_RDONLY, &size);

    if (fd < 0) {
        return fd;
    }
    memset(&page, 0, LABEL_SIZE);
    got = sys->pread(fd, &page, LABEL_SIZE, 0);
    sys->close(fd);
    if (got < 0) {
        return (int)got;
    }
    if (page.magic == RING_MAGIC && page.version > RING_VERSION) {
        return -EPROTO;
    }
    if (got != LABEL_SIZE || !ring_is_plausible(&page, size, label->nonce)) {
        return -EUCLEAN;
    }
    label->owner = (struct ring_owner){0};
    if (page.version != RING_VERSION_UNLABELLED) {
        label->owner = page.owner;
    }
    memcpy(label->boot_id, page.boot_id, sizeof(label->boot_id));
    label->boot_id[sizeof(label->boot_id) - 1] = '\0';
    return 0;
}

/* 0: no ring has that size. */
static uint64_t
capacity_of_size(uint64_t size)
{
    for (uint64_t capacity = RING_CAPACITY_MIN; capacity <= RING_CAPACITY_MAX;
         capacity *= 2) {
        if (ring_file_size(capacity) == size) {
            return capacity;
        }
    }
    return 0;
}

/* Positions stay; what the records say of themselves decides which are whole. */
static int
relabel(struct ring_shared *page, const struct ringlabel *label, uint64_t capacity)
{
    uint64_t head = atomic_load_explicit(&page->head, memory_order_relaxed);
    uint64_t tail =
        atomic_load_explicit(&page->tail, memory_order_relaxed) & ~RING_SEALED;

    /* A page of zeros says nothing, not even that the ring is empty. */
    if ((tail == 0 && page->magic != RING_MAGIC) || tail - head > capacity) {
        return -EUCLEAN;
    }
    memset(page, 0, LABEL_SIZE);
    page->magic = RING_MAGIC;
    page->version = RING_VERSION;
    page->slot = label->slot;
    page->capacity = capacity;
    page->nonce = label->nonce;
    page->label_crc = ring_label_crc(page);
    return 0;
}

int
ringlabel_mend(const struct sys *sys, int dir, const struct ringlabel *label)
{
    uint64_t size = 0, capacity;
    struct mapping *page;
    int error, fd = open_file(sys, dir, label, O_RDWR, &size);

    if (fd < 0) {
        return fd;
    }
    capacity = capacity_of_size(size);
    error = capacity == 0 ? -EUCLEAN : mapping_open(&page, sys, fd, RING_HEADER_SIZE);
    sys->close(fd);
    if (error == 0) {
        error = relabel(mapping_address(page), label, capacity);
        mapping_close(page);
    }
    return error;
}

#include "ringfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t
ring_capacity_for(uint64_t bytes)
{
    uint64_t capacity = RING_CAPACITY_MIN;

    while (capacity < bytes && capacity < RING_CAPACITY_MAX) {
        capacity *= 2;
    }
    return capacity;
}

uint64_t
ring_file_size(uint64_t capacity)
{
    return RING_HEADER_SIZE + ring_index_size(capacity) + capacity;
}

void
ring_name(uint32_t slot, uint64_t nonce, char out[RING_NAME_SIZE])
{
    snprintf(out, RING_NAME_SIZE, "ring.%" PRIu32 ".%016" PRIx64, slot, nonce);
}

/* Capacity and nonce are the checked ones: the file may change under us. */
static void
adopt(struct ring *ring, const struct sys *sys, struct mapping *mapping,
      uint64_t capacity, uint64_t nonce)
{
    uint8_t *address = mapping_address(mapping);

    ring->sys = sys;
    ring->mapping = mapping;
    ring->shared = (void *)address;
    ring->index = (void *)(address + RING_HEADER_SIZE);
    ring->data = (uint8_t *)ring->index + ring_index_size(capacity);
    ring->capacity = capacity;
    ring->nonce = nonce;
    ring->populated = 0;
    ring->predecessor = 0;
    ring->knows_drained = false;
}

/* A child must not write to its parent's ring. */
static void
adopt_alone(struct ring *ring, const struct sys *sys, struct mapping *mapping,
            uint64_t capacity, uint64_t nonce)
{
    adopt(ring, sys, mapping, capacity, nonce);
    mapping_keep_from_children(mapping);
}

uint32_t
ring_label_crc(const struct ring_shared *label)
{
    return crc32c(0, label, offsetof(struct ring_shared, label_crc));
}

static void
fill_header(struct ring_shared *shared, const struct ring_options *options)
{
    shared->magic = RING_MAGIC;
    shared->version = RING_VERSION;
    shared->slot = options->slot;
    shared->capacity = options->capacity;
    shared->nonce = options->nonce;
    shared->first_position = options->first_position;
    memcpy(shared->boot_id, options->boot_id, sizeof(shared->boot_id));
    shared->owner = options->owner;
    shared->predecessor = options->predecessor;
    shared->label_crc = ring_label_crc(shared);
    atomic_store_explicit(&shared->tail, options->first_position, memory_order_relaxed);
    atomic_store_explicit(&shared->head, options->first_position, memory_order_relaxed);
    atomic_store_explicit(&shared->durable, options->first_position,
                          memory_order_relaxed);
    atomic_store_explicit(&shared->keeper, options->keeper, memory_order_relaxed);
}

static int
give(const struct sys *sys, int fd, const struct ring_options *options, gid_t gid)
{
    if (!options->is_given && gid == (gid_t)-1) {
        return 0;
    }
    return sys->fchown(fd, options->is_given ? options->uid : (uid_t)-1, gid);
}

static int
map_new_file(struct ring *ring, const struct sys *sys, int fd,
             const struct ring_options *options, mode_t mode, gid_t gid)
{
    size_t size = ring_file_size(options->capacity);
    struct mapping *mapping;
    int error = sys->fchmod(fd, mode);

    if (error == 0) {
        error = give(sys, fd, options, gid);
    }
    if (error == 0) {
        error = sys->fallocate(fd, options->is_spare ? RING_HEADER_SIZE : size);
    }
    if (error == 0 && options->is_spare) {
        error = sys->ftruncate(fd, size);
    }
    if (error == 0) {
        error = mapping_open(&mapping, sys, fd, size);
    }
    if (error == 0) {
        fill_header(mapping_address(mapping), options);
        (options->is_spare ? adopt : adopt_alone)(ring, sys, mapping, options->capacity,
                                                  options->nonce);
        ring->predecessor = options->predecessor;
    }
    return error;
}

int
ring_create(struct ring *ring, const struct sys *sys, int dir,
            const struct ring_options *options, mode_t mode, gid_t gid)
{
    char name[RING_NAME_SIZE];
    int fd, error;

    ring_name(options->slot, options->nonce, name);
    fd = sys->openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     mode);
    if (fd < 0) {
        return fd;
    }
    error = map_new_file(ring, sys, fd, options, mode, gid);
    sys->close(fd);
    if (error < 0) {
        sys->unlinkat(dir, name);
    }
    return error;
}

int
ring_create_private(struct ring *ring, const struct sys *sys,
                    const struct ring_options *options)
{
    struct mapping *mapping;
    int error = mapping_open(&mapping, sys, -1, ring_file_size(options->capacity));

    if (error == 0) {
        fill_header(mapping_address(mapping), options);
        adopt_alone(ring, sys, mapping, options->capacity, options->nonce);
    }
    return error;
}

/* Everything in the file is input: another program may have written it. Which slot
 * names it is the control file's matter. */
bool
ring_is_plausible(const struct ring_shared *label, uint64_t file_size, uint64_t nonce)
{
    uint64_t capacity = label->capacity;
    bool is_sound =
        label->version == RING_VERSION_UNLABELLED ||
        (label->version == RING_VERSION && label->label_crc == ring_label_crc(label));

    return label->magic == RING_MAGIC && is_sound && label->nonce == nonce &&
           capacity >= RING_CAPACITY_MIN && capacity <= RING_CAPACITY_MAX &&
           (capacity & (capacity - 1)) == 0 && file_size == ring_file_size(capacity);
}

static int
map_old_file(struct ring *ring, const struct sys *sys, int fd, uint64_t nonce)
{
    struct stat status;
    uint64_t capacity;
    struct mapping *mapping;
    int error = sys->fstat(fd, &status);

    if (error < 0) {
        return error;
    }
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 ||
        status.st_size < RING_HEADER_SIZE) {
        return -EUCLEAN;
    }
    error = mapping_open(&mapping, sys, fd, (size_t)status.st_size);
    if (error < 0) {
        return error;
    }
    if (!ring_is_plausible(mapping_address(mapping), (uint64_t)status.st_size, nonce)) {
        mapping_close(mapping);
        return -EUCLEAN;
    }
    capacity = ((uint64_t)status.st_size - RING_HEADER_SIZE) / 3 * 2;
    adopt_alone(ring, sys, mapping, capacity, nonce);
    if (ring->shared->version != RING_VERSION_UNLABELLED) {
        ring->predecessor = ring->shared->predecessor;
    }
    return 0;
}

int
ring_open(struct ring *ring, const struct sys *sys, int dir, uint32_t slot,
          uint64_t nonce)
{
    char name[RING_NAME_SIZE];
    int fd, error;

    ring_name(slot, nonce, name);
    fd = sys->openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        return fd;
    }
    error = map_old_file(ring, sys, fd, nonce);
    sys->close(fd);
    return error;
}

void
ring_close(struct ring *ring)
{
    if (ring->shared != NULL) {
        mapping_close(ring->mapping);
        ring->shared = NULL;
    }
}

#include "control.h"

#include "ownership.h"
#include "testpoint.h"
#include "wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t control_magic = 0x316c746364756161; /* "aaudctl1" */
/* LOOKS: at settings that change all the time. */
enum { LOOKS_MAX = 1000, COMPRESS_MAX = 3 };

const char control_name[] = "ctl";
static const char temporary_name[] = "ctl.tmp", unusable_name[] = "ctl.unusable";

static int
read_boot_id(const struct sys *sys, char out[CONTROL_BOOT_SIZE])
{
    int64_t size;
    int fd = sys->openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
                         O_RDONLY | O_CLOEXEC, 0);

    memset(out, 0, CONTROL_BOOT_SIZE);
    if (fd < 0) {
        return fd;
    }
    size = sys->pread(fd, out, CONTROL_BOOT_SIZE - 1, 0);
    sys->close(fd);
    if (size < 0) {
        return (int)size;
    }
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

static int
map(struct control *control, int fd)
{
    struct stat status = {0};
    int error = fd < 0 ? 0 : control->sys->fstat(fd, &status);

    if (error == 0) {
        error = mapping_open(&control->mapping, control->sys, fd,
                             sizeof(struct control_shared));
    }
    if (error == 0) {
        control->shared = mapping_address(control->mapping);
        control->device = status.st_dev;
        control->inode = status.st_ino;
    }
    return error;
}

static void
fill(struct control *control, const char *rings_path)
{
    struct control_shared *shared = control->shared;

    shared->magic = control_magic;
    shared->version = CONTROL_VERSION;
    shared->slot_count = CONTROL_SLOTS;
    memcpy(shared->boot_id, control->boot_id, sizeof(shared->boot_id));
    snprintf(shared->rings_path, sizeof(shared->rings_path), "%s", rings_path);
    atomic_store_explicit(&shared->founded, 1, memory_order_relaxed);
}

/* No fsync: after a power cut the boot id differs or the magic is missing, and either
 * starts the control file over. */
static int
found(struct control *control, int state_dir, const char *rings_path, mode_t mode,
      gid_t gid)
{
    const struct sys *sys = control->sys;
    int fd, error;

    fd = sys->openat(state_dir, temporary_name,
                     O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return fd;
    }
    error = sys->fchmod(fd, mode);
    if (error == 0) {
        error = ownership_give(sys, fd, state_dir, gid);
    }
    if (error == 0) {
        error = sys->fallocate(fd, sizeof(struct control_shared));
    }
    if (error == 0) {
        error = map(control, fd);
    }
    sys->close(fd);
    if (error < 0) {
        sys->unlinkat(state_dir, temporary_name);
        return error;
    }
    control->is_new = true;
    if (sys->random(&control->shared->identity, sizeof(control->shared->identity)) <
        0) {
        control->shared->identity = sys->now_real();
    }
    fill(control, rings_path);
    TEST_POINT(open_founding);
    error = sys->rename(state_dir, temporary_name, control_name);
    TEST_POINT(open_founded);
    if (error < 0) {
        control_close(control);
        sys->unlinkat(state_dir, temporary_name);
    }
    return error;
}

static int
map_existing(struct control *control, int fd)
{
    const struct sys *sys = control->sys;
    struct stat status;
    int error = sys->fstat(fd, &status);

    if (error < 0) {
        return error;
    }
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
        return -EUCLEAN;
    }
    if ((uint64_t)status.st_size != sizeof(struct control_shared)) {
        /* Empty after a power cut: made new. Another size: another version. */
        return status.st_size == 0 ? -ENOENT : -EUCLEAN;
    }
    return map(control, fd);
}

/* -ENOENT: there is none, or one that a power cut emptied. */
static int
open_existing(struct control *control, int state_dir)
{
    const struct sys *sys = control->sys;
    int error,
        fd = sys->openat(state_dir, control_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);

    if (fd < 0) {
        return fd;
    }
    error = map_existing(control, fd);
    sys->close(fd);
    if (error < 0) {
        return error;
    }
    if (control->shared->magic != control_magic) {
        error = control->shared->magic == 0 ? -ENOENT : -EUCLEAN;
    } else if (control->shared->version != CONTROL_VERSION ||
               control->shared->slot_count != CONTROL_SLOTS) {
        error = -EUCLEAN;
    }
    if (error < 0) {
        control_close(control);
        return error;
    }
    control->rebooted =
        memcmp(control->shared->boot_id, control->boot_id, CONTROL_BOOT_SIZE) != 0;
    return 0;
}

int
control_open(struct control *control, const struct sys *sys, int state_dir,
             const char *rings_path, mode_t mode, gid_t gid)
{
    int error;

    *control = (struct control){.sys = sys};
    if (strlen(rings_path) >= CONTROL_PATH_SIZE) {
        return -ENAMETOOLONG;
    }
    error = read_boot_id(sys, control->boot_id);
    if (error == 0) {
        error = open_existing(control, state_dir);
    }
    if (error == -EUCLEAN) {
        control->is_replaced = true;
        error = sys->rename(state_dir, control_name, unusable_name);
        error = error == 0 ? -ENOENT : error;
    }
    if (error == -ENOENT) {
        return found(control, state_dir, rings_path, mode, gid);
    }
    if (error == 0 &&
        strncmp(control->shared->rings_path, rings_path, CONTROL_PATH_SIZE) != 0) {
        control_close(control);
        error = -EINVAL;
    }
    return error;
}

int
control_open_private(struct control *control, const struct sys *sys)
{
    int error;

    *control = (struct control){.sys = sys};
    error = map(control, -1);
    if (error == 0) {
        control->is_new = true;
        fill(control, "");
    }
    return error;
}

void
control_close(struct control *control)
{
    if (control->shared != NULL) {
        mapping_close(control->mapping);
        control->shared = NULL;
    }
}

void
control_reset(struct control *control)
{
    struct control_shared *shared = control->shared;

    for (int i = 0; i < 2; i++) {
        /* intent:B */
        atomic_store_explicit(&shared->intents[i].valid, 0, memory_order_release);
    }
    for (int i = 0; i < REQUEST_COUNT; i++) {
        struct control_request *request = &shared->requests[i];
        atomic_store_explicit(
            &request->done,
            atomic_load_explicit(&request->requested, memory_order_relaxed),
            memory_order_relaxed);
    }
    atomic_store_explicit(&shared->inheritance.valid, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->leader, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->syncing, 0, memory_order_relaxed);
    shared->live_inode = 0;
    memcpy(shared->boot_id, control->boot_id, sizeof(shared->boot_id));
    control->rebooted = false;
}

/* The block that does not count is filled, then it counts: an opener that is killed in
 * between leaves the settings as they were. */
void
control_store_settings(struct control *control, const struct control_settings *settings)
{
    struct control_shared *shared = control->shared;
    /* settings:A */
    uint32_t next =
        atomic_load_explicit(&shared->settings_version, memory_order_acquire) + 1;
    uint64_t words[CONTROL_SETTINGS_WORDS];

    memcpy(words, settings, sizeof(words));
    for (int i = 0; i < CONTROL_SETTINGS_WORDS; i++) {
        atomic_store_explicit(&shared->settings[next & 1][i], words[i],
                              memory_order_release); /* settings:B */
    }
    /* settings:B */
    atomic_store_explicit(&shared->settings_version, next, memory_order_release);
}

/* What no opener stores somebody else wrote. */
static void
bring_within_bounds(struct control_settings *settings)
{
    settings->dialect =
        settings->dialect == DIALECT_STDLIB ? DIALECT_STDLIB : DIALECT_LUMBERJACK;
    settings->compress = settings->compress > COMPRESS_MAX ? 0 : settings->compress;
    settings->mode &= 0777;
    settings->wipe_on_drain = settings->wipe_on_drain != 0;
    settings->keep_for_followers = settings->keep_for_followers != 0;
}

enum durability
control_slot_durability(const struct control *control, uint32_t slot)
{
    uint32_t said = atomic_load_explicit(&control->shared->slots[slot].durability,
                                         memory_order_relaxed);

    return said < DURABILITY_SYNC ? (enum durability)said : DURABILITY_SYNC;
}

void
control_load_settings(const struct control *control, struct control_settings *out)
{
    const struct control_shared *shared = control->shared;
    uint64_t words[CONTROL_SETTINGS_WORDS];
    uint32_t before, after;
    int looks = 0;

    /* Whoever stores while we read does it in the other block, but for the second one
     * to do so. */
    do {
        /* settings:A */
        before = atomic_load_explicit(&shared->settings_version, memory_order_acquire);
        for (int i = 0; i < CONTROL_SETTINGS_WORDS; i++) {
            words[i] = atomic_load_explicit(&shared->settings[before & 1][i],
                                            memory_order_acquire); /* settings:A */
        }
        /* settings:A */
        after = atomic_load_explicit(&shared->settings_version, memory_order_acquire);
    } while (before != after && ++looks < LOOKS_MAX);
    memcpy(out, words, sizeof(words));
    bring_within_bounds(out);
}

void
control_set_slot(struct control *control, uint32_t slot, enum slot_state state)
{
    struct control_shared *shared = control->shared;
    uint32_t used = atomic_load_explicit(&shared->slots_used, memory_order_relaxed);

    while (state != SLOT_FREE && used <= slot &&
           !atomic_compare_exchange_weak_explicit(&shared->slots_used, &used, slot + 1,
                                                  memory_order_release, /* used:B */
                                                  memory_order_relaxed)) {
    }
    atomic_store_explicit(&shared->slots[slot].state, state,
                          memory_order_release); /* slot:B */
    atomic_fetch_add_explicit(&shared->slots_version, 1, memory_order_relaxed);
}

enum slot_state
control_slot_state(const struct control *control, uint32_t slot)
{
    return (enum slot_state)atomic_load_explicit(&control->shared->slots[slot].state,
                                                 memory_order_acquire); /* slot:A */
}

const char *
control_counter_name(enum control_counter counter)
{
    static const char *const names[COUNTER_COUNT] = {
#define AS_NAME(name) #name,
        CONTROL_COUNTERS(AS_NAME)
#undef AS_NAME
    };

    return names[counter];
}

uint64_t
control_count(const struct control *control, enum control_counter counter)
{
    return atomic_load_explicit(&control->shared->counters[counter],
                                memory_order_relaxed);
}

void
control_add(struct control *control, enum control_counter counter, uint64_t by)
{
    atomic_fetch_add_explicit(&control->shared->counters[counter], by,
                              memory_order_relaxed);
}

void
control_add_loss(struct control *control, enum gap_reason reason, uint64_t count,
                 uint64_t bytes)
{
    struct control_loss *loss = &control->shared->losses[reason];

    atomic_fetch_add_explicit(&loss->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&loss->count, count, memory_order_release); /* loss:B */
    TEST_POINT(gap_counted);
}

void
control_retract_loss(struct control *control, enum gap_reason reason, uint64_t count,
                     uint64_t bytes)
{
    struct control_loss *loss = &control->shared->losses[reason];

    atomic_fetch_sub_explicit(&loss->count, count, memory_order_relaxed);
    atomic_fetch_sub_explicit(&loss->bytes, bytes, memory_order_relaxed);
}

void
control_note_error(struct control *control, int error)
{
    atomic_store_explicit(&control->shared->last_error, error, memory_order_relaxed);
    wait_wake(control->sys, &control->shared->error_word);
}

uint64_t
control_ask(struct control *control, enum request request)
{
    uint64_t ticket =
        atomic_fetch_add_explicit(&control->shared->requests[request].requested, 1,
                                  memory_order_acq_rel) + /* ask:RMW */
        1;

    control_wake_leader(control);
    return ticket;
}

bool
control_is_done(const struct control *control, enum request request, uint64_t ticket)
{
    return atomic_load_explicit(&control->shared->requests[request].done,
                                memory_order_acquire) >= ticket; /* done:A */
}

int
control_answer(const struct control *control, enum request request, uint64_t ticket)
{
    const struct control_request *asked = &control->shared->requests[request];

    return atomic_load_explicit(&asked->failed, memory_order_relaxed) >= ticket
               ? atomic_load_explicit(&asked->error, memory_order_relaxed)
               : 0;
}

void
control_fulfil(struct control *control, enum request request, uint64_t ticket,
               int error)
{
    struct control_request *asked = &control->shared->requests[request];

    if (error < 0) {
        atomic_store_explicit(&asked->error, error, memory_order_relaxed);
        atomic_store_explicit(&asked->failed, ticket, memory_order_relaxed);
    }
    atomic_store_explicit(&asked->done, ticket, memory_order_release); /* done:B */
    TEST_POINT(request_served);
    wait_wake(control->sys, &control->shared->done_word);
}

void
control_wake_leader(struct control *control)
{
    wait_wake(control->sys, &control->shared->leader_word);
}

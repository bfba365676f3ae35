#include "generation.h"

#include "closing.h"
#include "directories.h"
#include "losses.h"
#include "mutant.h"
#include "opening.h"
#include "ownring.h"
#include "registry.h"
#include "testpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t look_every_ns = 200U * 1000 * 1000;
enum { SETTLING_STEPS_MAX = 20 };

static _Atomic bool has_past; /* some writer of the process is, or was */

static bool
is_same_file(const struct stat *status, uint64_t device, uint64_t inode)
{
    return status->st_dev == device && status->st_ino == inode;
}

/* A path that can't be looked at says nothing: the process may have other rights or
 * another root by now. */
static enum where
judge(int error, bool is_same)
{
    if (error == -ENOENT || error == -ENOTDIR) {
        return WHERE_NOWHERE;
    }
    return error < 0 || is_same ? WHERE_HERE : WHERE_ELSEWHERE;
}

/* What is missing in the log's directory was removed, and can be made anew. */
static enum where
look_at_state(const struct writer *writer, int dir)
{
    char name[WRITER_NAME_SIZE + 16];
    struct stat status = {0};
    enum where where;
    int error;

    snprintf(name, sizeof(name), ".%s.ring", writer->name);
    error = writer->sys->fstatat(dir, name, &status);
    where =
        judge(error, is_same_file(&status, writer->state_device, writer->state_inode));
    if (where == WHERE_HERE && error == 0) {
        snprintf(name, sizeof(name), ".%s.ring/%s", writer->name, control_name);
        error = writer->sys->fstatat(dir, name, &status);
        where = judge(error, is_same_file(&status, writer->control.device,
                                          writer->control.inode));
    }
    return where == WHERE_NOWHERE ? WHERE_ELSEWHERE : where;
}

/* By its path alone: our own descriptor of the directory may be closed meanwhile
 * (resting.h). */
static enum where
look_at_directory(const struct writer *writer)
{
    const struct sys *sys = writer->sys;
    struct stat status = {0};
    int error, fd = sys->openat(AT_FDCWD, writer->directory,
                                O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    enum where where;

    error = fd < 0 ? fd : sys->fstat(fd, &status);
    where = judge(error, is_same_file(&status, writer->dir_device, writer->dir_inode));
    if (where == WHERE_HERE && error == 0) {
        where = look_at_state(writer, fd);
    }
    if (fd >= 0) {
        sys->close(fd);
    }
    return where;
}

static void
make_past(struct writer *writer, enum past past)
{
    _Atomic uint32_t *now = &writer->past;
    uint32_t before = atomic_load_explicit(now, memory_order_relaxed);

    while (before < (uint32_t)past &&
           /* past:RMW */
           !atomic_compare_exchange_weak_explicit(
               now, &before, past, memory_order_acq_rel, memory_order_relaxed)) {
    }
    atomic_store_explicit(&has_past, true, memory_order_relaxed);
    atomic_fetch_or_explicit(&writer->due, DUE_ANEW, memory_order_release); /* due:B */
}

enum where
generation_look(struct writer *writer)
{
    enum where where;

    if (writer->is_private) {
        return WHERE_HERE;
    }
    where = look_at_directory(writer);
    if (where == WHERE_ELSEWHERE && !MUTANT_LACKS(generation)) {
        make_past(writer, PAST_IS);
    }
    return where;
}

void
generation_forsake(struct writer *writer)
{
    make_past(writer, PAST_FORSAKEN);
}

void
generation_look_at_times(struct writer *writer, uint64_t now)
{
    if (now < writer->next_where_ns) {
        return;
    }
    writer->next_where_ns = now + look_every_ns;
    /* Also of a past one: founding it anew may have been put off. */
    (void)generation_look(writer);
    generation_reap();
}

int
generation_follow_path(struct writer *writer)
{
    int fd = writer->sys->openat(AT_FDCWD, writer->directory,
                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0) {
        return fd;
    }
    if (writer->path_dir >= 0) {
        writer->sys->close(writer->path_dir);
    }
    writer->path_dir = fd;
    writer->file.dir = fd;
    return 0;
}

/* Whether it may have to tell what became of the live file. It became past, and was
 * left, since the last step; or as it didn't lead for a moment. */
static bool
has_to_look_back(struct writer *writer)
{
    if (writer->leader.leads) {
        return !writer->has_looked_back || !writer->is_settled;
    }
    return writer->led_last && !writer->has_looked_back &&
           ++writer->settling_steps < SETTLING_STEPS_MAX;
}

bool
generation_settle(struct writer *writer)
{
    if (!generation_is_past(writer) ||
        atomic_load_explicit(&writer->is_over, memory_order_relaxed)) {
        return false;
    }
    if (generation_is_forsaken(writer)) {
        return true; /* its rings are its heir's */
    }
    if (atomic_load_explicit(&writer->users, memory_order_acquire) > 0) { /* users:A */
        return false;
    }
    if (has_to_look_back(writer)) {
        return false;
    }
    if (ownring_current(writer) != NULL) {
        if (ownring_has_left(writer) || !losses_are_told(writer)) {
            return false;
        }
        ownring_close_all(writer);
    }
    if (drainer_has_closing(writer) && ++writer->settling_steps < SETTLING_STEPS_MAX) {
        return false;
    }
    ownring_remove_closed(writer);
    leader_step_down(&writer->leader);
    return true;
}

/* Sealed, so that who still writes to one looks for a new one, and named in a slot of
 * the heir, whose leader drains it. */
static int
take_over(struct writer *heir, struct own_ring *own)
{
    char from[RING_NAME_SIZE], to[RING_NAME_SIZE];
    struct ring_owner self = leader_self(&heir->leader);
    uint32_t slot;
    int error = leader_offer_slot(&heir->leader, own->slot, &slot);

    if (error < 0) {
        return error;
    }
    ring_seal(&own->ring);
    ring_name(own->slot, own->ring.nonce, from);
    ring_name(slot, own->ring.nonce, to);
    if (slot != own->slot) {
        (void)heir->sys->rename_noreplace(heir->rings_dir, from, to);
    }
    own->slot = slot;
    atomic_store_explicit(&own->ring.shared->keeper, heir->control.shared->identity,
                          memory_order_release); /* keeper:B */
    leader_fill_slot(&heir->leader, slot, own->ring.nonce, &self,
                     heir->options.durability);
    own->next = heir->own_rings;
    heir->own_rings = own;
    control_set_slot(&heir->control, slot, SLOT_LIVE);
    return 0;
}

void
generation_finish_batch(struct writer *forsaken)
{
    drainer_stop(forsaken);
    if (forsaken->batch.is_outstanding) {
        (void)batch_write(&forsaken->batch);
    }
}

void
generation_take_over(struct writer *heir, struct writer *forsaken)
{
    struct own_ring *own, *next;
    int error = 0;

    generation_finish_batch(forsaken);
    pthread_mutex_lock(&heir->mutex);
    pthread_mutex_lock(&forsaken->mutex);
    /* current:B */
    atomic_store_explicit(&forsaken->current, NULL, memory_order_release);
    for (own = forsaken->own_rings; own != NULL && error == 0; own = next) {
        next = own->next;
        error = take_over(heir, own);
        if (error == 0) {
            forsaken->own_rings = next;
        }
    }
    pthread_mutex_unlock(&forsaken->mutex);
    pthread_mutex_unlock(&heir->mutex);
    if (error < 0) {
        control_note_error(&heir->control, error);
    }
}

static bool
is_same_path(const struct writer *one, const struct writer *other)
{
    return !other->is_private && strcmp(one->name, other->name) == 0 &&
           strcmp(one->directory, other->directory) == 0;
}

/* What a leader found lost after its own rings were closed. */
static void
leave_untold(struct writer *heir, const struct writer *past)
{
    for (int reason = GAP_DROPPED + 1; reason < GAP_REASONS; reason++) {
        const struct control_loss *loss = &past->control.shared->losses[reason];
        uint64_t count = atomic_load_explicit(&loss->count, memory_order_relaxed);
        uint64_t bytes = atomic_load_explicit(&loss->bytes, memory_order_relaxed);
        uint64_t told =
            atomic_load_explicit(&loss->count_reported, memory_order_relaxed);
        uint64_t told_bytes =
            atomic_load_explicit(&loss->bytes_reported, memory_order_relaxed);

        if (count > told || bytes > told_bytes) {
            control_add_loss(&heir->control, (enum gap_reason)reason,
                             count > told ? count - told : 0,
                             bytes > told_bytes ? bytes - told_bytes : 0);
        }
    }
}

/* Forsaken after everybody had left it; or at its end. */
static void
leave_to_heir(struct writer *past)
{
    struct writer *heir = registry_first();

    while (heir != NULL && (generation_is_past(heir) || !is_same_path(past, heir))) {
        heir = heir->next;
    }
    if (heir == NULL) {
        return;
    }
    if (generation_is_forsaken(past)) {
        generation_take_over(heir, past);
    } else if (past->led_last) {
        leave_untold(heir, past);
    }
}

static bool
is_reapable(struct writer *writer)
{
    return generation_is_past(writer) && writer->references == 0 &&
           /* callers:A */
           atomic_load_explicit(&writer->callers, memory_order_acquire) == 0 &&
           (atomic_load_explicit(&writer->is_over, memory_order_acquire) || /* over:A */
            (ownring_current(writer) == NULL && writer->own_rings == NULL));
}

void
generation_reap(void)
{
    struct writer *writer, *next;

    if (!registry_try_lock(&sys_posix, 0)) {
        return;
    }
    for (writer = registry_first(); writer != NULL; writer = next) {
        next = writer->next;
        if (is_reapable(writer)) {
            registry_remove(writer);
            drainer_stop(writer);
            leave_to_heir(writer);
            opening_free(writer);
        }
    }
    registry_unlock();
}

void
generation_finish(const struct writer *writer, uint64_t deadline)
{
    struct writer *other = registry_first();

    while (other != NULL) {
        if (other != writer && generation_is_past(other) && other->references == 0 &&
            is_same_path(writer, other) &&
            /* callers:A */
            atomic_load_explicit(&other->callers, memory_order_acquire) == 0) {
            registry_remove(other);
            (void)closing_end(other, deadline);
            other = registry_first(); /* its last steps may have reaped others */
        } else {
            other = other->next;
        }
    }
}

bool
generation_has_left(const struct writer *writer)
{
    struct writer *other;
    bool has_left = false;

    if (!atomic_load_explicit(&has_past, memory_order_relaxed)) {
        return false;
    }
    if (!registry_try_lock(writer->sys, 0)) {
        return true; /* somebody opens or closes; the caller asks again */
    }
    for (other = registry_first(); other != NULL && !has_left; other = other->next) {
        has_left = other != writer && generation_is_past(other) &&
                   is_same_path(writer, other) && ownring_has_left(other);
    }
    registry_unlock();
    return has_left;
}

bool
generation_shares_state(const struct writer *writer)
{
    struct writer *other;
    bool shares = false;

    if (!atomic_load_explicit(&has_past, memory_order_relaxed)) {
        return false;
    }
    if (!registry_try_lock(writer->sys, 0)) {
        return true;
    }
    for (other = registry_first(); other != NULL && !shares; other = other->next) {
        shares = other != writer && generation_is_past(other) &&
                 /* over:A */
                 !atomic_load_explicit(&other->is_over, memory_order_acquire) &&
                 other->state_inode == writer->state_inode &&
                 other->state_device == writer->state_device;
    }
    registry_unlock();
    return shares;
}

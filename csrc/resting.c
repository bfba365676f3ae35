#include "resting.h"

#include "appending.h"
#include "departed.h"
#include "directories.h"
#include "durability.h"
#include "generation.h"
#include "keeper.h"
#include "keptfile.h"
#include "losses.h"
#include "ownring.h"
#include "pass.h"
#include "registry.h"
#include "testpoint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static const uint64_t ms = 1000 * 1000;
static const uint64_t later_ns = 500 * ms;
uint64_t resting_quiet_ns = 2000 * 1000 * 1000;
uint64_t resting_quiet_in_a_crowd_ns = 50 * 1000 * 1000;
/* Slots of others that one look asks about, so that it stays cheap among many. */
enum { OWNERS_PER_LOOK = 2 };

static bool
has_records(const struct own_ring *own)
{
    return ring_head(&own->ring) < ring_tail(&own->ring);
}

static bool
is_quiet(struct writer *writer, uint64_t now)
{
    struct own_ring *own = ownring_current(writer);
    uint64_t tail = own != NULL ? ring_tail(&own->ring) : 0;

    if (own == NULL || tail != writer->quiet_tail || has_records(own)) {
        writer->quiet_tail = tail;
        writer->quiet_since_ns = now;
        writer->is_only_asked = false;
        return false;
    }
    if (writer->is_only_asked && registry_is_crowded()) {
        return true;
    }
    if (writer->backoff.idle_since_ns > writer->quiet_since_ns) {
        writer->quiet_since_ns = writer->backoff.idle_since_ns;
    }
    return now - writer->quiet_since_ns >=
           (registry_is_crowded() ? resting_quiet_in_a_crowd_ns : resting_quiet_ns);
}

static bool
is_done_leading(const struct writer *writer)
{
    return !writer->must_recover && writer->is_settled && losses_are_told(writer) &&
           !durability_is_pending(writer);
}

/* But for records. */
static bool
has_nothing_to_do(struct writer *writer)
{
    struct speaker_view view;

    speaker_view(writer, &view);
    return view.health == HEALTH_OK && writer->speaker.view.health == HEALTH_OK &&
           writer->failures == 0 && writer->rotation_failures == 0 &&
           !writer->batch.is_outstanding && !writer->has_unread && !writer->has_more &&
           !writer->is_paused && !writer->departed.is_open &&
           !generation_is_past(writer) && !drainer_has_closing(writer) &&
           !pass_is_asked_for(writer) &&
           (!writer->leader.leads || is_done_leading(writer));
}

/* What is missing for a new lead, resting_wake brings back. */
static void
give_back(struct writer *writer)
{
    if (writer->is_private) {
        return;
    }
    appending_end(&writer->file);
    if (writer->leader.leads) {
        keptfile_keep(writer);
    }
    leader_rest(&writer->leader);
    drainer_step_down(writer, 0);
    pthread_mutex_lock(&writer->mutex);
    directories_rest(writer);
    pthread_mutex_unlock(&writer->mutex);
}

static bool
is_due(const struct writer *writer)
{
    return (atomic_load_explicit(&writer->due, memory_order_relaxed) &
            ~(uint32_t)DUE_THREAD) != 0;
}

/* From here on who writes asks for a thread: a record that was committed before is seen
 * here. due:B, pairs with the look that a write takes behind its record. */
static bool
leaves(struct writer *writer)
{
    uint32_t asked = atomic_load_explicit(&writer->control.shared->leader_word,
                                          memory_order_acquire); /* wake:A */

    /* rest:RMW */
    atomic_store_explicit(&writer->has_thread, false, memory_order_seq_cst);
    /* rest:RMW */
    atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_seq_cst);
    TEST_POINT(rest_begun);
    if (has_records(ownring_current(writer)) || is_due(writer) ||
        !has_nothing_to_do(writer) || keeper_add(writer) < 0) {
        atomic_store_explicit(&writer->has_thread, true, memory_order_relaxed);
        atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_THREAD,
                                  memory_order_relaxed);
        return false;
    }
    writer->has_left = true;
    writer->asked_seen = asked;
    give_back(writer);
    return true;
}

bool
resting_begin(struct writer *writer)
{
    bool begins = false;

    if (!is_quiet(writer, writer->sys->now_mono()) || is_due(writer) ||
        !has_nothing_to_do(writer) ||
        pthread_mutex_trylock(&writer->thread_mutex) != 0) {
        return false;
    }
    if (!atomic_load_explicit(&writer->is_parked, memory_order_relaxed)) {
        begins = leaves(writer);
    }
    pthread_mutex_unlock(&writer->thread_mutex);
    return begins;
}

void
resting_end(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    writer->is_only_asked = writer->quiet_since_ns > 0 && own != NULL &&
                            ring_tail(&own->ring) == writer->quiet_tail;
    writer->quiet_since_ns = writer->sys->now_mono();
    writer->backoff.idle_since_ns = 0;
}

int
resting_wake(struct writer *writer)
{
    return directories_wake(writer);
}

/* Its descriptors and its slot. */
static bool
has_its_own(struct writer *writer, const struct own_ring *own)
{
    const struct control_slot *entry = &writer->control.shared->slots[own->slot];
    bool has;

    pthread_mutex_lock(&writer->mutex);
    has = entry->nonce == own->ring.nonce &&
          control_slot_state(&writer->control, own->slot) == SLOT_LIVE &&
          sys_is_file(writer->sys, writer->leader.lock_fd, writer->leader.lock_device,
                      writer->leader.lock_inode) &&
          leader_assert_slot(&writer->leader, own->slot) != -EAGAIN;
    pthread_mutex_unlock(&writer->mutex);
    return has && !ring_is_sealed(&own->ring) && !ring_is_cut(&own->ring) &&
           !atomic_load_explicit(&own->is_left, memory_order_relaxed);
}

/* A dead process's ring may hold what nobody drained. */
static bool
has_lost_an_owner(struct writer *writer)
{
    /* used:A */
    uint32_t used =
        atomic_load_explicit(&writer->control.shared->slots_used, memory_order_acquire);
    int asked = 0;

    used = used < CONTROL_SLOTS ? used : CONTROL_SLOTS;
    for (uint32_t i = 0; i < used && asked < OWNERS_PER_LOOK; i++) {
        uint32_t slot = writer->next_owner % used;
        enum slot_state state = control_slot_state(&writer->control, slot);

        writer->next_owner = slot + 1;
        if (state == SLOT_FREE || state == SLOT_RETIRED ||
            leader_owns(&writer->leader, slot)) {
            continue;
        }
        asked++;
        if (leader_is_gone(&writer->leader, slot)) {
            return true;
        }
    }
    return false;
}

/* Whether the file at the log's name is not what the last leader left. */
static bool
has_changed_file(const struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;
    char path[PATH_MAX + WRITER_NAME_SIZE + 2];
    struct stat named;
    int error;

    if (shared->live_inode == 0) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/%s", writer->directory, writer->name);
    error = writer->sys->fstatat(AT_FDCWD, path, &named);
    if (error < 0) {
        return error == -ENOENT;
    }
    return named.st_ino != shared->live_inode || named.st_dev != shared->live_device ||
           (uint64_t)named.st_size != shared->live_size;
}

static void
leave_to_leader(struct writer *writer)
{
    const struct control_shared *shared = writer->control.shared;

    writer->asked_seen =
        atomic_load_explicit(&shared->leader_word, memory_order_acquire); /* wake:A */
    keptfile_drop_left(writer);
}

static bool
has_work_among_others(struct writer *writer)
{
    speaker_look(writer);
    if (leader_is_led(&writer->leader)) {
        leave_to_leader(writer);
        return false;
    }
    /* wake:A */
    return atomic_load_explicit(&writer->control.shared->leader_word,
                                memory_order_acquire) != writer->asked_seen ||
           has_lost_an_owner(writer) || has_changed_file(writer);
}

bool
resting_has_work(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    if (own == NULL) {
        return false;
    }
    if (writer->leader.leads || has_records(own) || is_due(writer) ||
        pass_is_asked_for(writer)) {
        return true;
    }
    if (writer->is_private) {
        return false;
    }
    return mapping_is_cut(writer->control.mapping) || generation_is_past(writer) ||
           !has_its_own(writer, own) || has_work_among_others(writer);
}

uint64_t
resting_step(struct writer *writer)
{
    uint64_t sleep_ns = drainer_step_blocked(writer);
    struct own_ring *own = ownring_current(writer);

    if (sleep_ns > 0 && own != NULL && !has_records(own) && !is_due(writer) &&
        has_nothing_to_do(writer)) {
        give_back(writer);
        return later_ns;
    }
    return sleep_ns;
}

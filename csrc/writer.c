/* writer.c - lifetime of a writer, and what its callers do; the thread is drainer.c's.
 */
#include "writer.h"

#include "drainer.h"
#include "durability.h"
#include "losses.h"
#include "salvage.h"
#include "testpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t slice_ns = 10 * 1000 * 1000, leader_pause_ns = 1000 * 1000;
static const uint64_t open_limit_ns = 5000000000U;
enum { open_idle_limit = 20, close_step_limit = 20 };

/* Every writer of the process, so that one log has one writer: record locks do not
 * conflict inside a process. The mutex is held over a fork; recursive, because other
 * fork hooks of the forking thread may open and close writers meanwhile. */
static pthread_mutex_t registry_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct writer *registry;
static bool is_forking;  /* writers opened now get their thread after the fork */
static pid_t registry_pid; /* a child sees its parent's here, once */
static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;

static bool
is_network_fs(int64_t type)
{
    static const int64_t types[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x01021997, /* 9p */
        0x65735546  /* FUSE */
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (type == types[i]) {
            return true;
        }
    }
    return false;
}

static bool
has_group(const struct writer *writer)
{
    return writer->options.settings.gid != (uint32_t)-1;
}

static mode_t
state_mode(const struct writer *writer)
{
    return has_group(writer) ? 0660 : 0600;
}

/* The state directory is ours, root's, or of the group that shares the log. */
static int
check_owner(const struct writer *writer, const struct stat *status)
{
    uid_t self = geteuid();

    if (status->st_uid == self || status->st_uid == 0 || self == 0 ||
        (has_group(writer) && status->st_gid == (gid_t)writer->options.settings.gid)) {
        return 0;
    }
    return -EPERM;
}

static int
open_directory(const struct sys *sys, int at, const char *path)
{
    return sys->openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static int
make_state_dir(struct writer *writer, const char *name)
{
    const struct sys *sys = writer->sys;
    mode_t mode = has_group(writer) ? 02770 : 0700;
    int fd, error = sys->mkdirat(writer->dir, name, mode);
    bool is_new = error == 0;

    if (error < 0 && error != -EEXIST) {
        return error;
    }
    fd = open_directory(sys, writer->dir, name);
    if (fd >= 0 && is_new && has_group(writer)) {
        error = sys->fchown(fd, (uid_t)-1, (gid_t)writer->options.settings.gid);
        if (error == 0) {
            error = sys->fchmod(fd, mode);
        }
        if (error < 0) {
            sys->close(fd);
            return error;
        }
    }
    return fd;
}

static int
check_fs(const struct writer *writer, int dir)
{
    int64_t type = writer->sys->fs_type(dir);

    if (type < 0) {
        return (int)type;
    }
    return is_network_fs(type) && !writer->options.allow_network_fs ? -EREMOTE : 0;
}

/* Takes a new descriptor over, with what tells whether it still is ours later. */
static int
keep_directory(struct writer *writer, int fd, int *kept, uint64_t *device,
               uint64_t *inode, struct stat *status)
{
    int error;

    if (fd < 0) {
        return fd;
    }
    error = writer->sys->fstat(fd, status);
    if (error < 0) {
        writer->sys->close(fd);
        return error;
    }
    *kept = fd;
    *device = status->st_dev;
    *inode = status->st_ino;
    return 0;
}

static int
open_state_dir(struct writer *writer)
{
    char name[WRITER_NAME_SIZE + 8];
    struct stat status;
    int error;

    snprintf(name, sizeof(name), ".%s.ring", writer->name);
    error = keep_directory(writer, make_state_dir(writer, name), &writer->state_dir,
                           &writer->state_device, &writer->state_inode, &status);
    TEST_POINT(open_state_dir);
    if (error == 0) {
        error = check_owner(writer, &status);
    }
    return error < 0 ? error : check_fs(writer, writer->state_dir);
}

static int
open_directories(struct writer *writer)
{
    const struct sys *sys = writer->sys;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, fd, error;
    struct stat status;

    fd = sys->openat(AT_FDCWD, writer->directory, flags, 0);
    error = keep_directory(writer, fd, &writer->dir, &writer->dir_device,
                           &writer->dir_inode, &status);
    if (error == 0) {
        error = open_state_dir(writer);
    }
    if (error < 0) {
        return error;
    }
    fd = writer->rings_path != NULL
             ? sys->openat(AT_FDCWD, writer->rings_path, flags, 0)
             : sys->dup(writer->state_dir);
    error = keep_directory(writer, fd, &writer->rings_dir, &writer->rings_device,
                           &writer->rings_inode, &status);
    return error < 0 ? error : check_fs(writer, writer->rings_dir);
}

static void
close_directories(struct writer *writer)
{
    const struct sys *sys = writer->sys;

    sys_close_file(sys, writer->dir, writer->dir_device, writer->dir_inode);
    sys_close_file(sys, writer->state_dir, writer->state_device, writer->state_inode);
    sys_close_file(sys, writer->rings_dir, writer->rings_device, writer->rings_inode);
    writer->dir = writer->state_dir = writer->rings_dir = -1;
}

static void
store_settings(struct writer *writer)
{
    bool is_first = atomic_load_explicit(&writer->control.shared->settings_version,
                                         memory_order_relaxed) == 0;
    struct control_settings before;

    control_load_settings(&writer->control, &before);
    if (writer->options.adopt_settings && !is_first) {
        writer->options.settings = before;
    } else if (memcmp(&before, &writer->options.settings, sizeof(before)) != 0) {
        control_store_settings(&writer->control, &writer->options.settings);
        control_add(&writer->control, COUNTER_settings_changes, is_first ? 0 : 1);
    }
}

static int
found_log(struct writer *writer)
{
    int error = control_open(&writer->control, writer->sys, writer->state_dir,
                             writer->rings_path != NULL ? writer->rings_path : "",
                             state_mode(writer), (gid_t)writer->options.settings.gid);

    if (error == 0 && writer->control.rebooted) {
        error = salvage(&writer->control, writer->dir, writer->rings_dir, writer->name);
    }
    if (error == 0) {
        store_settings(writer);
    }
    if (error == 0 && writer->control.is_replaced) {
        /* Rings that only the old control file knew can't be drained any more. */
        control_add_loss(&writer->control, GAP_CONFLICT, 1, 0);
    }
    return error;
}

static int
open_private_control(struct writer *writer)
{
    int error = control_open_private(&writer->control, writer->sys);

    if (error == 0) {
        writer->needs_control = false;
        control_store_settings(&writer->control, &writer->options.settings);
    }
    return error;
}

static int
create_ring(struct writer *writer, struct own_ring *own, uint64_t nonce)
{
    struct ring_options options = {
        .capacity = writer->options.ring_bytes, .nonce = nonce, .slot = own->slot};

    if (writer->is_private) {
        return ring_create_private(&own->ring, writer->sys, &options);
    }
    memcpy(options.boot_id, writer->control.boot_id, sizeof(options.boot_id));
    return ring_create(&own->ring, writer->sys, writer->rings_dir, &options,
                       state_mode(writer), (gid_t)writer->options.settings.gid);
}

/* A private control block has one user: its first slot is his. */
static int
claim_slot(struct writer *writer, uint64_t nonce, uint32_t *slot)
{
    struct control_slot *entry;

    if (!writer->is_private) {
        return leader_claim_slot(&writer->leader, nonce, writer->options.durability,
                                 slot);
    }
    if (writer->needs_control) {
        control_close(&writer->control);
        int error = open_private_control(writer);
        if (error < 0) {
            return error;
        }
    }
    *slot = 0;
    entry = &writer->control.shared->slots[0];
    if (control_slot_state(&writer->control, 0) == SLOT_LIVE) {
        return -EUSERS;
    }
    entry->nonce = nonce;
    entry->pid = writer->leader.pid;
    atomic_store_explicit(&entry->durability, writer->options.durability,
                          memory_order_relaxed);
    control_set_slot(&writer->control, 0, SLOT_CLAIMED);
    return 0;
}

/* Lock the slot, claim it, make the ring, go live: in this order a slot without a lock
 * is a corpse, and a claimed one holds nothing. */
static int
attach(struct writer *writer)
{
    struct own_ring *own = calloc(1, sizeof(*own));
    uint64_t nonce;
    int error;

    if (own == NULL) {
        return -ENOMEM;
    }
    error = writer->sys->random(&nonce, sizeof(nonce));
    if (error == 0) {
        error = claim_slot(writer, nonce, &own->slot);
    }
    if (error < 0) {
        free(own);
        return error;
    }
    error = create_ring(writer, own, nonce);
    if (error < 0) {
        control_set_slot(&writer->control, own->slot, SLOT_FREE);
        if (!writer->is_private) {
            leader_release_slot(&writer->leader, own->slot);
        }
        free(own);
        return error;
    }
    TEST_POINT(slot_ring_created);
    own->next = writer->own_rings;
    writer->own_rings = own;
    control_set_slot(&writer->control, own->slot, SLOT_LIVE);
    TEST_POINT(slot_live);
    atomic_store_explicit(&writer->current, own, memory_order_release);
    return 0;
}

int
writer_attach(struct writer *writer, const struct own_ring *seen,
              enum control_counter counter)
{
    int error = 0;

    pthread_mutex_lock(&writer->mutex);
    if (atomic_load_explicit(&writer->current, memory_order_acquire) == seen) {
        error = attach(writer);
        if (error == 0 && counter != COUNTER_COUNT) {
            control_add(&writer->control, counter, 1);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

static int
open_private(struct writer *writer)
{
    int error = open_private_control(writer);

    if (error < 0) {
        return error;
    }
    writer->is_private = true;
    writer->leader = (struct leader){.sys = writer->sys,
                                     .control = &writer->control,
                                     .lock_fd = -1,
                                     .pid = writer->sys->getpid()};
    logfile_adopt_stream(&writer->file, writer->sys, writer->options.stream_fd);
    return batch_open(&writer->batch, writer->sys, &writer->control, &writer->file);
}

/* A table full of the dead's slots is cleared first: nobody else may be alive to do it.
 */
static int
attach_first(struct writer *writer)
{
    int error = writer_attach(writer, NULL, COUNTER_COUNT);

    for (int i = 0; i < open_idle_limit && error == -EUSERS; i++) {
        drainer_step(writer);
        error = writer_attach(writer, NULL, COUNTER_COUNT);
        if (error == 0 && writer->leader.leads) {
            leader_rename(
                &writer->leader,
                atomic_load_explicit(&writer->current, memory_order_relaxed)->slot);
        }
    }
    return error;
}

/* Under the opening lock, so that one opener founds and the others find. */
static int
open_shared(struct writer *writer)
{
    int error;

    writer->file = (struct logfile){
        .sys = writer->sys, .dir = writer->dir, .name = writer->name, .fd = -1};
    writer->map = (struct ringmap){.sys = writer->sys, .dir = writer->rings_dir};
    error =
        leader_open(&writer->leader, writer->sys, &writer->control, writer->state_dir,
                    state_mode(writer), (gid_t)writer->options.settings.gid);
    if (error < 0) {
        return error;
    }
    error = leader_lock_opening(&writer->leader);
    if (error < 0) {
        return error;
    }
    error = batch_open(&writer->batch, writer->sys, &writer->control, &writer->file);
    if (error == 0) {
        error = found_log(writer);
    }
    if (error == 0) {
        error = attach_first(writer);
    }
    leader_unlock_opening(&writer->leader);
    return error;
}

/* Trouble with the disk may pass; trouble with the file's name won't. */
static int
refusal(int error)
{
    switch (error) {
    case -EIO:
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
    case -ESTALE:
    case -EINTR:
        return 0;
    default:
        return error;
    }
}

/* Writes what dead processes left before anybody writes more. A disk that refuses does
 * not keep the log from opening: the ring takes what comes. */
static int
finish_orphans(struct writer *writer)
{
    uint64_t deadline = writer->sys->now_mono() + open_limit_ns;
    _Atomic uint32_t never = 0;
    int idle = 0;

    while (writer->sys->now_mono() < deadline && idle < open_idle_limit) {
        uint64_t sleep_ns = drainer_step(writer);

        if (!writer->leader.leads) {
            return 0;
        }
        if (writer->must_recover && writer->failures > 0) {
            return refusal(atomic_load_explicit(&writer->control.shared->last_error,
                                                memory_order_relaxed));
        }
        if (writer->failures > 0 || (sleep_ns > 0 && writer->is_settled)) {
            return 0;
        }
        if (sleep_ns > 0) {
            /* A live process is in the middle of a write, or was stopped there. */
            idle++;
            wait_word(writer->sys, &never, 0, sleep_ns);
        }
    }
    return 0;
}

static void
free_writer(struct writer *writer)
{
    struct own_ring *own, *next;

    syncer_join(&writer->syncer);
    ringmap_drop_all(&writer->map);
    for (own = writer->own_rings; own != NULL; own = next) {
        next = own->next;
        ring_close(&own->ring);
        free(own);
    }
    batch_close(&writer->batch);
    logfile_close(&writer->file);
    leader_close(&writer->leader);
    control_close(&writer->control);
    close_directories(writer);
    pthread_mutex_destroy(&writer->mutex);
    pthread_mutex_destroy(&writer->thread_mutex);
    free(writer->directory);
    free(writer->rings_path);
    free(writer);
}

/* Splits the path; the name becomes a directory's and must leave room for that. */
static int
split_path(struct writer *writer, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return -EISDIR;
    }
    if (strlen(name) > WRITER_NAME_SIZE) {
        return -ENAMETOOLONG;
    }
    snprintf(writer->name, sizeof(writer->name), "%s", name);
    if (slash == NULL) {
        writer->directory = strdup(".");
    } else if (slash == path) {
        writer->directory = strdup("/");
    } else {
        writer->directory = strndup(path, (size_t)(slash - path));
    }
    return writer->directory != NULL ? 0 : -ENOMEM;
}

static int
new_writer(struct writer **out, const struct sys *sys,
           const struct writer_options *options)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    int error = 0;

    if (writer == NULL) {
        return -ENOMEM;
    }
    writer->sys = sys;
    writer->options = *options;
    writer->options.ring_bytes = ring_capacity_for(options->ring_bytes);
    writer->references = 1;
    writer->dir = writer->state_dir = writer->rings_dir = -1;
    writer->leader.lock_fd = -1;
    writer->leader.sys = sys;
    writer->file.fd = -1;
    writer->file.sys = sys;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_mutex_init(&writer->thread_mutex, NULL);
    if (options->rings_path != NULL) {
        writer->rings_path = strdup(options->rings_path);
        error = writer->rings_path == NULL ? -ENOMEM : 0;
    }
    if (error == 0 && options->path != NULL) {
        error = split_path(writer, options->path);
    }
    if (error < 0) {
        free_writer(writer);
        return error;
    }
    *out = writer;
    return 0;
}

static struct writer *
find_registered(const struct writer *wanted)
{
    struct writer *writer = registry;

    while (writer != NULL &&
           (writer->is_private || writer->state_device != wanted->state_device ||
            writer->state_inode != wanted->state_inode)) {
        writer = writer->next;
    }
    return writer;
}

static void
raise_durability(struct writer *writer)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);

    if (own != NULL) {
        atomic_store_explicit(&writer->control.shared->slots[own->slot].durability,
                              writer->options.durability, memory_order_relaxed);
    }
}

/* The same log is open here already: its settings become ours. */
static int
join(struct writer *writer, const struct writer *newcomer)
{
    const char *mine = newcomer->rings_path != NULL ? newcomer->rings_path : "";
    const char *theirs = writer->rings_path != NULL ? writer->rings_path : "";
    int error;

    if (strcmp(mine, theirs) != 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&writer->mutex);
    error = leader_lock_opening(&writer->leader);
    if (error == 0) {
        writer->options.settings = newcomer->options.settings;
        writer->options.adopt_settings = newcomer->options.adopt_settings;
        if (newcomer->options.durability > writer->options.durability) {
            writer->options.durability = newcomer->options.durability;
            raise_durability(writer);
        }
        store_settings(writer);
        leader_unlock_opening(&writer->leader);
        writer->references++;
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

static void mark_forked(void);

static void
register_fork_handler(void)
{
    registry_pid = getpid();
    pthread_atfork(NULL, NULL, mark_forked);
}

static int
open_registered(struct writer *writer, struct writer **out)
{
    struct writer *known;
    int error;

    if (writer->options.path == NULL) {
        error = open_private(writer);
        if (error == 0) {
            error = writer_attach(writer, NULL, COUNTER_COUNT);
        }
    } else {
        error = open_directories(writer);
        if (error < 0) {
            return error;
        }
        known = find_registered(writer);
        if (known != NULL) {
            error = join(known, writer);
            *out = known;
            return error;
        }
        error = open_shared(writer);
        if (error == 0) {
            error = finish_orphans(writer);
        }
    }
    writer->is_parked = is_forking;
    if (error == 0) {
        error = drainer_start(writer);
    }
    if (error == 0) {
        writer->next = registry;
        registry = writer;
        *out = writer;
    }
    return error;
}

static void abandon_slots(struct writer *writer);

int
writer_open(struct writer **out, const struct sys *sys,
            const struct writer_options *options)
{
    struct writer *writer, *opened = NULL;
    int error = new_writer(&writer, sys, options);

    if (error < 0) {
        return error;
    }
    pthread_once(&fork_handler, register_fork_handler);
    pthread_mutex_lock(&registry_mutex);
    error = open_registered(writer, &opened);
    writer->options.path = NULL; /* borrowed from the caller until here */
    writer->options.rings_path = NULL;
    if (error < 0 || opened != writer) {
        leader_step_down(&writer->leader);
        abandon_slots(writer);
        free_writer(writer);
    }
    pthread_mutex_unlock(&registry_mutex);
    if (error == 0) {
        *out = opened;
    }
    return error;
}

/* Promises that nobody writes to our rings any more. */
static void
close_slots(struct writer *writer)
{
    struct own_ring *own;

    atomic_store_explicit(&writer->current, NULL, memory_order_release);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        const struct control_slot *entry = &writer->control.shared->slots[own->slot];

        if (entry->nonce == own->ring.nonce &&
            control_slot_state(&writer->control, own->slot) == SLOT_LIVE) {
            ring_seal(&own->ring);
            control_set_slot(&writer->control, own->slot, SLOT_CLOSING);
            TEST_POINT(slot_closing);
        }
    }
}

static void
abandon_slots(struct writer *writer)
{
    if (writer->control.shared != NULL && writer->own_rings != NULL) {
        close_slots(writer);
    }
}

/* Whether anything that was committed here is not in the file yet. */
static bool
has_left(struct writer *writer)
{
    struct own_ring *own;

    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (ring_head(&own->ring) < ring_tail(&own->ring)) {
            return true;
        }
    }
    return false;
}

static void
unregister(struct writer *writer)
{
    struct writer **link = &registry;

    while (*link != writer) {
        link = &(*link)->next;
    }
    *link = writer->next;
}

/* Standard output without a reader: no patience helps. */
static bool
is_cut_off(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    return writer->is_private &&
           atomic_load_explicit(&shared->health, memory_order_relaxed) != HEALTH_OK &&
           atomic_load_explicit(&shared->last_error, memory_order_relaxed) == -EPIPE;
}

static int
flush_until(struct writer *writer, uint64_t deadline)
{
    uint64_t ticket;
    int error, answered;

    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        return 0;
    }
    error = writer_ask(writer, REQUEST_FLUSH, &ticket);
    if (error < 0) {
        return error;
    }
    do {
        answered = writer_wait_answer(writer, REQUEST_FLUSH, ticket, slice_ns, &error);
    } while (answered == 0 && !is_cut_off(writer) &&
             writer->sys->now_mono() < deadline);
    return answered ? 0 : -EBUSY;
}

/* Gap events go through our ring: before it is closed, what is not told yet is. */
static void
tell_what_is_left(struct writer *writer)
{
    for (int i = 0; i < close_step_limit && writer->failures == 0; i++) {
        if (drainer_step(writer) > 0) {
            return;
        }
    }
}

/* Another process leads and is alive: what was committed after the flush, like the gap
 * event of late drops, it drains in a moment. */
static void
wait_for_leader(struct writer *writer, uint64_t deadline)
{
    _Atomic uint32_t never = 0;

    while (!writer->is_private && !writer->leader.leads && has_left(writer) &&
           writer->sys->now_mono() < deadline) {
        control_wake_leader(&writer->control);
        wait_word(writer->sys, &never, 0, leader_pause_ns);
    }
}

static int
end_writer(struct writer *writer, uint64_t deadline)
{
    int left;

    unregister(writer);
    drainer_stop(writer);
    if (atomic_load_explicit(&writer->current, memory_order_relaxed) == NULL) {
        free_writer(writer); /* a child that never wrote */
        return 0;
    }
    if (!writer->is_private && !writer->leader.leads) {
        writer->next_try_ns = 0;
        drainer_step(writer); /* nobody may be left to lead */
    }
    tell_what_is_left(writer);
    close_slots(writer);
    drainer_finish(writer);
    wait_for_leader(writer, deadline);
    durability_end(writer);
    left = !has_left(writer) ? 0 : is_cut_off(writer) ? -EPIPE : -EBUSY;
    if (!writer->is_private) {
        leader_step_down(&writer->leader);
        control_wake_leader(&writer->control);
    }
    free_writer(writer);
    return left;
}

int
writer_close(struct writer *writer, uint64_t flush_limit_ns)
{
    uint64_t deadline = writer->sys->now_mono() + flush_limit_ns;
    int error = flush_until(writer, deadline);

    pthread_mutex_lock(&registry_mutex);
    if (--writer->references == 0) {
        error = end_writer(writer, deadline);
    }
    pthread_mutex_unlock(&registry_mutex);
    return error;
}

/* A ring without a thread is no reason to refuse a record: it is safe there, another
 * process may lead, and the next write tries again. */
static void
ensure_thread(struct writer *writer)
{
    int error = 0;

    if (!atomic_load_explicit(&writer->has_thread, memory_order_relaxed)) {
        error = drainer_start(writer);
    }
    if (error == 0) {
        atomic_fetch_and_explicit(&writer->due, ~(uint32_t)DUE_THREAD,
                                  memory_order_relaxed);
    } else {
        control_note_error(&writer->control, error);
        atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_relaxed);
    }
}

/* The ring to write to; a forked child, or a process whose ring was sealed, gets a new
 * one. */
static int
find_ring(struct writer *writer, struct own_ring **out)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    int error = 0;

    if (own == NULL && !writer->is_private) {
        error = writer_repair(writer); /* a daemon closes what it inherited */
    }
    if (error == 0 && (own == NULL || ring_is_sealed(&own->ring))) {
        error = writer_attach(writer, own,
                              own != NULL ? COUNTER_false_deaths : COUNTER_COUNT);
        own = atomic_load_explicit(&writer->current, memory_order_acquire);
    }
    if (error == 0) {
        ensure_thread(writer); /* a child has none yet */
    }
    *out = own;
    return error;
}

/* What has to be done before the next record. */
static int
see_to_what_is_due(struct writer *writer, struct own_ring *own)
{
    uint32_t due = atomic_load_explicit(&writer->due, memory_order_relaxed);

    if ((due & DUE_THREAD) != 0) {
        ensure_thread(writer);
    }
    /* The gap event stands where the drops happened. */
    return (due & DUE_GAP) != 0 ? losses_tell_drops(writer, own) : 0;
}

int
writer_write(struct writer *writer, const void *data, size_t size, bool terminate,
             struct writer_ticket *ticket)
{
    struct own_ring *own = atomic_load_explicit(&writer->current, memory_order_acquire);
    struct ring_reservation reservation;
    int error;

    for (;;) {
        error = own == NULL ? -ESTALE : 0;
        if (error == 0 &&
            atomic_load_explicit(&writer->due, memory_order_relaxed) != 0) {
            error = see_to_what_is_due(writer, own);
        }
        if (error == 0) {
            error =
                ring_write(&own->ring, RING_DATA, data, size, terminate, &reservation);
        }
        if (error != -ESTALE && error != -EUCLEAN) {
            break;
        }
        if (error == -EUCLEAN) {
            ring_seal(&own->ring); /* head and tail contradict each other: leave it */
        }
        error = find_ring(writer, &own);
        if (error < 0) {
            return error;
        }
    }
    if (error < 0) {
        return error;
    }
    if (reservation.crossed_half &&
        atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
    ticket->ring = &own->ring;
    ticket->end = reservation.end;
    return 0;
}

uint64_t
writer_record_limit(struct writer *writer)
{
    return ring_record_limit(writer->options.ring_bytes);
}

static struct own_ring *
current_ring(struct writer *writer)
{
    return atomic_load_explicit(&writer->current, memory_order_acquire);
}

void
writer_wait_space(struct writer *writer, size_t size, uint64_t limit_ns)
{
    uint64_t begin = writer->sys->now_mono();
    struct own_ring *own;

    if (find_ring(writer, &own) < 0) {
        return;
    }
    if (atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
    if ((atomic_load_explicit(&writer->due, memory_order_relaxed) & DUE_GAP) != 0) {
        /* A gap event goes first. */
        size = ring_span(size + 1) + ring_span(sizeof(struct gap_mark) + GAP_LINE_MAX);
    }
    ring_wait_space(&own->ring, size + 1, limit_ns);
    atomic_fetch_add_explicit(&own->ring.shared->blocked_ns,
                              writer->sys->now_mono() - begin, memory_order_relaxed);
}

void
writer_drop(struct writer *writer, size_t size)
{
    struct own_ring *own = current_ring(writer);

    if (own == NULL) {
        return;
    }
    atomic_fetch_add_explicit(&own->ring.shared->dropped_bytes, size,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&own->ring.shared->dropped_count, 1,
                              memory_order_release);
    atomic_fetch_or_explicit(&writer->due, DUE_GAP, memory_order_release);
}

void
writer_count_refused(struct writer *writer)
{
    struct own_ring *own = current_ring(writer);

    if (own != NULL) {
        atomic_fetch_add_explicit(&own->ring.shared->refused_count, 1,
                                  memory_order_relaxed);
    }
}

void
writer_count_timeout(struct writer *writer)
{
    struct own_ring *own = current_ring(writer);

    if (own != NULL) {
        atomic_fetch_add_explicit(&own->ring.shared->block_timeouts, 1,
                                  memory_order_relaxed);
    }
}

bool
writer_wait_durable(struct writer *writer, const struct writer_ticket *ticket,
                    uint64_t limit_ns)
{
    if (atomic_load_explicit(&writer->control.shared->leader_sleeps,
                             memory_order_relaxed)) {
        control_wake_leader(&writer->control);
    }
    return ring_wait_durable(ticket->ring, ticket->end, limit_ns);
}

int
writer_ask(struct writer *writer, enum request request, uint64_t *ticket)
{
    struct own_ring *own;
    int error = find_ring(writer, &own);

    if (error < 0) {
        return error;
    }
    *ticket = control_ask(&writer->control, request);
    /* Nobody may be leading: then our own thread has to try now. */
    wait_wake(writer->sys, &writer->thread_word);
    return 0;
}

int
writer_wait_answer(struct writer *writer, enum request request, uint64_t ticket,
                   uint64_t limit_ns, int *error)
{
    struct control_shared *shared = writer->control.shared;
    uint32_t seen = atomic_load_explicit(&shared->done_word, memory_order_acquire);

    if (!control_is_done(&writer->control, request, ticket)) {
        wait_word(writer->sys, &shared->done_word, seen, limit_ns);
    }
    if (!control_is_done(&writer->control, request, ticket)) {
        return 0;
    }
    *error = control_answer(&writer->control, request, ticket);
    return 1;
}

static void
add_ring_counters(uint64_t counters[COUNTER_COUNT], const struct ring_shared *shared)
{
    counters[COUNTER_dropped_records] +=
        atomic_load_explicit(&shared->dropped_count, memory_order_relaxed);
    counters[COUNTER_dropped_bytes] +=
        atomic_load_explicit(&shared->dropped_bytes, memory_order_relaxed);
    counters[COUNTER_refused_records] +=
        atomic_load_explicit(&shared->refused_count, memory_order_relaxed);
    counters[COUNTER_blocked_ns] +=
        atomic_load_explicit(&shared->blocked_ns, memory_order_relaxed);
    counters[COUNTER_block_timeouts] +=
        atomic_load_explicit(&shared->block_timeouts, memory_order_relaxed);
}

void
writer_stats(struct writer *writer, struct writer_stats *out)
{
    const struct control_shared *shared = writer->control.shared;
    struct own_ring *own;

    *out = (struct writer_stats){
        .health = atomic_load_explicit(&shared->health, memory_order_relaxed),
        .last_error = atomic_load_explicit(&shared->last_error, memory_order_relaxed),
        .leads = writer->is_private};
    for (int i = 0; i < COUNTER_COUNT; i++) {
        out->counters[i] = control_count(&writer->control, (enum control_counter)i);
    }
    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        out->live_slots += control_slot_state(&writer->control, slot) == SLOT_LIVE;
    }
    pthread_mutex_lock(&writer->mutex);
    for (own = writer->own_rings; own != NULL; own = own->next) {
        if (writer->control.shared->slots[own->slot].nonce == own->ring.nonce &&
            control_slot_state(&writer->control, own->slot) == SLOT_LIVE) {
            add_ring_counters(out->counters, own->ring.shared);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    own = current_ring(writer);
    if (own != NULL) {
        out->ring_capacity = own->ring.capacity;
        out->ring_used = ring_tail(&own->ring) - ring_head(&own->ring);
        out->leads |= atomic_load_explicit(&shared->leader, memory_order_relaxed) ==
                      own->slot + 1;
    }
}

void
writer_settings(struct writer *writer, struct control_settings *out)
{
    control_load_settings(&writer->control, out);
}

uint32_t
writer_wait_rotation(struct writer *writer, uint32_t seen, uint64_t limit_ns)
{
    _Atomic uint32_t *word = &writer->control.shared->rotation_word;

    wait_word(writer->sys, word, seen, limit_ns);
    return atomic_load_explicit(word, memory_order_acquire);
}

void
writer_wake_rotation(struct writer *writer)
{
    wait_wake(writer->sys, &writer->control.shared->rotation_word);
}

void
writer_note_unread(struct writer *writer, uint64_t count, uint64_t bytes)
{
    control_add_loss(&writer->control, GAP_UNREAD, count, bytes);
    control_add(&writer->control, COUNTER_unread_backups_removed, count);
    control_wake_leader(&writer->control);
}

int
writer_lock_mill(struct writer *writer)
{
    int error;

    if (writer->is_private) {
        return -EAGAIN;
    }
    pthread_mutex_lock(&writer->mutex);
    error = leader_lock_mill(&writer->leader);
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

bool
writer_has_lost_directory(const struct writer *writer)
{
    const struct sys *sys = writer->sys;

    return !sys_is_file(sys, writer->dir, writer->dir_device, writer->dir_inode) ||
           !sys_is_file(sys, writer->state_dir, writer->state_device,
                        writer->state_inode) ||
           !sys_is_file(sys, writer->rings_dir, writer->rings_device,
                        writer->rings_inode);
}

static int
reopen_directories(struct writer *writer)
{
    uint64_t inode = writer->state_inode, device = writer->state_device;
    int error;

    close_directories(writer);
    error = open_directories(writer);
    if (error == 0 &&
        (writer->state_inode != inode || writer->state_device != device)) {
        writer->state_inode = inode;
        writer->state_device = device;
        error = -ESTALE;
    }
    writer->file.dir = writer->dir;
    writer->map.dir = writer->rings_dir;
    writer->leader.state_dir = writer->state_dir;
    return error;
}

int
writer_repair(struct writer *writer)
{
    int error = 0, broken;

    pthread_mutex_lock(&writer->mutex);
    if (writer_has_lost_directory(writer)) {
        error = reopen_directories(writer);
    }
    broken = leader_check_lock_file(&writer->leader);
    if (error == 0 && broken < 0) {
        if (broken == -EBADF) {
            /* The number may be somebody else's file by now. */
            writer->leader.lock_fd = -1;
        }
        leader_step_down(&writer->leader);
        error = leader_reopen(&writer->leader, state_mode(writer),
                              (gid_t)writer->options.settings.gid);
        if (error == 0) {
            control_add(&writer->control, COUNTER_locks_reopened, 1);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

void
writer_before_fork(void)
{
    struct writer *writer;

    pthread_mutex_lock(&registry_mutex);
    is_forking = true;
    for (writer = registry; writer != NULL; writer = writer->next) {
        drainer_park(writer);
    }
}

void
writer_after_fork_parent(void)
{
    struct writer *writer;

    is_forking = false;
    for (writer = registry; writer != NULL; writer = writer->next) {
        int error = drainer_resume(writer);
        if (error < 0) {
            /* The next write tries again; until then another process may lead. */
            atomic_fetch_or_explicit(&writer->due, DUE_THREAD, memory_order_relaxed);
            control_note_error(&writer->control, error);
            if (!writer->is_private) {
                leader_step_down(&writer->leader);
            }
        }
    }
    pthread_mutex_unlock(&registry_mutex);
}

/* Everything of the parent that a writer must not go on with. */
static void
forget_parent(struct writer *writer)
{
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_mutex_init(&writer->thread_mutex, NULL);
    atomic_store_explicit(&writer->current, NULL, memory_order_relaxed);
    atomic_store_explicit(&writer->must_stop, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->due, 0, memory_order_relaxed);
    atomic_store_explicit(&writer->has_thread, false, memory_order_relaxed);
    writer->own_rings = NULL;
    writer->is_parked = false;
    writer->needs_control = writer->is_private;
    writer->is_settled = false;
    writer->syncer.has_thread = false;
    writer->syncer.has_result = false;
    writer->batch.is_outstanding = false;
    writer->failures = 0;
    writer->sync_failures = 0;
    writer->is_suspect = false;
    writer->wants_rotation = false;
    writer->next_try_ns = 0;
    writer->next_retry_ns = 0;
    memset(writer->map.rings, 0, sizeof(writer->map.rings));
    leader_forget(&writer->leader);
    if (!writer->is_private) {
        logfile_close(&writer->file);
    }
}

/* Only what is safe in the child of a threaded process: no allocation, no locks. The
 * parent's rings are not mapped here (keep_from_children); their structs stay, because
 * nobody knows who looks at them. Runs once a child: from pthread_atfork, and again
 * from a caller that can't know of that. */
static void
mark_forked(void)
{
    pthread_mutex_t fresh = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    struct writer *writer;

    if (registry_pid == getpid()) {
        return;
    }
    registry_pid = getpid();
    registry_mutex = fresh;
    is_forking = false;
    for (writer = registry; writer != NULL; writer = writer->next) {
        forget_parent(writer);
    }
}

void
writer_after_fork_child(void)
{
    mark_forked();
}

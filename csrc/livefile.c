#include "livefile.h"

#include "rotate.h"

#include <errno.h>

static int
open_by_name(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    struct control_settings settings;
    int error;

    control_load_settings(&writer->control, &settings);
    error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
    if (error < 0) {
        return error;
    }
    if (shared->live_inode != writer->file.inode ||
        shared->live_device != writer->file.device) {
        shared->live_lines = 0;
    }
    shared->live_device = writer->file.device;
    shared->live_size = writer->file.size;
    shared->live_inode = writer->file.inode;
    writer->synced_size = 0; /* nobody knows what an earlier leader synced */
    return 0;
}

/* The file that a sync failed on is not the live file any more. */
static void
trust(struct writer *writer)
{
    writer->is_suspect = false;
    writer->wants_rotation = false;
}

static void
note_unlinked(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;

    control_add_loss(&writer->control, GAP_UNLINKED, shared->live_lines,
                     shared->live_size);
    control_add(&writer->control, COUNTER_live_file_unlinked, 1);
}

static void
note_moved(struct writer *writer)
{
    control_add(&writer->control, COUNTER_live_file_moved, 1);
    atomic_store_explicit(&writer->control.shared->unsynced_rotation, 1,
                          memory_order_relaxed);
}

static void
note_cut(struct writer *writer, uint64_t size_now)
{
    struct control_shared *shared = writer->control.shared;

    control_add_loss(&writer->control, GAP_CUT, size_now == 0 ? shared->live_lines : 1,
                     writer->file.size - size_now);
    control_add(&writer->control, COUNTER_live_file_cut, 1);
    writer->file.size = size_now;
    writer->synced_size = 0;
    shared->live_size = size_now;
    shared->live_lines = 0;
}

static void
note_grown(struct writer *writer, uint64_t size_now)
{
    control_add(&writer->control, COUNTER_foreign_bytes, size_now - writer->file.size);
    writer->file.size = size_now;
    writer->control.shared->live_size = size_now;
}

static int
complete_last_line(struct writer *writer)
{
    int result = logfile_complete_last_line(&writer->file);

    if (result > 0) {
        control_add(&writer->control, COUNTER_foreign_lines_completed, 1);
        writer->control.shared->live_size = writer->file.size;
    }
    return result < 0 ? result : 0;
}

static int
react(struct writer *writer, const struct logfile_look *look)
{
    switch (look->change) {
    case LOGFILE_SAME:
        return 0;
    case LOGFILE_GREW:
        note_grown(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_CUT:
        note_cut(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_MOVED:
        note_moved(writer);
        trust(writer);
        logfile_close(&writer->file);
        return 0;
    case LOGFILE_UNLINKED:
        note_unlinked(writer);
        trust(writer);
        logfile_close(&writer->file);
        return 0;
    case LOGFILE_LOST:
        /* The number was closed and may show somebody else's file: left alone. */
        writer->file.fd = -1;
        return 0;
    }
    return 0;
}

int
livefile_prepare(struct writer *writer)
{
    struct logfile_look look;
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    if (writer->file.fd >= 0) {
        error = logfile_look(&writer->file, &look);
        if (error == 0) {
            error = react(writer, &look);
        }
        if (error < 0 || writer->file.fd >= 0) {
            return error;
        }
    }
    error = open_by_name(writer);
    return error < 0 ? error : complete_last_line(writer);
}

int
livefile_reopen(struct writer *writer)
{
    if (writer->file.is_stream) {
        return 0;
    }
    atomic_store_explicit(&writer->control.shared->unsynced_rotation, 1,
                          memory_order_relaxed);
    logfile_close(&writer->file);
    return livefile_prepare(writer);
}

/* The strictest durability among the rings. */
static enum durability
strictest(const struct writer *writer)
{
    uint32_t found = DURABILITY_PROCESS;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        uint32_t wanted = atomic_load_explicit(
            &writer->control.shared->slots[writer->sources[i].slot].durability,
            memory_order_relaxed);
        found = wanted > found ? wanted : found;
    }
    return (enum durability)found;
}

static uint64_t
unsynced_bytes(const struct writer *writer)
{
    return writer->file.size > writer->synced_size
               ? writer->file.size - writer->synced_size
               : 0;
}

static void
add_suspect_bytes(struct writer *writer, uint64_t count)
{
    control_add_loss(&writer->control, GAP_SUSPECT, count, unsynced_bytes(writer));
    writer->synced_size = writer->file.size;
}

/* While sync after sync fails, only the first file is left, and the last one at the
 * end: a backup each time would push out those that are good. */
void
livefile_note_failed_sync(struct writer *writer)
{
    add_suspect_bytes(writer, 1);
    writer->is_suspect = true;
    writer->wants_rotation |= writer->sync_failures == 0;
    writer->sync_failures++;
}

void
livefile_note_sync(struct writer *writer, uint64_t size)
{
    writer->synced_size = size > writer->synced_size ? size : writer->synced_size;
    writer->wants_rotation |= writer->is_suspect;
    writer->sync_failures = 0;
}

static void
note_sync_error(struct writer *writer, int error)
{
    control_add(&writer->control, COUNTER_sync_errors, 1);
    control_note_error(&writer->control, error);
    livefile_note_failed_sync(writer);
}

static void
take_sync_result(struct writer *writer)
{
    int result = syncer_poll(&writer->syncer);

    if (result == -EINPROGRESS) {
        return;
    }
    if (result < 0) {
        note_sync_error(writer, result);
        return;
    }
    control_add(&writer->control, COUNTER_syncs, 1);
    /* A file that was rotated meanwhile tells nothing of the new one. */
    if (writer->syncer_inode == writer->file.inode) {
        livefile_note_sync(writer, writer->syncer.size);
    }
}

static void
end_background_sync(struct writer *writer)
{
    syncer_join(&writer->syncer);
    take_sync_result(writer);
}

int
livefile_renew(struct writer *writer)
{
    writer->synced_size = 0;
    trust(writer);
    return rotate_reopen(&writer->file, &writer->control);
}

/* Its descriptor is about to go, and with it the kernel's report. */
static void
sync_before_leaving(struct writer *writer)
{
    int error;

    if (writer->wants_rotation) {
        add_suspect_bytes(writer, 0);
        return;
    }
    error = writer->sys->fdatasync(writer->file.fd);
    if (error < 0) {
        note_sync_error(writer, error);
    } else {
        livefile_note_sync(writer, writer->file.size);
    }
}

int
livefile_rotate(struct writer *writer, bool forced)
{
    bool must_sync = strictest(writer) != DURABILITY_PROCESS;
    int error = writer->file.fd < 0 ? livefile_prepare(writer) : 0;

    if (writer->file.is_stream || error < 0) {
        return error;
    }
    end_background_sync(writer);
    if (must_sync) {
        sync_before_leaving(writer);
    }
    error = rotate_away(&writer->file, &writer->control, writer->state_dir, forced);
    if (error == -ENOENT) {
        error = 0; /* somebody else took the name away first */
    }
    if (error == 0) {
        error = livefile_renew(writer);
    }
    if (error == 0 && must_sync) {
        error = writer->sys->fsync(writer->dir); /* the names */
    }
    return error;
}

int
livefile_sync(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    uint32_t rotated;
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    error = writer->wants_rotation ? livefile_rotate(writer, true)
            : writer->file.fd < 0  ? livefile_prepare(writer)
                                   : 0;
    if (error < 0) {
        return error;
    }
    /* Backups have no descriptor any more; the file system syncs them all. */
    rotated =
        atomic_exchange_explicit(&shared->unsynced_rotation, 0, memory_order_relaxed);
    error = rotated ? writer->sys->syncfs(writer->file.fd)
                    : writer->sys->fdatasync(writer->file.fd);
    if (error < 0) {
        if (rotated) {
            atomic_store_explicit(&shared->unsynced_rotation, 1, memory_order_relaxed);
        }
        note_sync_error(writer, error);
        return error;
    }
    control_add(&writer->control, COUNTER_syncs, 1);
    livefile_note_sync(writer, writer->file.size);
    return 0;
}

static void
start_sync(struct writer *writer, uint64_t now)
{
    struct control_settings settings;
    int error;

    control_load_settings(&writer->control, &settings);
    writer->next_sync_ns = now + settings.sync_interval_ns;
    writer->syncer_inode = writer->file.inode;
    error =
        syncer_start(&writer->syncer, writer->sys, writer->file.fd, writer->file.size);
    if (error < 0) {
        control_add(&writer->control, COUNTER_sync_errors, 1);
        control_note_error(&writer->control, error);
    }
}

/* Trouble with syncing ends with a sync that succeeds, so that one is due, too. */
static bool
is_sync_due(const struct writer *writer, uint64_t now)
{
    return now >= writer->next_sync_ns && writer->file.fd >= 0 &&
           !writer->syncer.has_thread && !writer->wants_rotation &&
           (unsynced_bytes(writer) > 0 || writer->sync_failures > 0) &&
           strictest(writer) == DURABILITY_INTERVAL;
}

void
livefile_sync_at_interval(struct writer *writer, uint64_t now)
{
    take_sync_result(writer);
    if (is_sync_due(writer, now)) {
        start_sync(writer, now);
    }
}

void
livefile_end_interval(struct writer *writer)
{
    end_background_sync(writer);
    if (writer->file.fd >= 0 && writer->options.durability == DURABILITY_INTERVAL &&
        unsynced_bytes(writer) > 0) {
        (void)livefile_sync(writer); /* counted and told there */
    }
    if (writer->file.fd >= 0 && writer->wants_rotation) {
        (void)livefile_rotate(writer, true); /* the next leader would not know */
    }
}

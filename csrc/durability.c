#include "durability.h"

#include "livefile.h"

#include <errno.h>

/* The strictest durability among the rings. */
static enum durability
strictest(const struct writer *writer)
{
    uint32_t found = DURABILITY_PROCESS;

    for (uint32_t i = 0; i < writer->source_count; i++) {
        uint32_t wanted =
            control_slot_durability(&writer->control, writer->sources[i].slot);
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

void
durability_begin_file(struct writer *writer)
{
    writer->synced_size = 0;
    writer->is_suspect = false;
    writer->wants_rotation = false;
}

/* While sync after sync fails, only the first file is left, and the last one at the
 * end: a backup each time would push out those that are good. */
void
durability_note_failed_sync(struct writer *writer)
{
    add_suspect_bytes(writer, 1);
    writer->is_suspect = true;
    writer->wants_rotation |= writer->sync_failures == 0;
    writer->sync_failures++;
}

void
durability_note_sync(struct writer *writer, uint64_t size)
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
    durability_note_failed_sync(writer);
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
        durability_note_sync(writer, writer->syncer.size);
    }
}

static void
end_background_sync(struct writer *writer)
{
    syncer_join(&writer->syncer);
    take_sync_result(writer);
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
        durability_note_sync(writer, writer->file.size);
    }
}

bool
durability_leave_file(struct writer *writer)
{
    bool must_sync = strictest(writer) != DURABILITY_PROCESS;

    end_background_sync(writer);
    if (must_sync) {
        sync_before_leaving(writer);
    }
    return must_sync;
}

int
durability_sync(struct writer *writer)
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
    durability_note_sync(writer, writer->file.size);
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
durability_sync_at_interval(struct writer *writer, uint64_t now)
{
    take_sync_result(writer);
    if (is_sync_due(writer, now)) {
        start_sync(writer, now);
    }
}

bool
durability_is_pending(const struct writer *writer)
{
    return writer->syncer.has_thread || writer->wants_rotation ||
           writer->sync_failures > 0 ||
           (unsynced_bytes(writer) > 0 && strictest(writer) == DURABILITY_INTERVAL);
}

void
durability_end(struct writer *writer)
{
    end_background_sync(writer);
    if (writer->file.fd >= 0 && writer->options.durability == DURABILITY_INTERVAL &&
        unsynced_bytes(writer) > 0) {
        (void)durability_sync(writer); /* counted and told there */
    }
    if (writer->file.fd >= 0 && writer->wants_rotation) {
        (void)livefile_rotate(writer, true); /* the next leader would not know */
    }
}
